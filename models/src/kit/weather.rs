//! The behaviour of a run's network as plain data: latency, sizes of reads and buffers, faults of connections, and
//! events of links and hosts.
//!
//! A run has one host with the component in the middle, and peers around it, each with a link to the middle (`Star`).
//! An event names its peer by number, modulo the number of peers.

use std::ops::RangeInclusive;

use lastref::net::{Config, Decoder, Fault, FaultKind, Host, Network, simulate};
use lastref::plan::{List, Part};
use lastref::time::{Duration, sleep};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, prop_oneof};
use serde::{Deserialize, Serialize};

/// Peers that an event can name.
const PEERS: RangeInclusive<usize> = 0..=7;

lastref::plans! {
    /// The network of one run.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct Weather {
        /// The minimum and the maximum latency of each link, in milliseconds.
        pub latency_ms: (u32, u32) where Config::LATENCY_MS,
        /// Whether reads and writes transfer fewer bytes than they could.
        pub short: bool,
        /// Send and receive buffer size in bytes.
        pub window: u32 where Config::SOCKET_BYTES,
        /// The backlog of a listener; a connection beyond it is refused.
        pub backlog: u32 where Config::BACKLOG,
        /// Faults of connections.
        pub faults: Vec<Fault> where List(0..=8, Part),
        /// Events of links and hosts, in this order.
        pub events: Vec<Event> where List(0..=16, Part),
    }

    /// An event of a peer's host, or of its link.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Event {
        /// A pause of this many milliseconds.
        Pause(ms: u64 where 0..=60_000),
        /// The link loses every packet until [`Event::Heal`].
        Partition(peer: usize where PEERS),
        /// The link keeps every packet until [`Event::Heal`].
        Hold(peer: usize where PEERS),
        /// The link delivers packets again; held packets come first.
        Heal(peer: usize where PEERS),
        /// The host crashes.
        Crash(peer: usize where PEERS),
        /// The host is up again, with a new process.
        Restart(peer: usize where PEERS),
    }
}

/// The names of hosts with a client each.
pub(crate) const CLIENTS: [&str; 6] = ["client.0", "client.1", "client.2", "client.3", "client.4", "client.5"];

/// The hosts of one run.
pub(crate) struct Star<'a> {
    pub(crate) network: &'a Network,
    /// The host in the middle.
    pub(crate) middle: Host,
    pub(crate) peers: Vec<Host>,
}

impl Weather {
    /// A network without faults.
    pub const FAIR: Weather = Weather::still(false);
    /// A network without faults whose reads and writes are short.
    pub const SHORT: Weather = Weather::still(true);

    const fn still(short: bool) -> Weather {
        Weather { latency_ms: (1, 3), short, window: 4096, backlog: 128, faults: Vec::new(), events: Vec::new() }
    }

    /// Runs `body` on a network of these hosts: the one in the middle, and the others.
    pub(crate) fn simulate<T>(
        &self,
        middle: &'static str,
        peers: &[&'static str],
        decoder: Decoder,
        body: impl FnOnce(&Star<'_>) -> T,
    ) -> T {
        let config = Config {
            hosts: std::iter::once(middle).chain(peers.iter().copied()).collect(),
            latency_ms: self.latency_ms,
            short: self.short,
            backlog: self.backlog as usize,
            window: self.window as usize,
            decoder,
            faults: self.faults.clone(),
            ..Config::default()
        };
        simulate(config, |network| {
            let peers = peers.iter().map(|peer| network.host(peer)).collect();
            body(&Star { network, middle: network.host(middle), peers })
        })
    }

    /// True if the network only delays packets, by at most `calm_ms` milliseconds in total, and the backlog holds this
    /// many connections.
    pub fn is_fair(&self, calm_ms: u64, connections: usize) -> bool {
        let delay = self.faults_ms().zip(self.events_ms()).map(|(faults, events)| faults + events);
        delay.is_some_and(|ms| ms <= calm_ms) && self.backlog as usize >= connections
    }

    /// The total delay by faults, in milliseconds; `None` if a fault ends a connection.
    fn faults_ms(&self) -> Option<u64> {
        // A fault that lasts delays packets; any other one ends its connection.
        self.faults.iter().map(|fault| fault.kind.ms().map(u64::from)).sum()
    }

    /// The total delay by held links, in milliseconds; `None` if packets are lost.
    fn events_ms(&self) -> Option<u64> {
        let (mut held, mut delay) = (0, 0);
        for event in &self.events {
            match *event {
                Event::Pause(ms) if held > 0 => delay += ms,
                Event::Pause(_) => {}
                Event::Hold(_) => held += 1,
                Event::Heal(_) => held = 0.max(held - 1),
                Event::Partition(_) | Event::Crash(_) | Event::Restart(_) => return None,
            }
        }
        Some(delay)
    }

    /// True if every event is a pause.
    pub(crate) fn only_pauses(&self) -> bool {
        self.events.iter().all(|event| matches!(event, Event::Pause(_)))
    }

    /// A network with up to `faults` faults of these kinds, among the first `bytes` bytes of one of the first
    /// connections, and up to `outages` outages of the link or of the only peer's host.
    pub fn any(
        kinds: &[FaultKind],
        faults: usize,
        bytes: u64,
        outages: usize,
    ) -> impl Strategy<Value = Weather> + use<> {
        let faults = self::faults(4, kinds, 0..=faults, bytes);
        let outage =
            (0..60_u64, any_outage(), 1..300_u64).prop_map(|(before_ms, down, ms)| down.lasting(before_ms, ms));
        let backlog = prop_oneof![3 => Just(128_u32), 1 => Just(1_u32)];
        // On a slow link a close takes long enough for a fault to hit it.
        let latency = prop_oneof![2 => Just((1_u32, 3_u32)), 1 => Just((5, 40))];
        let rest = (latency, proptest::bool::ANY, backlog);
        (faults, vec(outage, 0..=outages), rest).prop_map(|(faults, outages, (latency_ms, short, backlog))| Weather {
            latency_ms,
            short,
            backlog,
            faults,
            events: outages.concat(),
            ..Weather::FAIR
        })
    }
}

impl Event {
    /// A pause of `before_ms` milliseconds, this event, and the end of the event `ms` milliseconds later.
    #[must_use]
    pub fn lasting(self, before_ms: u64, ms: u64) -> [Event; 4] {
        let end = match self {
            Event::Crash(peer) | Event::Restart(peer) => Event::Restart(peer),
            Event::Partition(peer) | Event::Hold(peer) | Event::Heal(peer) => Event::Heal(peer),
            Event::Pause(ms) => Event::Pause(ms),
        };
        [Event::Pause(before_ms), self, Event::Pause(ms), end]
    }
}

impl Star<'_> {
    /// Executes the events in order. After each restart of a host it calls `restarted` with the number of the peer, to
    /// start processes that are not the host's software. A crash ends the futures of its host.
    pub(crate) fn pass(&self, events: &[Event], mut restarted: impl FnMut(usize)) {
        let mut is_down = vec![false; self.peers.len()];
        let peer = |number: usize| number % self.peers.len();
        for event in events {
            match *event {
                Event::Pause(ms) => sleep(Duration::from_millis(ms)),
                Event::Partition(number) => self.network.partition(self.middle, self.peers[peer(number)]),
                Event::Hold(number) => self.network.hold(self.middle, self.peers[peer(number)]),
                Event::Heal(number) => self.network.release(self.middle, self.peers[peer(number)]),
                Event::Crash(number) if !is_down[peer(number)] => {
                    is_down[peer(number)] = true;
                    self.peers[peer(number)].crash();
                }
                Event::Restart(number) if is_down[peer(number)] => {
                    is_down[peer(number)] = false;
                    self.peers[peer(number)].restart();
                    restarted(peer(number));
                }
                Event::Crash(_) | Event::Restart(_) => {}
            }
        }
    }
}

/// Faults of one of the first `connections`, of these kinds, at either end, at any byte up to `bytes` or a while after
/// it.
pub fn faults(
    connections: u32,
    kinds: &[FaultKind],
    count: RangeInclusive<usize>,
    bytes: u64,
) -> impl Strategy<Value = Vec<Fault>> + use<> {
    vec(Fault::any(connections, bytes + 1, kinds), count)
}

/// The beginning of an outage of the only peer.
pub fn any_outage() -> impl Strategy<Value = Event> + Clone {
    prop_oneof![Just(Event::Partition(0)), Just(Event::Hold(0)), Just(Event::Crash(0))]
}
