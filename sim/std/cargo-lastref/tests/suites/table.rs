//! The table of docs/real-crates.md and the reasons below it.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::list::{SUITES, Suite};
use super::result::Totals;

/// The first line of the table of suites.
const HEAD: &str = "| crate | tests | passed | at the bound | other | CPU seconds |\n";

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/real-crates.md")
}

/// The page as it is.
pub(crate) fn page() -> String {
    std::fs::read_to_string(path()).expect("docs/real-crates.md can be read")
}

/// The rows of the table in a page.
pub(crate) fn rows(page: &str) -> impl Iterator<Item = &str> {
    let (_, rest) = page.split_once(HEAD).expect("docs/real-crates.md has the table of suites");
    // Skips the line that separates the header from the rows.
    rest.lines().skip(1).take_while(|line| line.starts_with('|'))
}

/// The row of a suite.
pub(crate) fn row(suite: &Suite, version: &str, totals: &Totals) -> String {
    let Totals { tests, passed, limit, other, cpu_seconds } = totals;
    format!("| {} {version} | {tests} | {passed} | {limit} | {other} | {cpu_seconds:.1} |", suite.package)
}

/// Replaces the row of a suite, and the reasons.
pub(crate) fn update(suite: &Suite, version: &str, totals: &Totals) {
    let mut page = page();
    let start = format!("| {} ", suite.package);
    let old = rows(&page).find(|row| row.starts_with(&start)).map(str::to_owned);
    let old = old.expect("docs/real-crates.md has a row for each suite, as a test checks");
    page = page.replace(&old, &row(suite, version, totals));
    const BEGIN: &str = "<!-- reasons -->\n";
    const END: &str = "<!-- end of reasons -->\n";
    let (before, rest) = page.split_once(BEGIN).expect("the page marks the reasons");
    let (_, after) = rest.split_once(END).expect("the page marks the end of the reasons");
    let page = format!("{before}{BEGIN}{}{END}{after}", reasons());
    std::fs::write(path(), page).expect("docs/real-crates.md can be written");
}

/// The reason for each test that does not pass, as a list.
pub(crate) fn reasons() -> String {
    let mut text = String::new();
    for suite in SUITES {
        for exception in suite.exceptions {
            let count = exception.tests.len();
            let words = exception.statuses.iter().map(|status| match *status {
                "skipped" => "at the bound",
                "finding" => "with a finding",
                "timed_out" => "out of time",
                "not_deterministic" => "that differ when repeated",
                other => other,
            });
            let status = words.collect::<Vec<_>>().join(" or ");
            let names = exception.tests.iter().map(|name| format!("`{}`", short(name))).collect::<Vec<_>>().join(", ");
            let line = format!("- **{}**, {count} {status}: {} {names}", suite.package, exception.why);
            let _ = writeln!(text, "{}", wrapped(&line));
        }
    }
    text
}

/// The name of a test without that of its package.
fn short(name: &str) -> &str {
    name.rsplit_once(' ').map_or(name, |(_, test)| test)
}

/// The text in lines of at most 120 columns, with the later ones indented.
fn wrapped(text: &str) -> String {
    let mut lines = String::new();
    let mut columns = 0;
    for word in text.split(' ') {
        let width = word.chars().count();
        if columns > 0 && columns + 1 + width > 120 {
            lines.push_str("\n  ");
            columns = 2;
        } else if columns > 0 {
            lines.push(' ');
            columns += 1;
        }
        lines.push_str(word);
        columns += width;
    }
    lines
}
