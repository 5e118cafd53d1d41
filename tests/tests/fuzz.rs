//! A bounded run of the fuzzer: no mutated input makes the program panic, abort, hang or give a wrong answer.

use std::process::Command;

/// Some ten seconds' worth: about 35 ms each on one core.
const INPUTS: &str = "300";

#[test]
fn wild_input_does_not_hurt() {
    let fuzz = Command::new(env!("CARGO_BIN_EXE_fuzz")).args(["--inputs", INPUTS, "--seed", "1"]).output();
    let fuzz = fuzz.expect("the fuzzer was built with this test");
    let said = String::from_utf8_lossy(&fuzz.stdout);
    assert!(fuzz.status.success(), "{said}\n{}", String::from_utf8_lossy(&fuzz.stderr));
    // If every input were refused at once, the fuzzer would test nothing but the refusal.
    let token = said.lines().find(|line| line.starts_with("token")).unwrap_or_default();
    let counts: Vec<u64> = token.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    assert!(counts.len() == 5 && counts[..3].iter().all(|&count| count > 0), "{said}");
}
