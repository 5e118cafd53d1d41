//! Pipes, and at last the req socket, are closed while its dialers connect, greet and start their pipes.
//!
//! Upstream: nni_dialer_add_pipe and nni_sock_shutdown of v1.10.1, which does not check again whether a pipe is closed;
//! not reported. Size: 2 to 4 dialers, 1 caller with a request, up to 7 closes at about the time that pipes start; up
//! to 1 fault of a greeting.
use crate::prelude::*;
use models::context_pool::{Act, NetPlan, Variant, plan, run_on_network};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Pipes and their socket are closed while dialers connect";
    Scenario::on_network("net_close_while_connecting", about, "nanomsg/nng v1.10.1 pipe.c", plans, run_on_network)
        .clean(Variant::Fixed)
        .violates(Variant::PipeStartedAfterClose, "a req0_pipe is on one list of its req0_sock")
        .sometimes(&["a pipe is closed before it is started", "a context is closed while its send is queued"])
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let callers = plan::callers(1, 1, plan::any_request());
    let faults = faults(
        4,
        &[FaultKind::Reset, FaultKind::Blackhole, FaultKind::Stall { ms: 3 }, FaultKind::HalfClose],
        0..=1,
        8,
    );
    let closes = prop::collection::vec((0..=4_u64).prop_map(|ms| [Act::Pause(ms), Act::ClosePipes]), 2..=6);
    (callers, 2..=4_u32, closes, faults).prop_map(|(callers, dialers, closes, faults)| NetPlan {
        weather: Weather { latency_ms: (1, 1), faults, ..Weather::FAIR },
        acts: [closes.concat(), vec![Act::CloseReq]].concat(),
        patience_ms: 100,
        dialers,
        callers,
        ..NetPlan::quiet()
    })
}
