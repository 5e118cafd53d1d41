//! Outcomes of requests against scripts, and the property that each defect violates.

use lastref::{Check, Limits};

use models::Variant as _;
use models::http_pool::{Ending, NetPlan, Plan, PlannedRequest, Step, Variant, Ver, run, run_on_network};

/// Limits for a network whose delays do not overtake a ready task.
fn limits() -> Limits {
    Limits { timer_slack: std::time::Duration::from_millis(5), steps_max: 50_000, ..Limits::default() }
}

/// A plan that shows the defect, and the property that it breaks.
fn shown(variant: Variant) -> Option<(Plan, &'static str)> {
    let settings = || vec![vec![Step::Settings]];
    let (wait, cancel) = (PlannedRequest::WAIT, PlannedRequest::CANCEL);
    let closes = vec![vec![Step::Take(1), Step::Answer, Step::Fin]];
    let drains =
        vec![vec![Step::Settings, Step::Take(1), Step::Goaway(models::http_pool::Goaway::NoError), Step::Answer]];
    Some(match variant {
        Variant::Fixed => return None,
        Variant::CancelReturnsDirty => (
            Plan::of(Ver::Http1, settings(), vec![vec![cancel, wait]]),
            "a payload reaches only the request it is tagged for",
        ),
        Variant::WaitersLostWithConnect => (
            Plan::of(Ver::Http2, settings(), vec![vec![cancel], vec![wait]]),
            "a request does not fail because another one is cancelled",
        ),
        Variant::GoawayForgetsConnection => {
            (Plan::of(Ver::Http2, drains, vec![vec![wait]]), "socket is released by quiescence")
        }
        Variant::ClosedHandedOut => (
            Plan::of(Ver::Http1, closes, vec![vec![wait; 2]]),
            "the pool hands out no connection that is known to be closed",
        ),
        Variant::UnsentNotRetried => (
            Plan::of(Ver::Http1, closes, vec![vec![wait; 2]]),
            "a request that was not sent over a pooled connection is tried again",
        ),
        Variant::SentIsRetried => (
            Plan::of(Ver::Http1, vec![vec![Step::Take(1), Step::Fin]], vec![vec![wait]]),
            "a request is carried out at most once",
        ),
        Variant::ConnectingKept => {
            (Plan::of(Ver::Http2, settings(), vec![vec![cancel, wait]]), "no task waits forever")
        }
        Variant::GoawayStrandsStreams => (
            Plan::of(
                Ver::Http2,
                vec![vec![Step::Settings, Step::Goaway(models::http_pool::Goaway::NoError), Step::Stall]],
                vec![vec![wait]],
            ),
            "no task waits forever",
        ),
        Variant::HandedToCancelled => (
            Plan::of(Ver::Http1, settings(), vec![vec![wait; 2], vec![cancel]]),
            "SendRequest is released by quiescence",
        ),
    })
}

#[test]
fn every_defect_trips_its_checker_where_the_fixed_pool_stays_clean() {
    for variant in Variant::ALL {
        let Some((plan, property)) = shown(*variant) else { continue };
        let fixed = plan.clone();
        Check::new("fixed").schedules(300).run(move || run(Variant::Fixed, &fixed));
        let variant = *variant;
        let found = Check::new("defect").schedules(10_000).search(move || run(variant, &plan));
        let failure = found.expect_err(variant.name());
        assert_eq!(failure.violation.property, property, "{}", variant.name());
    }
}

/// Checks that the fixed variant answers every request of these callers on a network without faults.
#[track_caller]
fn check_answered(ver: Ver, callers: Vec<Vec<PlannedRequest>>) {
    let plan = NetPlan::of(Plan::of(ver, vec![vec![Step::Settings]; 2], callers));
    assert!(plan.plan.is_sound());
    let report =
        Check::new("answered").limits(limits()).schedules(20).search(move || run_on_network(Variant::Fixed, &plan));
    let report = report.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(report.faults.is_empty(), "{:?}", report.faults);
}

#[test]
fn requests_are_answered_over_either_version() {
    for ver in [Ver::Http1, Ver::Http2] {
        check_answered(ver, vec![vec![PlannedRequest::WAIT; 3], vec![PlannedRequest::WAIT; 2]]);
        check_answered(ver, vec![vec![PlannedRequest { ending: Ending::Timeout(1_000), ..PlannedRequest::WAIT }; 2]]);
    }
}

/// No server answers: a checker that checks nothing would pass.
#[test]
fn a_request_without_an_answer_is_seen_to_be_without_one() {
    let ignored = Plan::of(Ver::Http1, vec![vec![Step::Settings, Step::Stall]], vec![vec![PlannedRequest::WAIT]]);
    let found = Check::new("stalls").schedules(1).search(move || run(Variant::Fixed, &ignored));
    assert_eq!(found.expect_err("nobody answers").violation.property, "no task waits forever");
}

#[test]
fn a_plan_with_a_server_that_may_not_answer_promises_nothing() {
    let sound = |steps: Vec<Step>| Plan::of(Ver::Http2, vec![steps], vec![vec![PlannedRequest::WAIT]]).is_sound();
    assert!(sound(vec![Step::Settings, Step::Pause(3), Step::Answer]));
    assert!(![Step::Fin, Step::Refuse, Step::Stall, Step::Take(2)].iter().any(|step| sound(vec![*step])));
    let other = PlannedRequest { address: 1, ..PlannedRequest::WAIT };
    assert!(!Plan::of(Ver::Http2, vec![Vec::new()], vec![vec![other]]).is_sound(), "no server has this address");
}
