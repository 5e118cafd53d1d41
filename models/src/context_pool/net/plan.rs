//! What clients, servers and the world do on a network, and what happens to connections: plain data.

use lastref::net::{Config, Fault, FaultKind};
use lastref::plan::{BadPlan, List, Maybe, Part, field};
use proptest::collection::vec;
use proptest::prelude::Strategy;
use serde::{Deserialize, Serialize};

use super::client::Step;
use super::overtaker::Attempt;
use super::peer::{Greeting, Habit};
use crate::context_pool::plan::{CALLERS_MAX, REQUESTS_MAX, RESEND_MS, Request, Style};

/// Who replies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Replier {
    /// NNG's rep socket.
    Rep {
        /// With so many contexts.
        contexts: u32,
        /// Each of which takes so many milliseconds for a reply; none if nothing.
        works_ms: Option<u64>,
    },
    /// A peer that is not NNG.
    Peer {
        /// How it greets one connection after the other; properly at last.
        greetings: Vec<Greeting>,
        /// What it does with one request after the other, and from the first on again.
        habits: Vec<Habit>,
    },
}

impl Replier {
    /// A rep socket with two contexts that reply at once.
    pub const REP: Replier = Replier::Rep { contexts: 2, works_ms: None };

    /// A peer that greets properly and has these habits.
    pub fn peer(habits: Vec<Habit>) -> Replier {
        Replier::Peer { greetings: Vec::new(), habits }
    }
}

/// What is done to everybody meanwhile, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// Nothing, for so many milliseconds.
    Pause(u64),
    /// Packets between client and server vanish.
    Partition,
    /// Packets between client and server wait.
    Hold,
    /// They pass again.
    Heal,
    /// The peer's host goes down without a word. Only for a [`Replier::Peer`].
    Crash,
    /// It comes up again and listens.
    Restart,
    /// The applications close the pipes of the sockets.
    ClosePipes,
    /// The req socket is closed under its callers.
    CloseReq,
    /// The rep socket is closed under its server.
    CloseRep,
}

/// One run on a network: see [`super::run`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetPlan {
    /// The latency of the link, in milliseconds: the least and the most.
    pub latency_ms: (u32, u32),
    /// Whether sockets transfer less than they could.
    pub short: bool,
    /// Bytes that a socket takes before it makes wait.
    pub window: u32,
    /// Connections that wait to be accepted.
    pub backlog: u32,
    /// What goes wrong with connections.
    pub faults: Vec<Fault>,
    /// What else happens.
    pub events: Vec<Event>,
    /// Connections of the req socket.
    pub dialers: u32,
    /// After how many milliseconds a request is sent again; never if nothing.
    pub resend_ms: Option<u64>,
    /// How long a request may take that has no time of its own, where something may go wrong.
    pub patience_ms: u64,
    /// How callers come by a context.
    pub style: Style,
    /// One list of requests per caller.
    pub callers: Vec<Vec<Request>>,
    /// One list of attempts per context.
    pub overtakers: Vec<Vec<Attempt>>,
    /// One list of steps per client that is not NNG.
    pub clients: Vec<Vec<Step>>,
    /// Who replies.
    pub replier: Replier,
    /// At the end the req socket is closed on one thread and its contexts on another, at once.
    pub hurried: bool,
}

const PAUSE_MS_MAX: u64 = 1_000;

lastref::bounds!(NetPlan {
    latency_ms: Config::LATENCY_MS,
    short: Part,
    window: Config::SOCKET_BYTES,
    backlog: Config::BACKLOG,
    faults: List(0..=8, Part),
    events: List(0..=16, Part),
    dialers: 0..=4,
    resend_ms: Maybe(RESEND_MS),
    patience_ms: 1..=10_000,
    style: Part,
    callers: List(0..=CALLERS_MAX, List(0..=REQUESTS_MAX, Part)),
    overtakers: List(0..=4, List(0..=4, Part)),
    clients: List(0..=4, List(0..=8, Part)),
    replier: Part,
    hurried: Part,
});

impl lastref::plan::Plan for Replier {
    fn check(&self) -> Result<(), BadPlan> {
        match self {
            Replier::Rep { contexts, works_ms } => {
                field("contexts", contexts, &(0..=8)).map_err(|bad| bad.inside("Rep"))?;
                field("works_ms", works_ms, &Maybe(0..=PAUSE_MS_MAX)).map_err(|bad| bad.inside("Rep"))
            }
            Replier::Peer { greetings, habits } => {
                field("greetings", greetings, &List(0..=4, Part)).map_err(|bad| bad.inside("Peer"))?;
                field("habits", habits, &List(1..=8, Part)).map_err(|bad| bad.inside("Peer"))
            }
        }
    }
}

impl lastref::plan::Plan for Event {
    fn check(&self) -> Result<(), BadPlan> {
        match self {
            Event::Pause(ms) => field("Pause", ms, &(0..=PAUSE_MS_MAX)),
            _ => Ok(()),
        }
    }
}

impl lastref::plan::Plan for Greeting {}

impl lastref::plan::Plan for Habit {
    fn check(&self) -> Result<(), BadPlan> {
        match self {
            Habit::Again(times) => field("Again", times, &(0..=4)),
            Habit::Late(ms) => field("Late", ms, &(0..=PAUSE_MS_MAX)),
            Habit::Malformed(bytes) => field("Malformed", bytes, &(0..=3)),
            _ => Ok(()),
        }
    }
}

impl lastref::plan::Plan for Step {
    fn check(&self) -> Result<(), BadPlan> {
        match self {
            Step::Ask { requests, hops } => {
                field("requests", requests, &(0..=8)).map_err(|bad| bad.inside("Ask"))?;
                field("hops", hops, &(0..=16)).map_err(|bad| bad.inside("Ask"))
            }
            Step::Pause(ms) => field("Pause", ms, &(0..=PAUSE_MS_MAX)),
            Step::Read | Step::Malformed | Step::Finish | Step::Leave => Ok(()),
        }
    }
}

lastref::bounds!(Attempt {
    send: 0..=PAUSE_MS_MAX,
    recv: 0..=PAUSE_MS_MAX,
    cancel: Maybe(0..=PAUSE_MS_MAX),
    next: 0..=PAUSE_MS_MAX,
});

impl NetPlan {
    /// A rep socket with two contexts, and nobody who asks, on a network on which nothing goes wrong.
    pub fn quiet() -> NetPlan {
        NetPlan {
            latency_ms: (1, 3),
            short: false,
            window: 4096,
            backlog: 16,
            faults: Vec::new(),
            events: Vec::new(),
            dialers: 1,
            resend_ms: None,
            patience_ms: 1000,
            style: Style::ContextPerRequest,
            callers: Vec::new(),
            overtakers: Vec::new(),
            clients: Vec::new(),
            replier: Replier::REP,
            hurried: false,
        }
    }

    /// Whether nothing keeps a request from being answered.
    pub(super) fn is_sound(&self) -> bool {
        let replies = match &self.replier {
            Replier::Rep { contexts, .. } => *contexts > 0,
            Replier::Peer { greetings, habits } => greetings.is_empty() && habits.iter().all(|habit| habit.replies()),
        };
        let is_calm = self.events.iter().all(|event| matches!(event, Event::Pause(_)));
        replies && is_calm && self.faults.is_empty() && self.dialers > 0
    }
}

/// Up to `most` faults of these kinds, at either end, of one of the first connections, at any byte up to `bytes`.
pub fn faults(kinds: &'static [FaultKind], most: usize, bytes: u64) -> impl Strategy<Value = Vec<Fault>> {
    vec(Fault::any(4, bytes + 1, kinds), 0..=most)
}
