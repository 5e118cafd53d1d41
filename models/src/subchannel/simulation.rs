//! The workbench on a simulated network: the client is one host, the servers are another, and the bytes are real.
//!
//! Everything from the channel down to the fd is the same code; only what a descriptor's socket is differs (`socket`).
//! Faults are of three kinds, each plain data: what the application and the servers do ([`Plan`]), what happens to one
//! connection at a byte ([`lastref::net::Fault`]), and what happens to the link or to the servers' host ([`Outage`]).

use std::sync::Arc;

use lastref::net::{Config, Decoder, Fault, FaultKind, Host, Network, simulate};
use lastref::plan::{BadPlan, List, Part, field};
use lastref::thread::{JoinHandle, sleep};
use lastref::time::Duration;
use proptest::collection::vec;
use proptest::prelude::{Strategy, prop_oneof};
use serde::{Deserialize, Serialize};

use super::bench::{Bench, Expected};
use super::call::Call;
use super::library::Grpc;
use super::plan::{self, Plan};
use super::variant::Variant;
use crate::kit::server::{Protocol, Server, Step};

/// One run of the workbench on a network: see [`run`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkPlan {
    /// What the application and the servers do. The library needs a poller and a thread for timers.
    pub plan: Plan,
    /// What the resolvers do at once with it, each on a thread of its own, which ends before the teardown.
    pub resolvers: Vec<Vec<plan::Fault>>,
    /// What goes wrong with which connection.
    pub network: Vec<Fault>,
    /// What goes wrong with all of them, one after the other, before the application does anything but to call.
    pub outages: Vec<Outage>,
    /// The latency of the link, in milliseconds: the least and the most.
    pub latency_ms: (u32, u32),
    /// Whether sockets transfer less than they could.
    pub short: bool,
    /// Connections that a server has not accepted yet; one more is refused.
    pub backlog: usize,
    /// How long a server takes to accept one, in milliseconds.
    pub accept_ms: u64,
}

/// The servers are out of reach for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outage {
    /// How long after the one before it, in milliseconds.
    pub after_ms: u64,
    /// Why.
    pub kind: OutageKind,
    /// For how long, in milliseconds.
    pub ms: u64,
}

/// Why the servers are out of reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OutageKind {
    /// Packets wait.
    Hold,
    /// Packets vanish.
    Partition,
    /// Their host is down; it comes back with a server that knows of no connection.
    Crash,
}

impl lastref::plan::Plan for NetworkPlan {
    fn check(&self) -> Result<(), BadPlan> {
        let NetworkPlan { plan, resolvers, network, outages, latency_ms, short, backlog, accept_ms } = self;
        field("plan", plan, &Part)?;
        field("resolvers", resolvers, &List(0..=4, List(0..=4, Part)))?;
        field("network", network, &List(0..=8, Part))?;
        field("outages", outages, &List(0..=4, Part))?;
        field("latency_ms", latency_ms, &Config::LATENCY_MS)?;
        field("short", short, &Part)?;
        field("backlog", backlog, &(1..=128))?;
        field("accept_ms", accept_ms, &(0..=1_000))?;
        let place = |bad: BadPlan| bad.inside("threads").inside("plan");
        field("pollers", &plan.threads.pollers, &(1..=4)).map_err(place)?;
        if plan.threads.timers {
            return Ok(());
        }
        Err(place(BadPlan::new("is false; on a network the library needs a thread for timers").inside("timers")))
    }
}

lastref::bounds!(Outage { after_ms: 0..=60_000, kind: Part, ms: 0..=60_000 });

impl lastref::plan::Plan for OutageKind {}

impl NetworkPlan {
    /// On a network on which nothing goes wrong.
    pub fn of(plan: Plan) -> NetworkPlan {
        NetworkPlan {
            plan,
            resolvers: Vec::new(),
            network: Vec::new(),
            outages: Vec::new(),
            latency_ms: (1, 3),
            short: false,
            backlog: 128,
            accept_ms: 0,
        }
    }

    /// What may be expected of it.
    fn expected(&self) -> Expected {
        let steps = || self.plan.backends.iter().flatten().flatten();
        // What only delays for less than a connection bears is no excuse.
        let delays = |fault: &Fault| matches!(fault.kind, FaultKind::Stall { ms: ..=50 });
        let holds = |outage: &Outage| outage.kind == OutageKind::Hold && outage.ms <= 50;
        let is_sound = self.network.iter().all(delays) && self.outages.iter().all(holds) && self.accept_ms == 0;
        // A server that sleeps or does nothing does not see that its client has gone.
        let sees = |step: &Step| match step {
            Step::Settings | Step::Take(_) | Step::Answer | Step::Goaway(_) | Step::Fin | Step::Rst => true,
            Step::Pause(ms) => *ms < 20,
            Step::Refuse | Step::Ignore | Step::Stall => false,
        };
        let serves = |step: &Step| matches!(step, Step::Settings | Step::Answer | Step::Pause(_));
        let calls = || self.plan.channels.iter().flat_map(|channel| &channel.callers).flatten();
        let lets = |fault: &plan::Fault| matches!(fault, plan::Fault::Pause(_) | plan::Fault::Calls(_));
        Expected {
            same_sockets: is_sound && steps().all(sees),
            answers: is_sound
                && self.resolvers.is_empty()
                && steps().all(|step| sees(step) && serves(step))
                && calls().all(|call| matches!(call, Call::Wait | Call::After(_)))
                && self.plan.faults.iter().all(lets)
                && matches!(self.plan.teardown, plan::Teardown::AtRest | plan::Teardown::Drained),
        }
    }
}

/// Carries the plan out.
pub fn run(variant: Variant, plan: &NetworkPlan) {
    let config = Config {
        hosts: vec!["client", "backend"],
        latency_ms: plan.latency_ms,
        short: plan.short,
        backlog: plan.backlog,
        decoder: Decoder::Http2,
        faults: plan.network.clone(),
        ..Config::default()
    };
    simulate(config, |network| {
        let (client, backend) = (network.host("client"), network.host("backend"));
        let server =
            Server::start(backend, Protocol::Http2, plan.plan.backends.clone(), Duration::from_millis(plan.accept_ms));
        let grpc = Grpc::on_host(variant, plan.plan.threads, client, &server, plan.plan.room);
        let bench = Arc::new(Bench::with(&grpc, &plan.plan, plan.expected()));
        let callers = bench.start_callers();
        let resolvers = plan.resolvers.iter().zip(0..).map(|(results, number)| {
            let (bench, results) = (Arc::clone(&bench), results.clone());
            client.thread(&format!("resolver.{number}"), move || bench.perform(&results, &[]))
        });
        let resolvers: Vec<JoinHandle<()>> = resolvers.collect();
        for outage in &plan.outages {
            sleep(Duration::from_millis(outage.after_ms));
            outage.happen(network, (client, backend), &server);
        }
        bench.inject(&callers);
        resolvers.into_iter().for_each(JoinHandle::join);
        bench.close(callers);
    });
}

impl Outage {
    fn happen(&self, network: &Network, (client, backend): (Host, Host), server: &Arc<Server>) {
        let last = || sleep(Duration::from_millis(self.ms));
        match self.kind {
            OutageKind::Hold => {
                network.hold(client, backend);
                last();
                network.release(client, backend);
            }
            OutageKind::Partition => {
                network.partition(client, backend);
                last();
                network.heal();
            }
            OutageKind::Crash => {
                backend.crash();
                last();
                backend.restart();
                server.listen();
            }
        }
    }
}

/// A fault of one of the first `connections`, of these kinds, at some byte of a handshake or of a few calls.
pub fn any_fault(connections: u32, kinds: &'static [FaultKind]) -> impl Strategy<Value = Fault> {
    Fault::any(connections, 500, kinds)
}

/// Up to so many outages, from the first attempts to connect on, for up to a few retransmissions and for longer.
pub fn outages(most: usize, kinds: &'static [OutageKind]) -> impl Strategy<Value = Vec<Outage>> {
    let after_ms = prop_oneof![3 => 0..40_u64, 1 => 0..3_000_u64];
    let ms = prop_oneof![1..60_u64, 60..2_000_u64, 2_000..25_000_u64];
    let outage = (after_ms, proptest::sample::select(kinds), ms);
    vec(outage.prop_map(|(after_ms, kind, ms)| Outage { after_ms, kind, ms }), 1..=most)
}
