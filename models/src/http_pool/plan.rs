//! The actions of callers and servers in one run, as plain data.

use lastref::plan::{List, Maybe, Part};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, prop_oneof};
use serde::{Deserialize, Serialize};

use super::conn::Ver;
use crate::kit::server::{Backends, Step};
use crate::kit::weather::Weather;

const ADDRESSES_MAX: usize = 3;
const PAUSE_MS: std::ops::RangeInclusive<u64> = 0..=60_000;

lastref::plans! {
    /// How long a caller waits for the answer to a request.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Ending {
        /// It waits for the answer.
        Wait,
        /// It drops the request at a moment that the schedule chooses.
        Cancel,
        /// It drops the request after this many milliseconds.
        Timeout(ms: u64 where PAUSE_MS),
    }

    /// One request of a caller.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct PlannedRequest {
        /// The address.
        pub address: u32 where 0..=ADDRESSES_MAX as u32 - 1,
        /// The caller's pause before the request, in milliseconds.
        pub after_ms: u64 where PAUSE_MS,
        /// How long the caller waits for the answer.
        pub ending: Ending,
    }

    /// One run in memory: see [`super::run`].
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct Plan {
        /// The version of every connection.
        pub ver: Ver,
        /// A script for each connection, by address and number. After it, and without one, a server answers every
        /// request.
        pub backends: Backends where List(1..=ADDRESSES_MAX, List(0..=4, List(0..=8, Part))),
        /// `pool_max_idle_per_host`.
        pub max_idle: usize where 1..=16,
        /// `pool_idle_timeout` in milliseconds.
        pub idle_timeout_ms: Option<u64> where Maybe(1..=60_000),
        /// The requests of each caller, one after the other.
        pub callers: Vec<Vec<PlannedRequest>> where List(1..=4, List(0..=4, Part)),
    }

    /// One run on a network: see [`super::run_on_network`].
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct NetPlan {
        /// The actions of callers and the server.
        pub plan: Plan,
        /// The behaviour of the network.
        pub weather: Weather,
        /// The server's pause after each accepted connection, in milliseconds.
        pub accept_ms: u64 where 0..=1_000,
    }
}

impl lastref::plan::Plan for Ver {}

impl PlannedRequest {
    /// A request to the first address whose caller waits for the answer.
    pub const WAIT: PlannedRequest = PlannedRequest { address: 0, after_ms: 0, ending: Ending::Wait };
    /// The same request, cancelled at a moment that the schedule chooses.
    pub const CANCEL: PlannedRequest = PlannedRequest { ending: Ending::Cancel, ..PlannedRequest::WAIT };

    /// The same request; if the caller would wait forever, it times out after a second instead.
    #[must_use]
    pub fn within_a_second(self) -> PlannedRequest {
        match self.ending {
            Ending::Wait => PlannedRequest { ending: Ending::Timeout(1_000), ..self },
            Ending::Cancel | Ending::Timeout(_) => self,
        }
    }
}

impl Plan {
    /// These callers, to one server with these scripts.
    pub fn of(ver: Ver, scripts: Vec<Vec<Step>>, callers: Vec<Vec<PlannedRequest>>) -> Plan {
        Plan { ver, backends: vec![scripts], max_idle: 8, idle_timeout_ms: None, callers }
    }

    /// True if, on a fair network, every request for which a caller waits is answered: no server ends a connection.
    pub fn is_sound(&self) -> bool {
        let steps = || self.backends.iter().flatten().flatten();
        let asks = || self.callers.iter().flatten();
        steps().all(|step| matches!(step, Step::Settings | Step::Pause(_) | Step::Answer))
            && asks().all(|ask| (ask.address as usize) < self.backends.len())
    }
}

impl NetPlan {
    /// This plan on a network without faults.
    pub fn of(plan: Plan) -> NetPlan {
        NetPlan { plan, weather: Weather::FAIR, accept_ms: 0 }
    }
}

/// Requests whose callers mostly wait; some are cancelled, or time out after up to `timeout_ms`.
pub fn any_ask(addresses: u32, timeout_ms: u64) -> impl Strategy<Value = PlannedRequest> {
    let ending = prop_oneof![
        4 => Just(Ending::Wait),
        1 => Just(Ending::Cancel),
        1 => (1..=timeout_ms).prop_map(Ending::Timeout),
    ];
    let after = prop_oneof![2 => Just(0_u64), 1 => 1..60_u64];
    (0..addresses, after, ending).prop_map(|(address, after_ms, ending)| PlannedRequest { address, after_ms, ending })
}

/// Between one and `callers` callers with between one and `asks` requests each.
pub fn callers(
    callers: usize,
    asks: usize,
    ask: impl Strategy<Value = PlannedRequest>,
) -> impl Strategy<Value = Vec<Vec<PlannedRequest>>> {
    vec(vec(ask, 1..=asks), 1..=callers)
}
