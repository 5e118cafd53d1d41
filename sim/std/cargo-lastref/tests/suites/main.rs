//! The test suites of released crates, run under the simulator: every test passes, except for those that `list.rs`
//! names with the reason. The results are the tables of docs/real-crates.md.
//!
//! The suites build for minutes and search for minutes, so they run on request, all of them or some:
//!
//! ```sh
//! LASTREF_SUITES=all LASTREF_UPDATE=1 cargo test -p cargo-lastref --test suites
//! LASTREF_SUITES=tokio,arc-swap cargo test -p cargo-lastref --test suites
//! LASTREF_SUITES=compiles cargo test -p cargo-lastref --test suites    # the crates of the page's last section
//! ```
//!
//! With `LASTREF_UPDATE` the rows of these suites are written to the page.

#[path = "../scratch/mod.rs"]
mod scratch;

mod list;
mod result;
mod source;
mod table;

use std::path::Path;
use std::process::Command;

use assert_cmd::cargo::cargo_bin;
use list::{SUITES, Suite};
use result::Totals;
use scratch::Run;

/// The suites that a thorough test of this repository runs: they build in seconds, and none of their tests is long.
const SMALL: [&str; 2] = ["crossbeam-utils", "event-listener"];

#[expect(clippy::disallowed_methods, reason = "what is tested may depend on the environment; no run sees it")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The name in `LASTREF_SUITES` of the crates that only have to compile.
const COMPILES: &str = "compiles";

/// The suites that the environment requests. An unknown name fails, so that a misspelt name is noticed.
fn wanted() -> Vec<&'static Suite> {
    let find = |name: &str| {
        let found = SUITES.iter().find(|suite| suite.package == name);
        found.unwrap_or_else(|| panic!("LASTREF_SUITES: `{name}` is not a suite of list.rs, `{COMPILES}` or `all`"))
    };
    match variable("LASTREF_SUITES").as_deref() {
        Some("all") => SUITES.iter().collect(),
        Some(names) => names.split(',').map(str::trim).filter(|name| *name != COMPILES).map(find).collect(),
        None if variable("LASTREF_THOROUGH").is_some() => SMALL.iter().map(|name| find(name)).collect(),
        None => Vec::new(),
    }
}

#[test]
fn suites_pass_except_for_the_listed_tests() {
    let mut problems = Vec::new();
    for suite in wanted() {
        let source = source::unpack(suite);
        let results = result::of(suite, &source.folder);
        let totals = Totals::of(&results);
        println!("{}", table::row(suite, &source.version, &totals));
        problems.extend(result::surprises(suite, &results));
        if variable("LASTREF_UPDATE").is_some() {
            table::update(suite, &source.version, &totals);
        }
    }
    assert!(problems.is_empty(), "{} results differ from list.rs:\n{}", problems.len(), problems.join("\n"));
}

#[test]
fn the_page_has_each_suite_in_its_version_and_each_reason() {
    let page = table::page();
    let versions = source::versions();
    for suite in SUITES {
        let start = format!("| {} {} |", suite.package, versions[suite.package]);
        assert!(page.contains(&start), "docs/real-crates.md has no row `{start}`");
    }
    let reasons = table::reasons();
    assert!(page.contains(&reasons), "docs/real-crates.md does not have these reasons:\n{reasons}");
    let rows = table::rows(&page).count();
    assert_eq!(rows, SUITES.len(), "docs/real-crates.md has rows for other suites");
}

#[test]
fn the_page_has_each_crate_that_compiles_in_its_version() {
    let page = table::page().replace('\n', " ");
    let versions = source::versions_in("compiles");
    assert!(versions.len() > 40, "{versions:?}");
    for (name, version) in versions {
        assert!(page.contains(&format!(" {name} {version}")), "docs/real-crates.md does not name {name} {version}");
    }
}

#[test]
fn the_crates_of_the_page_compile() {
    // It builds 46 crates with all their dependencies.
    let requested = variable("LASTREF_SUITES").unwrap_or_default();
    if !requested.split(',').any(|name| ["all", COMPILES].contains(&name.trim())) {
        return;
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../known").join(COMPILES);
    let mut command = Command::new(cargo_bin("cargo-lastref"));
    command.args(["lastref", "check", "--locked"]).current_dir(folder);
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC", "RUST_BACKTRACE"] {
        command.env_remove(name);
    }
    command.env("LASTREF_CACHE", scratch::cache());
    command.env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("known"));
    Run::of(command.output().expect("the program starts")).check(0, &["Finished"]);
}

#[test]
fn a_result_that_is_not_listed_is_a_surprise_and_so_is_one_that_no_longer_occurs() {
    let suite = Suite {
        package: "x",
        flags: &[],
        exceptions: &[list::Exception { tests: &["x long"], statuses: &["skipped"], why: "it is long" }],
    };
    let test = |name: &str, status: &str| result::Tested {
        name: name.to_owned(),
        status: status.to_owned(),
        reason: String::from("reason"),
        cpu_seconds: 0.5,
    };
    let told = |results: &[result::Tested]| result::surprises(&suite, results);
    assert_eq!(told(&[test("x long", "skipped"), test("x a", "passed"), test("x b", "ignored")]), [""; 0]);
    assert_eq!(told(&[test("x long", "skipped"), test("x a", "finding")]), ["x: x a: finding: reason"]);
    assert_eq!(told(&[test("x long", "finding")]), ["x: x long: finding instead of skipped: reason"]);
    assert_eq!(told(&[test("x long", "passed")]), ["x: x long: passed instead of skipped: reason"]);
    assert_eq!(told(&[]), ["x: x long: there is no such test"]);
    let totals = Totals::of(&[test("x long", "skipped"), test("x a", "passed"), test("x b", "ignored")]);
    assert_eq!(
        table::row(&suite, "1.0.0", &totals),
        "| x 1.0.0 | 2 | 1 | 1 | 0 | 1.5 |",
        "an ignored test is not counted"
    );
}
