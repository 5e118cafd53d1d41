//! The actions of callers and the network in one run, as plain data.
//!
//! A plan is generated from the seed, printed, saved, edited and shrunk. Its strategies shrink towards one caller with
//! one request that is waited for, and no fault.

use std::ops::RangeInclusive;

use lastref::plan::{BadPlan, List, Maybe, Part};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, prop_oneof};
use serde::{Deserialize, Serialize};

use super::application::Attempt;
use super::library::Threads;
use super::network::{Greeting, Habit, Step};
use crate::kit::weather::{Event, Weather};

// The bounds of a plan: little more than the scenarios need, so that the run of an edited plan still ends soon.
const CALLERS_MAX: usize = 16;
const REQUESTS_MAX: usize = 4;
pub(super) const PAUSE_MS: RangeInclusive<u64> = 0..=1_000;
/// A resend interval below that of every scenario would fill a run with resends.
const RESEND_MS: RangeInclusive<u64> = 5..=60_000;

lastref::plans! {
    /// The source of callers' contexts.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Style {
        /// Each request opens a context and closes it, as reported.
        ContextPerRequest,
        /// This many contexts are opened once and reused, as the thread recommends.
        ContextPool(contexts: u32 where 1..=8),
    }

    /// One request of a caller, by how it ends.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Request {
        /// The caller waits for the result.
        Wait,
        /// The same, and the callback then makes this many further requests, one after the other.
        Chain(requests: u32 where 0..=4),
        /// The caller cancels it and waits for the result.
        Cancel,
        /// The caller gives send and receive this many milliseconds each, and waits for the result.
        Timeout(ms: u64 where PAUSE_MS),
        /// The caller waits this many milliseconds and closes the context. With a pool: it cancels it then, and waits
        /// for the result.
        Leave(ms: u64 where PAUSE_MS),
        /// The caller does not wait: it closes the context at once. With a pool: as [`Request::Cancel`].
        Abandon,
        /// The caller continues at once; the callback closes the context and has the aio reaped. With a pool: as
        /// [`Request::Wait`].
        Forget,
    }

    /// The acts during the run, in this order, each at a moment that the schedule chooses.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Act {
        /// A pause of this many milliseconds, in which the callers progress.
        Pause(ms: u64 where PAUSE_MS),
        /// This connection breaks, and a new one replaces it. Not on a network, where a fault breaks it.
        Reset(pipe: u32 where 0..=8),
        /// The applications close the pipes of the sockets.
        ClosePipes,
        /// The req socket is closed under its callers.
        CloseReq,
        /// The rep socket is closed under its server.
        CloseRep,
    }

    /// One run in memory: see [`super::run`].
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct Plan where Plan::check_ends {
        /// The library's threads.
        pub threads: Threads,
        /// Connections between the req and the rep socket.
        pub pipes: u32 where 0..=4,
        /// Messages that fit into each direction of a connection.
        pub capacity: u32 where 0..=8,
        /// Contexts that answer.
        pub server_contexts: u32 where 0..=8,
        /// Resend interval in milliseconds; `None` disables resending.
        pub resend_ms: Option<u64> where Maybe(RESEND_MS),
        /// The source of callers' contexts.
        pub style: Style,
        /// One list of requests per caller.
        pub callers: Vec<Vec<Request>> where List(1..=CALLERS_MAX, List(0..=REQUESTS_MAX, Part)),
        /// The application's acts meanwhile.
        pub acts: Vec<Act> where List(0..=8, Part),
    }

    /// The replying end.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Replier {
        /// NNG's rep socket.
        Rep {
            /// Number of contexts.
            contexts: u32 where 0..=8,
            /// Delay of each reply in milliseconds; `None` replies at once.
            works_ms: Option<u64> where Maybe(PAUSE_MS),
        },
        /// A peer that is not NNG.
        Peer {
            /// Its greetings on its first connections, in order; on later ones it sends the valid greeting.
            greetings: Vec<Greeting> where List(0..=4, Part),
            /// Its actions on requests, in order, repeated from the first.
            habits: Vec<Habit> where List(1..=8, Part),
        },
    }

    /// One run on a network: see [`super::run_on_network`].
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct NetPlan where NetPlan::check_hosts {
        /// The network. Its peers: the server, then the clients that are not NNG.
        pub weather: Weather,
        /// The application's acts, after the events.
        pub acts: Vec<Act> where List(0..=16, Part),
        /// Connections of the req socket.
        pub dialers: u32 where 0..=4,
        /// Resend interval in milliseconds; `None` disables resending.
        pub resend_ms: Option<u64> where Maybe(RESEND_MS),
        /// Timeout of a request without its own timeout, on a network with faults.
        pub patience_ms: u64 where 1..=10_000,
        /// The source of callers' contexts.
        pub style: Style,
        /// One list of requests per caller.
        pub callers: Vec<Vec<Request>> where List(0..=CALLERS_MAX, List(0..=REQUESTS_MAX, Part)),
        /// One list of attempts per context.
        pub overtakers: Vec<Vec<Attempt>> where List(0..=4, List(0..=4, Part)),
        /// One list of steps per client that is not NNG.
        pub clients: Vec<Vec<Step>> where List(0..=4, List(0..=8, Part)),
        /// The replying end.
        pub replier: Replier,
        /// If set, the req socket and its contexts are closed at the end, concurrently on two threads.
        pub hurried: bool,
    }
}

impl Replier {
    /// A rep socket with two contexts that reply at once.
    pub const REP: Replier = Replier::Rep { contexts: 2, works_ms: None };

    /// A peer that greets properly and has these habits.
    pub fn peer(habits: Vec<Habit>) -> Replier {
        Replier::Peer { greetings: Vec::new(), habits }
    }
}

impl lastref::plan::Plan for Greeting {}

impl Plan {
    /// One caller that makes one request, without timers or faults, on the smallest library.
    pub fn smallest() -> Plan {
        Plan {
            threads: Threads::ONE,
            pipes: 1,
            capacity: 1,
            server_contexts: 1,
            resend_ms: None,
            style: Style::ContextPerRequest,
            callers: vec![vec![Request::Wait]],
            acts: Vec::new(),
        }
    }

    /// Checks that every request with a waiting caller ends.
    fn check_ends(&self) -> Result<(), BadPlan> {
        let requests = || self.callers.iter().flatten();
        let needs_timer = self.resend_ms.is_some() || requests().any(|request| matches!(request, Request::Timeout(_)));
        if !self.threads.timers && needs_timer {
            let bad = BadPlan::new("is false; a timeout or a resend time needs it");
            return Err(bad.inside("timers").inside("threads"));
        }
        // A request that is waited for, and never answered, ends only with its socket.
        let is_awaited = |request: &Request| matches!(request, Request::Wait | Request::Chain(_) | Request::Forget);
        if requests().any(is_awaited) && !self.acts.contains(&Act::CloseReq) {
            for (name, count) in [("pipes", self.pipes), ("server_contexts", self.server_contexts)] {
                if count == 0 {
                    return Err(BadPlan::new("is 0; a request that is waited for needs one").inside(name));
                }
            }
            if self.acts.contains(&Act::CloseRep) {
                let bad = BadPlan::new("has CloseRep and no CloseReq; a request that is waited for needs an answer");
                return Err(bad.inside("acts"));
            }
        }
        Ok(())
    }
}

impl NetPlan {
    /// A rep socket with two contexts and no application at the req socket, on a network without faults.
    pub fn quiet() -> NetPlan {
        NetPlan {
            weather: Weather::FAIR,
            acts: Vec::new(),
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

    /// Checks that the host of a rep socket does not crash, and that no act resets a connection.
    fn check_hosts(&self) -> Result<(), BadPlan> {
        let crashes = |event: &Event| matches!(event, Event::Crash(_));
        if matches!(self.replier, Replier::Rep { .. }) && self.weather.events.iter().any(crashes) {
            let bad = BadPlan::new("has Crash; only the host of a Peer crashes");
            return Err(bad.inside("events").inside("weather"));
        }
        if self.acts.iter().any(|act| matches!(act, Act::Reset(_))) {
            return Err(BadPlan::new("has Reset; on a network it is a fault").inside("acts"));
        }
        Ok(())
    }

    /// True if every request must be answered.
    pub(super) fn is_sound(&self) -> bool {
        let replies = match &self.replier {
            Replier::Rep { contexts, .. } => *contexts > 0,
            Replier::Peer { greetings, habits } => greetings.is_empty() && habits.iter().all(|habit| habit.replies()),
        };
        let pauses = self.acts.iter().all(|act| matches!(act, Act::Pause(_)));
        replies && pauses && self.weather.is_fair(0, 0) && self.dialers > 0
    }
}

/// Requests whose callers wait.
pub fn waited() -> impl Strategy<Value = Request> {
    prop_oneof![3 => Just(Request::Wait), 1 => (1_u32..=2).prop_map(Request::Chain)]
}

/// Requests whose callers mostly wait.
pub fn any_request() -> impl Strategy<Value = Request> {
    prop_oneof![
        5 => waited(),
        2 => Just(Request::Cancel),
        1 => prop_oneof![Just(Request::Abandon), Just(Request::Forget)],
        1 => (1_u64..50).prop_map(Request::Timeout),
    ]
}

/// Between one and `callers` callers with between one and `requests` requests each.
pub fn callers(
    callers: usize,
    requests: usize,
    request: impl Strategy<Value = Request>,
) -> impl Strategy<Value = Vec<Vec<Request>>> {
    vec(vec(request, 1..=requests), 1..=callers)
}
