//! Every rule of the ledger, tripped and told with provenance.

use lastref::ledger::{Counted, Owner, Resource, Slot, Tag, deliver};
use lastref::{Check, Failure, ViolationKind, thread};

const ALICE: Owner = Owner::new("alice", 1);
const BOB: Owner = Owner::new("bob", 2);

#[track_caller]
fn check(kind: ViolationKind, property: &str, body: impl Fn() + Send + Sync + 'static) -> Box<Failure> {
    let failure = Check::new("rule").search(body).expect_err(property);
    assert_eq!((failure.violation.kind, failure.violation.property.as_str()), (kind, property), "{failure}");
    failure
}

fn fact<'a>(failure: &'a Failure, label: &str) -> &'a str {
    let found = failure.violation.facts.iter().find(|(other, _)| other == label);
    found.map_or_else(|| panic!("no fact `{label}` in {failure}"), |(_, value)| value)
}

#[test]
fn a_second_release_tells_who_released_first() {
    let failure = check(ViolationKind::DoubleRelease, "buffer is released once", || {
        let buffer = Resource::acquire("buffer", ALICE);
        buffer.release(ALICE);
        buffer.release(BOB);
    });
    assert!(fact(&failure, "acquired by").starts_with("alice#1 in main, step "), "{failure}");
    assert!(fact(&failure, "released by").starts_with("alice#1 in main, step "), "{failure}");
    assert!(fact(&failure, "here").starts_with("bob#2 in main, step "), "{failure}");
    assert!(fact(&failure, "here").contains("ledger_rules.rs:"), "{failure}");
}

#[test]
fn a_use_after_the_release_is_found() {
    check(ViolationKind::UseAfterRelease, "buffer is not used after its release", || {
        let buffer = Resource::acquire("buffer", ALICE);
        buffer.release(ALICE);
        buffer.touch(BOB);
    });
}

#[test]
fn what_is_held_at_quiescence_is_a_leak_unless_kept() {
    check(ViolationKind::Leak, "buffer is released by quiescence", || {
        Resource::acquire("buffer", ALICE);
    });
    let kept = Check::new("kept").search(|| Resource::acquire("buffer", ALICE).keep("a static of the program"));
    assert!(kept.is_ok(), "{kept:?}");
}

#[test]
fn two_exclusive_owners_are_aliased() {
    check(ViolationKind::Aliased, "buffer has one exclusive owner", || {
        let buffer = Resource::acquire("buffer", ALICE);
        buffer.claim(BOB);
    });
}

#[test]
fn only_the_owner_uses_and_hands_over() {
    check(ViolationKind::WrongOwner, "buffer is touched only by its owner", || {
        Resource::acquire("buffer", ALICE).access(BOB);
    });
    check(ViolationKind::WrongOwner, "buffer is touched only by its owner", || {
        Resource::acquire("buffer", ALICE).transfer(BOB, ALICE);
    });
}

#[test]
fn a_resource_names_its_present_owner() {
    let found = Check::new("owner").search(|| {
        let buffer = Resource::acquire("buffer", ALICE);
        assert_eq!(buffer.owner(), Some(ALICE));
        buffer.transfer(ALICE, BOB);
        assert_eq!(buffer.owner(), Some(BOB));
        buffer.unclaim(BOB);
        assert_eq!(buffer.owner(), None);
        buffer.claim(ALICE);
        buffer.release(ALICE);
    });
    assert!(found.is_ok(), "{found:?}");
}

#[test]
fn a_resource_that_was_given_up_has_no_lawful_user() {
    check(ViolationKind::WrongOwner, "buffer is touched only by its owner", || {
        let buffer = Resource::acquire("buffer", ALICE);
        buffer.unclaim(ALICE);
        buffer.access(ALICE);
    });
}

#[test]
fn a_place_that_is_gone_is_gone_once() {
    check(ViolationKind::DoubleRelease, "recv is released once", || {
        let slot = Slot::new("recv", ALICE);
        slot.retire(ALICE);
        slot.retire(BOB);
    });
    check(ViolationKind::UseAfterRelease, "recv is not used after its release", || {
        let slot = Slot::new("recv", ALICE);
        slot.retire(ALICE);
        slot.complete(BOB);
    });
}

#[test]
fn a_pool_that_gets_one_buffer_twice_is_a_double_release() {
    check(ViolationKind::DoubleRelease, "buffer is released once", || {
        let buffer = Resource::acquire("buffer", ALICE);
        buffer.unclaim(ALICE);
        buffer.unclaim(ALICE);
    });
}

#[test]
fn a_count_that_reaches_zero_before_its_holders_let_go_is_an_underrun() {
    let failure = check(ViolationKind::RefcountUnderrun, "msg reaches count zero only without holders", || {
        let msg = Counted::acquire("msg", ALICE);
        msg.retain(BOB);
        // A caller without a reference lowers the count, as a C `free` would.
        msg.release(Owner::new("caller", 0));
        msg.release(ALICE);
    });
    assert!(failure.violation.message.contains("which bob#2 still holds"), "{failure}");
}

#[test]
fn a_count_does_not_rise_from_zero() {
    check(ViolationKind::RefcountUnderrun, "msg reaches count zero only without holders", || {
        let msg = Counted::acquire("msg", ALICE);
        msg.release(ALICE);
        msg.retain(BOB);
    });
}

#[test]
fn a_count_is_that_of_its_holders() {
    check(ViolationKind::RefcountMismatch, "msg count equals its named holders", || {
        let msg = Counted::acquire("msg", ALICE);
        msg.expect_count(2);
    });
}

#[test]
fn a_payload_for_another_is_cross_delivery() {
    let property = "a payload reaches only the request it is tagged for";
    check(ViolationKind::CrossDelivery, property, || {
        deliver(Tag { peer: 1, request: 1 }, Tag { peer: 2, request: 1 });
    });
}

#[test]
fn a_slot_takes_one_operation_and_completes_it_once() {
    check(ViolationKind::SecondPending, "recv has one operation pending", || {
        let slot = Slot::new("recv", ALICE);
        slot.begin(ALICE);
        slot.begin(BOB);
    });
    check(ViolationKind::CompletionCount, "recv completes exactly once", || {
        let slot = Slot::new("recv", ALICE);
        slot.begin(ALICE);
        slot.complete(ALICE);
        slot.complete(BOB);
    });
    check(ViolationKind::CompletionCount, "recv completes exactly once", || {
        Slot::new("recv", ALICE).begin(ALICE);
    });
    check(ViolationKind::CompletionCount, "recv completes exactly once", || {
        let slot = Slot::new("recv", ALICE);
        slot.begin(ALICE);
        slot.retire(ALICE);
    });
}

#[test]
fn a_callback_on_a_released_argument_is_found() {
    check(ViolationKind::CallbackAfterTeardown, "wrapper outlives its callback", || {
        let wrapper = Resource::acquire("wrapper", ALICE);
        wrapper.release(ALICE);
        wrapper.callback(BOB);
    });
}

#[test]
fn a_lawful_life_is_clean() {
    let clean = Check::new("lawful").search(|| {
        let buffer = Resource::acquire("buffer", ALICE);
        buffer.access(ALICE);
        buffer.transfer(ALICE, BOB);
        buffer.touch(ALICE);
        buffer.unclaim(BOB);
        buffer.claim(ALICE);
        buffer.callback(ALICE);
        buffer.release(ALICE);
        let msg = Counted::acquire("msg", ALICE);
        msg.retain(BOB);
        msg.pass(BOB, Owner::new("carol", 3));
        msg.expect_count(2);
        assert_eq!(msg.release(ALICE), 1);
        assert_eq!(msg.release(Owner::new("carol", 3)), 0);
        let slot = Slot::new("recv", ALICE);
        slot.begin(ALICE);
        slot.complete(ALICE);
        slot.retire(ALICE);
        deliver(Tag { peer: 1, request: 2 }, Tag { peer: 1, request: 2 });
    });
    assert!(clean.is_ok(), "{clean:?}");
}

/// Nothing but the ledger stands between the two tasks: both orders must be tried all the same.
fn unsynchronised_use_and_release() {
    let buffer = Resource::acquire("buffer", ALICE);
    let user = thread::spawn(move || buffer.touch(BOB));
    buffer.release(ALICE);
    user.join();
}

#[test]
fn ledger_calls_are_tried_in_both_orders_by_search() {
    check(ViolationKind::UseAfterRelease, "buffer is not used after its release", unsynchronised_use_and_release);
}

#[test]
fn ledger_calls_are_tried_in_both_orders_by_loom() {
    let found = Check::new("probe").engine(lastref::Engine::Loom).search(unsynchronised_use_and_release);
    assert_eq!(found.expect_err("use after release").violation.kind, ViolationKind::UseAfterRelease);
}

#[test]
fn a_slot_is_pending_from_its_begin_to_its_completion() {
    let result = Check::new("slot").search(|| {
        let slot = Slot::new("recv", ALICE);
        assert!(!slot.is_pending());
        slot.begin(ALICE);
        assert!(slot.is_pending());
        slot.complete(ALICE);
        assert!(!slot.is_pending());
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
}
