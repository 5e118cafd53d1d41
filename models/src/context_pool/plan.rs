//! What callers and the network do in one run, as plain data.
//!
//! A plan is generated from the seed, printed, saved, edited and shrunk. Its strategies shrink towards one caller with
//! one request that is waited for, and no fault.

use lastref::plan::{BadPlan, List, Maybe, Part, field};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, prop_oneof};
use serde::{Deserialize, Serialize};

use super::library::Threads;

/// How callers come by a context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Style {
    /// Each request opens one and closes it: as reported.
    ContextPerRequest,
    /// So many are opened once and used in turn: the recommended cure.
    ContextPool(u32),
}

/// One request of a caller, by how it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// The caller waits for the result.
    Wait,
    /// The same, and the callback makes so many requests more, one after the other.
    Chain(u32),
    /// The caller cancels it and waits for the result.
    Cancel,
    /// The caller gives send and receive so many milliseconds each, and waits for the result.
    Timeout(u64),
    /// The caller waits so many milliseconds and closes the context. With a pool: it cancels it then, and waits for the
    /// result.
    Leave(u64),
    /// The caller does not wait: it closes the context at once. With a pool: as [`Request::Cancel`].
    Abandon,
    /// The caller goes on at once; the callback closes the context and has the aio reaped. With a pool: as
    /// [`Request::Wait`].
    Forget,
}

/// What is done to everybody meanwhile, in this order, each at a moment that the schedule chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// Nothing, for so many milliseconds: the callers get on.
    Pause(u64),
    /// The connection breaks; another one is made in its place.
    Reset(u32),
    /// The req socket is closed under its callers.
    CloseReq,
    /// The rep socket is closed under its server.
    CloseRep,
}

/// One run of the workbench: see [`super::bench::run`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The library's threads.
    pub threads: Threads,
    /// Connections between the req and the rep socket.
    pub pipes: u32,
    /// Messages that fit into each direction of a connection.
    pub capacity: u32,
    /// Contexts that answer.
    pub server_contexts: u32,
    /// After how many milliseconds a request is sent again; never if nothing.
    pub resend_ms: Option<u64>,
    /// How callers come by a context.
    pub style: Style,
    /// One list of requests per caller.
    pub callers: Vec<Vec<Request>>,
    /// What happens meanwhile.
    pub faults: Vec<Fault>,
}

// The bounds of a plan: what the scenarios need, and little more, so that an edited plan still ends soon.
pub(super) const CALLERS_MAX: usize = 16;
pub(super) const REQUESTS_MAX: usize = 4;
const PAUSE_MS_MAX: u64 = 1_000;
/// A resend interval below the least of the scenarios would fill a run with resends.
pub(super) const RESEND_MS: std::ops::RangeInclusive<u64> = 5..=60_000;

impl lastref::plan::Plan for Plan {
    fn check(&self) -> Result<(), BadPlan> {
        let Plan { threads, pipes, capacity, server_contexts, resend_ms, style, callers, faults } = self;
        field("threads", threads, &Part)?;
        field("pipes", pipes, &(0..=4))?;
        field("capacity", capacity, &(0..=8))?;
        field("server_contexts", server_contexts, &(0..=8))?;
        field("resend_ms", resend_ms, &Maybe(RESEND_MS))?;
        field("style", style, &Part)?;
        field("callers", callers, &List(1..=CALLERS_MAX, List(0..=REQUESTS_MAX, Part)))?;
        field("faults", faults, &List(0..=8, Part))?;
        let needs_timer = |request: &Request| matches!(request, Request::Timeout(_));
        if !threads.timers && (resend_ms.is_some() || callers.iter().flatten().any(needs_timer)) {
            return Err(BadPlan::new("is false; a timeout or a resend time needs it")
                .inside("timers")
                .inside("threads"));
        }
        // A request that is waited for, and never answered, ends only with its socket.
        let is_awaited = |request: &Request| matches!(request, Request::Wait | Request::Chain(_) | Request::Forget);
        if callers.iter().flatten().any(is_awaited) && !faults.contains(&Fault::CloseReq) {
            for (name, count) in [("pipes", pipes), ("server_contexts", server_contexts)] {
                if *count == 0 {
                    return Err(BadPlan::new("is 0; a request that is waited for needs one").inside(name));
                }
            }
            if faults.contains(&Fault::CloseRep) {
                let bad = BadPlan::new("has CloseRep and no CloseReq; a request that is waited for needs an answer");
                return Err(bad.inside("faults"));
            }
        }
        Ok(())
    }
}

lastref::bounds!(Threads { workers: 1..=4, timers: Part, reaper: Part });

impl lastref::plan::Plan for Style {
    fn check(&self) -> Result<(), BadPlan> {
        match self {
            Style::ContextPerRequest => Ok(()),
            Style::ContextPool(contexts) => field("ContextPool", contexts, &(1..=8)),
        }
    }
}

impl lastref::plan::Plan for Request {
    fn check(&self) -> Result<(), BadPlan> {
        match self {
            Request::Chain(requests) => field("Chain", requests, &(0..=4)),
            Request::Timeout(ms) => field("Timeout", ms, &(0..=PAUSE_MS_MAX)),
            Request::Leave(ms) => field("Leave", ms, &(0..=PAUSE_MS_MAX)),
            Request::Wait | Request::Cancel | Request::Abandon | Request::Forget => Ok(()),
        }
    }
}

impl lastref::plan::Plan for Fault {
    fn check(&self) -> Result<(), BadPlan> {
        match self {
            Fault::Pause(ms) => field("Pause", ms, &(0..=PAUSE_MS_MAX)),
            Fault::Reset(pipe) => field("Reset", pipe, &(0..=8)),
            Fault::CloseReq | Fault::CloseRep => Ok(()),
        }
    }
}

impl Plan {
    /// One caller that makes one request, without timers or faults, on a library that is as small as it gets.
    pub fn smallest() -> Plan {
        Plan {
            threads: Threads::ONE,
            pipes: 1,
            capacity: 1,
            server_contexts: 1,
            resend_ms: None,
            style: Style::ContextPerRequest,
            callers: vec![vec![Request::Wait]],
            faults: Vec::new(),
        }
    }
}

/// Requests that are waited for.
pub fn waited() -> impl Strategy<Value = Request> {
    prop_oneof![3 => Just(Request::Wait), 1 => (1_u32..=2).prop_map(Request::Chain)]
}

/// Requests that are waited for, and now and then one that is not.
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
