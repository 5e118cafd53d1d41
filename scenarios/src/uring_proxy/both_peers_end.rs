//! Both peers end at about the same time: the connection is stopped once.
//!
//! Upstream: follows from `c->flags |= …` on two threads, the connection's and the parent's, without a lock: a lost
//! CONN_F_DISCONNECTING makes house_keeping stop the connection again. Not reported.
//! Size: up to 2 clients with up to 3 requests; the server ends after up to 3. Small: 1 client that ends at once, 2
//! tasks.
use crate::prelude::*;
use models::uring_proxy::{Habit, Options, Plan, Step, Variant, plan, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Both peers close while house_keeping checks the connection";
    Scenario::new("both_peers_end", about, "axboe/liburing proxy.c house_keeping", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::StopSentTwice, "a connection is stopped once")
        .small(Plan {
            options: Options { nr_bufs: 1, ..Options::REPORTED },
            clients: vec![vec![Step::Fin]],
            two_tasks: true,
            ..Plan::smallest()
        })
}

fn plans() -> impl Strategy<Value = Plan> {
    (plan::clients(2, 3), 1..=3_u32, any::<bool>()).prop_map(|(clients, requests, recv_mshot)| Plan {
        options: Options { recv_mshot, ..Options::REPORTED },
        clients,
        server: Habit::FinAfter(requests),
        ..Plan::smallest()
    })
}
