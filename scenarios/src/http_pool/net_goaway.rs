//! A real HTTP/2 server drains its connections, gently or not, while callers have streams on them.
//!
//! Upstream: golang/go#39752; hyper-util client/legacy/pool.rs.
//! Size: up to 3 callers with up to 3 requests over HTTP/2; the crate h2 as server; stalls.
use crate::prelude::*;
use models::http_pool::{self, Goaway, NetPlan, Plan, PlannedRequest, Step, Variant, Ver, plan};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A real HTTP/2 server drains connections with streams";
    Scenario::on_network("net_goaway", about, "golang/go#39752", plans, http_pool::run_on_network)
        .clean(Variant::Fixed)
        .violates(Variant::GoawayForgetsConnection, "every socket is closed at quiescence")
        .sometimes(&[
            "GOAWAY comes to an idle connection",
            "GOAWAY comes to a connection with streams",
            "a connection has drained",
            "a request waits for another's connect",
            "a request is answered",
        ])
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let goaway = prop_oneof![3 => Just(Goaway::NoError), 1 => Just(Goaway::TooManyPings)].prop_map(Step::Goaway);
    // After GOAWAY the server keeps its socket.
    let draining = (0..20_u64, goaway)
        .prop_map(|(ms, goaway)| vec![Step::Settings, Step::Pause(ms), Step::Answer, goaway, Step::Stall]);
    let scripts = prop::collection::vec(draining, 1..=3);
    let ask = (0..30_u64).prop_map(|after_ms| PlannedRequest { after_ms, ..PlannedRequest::WAIT }.within_a_second());
    let weather = Weather::any(&[FaultKind::Stall { ms: 20 }], 1, 200, 0);
    (scripts, plan::callers(3, 3, ask), weather).prop_map(|(scripts, callers, weather)| NetPlan {
        weather,
        ..NetPlan::of(Plan::of(Ver::Http2, scripts, callers))
    })
}
