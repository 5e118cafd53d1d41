//! What a network does to the two hosts of a run, as plain data: latency, sizes of reads and buffers, faults of
//! connections, and events of the link and of the server's host.

use lastref::net::{Config, Decoder, Fault, FaultKind, Host, Network};
use lastref::plan::{BadPlan, List, Part, field};
use lastref::time::{Duration, sleep};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, prop_oneof};
use serde::{Deserialize, Serialize};

/// The network of one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weather {
    /// The latency of the link in milliseconds: least and most.
    pub latency_ms: (u32, u32),
    /// Whether reads and writes transfer fewer bytes than they could.
    pub short: bool,
    /// Send and receive buffer size in bytes.
    pub window: u32,
    /// The backlog of a listener; a connection beyond it is refused.
    pub backlog: u32,
    /// Faults of connections.
    pub faults: Vec<Fault>,
    /// Events of the link and of the server's host, in this order.
    pub events: Vec<Event>,
}

/// What happens to the link between client and server, or to the server's host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// Nothing, for this many milliseconds.
    Pause(u64),
    /// The link loses every packet until [`Event::Heal`].
    Partition,
    /// The link keeps every packet until [`Event::Heal`].
    Hold,
    /// The link passes packets again; those that it kept come first.
    Heal,
    /// The server's host crashes.
    Crash,
    /// The server's host is up again, with a new server.
    Restart,
}

lastref::bounds!(Weather {
    latency_ms: Config::LATENCY_MS,
    short: Part,
    window: Config::SOCKET_BYTES,
    backlog: Config::BACKLOG,
    faults: List(0..=8, Part),
    events: List(0..=16, Part),
});

impl lastref::plan::Plan for Event {
    fn check(&self) -> Result<(), BadPlan> {
        match self {
            Event::Pause(ms) => field("Pause", ms, &(0..=60_000)),
            Event::Partition | Event::Hold | Event::Heal | Event::Crash | Event::Restart => Ok(()),
        }
    }
}

impl Weather {
    /// A network without faults.
    pub const FAIR: Weather = Weather {
        latency_ms: (1, 3),
        short: false,
        window: 4096,
        backlog: 128,
        faults: Vec::new(),
        events: Vec::new(),
    };

    /// The configuration of a network of these hosts.
    pub(crate) fn config(&self, hosts: Vec<&'static str>, decoder: Decoder) -> Config {
        Config {
            hosts,
            latency_ms: self.latency_ms,
            short: self.short,
            backlog: self.backlog as usize,
            window: self.window as usize,
            decoder,
            faults: self.faults.clone(),
            ..Config::default()
        }
    }

    /// Whether nothing but a short delay happens: a stall of at most `calm_ms` milliseconds.
    pub(crate) fn is_fair(&self, calm_ms: u32) -> bool {
        let delays = |fault: &Fault| matches!(fault.kind, FaultKind::Stall { ms } if ms <= calm_ms);
        let pauses = |event: &Event| matches!(event, Event::Pause(_));
        self.faults.iter().all(delays) && self.events.iter().all(pauses)
    }

    /// Carries the events out, one after the other. `restart` starts the server again on its host, which is up.
    pub(crate) fn pass(&self, network: &Network, (client, server): (Host, Host), mut restart: impl FnMut()) {
        let mut is_down = false;
        for event in &self.events {
            match *event {
                Event::Pause(ms) => sleep(Duration::from_millis(ms)),
                Event::Partition => network.partition(client, server),
                Event::Hold => network.hold(client, server),
                Event::Heal => network.release(client, server),
                Event::Crash if !is_down => {
                    server.crash();
                    is_down = true;
                }
                Event::Restart if is_down => {
                    server.restart();
                    restart();
                    is_down = false;
                }
                Event::Crash | Event::Restart => {}
            }
        }
    }

    /// A network with up to `faults` faults of these kinds, among the first `bytes` bytes of one of the first
    /// connections, and up to `outages` outages of the link or of the server's host.
    pub fn any(
        kinds: &[FaultKind],
        faults: usize,
        bytes: u64,
        outages: usize,
    ) -> impl Strategy<Value = Weather> + use<> {
        let faults = vec(Fault::any(4, bytes + 1, kinds), 0..=faults);
        let down = prop_oneof![
            Just((Event::Partition, Event::Heal)),
            Just((Event::Hold, Event::Heal)),
            Just((Event::Crash, Event::Restart)),
        ];
        let outage = (0..60_u64, down, 1..300_u64);
        let outage = outage.prop_map(|(before, (down, up), ms)| [Event::Pause(before), down, Event::Pause(ms), up]);
        let backlog = prop_oneof![3 => Just(128_u32), 1 => Just(1_u32)];
        // A close over a slow link takes long enough for a fault to hit it.
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
