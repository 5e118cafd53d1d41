//! A connection that exceeds a limit or a deadline is closed in any state, and all its pooled objects are released.
//!
//! Upstream: errReadTimeout, errWriteTimeout, errOverflow, ErrTooLong of v1.5.12.
//! Size: up to 3 clients with 3 requests each, of which some linger; deadlines of 5 to 50 ms, limits of 4 to 16 octets.
use crate::prelude::*;
use models::buffer_pool::{Ending, Plan, Variant, plan, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Connections run into their limits and deadlines";
    Scenario::new("limits_and_deadlines", about, "lesismal/nbio@v1.5.12", plans, run)
        .clean(Variant::Fixed)
        .timer_slack(Duration::from_millis(500))
        .sometimes(&[
            "a connection times out",
            "a write overflows its connection",
            "a connection closes with something left to write",
            "a request is answered",
        ])
}

fn plans() -> impl Strategy<Value = Plan> {
    let ending = prop_oneof![Just(Ending::Finish), Just(Ending::Linger)];
    let limit = |range: std::ops::RangeInclusive<u32>| prop_oneof![Just(None), range.prop_map(Some)];
    let limits = (limit(2..=4), limit(6..=16), limit(4..=16));
    let deadlines = (5..50_u64, prop_oneof![Just(None), (5..50_u64).prop_map(Some)]);
    let clients = plan::clients((1, 3), plan::asks(3, plan::any_steps()), ending);
    (clients, limits, deadlines, 1..=4_u32).prop_map(|(clients, (body, read, write), (keepalive, write_ms), window)| {
        Plan {
            max_http_body_size: body,
            read_limit: read,
            max_write_buffer_size: write,
            keepalive_ms: Some(keepalive),
            write_timeout_ms: write_ms,
            window,
            ..Plan::of(clients)
        }
    })
}
