//! The hunt of `cache-hunt` as a test.

use cache_hunt::SCENARIOS;
use lastref_hunt::Exit;

#[test]
fn every_verdict_is_as_expected() {
    let answer = lastref_hunt::answer(&SCENARIOS, ["cache-hunt", "hunt"]);
    assert_eq!(answer.exit, Exit::AsExpected, "{}\n{}", answer.stdout, answer.remarks.join("\n"));
}

#[test]
fn every_expectation_is_checked_by_a_hunt() {
    for scenario in SCENARIOS.all() {
        assert_eq!(scenario.unchecked(), [""; 0], "{scenario:?}");
    }
}
