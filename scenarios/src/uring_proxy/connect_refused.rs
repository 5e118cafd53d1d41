//! No server listens behind the proxy: the proxy closes the client's connection and frees everything.
//!
//! Upstream: follows from default_error, which ends the connection's thread and leaves the accepted socket open; not
//! reported.
//! Size: up to 3 clients with up to 3 requests each. Small: 1 client that ends at once, 2 tasks.
use crate::prelude::*;
use models::uring_proxy::{Habit, Options, Plan, Step, Variant, plan, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "The server refuses the proxy's connection";
    Scenario::new("connect_refused", about, "axboe/liburing proxy.c default_error", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::ErrorEndsThread, "no task waits forever")
        .sometimes(&["an error stops a connection", "a shutdown fails"])
        .small(Plan {
            options: Options { nr_bufs: 1, ..Options::REPORTED },
            clients: vec![vec![Step::Fin]],
            server: Habit::Refuses,
            two_tasks: true,
            ..Plan::smallest()
        })
}

fn plans() -> impl Strategy<Value = Plan> {
    plan::clients(3, 3).prop_map(|clients| Plan { clients, server: Habit::Refuses, ..Plan::smallest() })
}
