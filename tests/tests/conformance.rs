//! Models compared with what the real thing did: recorded scripts, the list of deviations, the command.

use lastref_tests::conformance::Subject;
use lastref_tests::conformance::nng::Nng;
use lastref_tests::conformance::uring::Uring;
use lastref_tests::conformance::{deviation, recorded};

#[track_caller]
fn check_text<S: Subject>() {
    for recorded in recorded::read::<S::Step>(S::RECORDED).expect("the file can be read") {
        let text = recorded::write(&recorded);
        assert!(S::RECORDED.contains(text.trim_end()), "{text}");
        let json = serde_json::to_string(&recorded.script).expect("steps are plain data");
        assert_eq!(serde_json::from_str::<Vec<S::Step>>(&json).expect("and come back"), recorded.script);
    }
}

/// At least so many of a thousand recorded scripts agree; the others are listed, and what is listed occurs.
#[track_caller]
fn check_recorded<S: Subject>(agree_permille: usize) {
    let deviations = deviation::read(S::DEVIATIONS).expect("the list can be read");
    let comparison = deviation::compare::<S>(S::RECORDED, &deviations).expect("the model keeps its own rules");
    let unlisted: Vec<String> = comparison.unlisted.iter().map(ToString::to_string).collect();
    assert!(unlisted.is_empty(), "{comparison}\n{}", unlisted.join("\n"));
    let (agree, scripts) = (comparison.agree, comparison.scripts());
    assert!(agree * 1000 >= agree_permille * scripts, "{comparison}");
    let stale = deviation::stale::<S>(S::RECORDED, &deviations).expect("the list can be compared");
    assert!(stale.is_empty(), "{}", stale.join("\n"));
}

#[test]
fn every_step_of_uring_is_read_as_it_is_written() {
    check_text::<Uring>();
}

#[test]
fn every_step_of_nng_is_read_as_it_is_written() {
    check_text::<Nng>();
}

#[test]
fn nng_does_what_the_library_did_or_differs_as_listed() {
    check_recorded::<Nng>(990);
}
