//! The reported sequence, step by step: the first reply asserts before the fix, whatever the pool's size, and never
//! after.

mod kernel;

use lastref::explore::Failure;
use lastref::{Check, Limits};

use models::uring_proxy::{Burst, Ending, NetPlan, Options, Plan, Step, Variant, Visit, run, run_on_network};

fn search(variant: Variant, options: Options) -> Result<u64, Box<Failure>> {
    let plan = Plan { options, clients: vec![vec![Step::Ping(1), Step::Await]], ..Plan::smallest() };
    let check = Check::new("uring_proxy").schedules(100);
    check.search(move || run(variant, &plan)).map(|report| report.schedules)
}

/// What becomes of one request through `-m0 -B1`, for pools from 2 buffers to the report's 1024.
#[track_caller]
fn check(variant: Variant, asserts: bool) {
    for nr_bufs in [2, 8, 64, 1024] {
        let outcome = search(variant, Options { nr_bufs, ..Options::REPORTED });
        let property = outcome.err().map(|failure| failure.violation.property);
        let expected = asserts.then(|| "pending_recv has one operation pending".to_owned());
        assert_eq!(property, expected, "{nr_bufs} buffers");
    }
}

#[test]
fn before_the_fix_the_first_reply_asserts_for_every_pool() {
    check(Variant::RearmCd0, true);
}

#[test]
fn after_the_fix_it_never_does() {
    check(Variant::Fixed, false);
}

#[test]
fn with_multishot_receives_the_reported_bug_does_not_show() {
    let outcome = search(Variant::RearmCd0, Options { recv_mshot: true, ..Options::REPORTED });
    assert_eq!(outcome.map_err(|failure| failure.violation.property), Ok(100));
}

/// Whether one client that sends `pings` requests at once, all answered, reaches the rare state.
fn has_many_in_flight(pings: u32) -> bool {
    let burst = Burst { pings, is_get: false, bytes: 8, idle_ms: 0 };
    let visit = Visit { wait_ms: 0, bursts: vec![burst], ending: Ending::HalfClose };
    let plan = NetPlan::of(Options { nr_bufs: 64, ..Options::NETWORK }, vec![vec![visit]]);
    let limits = Limits { timer_slack: std::time::Duration::from_millis(5), ..Limits::default() };
    let report = Check::new("pings").limits(limits).schedules(5).search(move || run_on_network(Variant::Fixed, &plan));
    let reached = report.unwrap_or_else(|failure| panic!("{failure}")).reached;
    reached.contains_key("ten and more requests are in flight and answered")
}

#[test]
fn the_rare_state_of_ten_requests_in_flight_takes_ten() {
    assert!(!has_many_in_flight(9));
    assert!(has_many_in_flight(10));
}

/// The client ends its stream when it has its reply, so that nothing is queued any more.
#[test]
fn bytes_are_queued_at_a_peers_end_only_if_they_are() {
    let queued = |steps: Vec<Step>| {
        let plan = Plan { clients: vec![steps], ..Plan::smallest() };
        let check = Check::new("end").schedules(100);
        let report = check.search(move || run(Variant::Fixed, &plan)).unwrap_or_else(|failure| panic!("{failure}"));
        report.reached.get("a peer's end comes while bytes are queued").copied().unwrap_or_default()
    };
    assert_eq!(queued(vec![Step::Ping(1), Step::Await]), 0);
    assert!(queued(vec![Step::Ping(4), Step::Fin]) > 0);
}
