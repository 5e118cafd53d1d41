//! The shape of the source, as far as a reader can rely on it: lists and folders agree, dependencies point one way,
//! files stay small and say why they exist, links lead somewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use lastref::scenario::{Expect, Scenario};
use scenarios::SCENARIOS;

/// A file may have this many lines, unit tests not counted.
const FILE_LINES_MAX: usize = 600;
/// Columns of a comment.
const COLUMNS_MAX: usize = 120;
/// A scenario may have this many lines.
const SCENARIO_LINES_MAX: usize = 60;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every file below `folder` with that extension, sorted.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for path in entries.map(|entry| entry.expect("a readable folder").path()) {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            match path.is_dir() {
                true if name != "target" && !name.starts_with('.') => folders.push(path),
                false if path.extension().is_some_and(|found| found == extension) => found.push(path),
                _ => {}
            }
        }
    }
    found.sort();
    found
}

fn sources() -> Vec<PathBuf> {
    ["sim", "models", "scenarios", "tests"].iter().flat_map(|member| files(&root().join(member), "rs")).collect()
}

#[track_caller]
fn check_none(what: &str, offenders: Vec<String>) {
    assert!(offenders.is_empty(), "{what}:\n{}", offenders.join("\n"));
}

#[test]
fn the_list_of_scenarios_is_the_folders_contents_both_ways() {
    let mut listed: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let all = SCENARIOS.all();
    for scenario in &all {
        listed.entry(scenario.component()).or_default().insert(scenario.name().to_owned());
    }
    assert!(!listed.is_empty(), "the list has scenarios");
    for (component, names) in listed {
        let folder = root().join("scenarios/src").join(component);
        let found: BTreeSet<String> =
            files(&folder, "rs").iter().map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect();
        assert_eq!(names, found, "{component}: names that scenarios give themselves, and files");
    }
}

#[test]
fn a_scenario_has_a_name_of_its_own_over_all_components() {
    let all = SCENARIOS.all();
    let names: BTreeSet<&str> = all.iter().map(Scenario::name).collect();
    assert_eq!(names.len(), all.len());
}

#[test]
fn every_scenario_has_a_fixed_variant_that_stays_clean() {
    let without = SCENARIOS
        .all()
        .into_iter()
        .filter(|scenario| scenario.expectation("fixed").is_none_or(|said| said.expect != Expect::Clean));
    check_none("scenarios that do not say that `fixed` is clean", without.map(|it| it.name().to_owned()).collect());
}

#[test]
fn a_scenario_fits_on_one_page() {
    let long = SCENARIOS.all().into_iter().filter_map(|scenario| {
        let path = root().join("scenarios/src").join(scenario.component()).join(format!("{}.rs", scenario.name()));
        let lines = read(&path).lines().count();
        (lines > SCENARIO_LINES_MAX).then(|| format!("{}: {lines} lines", path.display()))
    });
    check_none("scenarios longer than a page", long.collect());
}

#[test]
fn a_file_holds_one_concept_and_says_which() {
    let mut offenders = Vec::new();
    for path in sources() {
        let text = read(&path);
        let lines = text.lines().take_while(|line| !line.starts_with("mod tests {")).count();
        if lines > FILE_LINES_MAX {
            offenders.push(format!("{}: {lines} lines", path.display()));
        }
        if !text.starts_with("//!") {
            offenders.push(format!("{}: does not begin with why it exists", path.display()));
        }
    }
    check_none("files that are too long or do not say why they exist", offenders);
}

/// rustfmt wraps code, and leaves comments alone. A row of a table cannot be wrapped.
#[test]
fn a_comment_fits_its_columns() {
    let mut offenders = Vec::new();
    for path in sources().into_iter().chain(files(&root(), "toml")) {
        let mark = if path.extension().is_some_and(|extension| extension == "toml") { "#" } else { "//" };
        for (nth, line) in read(&path).lines().enumerate() {
            let text = line.trim_start();
            let is_row = text.starts_with("//! |") || text.starts_with("/// |");
            if text.starts_with(mark) && !is_row && line.chars().count() > COLUMNS_MAX {
                offenders.push(format!("{}:{}", path.display(), nth + 1));
            }
        }
    }
    check_none("comments that are too wide", offenders);
}

#[test]
fn the_glossary_is_sorted_and_has_a_line_for_each_word() {
    let glossary = read(&root().join("docs/glossary.md"));
    let row = |line: &str| line.strip_prefix("| ")?.split_once(" | ").map(|(word, _)| word.to_lowercase());
    let words: Vec<String> = glossary.lines().filter_map(row).filter(|word| word != "word" && word != "---").collect();
    assert!(words.len() >= 40 && words.is_sorted_by(|one, next| one < next), "{words:#?}");
}

/// A short function that only acts for the `Owner` that it is given must be `#[track_caller]`: a finding in it is
/// caused by its caller.
#[test]
fn what_acts_for_an_owner_names_its_callers_line() {
    let mut offenders = Vec::new();
    for path in &files(&root().join("models/src"), "rs") {
        let text = read(path);
        let lines: Vec<&str> = text.lines().take_while(|line| !line.starts_with("mod tests {")).collect();
        for place in (0..lines.len()).filter(|&place| acts_for_an_owner(&lines[place..])) {
            let above = lines[..place].iter().rev().map(|line| line.trim_start());
            let mut above = above.take_while(|line| line.starts_with('#') || line.starts_with("//"));
            if !above.any(|line| line == "#[track_caller]") {
                offenders.push(format!("{}:{}: {}", path.display(), place + 1, lines[place].trim()));
            }
        }
    }
    check_none("functions that act for an owner without #[track_caller]", offenders);
}

/// Whether a function begins here that takes an `Owner`, passes it on, and has no branch.
fn acts_for_an_owner(lines: &[&str]) -> bool {
    let Some(first) = lines.first().filter(|line| line.contains("fn ") && line.contains('(')) else { return false };
    let words: Vec<&str> = first.split_whitespace().take_while(|word| !word.contains('(')).collect();
    if words.contains(&"async") || first.trim_start().starts_with("//") {
        return false;
    }
    let indent = &first[..first.len() - first.trim_start().len()];
    let end = format!("{indent}}}");
    let whole = lines.iter().take_while(|line| **line != end).copied().collect::<Vec<_>>().join("\n");
    let Some((signature, body)) = whole.split_once("{\n") else { return false };
    let arguments = signature.split("->").next().unwrap_or_default();
    let mut owners =
        arguments.split(": Owner").map(|before| before.rsplit(['(', ' ', '\n']).next().unwrap_or_default());
    let is_given = arguments.contains(": Owner") && !signature.contains(';');
    let code = body.lines().map(str::trim_start).filter(|line| !line.starts_with("//")).collect::<Vec<_>>().join(" ");
    let branches = ["if ", "for ", "while ", "loop ", "match "];
    let acts = owners.any(|owner| {
        !owner.is_empty() && [format!("({owner}"), format!(", {owner}")].iter().any(|use_| code.contains(use_))
    });
    is_given && acts && body.lines().count() <= 8 && !branches.iter().any(|branch| code.contains(branch))
}

#[test]
fn an_owner_that_is_passed_on_is_seen_and_a_branch_is_left_alone() {
    let acts = |text: &str| acts_for_an_owner(&text.lines().collect::<Vec<_>>());
    assert!(acts("    fn free(&self, by: Owner) {\n        self.memory.release(by);\n    }"));
    assert!(!acts("    fn name(&self) {\n        self.memory.release(BY);\n    }"));
    assert!(!acts("    fn free(&self, by: Owner) {\n        if self.is_ours {\n            self.release(by);\n    }"));
    assert!(!acts("    async fn free(&self, by: Owner) {\n        self.memory.release(by);\n    }"));
}

/// The tables of the listed machines are snapshots.
#[test]
fn every_machine_of_a_model_is_in_the_list() {
    let declares = |path: &PathBuf| {
        let text = read(path);
        let model = text.lines().take_while(|line| !line.starts_with("mod tests {"));
        model.filter(|line| line.starts_with("machine! {")).count() > 0
    };
    let folder = root().join("models/src");
    let name = |path: &PathBuf| {
        let component = path.strip_prefix(&folder).unwrap().components().next().unwrap();
        let file = path.file_stem().unwrap();
        format!("{}.{}", component.as_os_str().to_string_lossy(), file.to_string_lossy())
    };
    let declared: Vec<String> = files(&folder, "rs").iter().filter(|path| declares(path)).map(name).collect();
    let listed: Vec<&str> = models::machines().into_iter().map(|(name, _)| name).collect();
    assert_eq!(listed, declared, "models::machines(), and the files with a `machine!`");
}

#[test]
fn dependencies_point_one_way() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in metadata["packages"].as_array().unwrap() {
        // Not those of tests only: examples that two packages share are written for the users of one.
        let own = package["dependencies"].as_array().unwrap().iter().filter(|dependency| dependency["kind"].is_null());
        let own = own.filter_map(|dependency| dependency["name"].as_str()).filter(|name| name.starts_with("lastref"));
        let mut own: Vec<String> = own.map(str::to_owned).collect();
        own.sort();
        own.dedup();
        found.insert(package["name"].as_str().unwrap().to_owned(), own);
    }
    let expected = [
        ("cache-hunt", vec!["lastref", "lastref-hunt"]),
        ("cargo-lastref", vec!["lastref-cli", "lastref-kernel"]),
        ("lastref-cli", vec![]),
        ("lastref-hunt", vec!["lastref", "lastref-cli"]),
        ("lastref-kernel", vec![]),
        ("lastref-macros", vec![]),
        ("lastref-runtime", vec!["lastref-kernel"]),
        ("lastref", vec!["lastref-kernel"]),
        ("lastref-models", vec!["lastref"]),
        ("lastref-scenarios", vec!["lastref", "lastref-models"]),
        ("lastref-scenarios-cli", vec!["lastref-hunt", "lastref-scenarios"]),
        ("lastref-tests", vec!["lastref", "lastref-hunt", "lastref-models", "lastref-scenarios"]),
    ];
    let expected = expected.map(|(name, own)| (name.to_owned(), own.into_iter().map(str::to_owned).collect()));
    assert_eq!(found, BTreeMap::from(expected));
}

#[test]
fn links_of_the_documents_lead_somewhere() {
    let mut broken = Vec::new();
    for path in files(&root(), "md") {
        for link in links(&read(&path)) {
            if let Some(why) = why_broken(&path, &link) {
                broken.push(format!("{}: `{link}`: {why}", path.display()));
            }
        }
    }
    check_none("broken links", broken);
}

/// The targets of `[text](target)` outside code.
fn links(text: &str) -> Vec<String> {
    let mut links = Vec::new();
    let mut in_code = false;
    for line in text.lines() {
        in_code ^= line.trim_start().starts_with("```");
        if in_code {
            continue;
        }
        // Inline code is every second part between backticks.
        let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("``");
        for rest in prose.split("](").skip(1) {
            links.extend(rest.split(')').next().map(str::to_owned));
        }
    }
    links
}

fn why_broken(document: &Path, link: &str) -> Option<String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (file, heading) = link.split_once('#').map_or((link, None), |(file, heading)| (file, Some(heading)));
    let target = if file.is_empty() { document.to_owned() } else { document.parent()?.join(file) };
    if !target.exists() {
        return Some(String::from("no such file"));
    }
    let heading = heading?;
    let is_there = read(&target).lines().any(|line| line.starts_with('#') && anchor(line) == heading);
    (!is_there).then(|| String::from("no such heading"))
}

/// The anchor that a heading gets when it is rendered.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
    kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect()
}

#[test]
fn a_link_is_seen_and_its_heading_checked() {
    assert_eq!(links("see [a](b.md#c), `[not](this)` and [d](e)"), ["b.md#c", "e"]);
    assert_eq!(anchor("## What is left out, and why"), "what-is-left-out-and-why");
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    assert_eq!(why_broken(&here, "nowhere.md"), Some(String::from("no such file")));
    assert_eq!(why_broken(&here, "Cargo.toml#nothing"), Some(String::from("no such heading")));
    assert_eq!(why_broken(&here, "https://example.org/nowhere"), None);
}

#[test]
fn the_documents_have_a_row_for_each_strategy_and_each_engine() {
    let count = |document: &str, word: &str| read(&root().join(document)).matches(&format!("\n| `{word}")).count();
    for strategy in lastref::StrategyName::all() {
        let name = strategy.to_string();
        let word = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
        assert_eq!(count("docs/strategies.md", word), 1, "{word}");
    }
    assert_eq!(count("docs/strategies.md", ""), lastref::StrategyName::all().count());
    for engine in lastref::Engine::ALL {
        assert_eq!(count("docs/engines.md", &format!("{engine}` | ")), 1, "{engine}");
    }
}

#[test]
fn the_first_page_has_the_numbers_of_the_list() {
    let (mut scenarios, mut clean) = (BTreeMap::<String, BTreeSet<String>>::new(), BTreeMap::<String, usize>::new());
    let (mut defects, mut with_defect) = (BTreeMap::<String, BTreeSet<String>>::new(), 0);
    for cell in lastref_tests::cells::all() {
        let name = cell.cell.case.name().clone();
        scenarios.entry(name.component.clone()).or_default().insert(name.scenario);
        match cell.expectation.expect {
            Expect::Clean => *clean.entry(name.component).or_default() += 1,
            Expect::Violation { .. } => {
                defects.entry(name.component).or_default().insert(name.variant);
                with_defect += 1;
            }
        }
    }
    let page = read(&root().join("README.md"));
    for (component, scenarios) in &scenarios {
        let row = page.lines().find(|line| line.starts_with(&format!("│ {component} "))).unwrap_or_default();
        let numbers: Vec<&str> = row.split(['│', '┆']).map(str::trim).collect();
        let (defects, clean) = (defects[component].len(), clean[component]);
        let expected = [scenarios.len().to_string(), format!("{defects} of {defects}"), format!("{clean} of {clean}")];
        assert_eq!([numbers[2], numbers[4], numbers[6]], expected.each_ref().map(String::as_str), "{row}");
    }
    let (kept, planted) = (clean.values().sum::<usize>(), defects.values().map(BTreeSet::len).sum::<usize>());
    let sentence = format!("{kept} must stay clean, and in {with_defect} one of the {planted} planted defects must be");
    assert!(page.split_whitespace().collect::<Vec<_>>().join(" ").contains(&sentence), "{sentence}");
    assert!(page.contains(&format!("\n{0} of {0} as expected, ", kept + with_defect)));
}

#[test]
fn the_scenario_that_the_document_writes_is_the_one_in_the_tree() {
    let document = read(&root().join("docs/writing-a-scenario.md"));
    let file = read(&root().join("scenarios/src/context_pool/kept_context_survives_reset.rs"));
    assert!(document.contains(&format!("```rust\n{file}```")), "docs/writing-a-scenario.md shows another file");
}

/// The log in grpc/grpc#38871 shows this: the read's reference goes from 2 to 1 when the endpoint has failed, and the
/// descriptor is never closed.
#[test]
fn the_log_of_the_reported_socket_leak_is_in_its_snapshot() {
    let snapshot = read(&root().join("tests/tests/snapshots/subchannel.connect_result_dropped_on_shutdown.snap"));
    let place = |words: &str| snapshot.rfind(words).unwrap_or_else(|| panic!("no `{words}` in:\n{snapshot}"));
    let (unref, failed, shut) = (place("unref 2->1 -read#"), place("Endpoint read failed"), place("SetShutdown"));
    assert!(unref < failed && failed < shut, "{snapshot}");
    assert!(!snapshot.contains("fd_orphan"), "{snapshot}");
}
