//! The req socket is closed on one thread while another closes its contexts, whose requests were answered over the
//! network and some of whose replies come again.
//!
//! Upstream: nni_ctx_rele and nni_sock_close of v1.10.1; not reported.
//! Size: up to 3 callers with 2 requests each on 2 to 4 contexts; a peer that may reply twice; 2 workers.
use crate::prelude::*;
use models::context_pool::{Habit, NetPlan, Replier, Style, Variant, plan, run_on_network};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A socket is closed while its contexts are closed";
    Scenario::on_network("net_close_races_close", about, "nanomsg/nng v1.10.1 socket.c", plans, run_on_network)
        .clean(Variant::Fixed)
        .violates(Variant::CtxLeavesListBeforeFini, "req0_sock is not used after its release")
        .sometimes(&["a request is answered", "a socket waits for a context that is being closed"])
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let habits = prop::collection::vec(prop_oneof![Just(Habit::Reply), (2..=3_u32).prop_map(Habit::Again)], 1..=2);
    (plan::callers(3, 2, plan::waited()), 2..=4_u32, habits).prop_map(|(callers, contexts, habits)| NetPlan {
        style: Style::ContextPool(contexts),
        callers,
        replier: Replier::peer(habits),
        hurried: true,
        ..NetPlan::quiet()
    })
}
