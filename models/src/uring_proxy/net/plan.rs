//! What happens in one run on the network, as plain data.

use lastref::net::{Config, Fault, FaultKind};
use lastref::plan::{BadPlan, List, Part, field};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, prop_oneof};
use serde::{Deserialize, Serialize};

use crate::uring_proxy::plan::Options;

/// One run of [`super::run`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetPlan {
    /// The proxy's command line.
    pub options: Options,
    /// The connections of each client, one after the other. At most four clients.
    pub clients: Vec<Vec<Visit>>,
    /// The server behind the proxy.
    pub backend: Backend,
    /// The latency of each link, in milliseconds: the least and the most.
    pub latency_ms: (u32, u32),
    /// Whether reads and writes transfer less than they could.
    pub short: bool,
    /// Bytes that a socket takes each way before it makes wait.
    pub socket_bytes: u32,
    /// Connections that wait to be accepted; one more is refused.
    pub backlog: u32,
    /// What goes wrong with connections: of clients to the proxy and of the proxy to the server alike, in the order in
    /// which they are tried.
    pub faults: Vec<Fault>,
    /// What happens to hosts and links, in this order.
    pub world: Vec<World>,
}

/// A connection of a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visit {
    /// How long the client waits before it connects.
    pub wait_ms: u32,
    /// What it asks.
    pub goes: Vec<Go>,
    /// How it ends.
    pub ending: Ending,
}

/// Requests that are sent one behind the other, and waited for together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Go {
    /// How many.
    pub pings: u32,
    /// They are GETs, whose replies alone have the bytes.
    pub is_get: bool,
    /// Bytes of each payload behind its tag.
    pub bytes: u32,
    /// How long the connection is idle then.
    pub idle_ms: u32,
}

/// How a client ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// With FIN, when it has all replies; then it waits for the other's.
    Finish,
    /// It closes its socket as soon as the last requests are sent, whatever there is to be read.
    Drop,
    /// It waits until the other side ends it.
    Linger,
}

/// The server behind the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backend {
    /// How long it thinks about each piece that it reads.
    pub lag_ms: u32,
    /// Bytes that it reads at a time.
    pub piece: u32,
    /// When it ends a connection.
    pub leaves: Leaves,
}

/// When the server ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Leaves {
    /// When it was idle for long.
    WhenIdle,
    /// By FIN, when it has sent so many answers.
    Fin(u32),
    /// By closing its socket, when it has so many requests; of the last no answer is sent.
    Drop(u32),
}

/// What happens to hosts and links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum World {
    /// Nothing, for so long.
    Pause(u32),
    /// The proxy is told to stop every connection that is open, and each that opens later.
    StopAll,
    /// What is sent on a link vanishes.
    Partition(Link),
    /// What is sent on a link waits.
    Hold(Link),
    /// All links pass packets again, those that waited first.
    Mend,
    /// The server's host crashes.
    CrashBackend,
    /// The server's host comes up again, and a server with it.
    RestartBackend,
    /// A client's host crashes.
    CrashClient(u32),
}

/// A link of the proxy's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Link {
    /// To this client.
    Client(u32),
    /// To the server.
    Backend,
}

const CLIENTS_MAX: usize = 4;
const PAUSE_MS_MAX: u32 = 1_000;

lastref::bounds!(NetPlan {
    options: Part,
    clients: List(1..=CLIENTS_MAX, List(0..=4, Part)),
    backend: Part,
    latency_ms: Config::LATENCY_MS,
    short: Part,
    socket_bytes: Config::SOCKET_BYTES,
    backlog: Config::BACKLOG,
    faults: List(0..=8, Part),
    world: List(0..=8, Part),
});
lastref::bounds!(Visit { wait_ms: 0..=PAUSE_MS_MAX, goes: List(0..=4, Part), ending: Part });
lastref::bounds!(Go { pings: 1..=16, is_get: Part, bytes: 0..=256, idle_ms: 0..=PAUSE_MS_MAX });
lastref::bounds!(Backend { lag_ms: 0..=PAUSE_MS_MAX, piece: 1..=4096, leaves: Part });

impl lastref::plan::Plan for Ending {}

impl lastref::plan::Plan for Leaves {
    fn check(&self) -> Result<(), BadPlan> {
        match self {
            Leaves::WhenIdle => Ok(()),
            Leaves::Fin(answers) => field("Fin", answers, &(1..=16)),
            Leaves::Drop(requests) => field("Drop", requests, &(1..=16)),
        }
    }
}

impl lastref::plan::Plan for World {
    fn check(&self) -> Result<(), BadPlan> {
        match self {
            World::Pause(ms) => field("Pause", ms, &(0..=PAUSE_MS_MAX)),
            World::Partition(link) => field("Partition", link, &Part),
            World::Hold(link) => field("Hold", link, &Part),
            World::CrashClient(client) => field("CrashClient", client, &CLIENT),
            World::StopAll | World::Mend | World::CrashBackend | World::RestartBackend => Ok(()),
        }
    }
}

const CLIENT: std::ops::RangeInclusive<u32> = 0..=CLIENTS_MAX as u32 - 1;

impl lastref::plan::Plan for Link {
    fn check(&self) -> Result<(), BadPlan> {
        match self {
            Link::Client(client) => field("Client", client, &CLIENT),
            Link::Backend => Ok(()),
        }
    }
}

impl NetPlan {
    /// A server that is quick.
    pub const BACKEND: Backend = Backend { lag_ms: 0, piece: 256, leaves: Leaves::WhenIdle };

    /// These clients, on a network without faults, before a server that is quick.
    pub fn of(options: Options, clients: Vec<Vec<Visit>>) -> NetPlan {
        NetPlan {
            options,
            clients,
            backend: NetPlan::BACKEND,
            latency_ms: (1, 3),
            short: true,
            socket_bytes: 4096,
            backlog: 16,
            faults: Vec::new(),
            world: Vec::new(),
        }
    }

    /// Whether nothing happens on purpose that may lose bytes: whoever waits gets his replies.
    pub fn is_lossless(&self) -> bool {
        let drops = self.clients.iter().flatten().any(|visit| visit.ending == Ending::Drop);
        let stalls = |fault: &Fault| matches!(fault.kind, FaultKind::Stall { .. });
        let pauses = |world: &World| matches!(world, World::Pause(_));
        let refuses = (self.backlog as usize) < self.clients.len();
        !drops
            && !refuses
            && self.backend.leaves == Leaves::WhenIdle
            && self.faults.iter().all(stalls)
            && self.world.iter().all(pauses)
    }

    /// Whether something happens of which nobody is told, so that who waits may wait in vain.
    pub fn is_silent(&self) -> bool {
        let is_told = |world: &World| matches!(world, World::Pause(_) | World::StopAll);
        // An RST that gets lost is not sent again.
        let loses = |fault: &Fault| matches!(fault.kind, FaultKind::Blackhole | FaultKind::Partition { .. });
        self.faults.iter().any(loses) || !self.world.iter().all(is_told)
    }
}

/// Between `least` and `most` clients with up to two connections, each with one or two goes of up to `pings` requests
/// of up to `bytes` more than a tag.
pub fn clients(
    (least, most): (usize, usize),
    pings: u32,
    bytes: u32,
    ending: impl Strategy<Value = Ending> + Clone,
) -> impl Strategy<Value = Vec<Vec<Visit>>> {
    let idle = prop_oneof![3 => Just(0_u32), 1 => 1..=80_u32];
    let go =
        (1..=pings, 0..=bytes, idle).prop_map(|(pings, bytes, idle_ms)| Go { pings, is_get: false, bytes, idle_ms });
    let visit = (0..=10_u32, vec(go, 1..=2), ending);
    let visit = visit.prop_map(|(wait_ms, goes, ending)| Visit { wait_ms, goes, ending });
    vec(vec(visit, 1..=2), least..=most)
}

/// Up to `most` faults of these kinds, or none, at either end, of one of the first connections, at any byte up to
/// `bytes` or a while after it.
pub fn faults<const N: usize>(kinds: [FaultKind; N], most: usize, bytes: u64) -> impl Strategy<Value = Vec<Fault>> {
    vec(Fault::any(6, bytes + 1, &kinds), 0..=most)
}
