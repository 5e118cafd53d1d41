//! The snapshots that people review when a model or the harness changes: the shortest failing interleaving of each
//! defect, one clean trace of each component, and the transitions of the models. The transitions are the tables of the
//! machines that are written as tables, and those that a component's fixed variant takes in a number of runs of every
//! scenario.
//!
//! Several scenarios may find one defect; `shown.txt` names the one whose finding is the snapshot, so that a further
//! scenario changes no snapshot. With `LASTREF_UPDATE=1` a variant without a line gets one: the scenario whose shrunk
//! run has the fewest operations. A snapshot holds no seed, address or source line, and numbers the objects that it
//! shows ([`numbered`]), so that it changes when behaviour does and not otherwise. The whole table of its run is in
//! `target/tmp/snapshots`, outside of the review. The search behind it uses the defaults of a hunt whatever the
//! environment says, for the same reason.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;

use insta::internals::Content;
use lastref::explore::{CaseName, Engine, run_one, transitions};
use lastref::replay::{ShrinkLimits, shrink};
use lastref::scenario::{Expect, defaults};
use lastref_tests::cells::{self, SuiteCell};
use lastref_tests::moved::moved;
use lastref_tests::numbered::numbered;
use lastref_tests::search::search;
use libtest_mimic::{Arguments, Failed, Trial};

/// Runs of each scenario whose transitions are collected; ten times as many runs add none.
const GATHERED: u64 = 100;

/// Budget of a search; every planted defect is found in far fewer schedules.
const SCHEDULES: u64 = 10_000;

fn main() -> ExitCode {
    let mut trials: Vec<Trial> =
        models::machines().into_iter().map(|(name, table)| Trial::test(name, move || compare(name, &table))).collect();
    for (component, cells) in by_component() {
        let name = format!("{component}.transitions");
        trials.push(Trial::test(name.clone(), move || compare(&name, &gathered(&cells))));
    }
    let shown = Shown::read();
    let variants = by_variant();
    let names: Vec<String> = variants.iter().map(|(name, _)| name.clone()).collect();
    trials.push(Trial::test("shown", {
        let shown = shown.clone();
        move || shown.is_complete(&names)
    }));
    for (name, cells) in variants {
        let scenario = shown.0.get(&name).cloned();
        trials.push(Trial::test(name.clone(), move || {
            let cell = match &scenario {
                Some(scenario) => cells.iter().find(|cell| cell.cell.case.name().scenario == *scenario),
                None => return choose(&name, &cells),
            };
            let cell = cell.ok_or_else(|| format!("{SHOWN} names a scenario without this variant"))?;
            compare(&name, &table(cell)?.1)
        }));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// The scenario that is shown for each variant, a line each: `component.variant scenario`.
#[derive(Clone)]
struct Shown(BTreeMap<String, String>);

const SHOWN: &str = "tests/tests/shown.txt";

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/shown.txt")
}

impl Shown {
    fn read() -> Shown {
        let text = fs::read_to_string(path()).unwrap_or_default();
        let pairs = text.lines().filter_map(|line| line.split_once(' '));
        Shown(pairs.map(|(variant, scenario)| (variant.to_owned(), scenario.to_owned())).collect())
    }

    /// Every line names an existing variant, and every variant has a line.
    fn is_complete(&self, variants: &[String]) -> Result<(), Failed> {
        let unknown = self.0.keys().filter(|variant| !variants.contains(variant));
        let missing = variants.iter().filter(|variant| !self.0.contains_key(*variant));
        let unknown = unknown.map(|variant| format!("{SHOWN} has a line for {variant}, which no scenario has"));
        let missing = missing.map(|variant| format!("{SHOWN} has no line for {variant}; LASTREF_UPDATE=1 adds one"));
        unknown.chain(missing).next().map_or(Ok(()), |wrong| Err(wrong.into()))
    }
}

/// Finds the scenario whose finding is the shortest, and adds it to the list if the environment says so.
#[expect(clippy::disallowed_methods, reason = "how a test is told to write its file")]
fn choose(variant: &str, cells: &[SuiteCell]) -> Result<(), Failed> {
    static FILE: Mutex<()> = Mutex::new(());
    if std::env::var_os("LASTREF_UPDATE").is_none() {
        return Err(format!("{SHOWN} has no line for it; LASTREF_UPDATE=1 adds one").into());
    }
    let tables: Result<Vec<(usize, String)>, Failed> = cells.iter().map(table).collect();
    let shortest = cells.iter().zip(tables?).min_by_key(|(_, (operations, _))| *operations);
    let (cell, (_, table)) = shortest.ok_or("invariant: a variant is in the list because of a cell")?;
    let _file = FILE.lock();
    let Shown(mut shown) = Shown::read();
    shown.insert(variant.to_owned(), cell.cell.case.name().scenario.clone());
    let lines: String = shown.iter().map(|(variant, scenario)| format!("{variant} {scenario}\n")).collect();
    fs::write(path(), lines)?;
    compare(variant, &table)
}

/// The cells of each variant, as `component.variant` under fiber and `component.network.variant` on the network, in the
/// order of the list.
fn by_variant() -> Vec<(String, Vec<SuiteCell>)> {
    let mut variants: Vec<(String, Vec<SuiteCell>)> = Vec::new();
    for cell in cells::all().into_iter().filter(|cell| cell.cell.engine.is_scheduled()) {
        let name = cell.cell.case.name();
        let network = if cell.cell.engine == Engine::Turmoil { "network." } else { "" };
        let name = format!("{}.{network}{}", name.component, name.variant);
        match variants.iter_mut().find(|(known, _)| *known == name) {
            Some((_, cells)) => cells.push(cell),
            None => variants.push((name, vec![cell])),
        }
    }
    variants
}

/// The number of operations and the table of a cell's run, under the name of its scenario: a clean run, or the shortest
/// failing interleaving.
fn table(cell: &SuiteCell) -> Result<(usize, String), Failed> {
    let case = &cell.cell.case;
    let (full, table) = match cell.expectation.expect {
        Expect::Clean => {
            let report = run_one(case, cell.cell.engine, cell.cell.strategy, defaults::SEED);
            (report.full_table, report.table)
        }
        Expect::Violation { property } => {
            let report = search(&cell.cell, defaults::SEED, SCHEDULES);
            let failure = report.failure().ok_or("the defect was not found")?;
            let shrunk = shrink(case, failure, ShrinkLimits::default()).ok_or("the failure does not replay")?;
            let smallest = shrunk.report.failure().ok_or("the shrunk case violates nothing")?;
            assert_eq!(smallest.violation.property, property, "a case is shrunk within its property");
            (smallest.full_table.clone(), smallest.table.clone())
        }
    };
    if table.is_empty() {
        return Err("a recorded run has no table".into());
    }
    keep_whole(case.name(), &full)?;
    Ok((full.lines().count(), numbered(&format!("{}\n{table}", case.name()))))
}

/// Writes the whole table of a snapshot's run below the target folder, for a reviewer who needs the rows left out.
fn keep_whole(name: &CaseName, table: &str) -> Result<(), Failed> {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("snapshots");
    fs::create_dir_all(&folder)?;
    let file = format!("{}.{}.{}.txt", name.component, name.scenario, name.variant);
    Ok(fs::write(folder.join(file), table)?)
}

/// The cells of each component's fixed variant, on one task set and on the network alike.
fn by_component() -> BTreeMap<String, Vec<SuiteCell>> {
    let mut components: BTreeMap<String, Vec<SuiteCell>> = BTreeMap::new();
    for cell in cells::all().into_iter().filter(|cell| cell.cell.engine.is_scheduled()) {
        let name = cell.cell.case.name();
        if name.variant == "fixed" {
            components.entry(name.component.clone()).or_default().push(cell);
        }
    }
    components
}

/// Every transition that some run took, one a line.
fn gathered(cells: &[SuiteCell]) -> String {
    let runs = cells.iter().flat_map(|cell| (0..GATHERED).map(move |seed| (&cell.cell, seed)));
    let made: BTreeSet<String> = runs.flat_map(|(cell, seed)| transitions(&cell.case, cell.strategy, seed)).collect();
    made.iter().map(|transition| format!("{transition}\n")).collect()
}

/// Compares, and heads a changed snapshot with the sentences of [`moved`], for the reviewer of its diff.
fn compare(snapshot: &str, text: &str) -> Result<(), Failed> {
    let mut settings = insta::Settings::clone_current();
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots");
    // A missing file is a new snapshot, which insta reports.
    let file = fs::read_to_string(folder.join(format!("{snapshot}.snap"))).unwrap_or_default();
    if let Some((_, old)) = file.split_once("\n---\n") {
        let change = moved(old.trim_end(), text.trim_end());
        if !change.is_empty() {
            let sentences = change.into_iter().map(Content::from).collect();
            settings.set_raw_info(&Content::Map(vec![(Content::from("last change"), Content::Seq(sentences))]));
        }
    }
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(snapshot, text));
    Ok(())
}
