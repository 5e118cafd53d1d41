//! Clients other than NNG send several requests at once, with backtraces, to a rep socket, and disconnect before,
//! during and after the answers, with requests waiting on their pipes.
//!
//! Upstream: nanomsg/nng#1959 (respond.c), commit 513f9d1b; rep0_pipe_close of v1.10.1.
//! Size: up to 4 clients with up to 6 steps each; 1 or 2 contexts that reply; up to 4 faults; 2 workers.
use crate::prelude::*;
use models::context_pool::{Act, NetPlan, Replier, Step, Variant, run_on_network};

/// A request takes some 500 steps, more when its bytes come one by one.
const STEPS_MAX: u32 = 100_000;

/// Without `Refuse` and `Hang`: other scenarios test attempts to connect.
const KINDS: [FaultKind; 4] =
    [FaultKind::Reset, FaultKind::HalfClose, FaultKind::Blackhole, FaultKind::Stall { ms: 20 }];

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Clients of a rep socket disconnect with requests on their pipes";
    Scenario::on_network("net_rep_clients", about, "nanomsg/nng#1959", plans, run_on_network)
        .clean(Variant::Fixed)
        .violates(Variant::PartialSendMissesClose, "no task waits forever")
        .violates(Variant::DoubleFinishAbortWindow, "nni_aio completes exactly once")
        .sometimes(&[
            "a request waits on its pipe for a receive",
            "a reply waits for its pipe to be free",
            "a reply to a pipe that is gone is reported as sent",
            "a pipe is closed while a reply waits for it",
            "a client is answered",
        ])
        .steps_max(STEPS_MAX)
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let hops = prop_oneof![4 => 0..=2_u32, 1 => 3..=9_u32];
    let step = prop_oneof![
        4 => (1..=4_u32, hops).prop_map(|(requests, hops)| Step::Ask { requests, hops }),
        2 => Just(Step::Read),
        1 => (1..20_u64).prop_map(Step::Pause),
        1 => Just(Step::Malformed),
        2 => Just(Step::HalfClose),
        2 => Just(Step::Leave),
    ];
    let clients = prop::collection::vec(prop::collection::vec(step, 1..=6), 1..=4);
    let works = prop_oneof![Just(None), (1..10_u64).prop_map(Some)];
    let faults = faults(4, &KINDS, 0..=4, 200);
    let pause = prop_oneof![Just(Vec::new()), (1..15_u64).prop_map(|ms| vec![Act::Pause(ms), Act::ClosePipes])];
    (clients, faults, pause, 1..=2_u32, works, 64..256_u32, any::<bool>()).prop_map(
        |(clients, faults, acts, contexts, works_ms, window, short)| NetPlan {
            weather: Weather { short, window, faults, ..Weather::FAIR },
            acts,
            clients,
            replier: Replier::Rep { contexts, works_ms },
            ..NetPlan::quiet()
        },
    )
}
