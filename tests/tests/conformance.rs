//! Models compared with what the real thing did: recorded scripts, the list of deviations, the command.

use lastref_tests::conformance::Subject;
use lastref_tests::conformance::recorded;
use lastref_tests::conformance::uring::Uring;
use lastref_tests::conformance::uring::script::Step;

#[test]
fn every_step_is_read_as_it_is_written() {
    for recorded in recorded::read::<Step>(Uring::RECORDED).expect("the file can be read") {
        let text = recorded::write(&recorded);
        assert!(Uring::RECORDED.contains(&text), "{text}");
        let json = serde_json::to_string(&recorded.script).expect("steps are plain data");
        assert_eq!(serde_json::from_str::<Vec<Step>>(&json).expect("and come back"), recorded.script);
    }
}
