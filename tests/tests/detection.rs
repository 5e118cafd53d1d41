//! docs/detection.md says what the tree does now.

use std::path::Path;
use std::process::ExitCode;

use lastref_tests::detection;
use lastref_tests::environment::updates;
use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> ExitCode {
    sim::explore::serve_child(scenarios::case);
    let trials = vec![Trial::test("detection.md_is_current", is_current)];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn is_current() -> Result<(), Failed> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/detection.md");
    let now = detection::document();
    // A defect that some seed misses, or finds by another rule, makes the verdict of a hunt a matter of its seed.
    let unstable: Vec<&str> =
        now.lines().filter(|row| row.contains("; ") && row.starts_with('|') || row.contains("missed by")).collect();
    if !unstable.is_empty() {
        return Err(format!("not the same property from every seed:\n{}", unstable.join("\n")).into());
    }
    if updates() {
        std::fs::write(&path, now)?;
        return Ok(());
    }
    let kept = std::fs::read_to_string(&path)?;
    let differs = kept.lines().zip(now.lines()).find(|(kept, now)| kept != now);
    match differs {
        None if kept == now => Ok(()),
        None => Err("docs/detection.md has another length than the tree gives; see its first lines".into()),
        Some((kept, now)) => Err(format!("docs/detection.md says\n  {kept}\nand the tree gives\n  {now}").into()),
    }
}
