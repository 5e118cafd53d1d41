//! Requests, cancels, timeouts, closes and refusals at random over either version, with a small pool and an idle
//! timeout: nothing is left when the client is dropped.
//!
//! Upstream: hyper-util client/legacy/pool.rs.
//! Size: up to 4 callers with up to 3 requests to 2 addresses; servers that refuse, take, answer, send GOAWAY, close.
use crate::prelude::*;
use models::http_pool::{self, Goaway, Plan, Step, Variant, Ver, plan};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Random requests, cancels and closes, and then the client is dropped";
    Scenario::new("pool_teardown", about, "hyperium/hyper-util pool.rs", plans, http_pool::run)
        .clean(Variant::Fixed)
        .violates(Variant::GoawayForgetsConnection, "socket is released by quiescence")
        .sometimes(&[
            "an idle connection is too old",
            "the pool is full",
            "a shared connection is in the pool already",
            "an answer finds its stream cancelled",
            "a connect continues for the pool",
            "a connection is closed on its way to a waiter",
            "a request is answered",
        ])
}

fn plans() -> impl Strategy<Value = Plan> {
    let step = prop_oneof![
        3 => (0..3_u32).prop_map(Step::Take),
        3 => Just(Step::Answer),
        1 => (1..40_u64).prop_map(Step::Pause),
        1 => Just(Step::Goaway(Goaway::NoError)),
        1 => Just(Step::Fin),
    ];
    let script = prop_oneof![
        1 => Just(vec![Step::Refuse]),
        6 => prop::collection::vec(step, 0..=4).prop_map(|steps| [vec![Step::Settings], steps].concat()),
    ];
    let backends = prop::collection::vec(prop::collection::vec(script, 0..=4), 2);
    let ver = prop_oneof![Just(Ver::Http1), Just(Ver::Http2)];
    // Every request has a timeout: a server may wait for more requests than there are.
    let ask = plan::any_ask(2, 60).prop_map(plan::PlannedRequest::within_a_second);
    let callers = plan::callers(4, 3, ask);
    let limits = (1..=3_usize, prop::option::of(1..40_u64));
    (ver, backends, callers, limits).prop_map(|(ver, backends, callers, (max_idle, idle_timeout_ms))| {
        // GOAWAY exists only in HTTP/2.
        let is_of_ver = |step: &Step| ver == Ver::Http2 || !matches!(step, Step::Goaway(_));
        let keep = |script: Vec<Step>| script.into_iter().filter(is_of_ver).collect();
        let backends = backends.into_iter().map(|scripts| scripts.into_iter().map(keep).collect()).collect();
        Plan { backends, max_idle, idle_timeout_ms, ..Plan::of(ver, Vec::new(), callers) }
    })
}
