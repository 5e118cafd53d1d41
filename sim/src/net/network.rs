//! The network of one run: made, used, closed, and looked over at the end.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use super::fault::Fault;
use super::frames::Frames;
use super::host::Host;
use super::link::{Ends, Link};
use super::wire;
use crate::engine::{self, Arm};
use crate::plan::Span;
use crate::property::always_with;
use crate::thread;
use crate::time::{Duration, Instant, sleep};

/// What a network is like.
#[derive(Clone, Debug)]
pub struct Config {
    /// The hosts by name; at most 255.
    pub hosts: Vec<&'static str>,
    /// The latency of a link, in milliseconds: the least and the most. A packet's is drawn; none overtakes another of its
    /// connection.
    pub latency_ms: (u32, u32),
    /// Whether reads and writes may transfer less than they could: how much is drawn.
    pub short: bool,
    /// Connections that a listener has not accepted yet; one more is refused.
    pub backlog: usize,
    /// Bytes that a socket takes for its application, and that it takes of its application, before it makes wait.
    pub window: usize,
    /// How tables read what goes by.
    pub frames: Frames,
    /// What goes wrong with which connection.
    pub faults: Vec<Fault>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            hosts: vec!["client", "server"],
            latency_ms: (1, 3),
            short: false,
            backlog: 128,
            window: 64 * 1024,
            frames: Frames::Bytes,
            faults: Vec::new(),
        }
    }
}

impl Config {
    /// What a plan may ask for as [`Config::latency_ms`].
    pub const LATENCY_MS: Span<u32> = Span(0..=10_000);
    /// What a plan may ask for as [`Config::window`].
    pub const SOCKET_BYTES: RangeInclusive<u32> = 1..=1 << 20;
    /// What a plan may ask for as [`Config::backlog`].
    pub const BACKLOG: RangeInclusive<u32> = 1..=1_024;

    /// Turns without an acknowledgement after which a segment is sent again: more than a round trip takes.
    pub(super) fn retransmit_ticks(&self) -> u32 {
        self.latency_ms.1.saturating_mul(2).saturating_add(20)
    }
}

/// How long tasks may take to end when the workload is done and nothing is in their way: longer than any connection that
/// is cut takes to be given up.
const GRACE: Duration = Duration::from_secs(10);

/// The network of this run.
#[derive(Debug)]
pub struct Network(());

/// Makes a network, lets `body` use it, and closes it: nothing may be left of it then.
///
/// After `body` links heal and hosts that are down are up again, so that what is under way can end. A task of a host that
/// has not ended ten seconds later, or a socket that is left then, is a finding: `every task of a host has ended at
/// quiescence`, `every socket is closed at quiescence`.
///
/// # Panics
/// Under an engine that cannot park tasks.
pub fn simulate<T>(config: Config, body: impl FnOnce(&Network) -> T) -> T {
    assert!(engine::arm() == Arm::Sched, "a network is simulated within a run of engine turmoil or shuttle");
    wire::install(config);
    let wire = thread::Builder::new().name("wire").spawn(wire::run);
    let network = Network(());
    let result = body(&network);
    network.heal();
    network.await_tasks();
    wire::with(|wire| {
        wire.is_closing = true;
        wire.token.give();
    });
    wire.join();
    wire::with(|wire| wire.give_up_orphans());
    network.check_closed();
    wire::remove();
    result
}

/// Whether nothing is under way, and nothing has been for longer than a retransmission takes: nothing more comes of what
/// sockets were used for so far. A future that is ready and was not polled yet may still use one.
///
/// # Panics
/// Outside [`simulate`].
pub fn is_quiet() -> bool {
    wire::with(|wire| wire.is_quiet())
}

impl Network {
    /// The host of this name.
    ///
    /// # Panics
    /// If the configuration has none.
    pub fn host(&self, name: &str) -> Host {
        match Host::named(name) {
            Some(host) => host,
            None => panic!("the network has no host `{name}`"),
        }
    }

    /// Packets between the two vanish until [`Network::heal`].
    pub fn partition(&self, one: Host, other: Host) {
        wire::with(|wire| wire.break_link(Ends::new(one.index(), other.index()), Link::Partitioned));
    }

    /// Packets between the two wait until [`Network::release`].
    pub fn hold(&self, one: Host, other: Host) {
        wire::with(|wire| wire.break_link(Ends::new(one.index(), other.index()), Link::Held));
    }

    /// Packets between the two pass again; those that waited come first.
    pub fn release(&self, one: Host, other: Host) {
        wire::with(|wire| wire.set_link(Ends::new(one.index(), other.index()), Link::Up));
    }

    /// Every link passes packets, every host is up.
    pub fn heal(&self) {
        wire::with(|wire| {
            for one in 0..wire.hosts.len() {
                wire.bring_up(one);
                for other in one + 1..wire.hosts.len() {
                    wire.set_link(Ends::new(one, other), Link::Up);
                }
            }
        });
    }

    /// Lets the tasks of the hosts come to their ends, now that nothing is in their way.
    fn await_tasks(&self) {
        let deadline = Instant::now() + GRACE;
        loop {
            let unended = wire::with(|wire| wire.unended());
            if unended.is_empty() {
                return;
            }
            let is_in_time = Instant::now() < deadline;
            always_with("every task of a host has ended at quiescence", is_in_time, || {
                unended.into_iter().map(|name| ("waits", name)).collect()
            });
            sleep(GRACE / 100);
        }
    }

    fn check_closed(&self) {
        let hosts: Vec<(&'static str, IpAddr)> =
            wire::with(|wire| wire.hosts.iter().map(|host| (host.name, host.address)).collect());
        for (name, address) in hosts {
            let left = turmoil_net::netstat(address);
            always_with("every socket is closed at quiescence", left.entries.is_empty(), || {
                let socket = |entry: &turmoil_net::NetstatEntry| {
                    let peer = entry.peer.map_or_else(|| String::from("nobody"), |peer| peer.to_string());
                    format!("{} with {peer}, {:?}", entry.local, entry.state)
                };
                let sockets = left.entries.iter().map(socket).collect::<Vec<_>>().join("; ");
                vec![("host", name.to_owned()), ("sockets", sockets)]
            });
        }
    }
}
