//! The reported sequence, step by step: the first reply asserts before the fix, whatever the pool's size, and never
//! after.

use sim::Check;
use sim::explore::Failure;

use super::{Options, Plan, Step, Variant, bench};

fn search(variant: Variant, options: Options) -> Result<u64, Box<Failure>> {
    let plan = Plan { options, clients: vec![vec![Step::Ping(1), Step::Await]], ..Plan::smallest() };
    let check = Check::new("uring_proxy").schedules(100);
    check.search(move || bench::run(variant, &plan)).map(|report| report.schedules)
}

/// What becomes of one request through `-m0 -B1`, for pools from 2 buffers to the report's 1024.
#[track_caller]
fn check(variant: Variant, asserts: bool) {
    for nr_bufs in [2, 8, 64, 1024] {
        let outcome = search(variant, Options { nr_bufs, ..Options::REPORTED });
        let property = outcome.err().map(|failure| failure.property);
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
    assert_eq!(outcome.map_err(|failure| failure.property), Ok(100));
}
