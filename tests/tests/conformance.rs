//! Compares the models with the originals' recorded outcomes, and checks the list of deviations and the command.

use std::fs;
use std::process::{Command, Output};

use lastref_tests::conformance::Subject;
use lastref_tests::conformance::deviation::{self, Deviation, Difference, Verdict};
use lastref_tests::conformance::nng::Nng;
use lastref_tests::conformance::recorded;
use lastref_tests::conformance::shrink::shrink;
use lastref_tests::conformance::uring::Uring;
use lastref_tests::conformance::uring::script::Step;

/// A script that differs: no request was submitted, so the cancellation returns -2.
const WRONG: &str = "@ 1\ninc 0\t\nprovide 1\t\ncanceluser 1\t(1 0)\n\n";

/// Every recorded script agrees or is listed, at least `agree_min` agree, and every listed deviation still occurs.
#[track_caller]
fn check<S: Subject>(agree_min: usize) {
    let deviations = deviation::read(S::DEVIATIONS).expect("the list can be read");
    let comparison = deviation::compare::<S>(S::RECORDED, &deviations).expect("the comparison can be made");
    let unlisted: String = comparison.unlisted.iter().map(Difference::to_string).collect();
    assert!(comparison.unlisted.is_empty(), "{}: {comparison}\n{unlisted}", S::NAME);
    assert!(comparison.agree >= agree_min, "{}: {comparison}, but {agree_min} must agree", S::NAME);
    let stale = deviation::stale::<S>(S::RECORDED, &deviations).expect("the list can be checked");
    assert_eq!(stale, Vec::<String>::new(), "{}: listed deviations that no longer occur", S::NAME);
}

#[test]
fn the_simulated_kernel_does_what_io_uring_did() {
    check::<Uring>(297);
}

#[test]
fn the_model_does_what_the_library_did_or_differs_as_listed() {
    check::<Nng>(297);
}

#[track_caller]
fn check_text<S: Subject>() {
    for recorded in recorded::read::<S::Step>(S::RECORDED).expect("the file can be read") {
        let text = recorded::write(&recorded);
        assert!(S::RECORDED.contains(text.trim_end()), "{text}");
        let json = serde_json::to_string(&recorded.script).expect("steps are plain data");
        assert_eq!(serde_json::from_str::<Vec<S::Step>>(&json).expect("and come back"), recorded.script);
    }
}

#[test]
fn every_step_is_read_as_it_is_written() {
    check_text::<Uring>();
    check_text::<Nng>();
}

#[test]
fn a_difference_is_found_and_a_listed_one_is_counted_as_such() {
    let comparison = deviation::compare::<Uring>(WRONG, &[]).expect("the comparison can be made");
    assert_eq!((comparison.agree, comparison.listed, comparison.unlisted.len()), (0, 0, 1));
    let comparison = deviation::compare::<Uring>(WRONG, &[listed("(1 0)")]).expect("the comparison can be made");
    assert_eq!((comparison.agree, comparison.listed, comparison.unlisted.len()), (0, 1, 0));
}

fn listed(real: &str) -> Deviation {
    let row = |step: &str, real: &str, model: &str| (step.to_owned(), real.to_owned(), model.to_owned());
    Deviation {
        verdict: Verdict::LeftOut,
        variant: None,
        why: "a test".to_owned(),
        steps: vec![row("inc 0", "", ""), row("canceluser 1", real, "(1 -2)")],
        recorded: vec!["1".to_owned()],
    }
}

#[test]
fn a_listed_deviation_that_no_longer_occurs_is_told() {
    let stale = |text: &str, listed: Deviation| deviation::stale::<Uring>(text, &[listed]).expect("it can be checked");
    assert_eq!(stale(WRONG, listed("(1 0)")), Vec::<String>::new());
    assert_eq!(stale(WRONG, listed("(1 -2)")), ["inc 0; canceluser 1: the model agrees now"]);
    let right = WRONG.replace("(1 0)", "(1 -2)");
    assert_eq!(stale(&right, listed("(1 0)")), ["inc 0; canceluser 1: recorded script 1 agrees now"]);
    assert_eq!(stale("", listed("(1 0)")), ["inc 0; canceluser 1: there is no recorded script 1"]);
    let mut other = listed("(1 0)");
    other.steps[1].2 = "(1 -9)".to_owned();
    assert_eq!(stale(WRONG, other), ["inc 0; canceluser 1: the model does something else now"]);
    let repaired = Deviation { verdict: Verdict::Repaired, ..listed("(1 0)") };
    assert_eq!(stale(WRONG, repaired), ["inc 0; canceluser 1: it names no variant that behaves like the original"]);
}

#[test]
fn a_script_shrinks_to_the_steps_that_matter() {
    let script: Vec<Step> = ["inc 0", "provide 5", "peersend 1 9", "arm 1 multi bundle", "peerfin 0", "recycle"]
        .map(|step| step.parse().expect("a step"))
        .to_vec();
    // The test's predicate: the script differs if two bytes or more are sent before a receive is armed.
    let differs = |script: &[Step]| {
        let sent = script.iter().position(|step| matches!(step, Step::PeerSend(_, 2..)));
        let armed = script.iter().position(|step| matches!(step, Step::Arm { .. }));
        Ok::<bool, ()>(sent.zip(armed).is_some_and(|(sent, armed)| sent < armed))
    };
    let shortest = shrink(script, differs).expect("it does not fail");
    let shortest: Vec<String> = shortest.iter().map(Step::to_string).collect();
    assert_eq!(shortest, ["peersend 0 2", "arm 0 single"]);
}

fn command(args: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } =
        Command::new(env!("CARGO_BIN_EXE_conformance")).args(args).output().expect("the command runs");
    (status.code(), format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)))
}

#[test]
fn the_command_compares_a_file_and_its_exit_code_says_what_came_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("recorded.txt");
    let path = path.to_str().expect("a path of letters");
    for (text, code, says) in [
        (WRONG.replace("(1 0)", "(1 -2)"), 0, "uring: 1 scripts: 1 agree, 0 differ as listed, 0 differ"),
        (WRONG.to_owned(), 1, "    real   (1 0)\n    model  (1 -2)"),
        ("@ 1\nfly 0\t\n".to_owned(), 2, "line 2: `fly 0` is not a step of an io_uring script"),
    ] {
        fs::write(path, text).expect("a file");
        let (found, output) = command(&["uring", "--compare", path]);
        assert_eq!(found, Some(code), "{output}");
        assert!(output.contains(says), "{output}");
    }
    let (code, output) = command(&["uring", "--compare", "/nowhere"]);
    assert_eq!(code, Some(2), "{output}");
}

#[test]
fn a_library_that_cannot_be_compared_with_is_refused() {
    for (args, says) in [
        (["nng", "--lib", "/nowhere/libnng.so"], "/nowhere/libnng.so"),
        (["uring", "--lib", "libnng.so"], "`--lib` names nothing"),
    ] {
        let (code, output) = command(&args);
        assert!(code == Some(2) && output.contains(says), "{code:?} {output}");
    }
}

/// Without io_uring, the command says so and records nothing. The scripts agree on the kernel that the model was
/// derived from; on another kernel, a person must review the differences.
///
/// The real kernel completes requests in an order that a busy machine can change, so a difference counts if it shows
/// three times.
#[test]
fn fresh_scripts_are_run_on_the_real_thing_where_it_is_and_recorded() {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").expect("Linux says its release");
    let is_known = release.starts_with("6.18.");
    let mut output = String::new();
    for _ in 0..3 {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("recorded.txt");
        let code;
        (code, output) = command(&[
            "uring",
            "--scripts",
            "20",
            "--seed",
            "7",
            "--record",
            path.to_str().expect("a path of letters"),
        ]);
        if output.contains("nothing compared") {
            return assert!(code == Some(0) && !path.exists(), "{output}");
        }
        assert!(output.contains("uring: 20 scripts:"), "{output}");
        let text = fs::read_to_string(path).expect("it was recorded");
        let recorded = recorded::read::<Step>(&text).expect("in that form");
        assert_eq!(recorded.len(), 20, "{output}");
        if code == Some(0) || (code == Some(1) && !is_known) {
            return;
        }
    }
    panic!("{release}: {output}");
}
