//! The network of a run: TCP over the loopback of one machine, with latency in virtual time and faults.
//!
//! The calls of libc (`libc_layer::socket`) come here for descriptors that the run has opened as TCP sockets. All state
//! is memory of the host, and is forgotten at the end of the run: no socket of the system is used, so a run has any
//! number of connections, and its reads and writes transfer the same bytes in every repetition.
//!
//! | part | file |
//! | --- | --- |
//! | descriptors and sockets: bind, listen, connect, accept | `sockets.rs` |
//! | the answer to an attempt, and its repetition | `attempt.rs` |
//! | a connection: bytes, FIN, RST, buffers | `stream.rs`, `inbox.rs` |
//! | faults, carried out at their byte | `strike.rs` |
//! | `epoll`, timers of `timerfd_create` | `poller.rs`, `timer.rs` |
//! | addresses, options of sockets | `address.rs`, `options.rs` |
//!
//! The network changes when a task calls it and when time passes. It has no task of its own: a waiting task uses the
//! next arrival as a deadline.
//!
//! Left out: UDP and Unix sockets, which are the system's; raw sockets; more than one network interface.

pub(crate) mod address;
mod attempt;
mod inbox;
mod options;
mod poller;
pub(crate) mod sockets;
mod stream;
mod strike;
#[cfg(test)]
mod tests;
mod timer;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use lastref_kernel::record::{End, FaultKind, ObjectId};
use lastref_kernel::seed::{Purpose, Stream};

use lastref_kernel::faults::{Extent, Fault, Faults};
use poller::Poller;
use sockets::File;
use stream::Connection;
use timer::Timers;

/// The first descriptor of a simulated socket: above every number that the system gives.
pub(crate) const FIRST_DESCRIPTOR: i32 = 1 << 24;
/// The first ephemeral port.
const FIRST_PORT: u16 = 32_768;
/// The latencies of connections in a run with latency, in nanoseconds.
const LATENCIES_NS: [u64; 4] = [20_000, 100_000, 300_000, 1_000_000];

/// The name of short reads and writes in a plan and in reports.
const SHORT: &str = "short";

/// A fault that has happened.
#[derive(Debug)]
struct Struck {
    kind: FaultKind,
    text: String,
}

/// An attempt whose SYN was dropped, since the queue was full or the server down: the client sends it again.
#[derive(Debug)]
struct Retry {
    connection: usize,
    address: SocketAddr,
    at_ns: u64,
    /// The time since the last SYN. Each pause is twice as long as the one before.
    pause_ns: u64,
}

/// The network of a run.
#[derive(Debug)]
pub(crate) struct Network {
    /// By descriptor, from [`FIRST_DESCRIPTOR`]: an index into `files`.
    descriptors: Vec<Option<usize>>,
    /// The descriptors without the flag `FD_CLOEXEC`.
    inherited: BTreeSet<i32>,
    /// Sockets, each with one descriptor or more; a closed one leaves its place empty.
    files: Vec<Option<File>>,
    connections: Vec<Connection>,
    retries: Vec<Retry>,
    /// The simulated parts of epolls; `poller_ids` maps a descriptor to its part.
    pollers: Vec<Poller>,
    poller_ids: BTreeMap<i32, usize>,
    timers: Timers,
    /// The edges of closed listeners, so that the sum of all edges never decreases.
    past_edges: u64,
    next_port: u16,
    has_latency: bool,
    /// By the address of a host: the hold or the partition of its connections ends at this time.
    held_until_ns: BTreeMap<IpAddr, u64>,
    /// By the address of a server that has crashed: it is up again at this time.
    down_until_ns: BTreeMap<SocketAddr, u64>,
    draws: Stream,
    faults: Vec<Fault>,
    is_short: bool,
    /// The faults that have happened.
    struck: Vec<Struck>,
    /// Whether a read or a write has transferred fewer bytes than it could.
    was_short: bool,
    /// The traffic of all runs of the search.
    extent: Extent,
}

impl Network {
    pub(crate) fn new() -> Network {
        Network {
            descriptors: Vec::new(),
            inherited: BTreeSet::new(),
            files: Vec::new(),
            connections: Vec::new(),
            retries: Vec::new(),
            pollers: Vec::new(),
            poller_ids: BTreeMap::new(),
            timers: Timers::default(),
            past_edges: 0,
            next_port: FIRST_PORT,
            has_latency: false,
            held_until_ns: BTreeMap::new(),
            down_until_ns: BTreeMap::new(),
            draws: Stream::new(0, Purpose::Environment),
            faults: Vec::new(),
            is_short: false,
            struck: Vec::new(),
            was_short: false,
            extent: Extent::default(),
        }
    }

    /// Begins a run.
    pub(crate) fn begin(&mut self, seed: u64, has_latency: bool, faults: &Faults) {
        self.end();
        (self.next_port, self.has_latency) = (FIRST_PORT, has_latency);
        self.draws = Stream::new(seed, Purpose::Environment);
        self.faults.clone_from(&faults.exact);
        self.is_short = faults.short;
        self.struck.clear();
        self.was_short = false;
    }

    /// Forgets the sockets of a run.
    pub(crate) fn end(&mut self) {
        let sent = |connection: &Connection| [End::Client, End::Server].map(|end| connection.side(end).sent);
        let bytes = self.connections.iter().flat_map(sent).max().unwrap_or(0);
        self.extent.bytes = self.extent.bytes.max(bytes);
        self.extent.connections = self.extent.connections.max(self.connections.len() as u32);
        self.descriptors.clear();
        self.inherited.clear();
        self.files.clear();
        self.connections.clear();
        self.retries.clear();
        self.held_until_ns.clear();
        self.down_until_ns.clear();
        self.pollers.clear();
        self.poller_ids.clear();
        self.timers.clear();
    }

    /// The traffic of all runs so far.
    pub(crate) fn extent(&self) -> Extent {
        self.extent
    }

    /// Descriptions of the faults that have happened in this run.
    pub(crate) fn struck(&self) -> Vec<String> {
        self.struck.iter().map(|struck| struck.text.clone()).collect()
    }

    /// The names of the kinds of faults that have happened in this run.
    pub(crate) fn struck_kinds(&self) -> BTreeSet<&'static str> {
        let short = self.was_short.then_some(SHORT);
        self.struck.iter().map(|struck| struck.kind.name()).chain(short).collect()
    }

    /// Delivers what has arrived by now; returns whether anything changed.
    pub(crate) fn advance(&mut self, now_ns: u64) -> bool {
        let mut has_changed = self.tries_again(now_ns) | self.timers.advance(now_ns);
        for connection in &mut self.connections {
            has_changed |= connection.advance(now_ns);
        }
        has_changed
    }

    /// The time of the next arrival or timeout.
    pub(crate) fn next_ns(&self) -> Option<u64> {
        let retries = self.retries.iter().map(|retry| retry.at_ns);
        self.connections.iter().filter_map(Connection::next_ns).chain(retries).chain(self.timers.next_ns()).min()
    }

    /// A value that changes whenever a waiting task may have to check again.
    pub(crate) fn state(&self) -> (u64, Option<u64>) {
        let edges = |connection: &Connection| {
            [End::Client, End::Server].map(|end| connection.side(end).edges.sum()).into_iter().sum::<u64>()
        };
        let streams: u64 = self.connections.iter().map(edges).sum();
        (self.past_edges + streams + self.files.iter().flatten().map(File::own_edges).sum::<u64>(), self.next_ns())
    }

    /// The object of this socket in traces; `None` before it has one.
    pub(crate) fn object(&self, descriptor: i32) -> Option<ObjectId> {
        self.file_of(descriptor).and_then(|file| self.object_of(file))
    }

    /// Whether reads and writes may transfer fewer bytes than they could.
    pub(crate) fn is_short(&self) -> bool {
        self.is_short
    }

    /// The number of bytes that a call transfers, at most `most`.
    fn transfers(&mut self, most: usize) -> usize {
        if !self.is_short || most < 2 || self.draws.below(2) == 0 {
            return most;
        }
        self.was_short = true;
        1 + self.draws.below(most as u64 - 1) as usize
    }

    fn latency_ns(&mut self) -> u64 {
        if self.has_latency { LATENCIES_NS[self.draws.below(LATENCIES_NS.len() as u64) as usize] } else { 0 }
    }
}
