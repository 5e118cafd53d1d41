//! Saved cases that were edited: refused, or run with a sentence that says so; never passed over.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Given, lastref_in, planted, planted_token};

/// A folder with a saved case of the planted defect, and its content.
fn saved() -> (TempDir, Value) {
    let folder = tempfile::tempdir().expect("a folder for scratch files");
    lastref_in(folder.path(), &["shrink", &planted_token()]).code(0);
    let mut saved = fs::read_dir(folder.path().join(".lastref")).expect("a case was saved");
    let path = saved.next().and_then(Result::ok).expect("a case was saved").path();
    let text = fs::read(path).expect("what was saved can be read");
    let case = serde_json::from_slice(&text).expect("a saved case is JSON");
    (folder, case)
}

/// Replays the case as it is after `edit`.
fn replayed(folder: &Path, case: &Value, edit: impl FnOnce(&mut Value)) -> Given {
    let mut case = case.clone();
    edit(&mut case);
    fs::write(folder.join("case.repro"), case.to_string()).expect("the folder can be written");
    lastref_in(folder, &["replay", "case.repro"])
}

/// Every number in a value, as a JSON pointer.
fn numbers(value: &Value, here: &str) -> Vec<String> {
    match value {
        Value::Number(_) => vec![here.to_owned()],
        Value::Array(items) => {
            items.iter().enumerate().flat_map(|(nth, item)| numbers(item, &format!("{here}/{nth}"))).collect()
        }
        Value::Object(fields) => {
            fields.iter().flat_map(|(key, field)| numbers(field, &format!("{here}/{key}"))).collect()
        }
        _ => Vec::new(),
    }
}

#[test]
fn a_case_that_is_only_formatted_otherwise_is_as_it_was_saved() {
    let (folder, case) = saved();
    let given = replayed(folder.path(), &case, |_| {}).code(1);
    assert_eq!(given.stderr, "");
    // What it offers to shrink is this case, not the execution that it was shrunk from.
    let shrink =
        given.stdout.lines().find(|line| line.starts_with("shrink: ")).expect("a finding says how to shrink it");
    assert!(shrink.contains(":shrunk:"), "{shrink}");
}

#[test]
fn a_size_out_of_bounds_is_refused_with_its_place_and_its_bound() {
    let (folder, case) = saved();
    let numbers = numbers(&case["plan"], "");
    assert!(numbers.len() > 3, "the plan of the planted defect has sizes");
    for number in numbers {
        for size in [1_u64 << 31, 1 << 63] {
            let edit = |case: &mut Value| *case["plan"].pointer_mut(&number).unwrap() = size.into();
            let sentence = replayed(folder.path(), &case, edit).refusal();
            let place = number.rsplit('/').next().unwrap();
            assert!(sentence.contains("plan.") && sentence.contains(place), "{number}: {sentence}");
            assert!(sentence.contains(&size.to_string()), "{number}: {sentence}");
        }
    }
}

#[test]
fn an_unknown_key_is_named_wherever_it_is() {
    let (folder, case) = saved();
    let edits: [fn(&mut Value); 3] = [
        |case| case["note"] = "mine".into(),
        |case| case["origin"]["note"] = "mine".into(),
        |case| case["plan"]["note"] = "mine".into(),
    ];
    for edit in edits {
        let sentence = replayed(folder.path(), &case, edit).refusal();
        assert!(sentence.contains("note") && sentence.contains("unknown"), "{sentence}");
    }
    let text = serde_json::to_string(&case).unwrap().replacen("{\"", "{\"seed\":7,\"", 1);
    fs::write(folder.path().join("twice.repro"), text).unwrap();
    let sentence = lastref_in(folder.path(), &["replay", "twice.repro"]).refusal();
    assert!(sentence.contains("`seed` occurs twice"), "{sentence}");
}

#[test]
fn an_edited_claim_is_refused() {
    let (folder, case) = saved();
    let (_, _, property) = planted();
    assert_ne!(case["kind"], "stall");
    let edits: [fn(&mut Value); 2] =
        [|case| case["kind"] = "stall".into(), |case| case["property"] = "all is well".into()];
    for edit in edits {
        let sentence = replayed(folder.path(), &case, edit).refusal();
        assert!(sentence.contains("was edited") && sentence.contains(property), "{sentence}");
        let sentence = lastref_in(folder.path(), &["shrink", "case.repro"]).refusal();
        assert!(sentence.contains("was edited"), "{sentence}");
    }
    let sentence = replayed(folder.path(), &case, |case| case["origin"]["engine"] = "loom".into()).refusal();
    assert!(sentence.contains("loom"), "{sentence}");
}

#[test]
fn what_was_edited_and_runs_is_said_to_be_edited_and_not_to_be_of_other_code() {
    let (folder, case) = saved();
    let edits: [fn(&mut Value); 4] = [
        |case| case["seed"] = 4_711.into(),
        |case| case["switches"] = json!([{"from": 1, "turn": 9, "to": 2}]),
        |case| case["origin"]["seed"] = 4_711.into(),
        |case| case["trace_hash"] = "0x0000000000000007".into(),
    ];
    for edit in edits {
        let given = replayed(folder.path(), &case, edit);
        assert!(given.code == 0 || given.code == 1, "{}", given.stderr);
        assert!(given.stderr.contains("was edited") && !given.stderr.contains("other code"), "{}", given.stderr);
        // The replay line must lead back to this very file: no other file has its content.
        if given.code == 1 {
            assert!(given.stdout.contains("replay: lastref replay case.repro\n"), "{}", given.stdout);
        }
    }
}
