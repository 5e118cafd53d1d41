//! A reply that is too short for an id closes the pipe that it came on, and affects nothing else.
//!
//! Upstream: req0_recv_cb of v1.10.1.
//! Size: one caller whose request is lost with the pipe, a scripted peer, 2 workers, the reaper.
use crate::prelude::*;
use lastref::ledger::{Owner, Tag};
use models::context_pool::{Frame, Nng, ReqOptions, Script, Socket, Threads, Timeout, Variant, Wrapper};

/// The peer's answer to a request: nothing, a reply that is too short, or one with an unknown id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    answers: Vec<Frame>,
}
bounds!(Plan { answers: List(0..=8, List(0..=8, 0..=u32::MAX)) });

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A peer sends a reply that is too short";
    Scenario::new("malformed_reply", about, "nanomsg/nng v1.10.1 req.c", plan, run)
        .clean(Variant::Fixed)
        .sometimes(&["a malformed reply closes its pipe", "a reply finds no request"])
}

fn plan() -> impl Strategy<Value = Plan> {
    let unknown = Just(vec![0x8fff_ffff, 0, 0, 0]);
    prop::collection::vec(prop_oneof![Just(Frame::new()), unknown], 0..=3).prop_map(|answers| Plan { answers })
}

fn run(variant: Variant, plan: &Plan) {
    let nng = Nng::init(variant, Threads { timers: false, ..Threads::NNG });
    let req = nng.req0_open(ReqOptions::ONCE);
    let answers = plan.answers.clone();
    let script: Script = Box::new(move |_| answers.clone());
    let Ok(link) = Socket::connect_script(&req, script) else { return };
    let Ok(wrapper) = Wrapper::open(&nng, &req, Owner::new("caller", 0)) else { return };
    wrapper.request(Tag { peer: 0, request: 0 }, Timeout::Infinite);
    link.inject(Frame::new());
    let result = wrapper.wait();
    always("a request that is lost with its pipe ends with an error", result.is_some_and(|result| result.is_err()));
    wrapper.retire();
    let _ = req.close();
    nng.fini();
}
