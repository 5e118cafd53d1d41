//! Two peers send requests to one rep socket, and connections break while replies are prepared: a reply reaches the
//! peer that sent the request.
//!
//! Upstream: rep0_ctx_send of v1.10.1, which finds the pipe of a reply by the id that came with the request.
//! Size: 2 req sockets with 2 callers each, 2 requests a caller; up to 3 breaks; 2 server contexts; 2 workers.
use crate::prelude::*;
use lastref::ledger::{Owner, Tag};
use models::context_pool::{Link, Nng, ReqOptions, Server, Socket, Threads, Timeout, Variant, Wrapper};

/// The time that a reply takes, and the breaks: the peer whose connection breaks, and the pause before it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    works_ms: u64,
    breaks: Vec<(usize, u64)>,
}
bounds!(Plan { works_ms: 1..=1_000, breaks: List(0..=8, (0..=1, 0..=1_000)) });

/// Declares the experiment.
pub fn scenario() -> Scenario {
    Scenario::new("rep_two_peers", "Two peers send requests to one rep socket", "nanomsg/nng rep.c", plan, run)
        .clean(Variant::Fixed)
        .sometimes(&["a reply to a pipe that is gone is reported as sent", "a request is answered"])
}

fn plan() -> impl Strategy<Value = Plan> {
    let breaks = prop::collection::vec((0..2_usize, 0..6_u64), 0..=3);
    (1..8_u64, breaks).prop_map(|(works_ms, breaks)| Plan { works_ms, breaks })
}

fn run(variant: Variant, plan: &Plan) {
    let nng = Nng::init(variant, Threads::NNG);
    let (rep, reqs) = (nng.rep0_open(), [nng.req0_open(ReqOptions::DEFAULT), nng.req0_open(ReqOptions::DEFAULT)]);
    let server = Server::start(&nng, &rep, 2, Some(Duration::from_millis(plan.works_ms))).ok();
    let mut links = reqs.each_ref().map(|req| Socket::connect(req, &rep, 2).ok());
    let callers = reqs.iter().cycle().zip(0..4).filter_map(|(req, peer)| {
        let wrapper = Wrapper::open(&nng, req, Owner::new("caller", peer)).ok()?;
        Some(thread::spawn(move || call(&wrapper, peer)))
    });
    let callers: Vec<_> = callers.collect();
    for &(peer, pause_ms) in &plan.breaks {
        time::sleep(Duration::from_millis(pause_ms));
        links[peer].take().iter().for_each(Link::reset);
        // Time for the old pipe to be freed, and its id with it.
        time::sleep(Duration::from_millis(1));
        links[peer] = Socket::connect(&reqs[peer], &rep, 2).ok();
    }
    callers.into_iter().for_each(thread::JoinHandle::join);
    reqs.iter().chain([&rep]).for_each(|socket| _ = socket.close());
    server.into_iter().for_each(Server::stop);
    nng.fini();
}

fn call(wrapper: &Wrapper, peer: u32) {
    for request in 0..2 {
        wrapper.request(Tag { peer, request }, Timeout::Infinite);
        always("a request is answered, if necessary on its next connection", wrapper.wait() == Some(Ok(())));
    }
    wrapper.retire();
}
