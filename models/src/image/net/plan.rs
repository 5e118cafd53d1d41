//! What publishers, their hosts and their connections do in one run, as plain data.

use lastref::net::{Config, Fault, FaultKind};
use lastref::plan::{BadPlan, List, Part, field};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, prop_oneof};
use serde::{Deserialize, Serialize};

use crate::image::image_poll::{Action, Poll};
use crate::image::plan::{After, Handler, Op, PAUSE_MS, Plan, Subscriber};

/// As many publishers as a plan may have.
pub(super) const PUBLISHERS: [&str; 4] = ["publisher.0", "publisher.1", "publisher.2", "publisher.3"];

/// How a publisher's stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// It is closed: all is sent, and then the end of the stream.
    Close,
    /// It is revoked: subscribers are not to read what they have not read.
    Revoke,
    /// Its process dies, and nobody is told.
    Die,
}

/// One stream of a publisher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Life {
    /// Its session. The number of the publisher, or of a former life's, means that it comes back as the same.
    pub session_id: i32,
    /// For how many milliseconds there is no publisher before it.
    pub pause_ms: u64,
    /// How many frames it is long: no more than a term has.
    pub frames: u32,
    /// How many milliseconds the application takes for each.
    pub between_ms: u64,
    /// After how many milliseconds it ends.
    pub lives_ms: u64,
    /// And how.
    pub ending: Ending,
}

/// A publisher: a host, and what its process sends, life after life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publisher {
    /// Its streams in order.
    pub lives: Vec<Life>,
}

/// What happens to hosts, links and the driver meanwhile, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// Nothing, for so many milliseconds.
    Pause(u64),
    /// A publisher's host crashes.
    Crash(usize),
    /// It is up again; the publisher begins its next life.
    Restart(usize),
    /// Packets between it and the driver's host vanish.
    Partition(usize),
    /// They wait.
    Hold(usize),
    /// They pass again.
    Heal(usize),
    /// Somebody else asks the driver for a counter.
    Reuse,
    /// The client's conductor is found to have stalled for too long.
    StallConductor,
    /// The driver is gone, and the client's liveness check sees it.
    Die,
}

/// One run on a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetPlan {
    /// The client and its subscribers, and the room in shared memory. What it says of publishers is not looked at.
    pub base: Plan,
    /// The publishers.
    pub publishers: Vec<Publisher>,
    /// What happens meanwhile.
    pub events: Vec<Event>,
    /// What goes wrong with connections.
    pub faults: Vec<Fault>,
    /// The latency of each link, in milliseconds: the least and the most.
    pub latency_ms: (u32, u32),
    /// Connections that the driver's host takes before they are accepted.
    pub backlog: usize,
    /// `image_liveness_timeout`: how long an image lives without frames, and how long it lingers.
    pub liveness_ms: u64,
    /// How many frames a publisher may be ahead of the subscriber that lags most: half a term at the most.
    pub window: u32,
}

lastref::bounds!(NetPlan {
    base: Part,
    publishers: List(1..=PUBLISHERS.len(), Part),
    events: List(0..=16, Part),
    faults: List(0..=8, Part),
    latency_ms: Config::LATENCY_MS,
    backlog: 1..=128,
    liveness_ms: 10..=1_000,
    window: 1..=4,
});
lastref::bounds!(Publisher { lives: List(0..=8, Part) });
lastref::bounds!(Life {
    session_id: 0..=63,
    pause_ms: PAUSE_MS,
    frames: 0..=6,
    between_ms: PAUSE_MS,
    lives_ms: PAUSE_MS,
    ending: Part,
});

impl lastref::plan::Plan for Ending {}

impl lastref::plan::Plan for Event {
    fn check(&self) -> Result<(), BadPlan> {
        let publisher = 0..=PUBLISHERS.len() - 1;
        match self {
            Event::Pause(ms) => field("Pause", ms, &PAUSE_MS),
            Event::Crash(nth) => field("Crash", nth, &publisher),
            Event::Restart(nth) => field("Restart", nth, &publisher),
            Event::Partition(nth) => field("Partition", nth, &publisher),
            Event::Hold(nth) => field("Hold", nth, &publisher),
            Event::Heal(nth) => field("Heal", nth, &publisher),
            Event::Reuse | Event::StallConductor | Event::Die => Ok(()),
        }
    }
}

impl NetPlan {
    /// These publishers and subscribers, with room for everything and without faults.
    pub fn of(publishers: Vec<Publisher>, subscribers: Vec<Subscriber>) -> NetPlan {
        let base = Plan { before: Vec::new(), subscribers, ..Plan::with(0, 0) };
        let (events, faults) = (Vec::new(), Vec::new());
        NetPlan { base, publishers, events, faults, latency_ms: (1, 3), backlog: 8, liveness_ms: 80, window: 4 }
    }

    /// The first term of a life: no two lives of a run are within reach of each other.
    pub(super) fn initial_term_id(publisher: usize, life: usize) -> i32 {
        i32::try_from(1_000 * (publisher + 1) + 20 * life).unwrap_or(i32::MAX)
    }

    /// Whether every subscriber reads what there is: polls until the end, takes what it is given, and is not closed by
    /// force.
    pub(super) fn is_read(&self) -> bool {
        let takes = |handler: Handler| handler.poll == Poll::Plain || handler.action != Action::Abort;
        let lives = !self.events.iter().any(|event| matches!(event, Event::StallConductor | Event::Die));
        lives && self.base.subscribers.iter().all(|it| it.after == After::Poll && takes(it.handler))
    }

    /// Whether nothing keeps a fragment from its subscribers.
    pub(super) fn is_faultless(&self) -> bool {
        let lives = || self.publishers.iter().flat_map(|publisher| &publisher.lives);
        let stays = |subscriber: &Subscriber| !subscriber.ops.contains(&Op::Close);
        self.is_read()
            && self.faults.is_empty()
            && self.events.iter().all(|event| matches!(event, Event::Pause(_) | Event::Reuse))
            && self.base.subscribers.iter().all(stays)
            && lives().all(|life| life.ending == Ending::Close)
    }
}

/// A publisher of one to `lives` streams, of which any may be of the session before it.
pub fn publisher(number: i32, lives: usize, ending: impl Strategy<Value = Ending>) -> impl Strategy<Value = Publisher> {
    let life = (0..4_i32, 0..60_u64, 1..=6_u32, 0..20_u64, 40..140_u64, ending);
    vec(life, 1..=lives).prop_map(move |lives| {
        let life = |(nth, (new, pause_ms, frames, between_ms, lives_ms, ending))| {
            // Half of the sessions are their predecessors'.
            let session_id = if new < 2 { number } else { number + 10 * nth };
            Life { session_id, pause_ms, frames, between_ms, lives_ms, ending }
        };
        Publisher { lives: (0..).zip(lives).map(life).collect() }
    })
}

/// So many publishers.
pub fn publishers(
    count: usize,
    lives: usize,
    ending: impl Strategy<Value = Ending> + Clone + 'static,
) -> impl Strategy<Value = Vec<Publisher>> {
    (0..).take(count).map(|number| publisher(number, lives, ending.clone()).boxed()).collect::<Vec<_>>()
}

/// Any ending.
pub fn any_ending() -> impl Strategy<Value = Ending> + Clone {
    prop_oneof![Just(Ending::Close), Just(Ending::Revoke), Just(Ending::Die)]
}

/// Up to `most` faults of these kinds, at either end, of one of the first connections, at any octet up to `octets`.
pub fn faults<const N: usize>(kinds: [FaultKind; N], most: usize, octets: u64) -> impl Strategy<Value = Vec<Fault>> {
    vec(Fault::any(5, octets + 1, &kinds), 0..=most)
}
