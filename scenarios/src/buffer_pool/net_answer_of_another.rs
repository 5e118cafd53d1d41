//! One client's message is in the answer to another, on the network: the server does not check the owner of its octets,
//! and a client receives another client's.
//!
//! Upstream: lesismal/nbio#453, about once a week in production; explained by #445.
//! Size: 3 or 4 clients on hosts of their own with up to 3 requests each, some of whose handlers close; 2 workers.
use crate::prelude::*;
use models::buffer_pool::{Audit, Ending, NetPlan, Plan, Step, Variant, plan, run_on_network};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A client on the network receives another client's message";
    Scenario::on_network("net_answer_of_another", about, "lesismal/nbio#453", plans, run_on_network)
        .clean(Variant::Fixed)
        .violates(Variant::ClosePuts, "a payload reaches only the request it is tagged for")
        .sometimes(&["a body is echoed to its end", "a chunk is appended to the buffer of another chunk"])
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let steps = prop_oneof![Just(vec![Step::ReadAll, Step::Close]), Just(vec![Step::ReadAll])];
    let clients = plan::clients((3, 4), plan::asks(3, steps), Just(Ending::Finish));
    clients.prop_map(|clients| NetPlan::of(Plan { audit: Audit::Answers, short: true, ..Plan::of(clients) }))
}
