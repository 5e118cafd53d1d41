//! What the application and the servers do in one run, as plain data.
//!
//! A plan is generated from the seed, printed, saved, edited and shrunk. Its strategies shrink towards one channel with
//! one address and one call that is waited for, a server that does nothing special, and no fault.

use lastref::plan::{BadPlan, List, Maybe, Part, field};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, prop_oneof};
use serde::{Deserialize, Serialize};

use super::call::Call;
use super::library::Threads;
use super::policy::PolicyName;
use crate::kit::server::{Backends, Step};

/// One channel, and who calls on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelPlan {
    /// Its policy.
    pub policy: PolicyName,
    /// The addresses of the first resolver result.
    pub addresses: Vec<u32>,
    /// One list of calls per caller.
    pub callers: Vec<Vec<Call>>,
}

/// What the application does meanwhile, in this order, each at a moment that the schedule chooses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// Nothing, for so many milliseconds.
    Pause(u64),
    /// Another resolver result for a channel. The args are part of the subchannels' keys.
    Update {
        /// Which channel.
        channel: usize,
        /// The addresses.
        addresses: Vec<u32>,
        /// The channel args.
        args: u32,
    },
    /// A channel's backoff is reset.
    ResetBackoff(usize),
    /// A channel is destroyed, whoever still calls on it.
    Destroy(usize),
    /// Nothing, until every call is over, or for so many milliseconds.
    Calls(u64),
    /// Every server ends.
    HangUp,
}

/// How everything is torn down after the faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Teardown {
    /// When the calls are over and nothing happens any more; then the channels, then the servers.
    AtRest,
    /// When the calls are over: the channels; when nothing happens any more after that, no descriptor may be open,
    /// though every server is still there.
    Drained,
    /// At once, whatever is under way: the channels one after the other, then the servers.
    InTurn,
    /// At once, the servers and every channel by a thread of its own.
    AllAtOnce,
}

/// One run of the workbench: see [`super::bench::run`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The library's threads.
    pub threads: Threads,
    /// What the servers do.
    pub backends: Backends,
    /// Frames of the client's that fit into a connection.
    pub room: u32,
    /// The keepalive time of every channel, in milliseconds; none if nothing.
    pub keepalive_ms: Option<u64>,
    /// The channels.
    pub channels: Vec<ChannelPlan>,
    /// What happens meanwhile.
    pub faults: Vec<Fault>,
    /// What happens after it.
    pub teardown: Teardown,
}

// The bounds of a plan: what the scenarios need, and little more, so that an edited plan still ends soon.
const ADDRESSES_MAX: usize = 4;
const ADDRESS: std::ops::RangeInclusive<u32> = 0..=3;
const CHANNELS_MAX: usize = 4;
const PAUSE_MS_MAX: u64 = 60_000;

lastref::bounds!(Plan {
    threads: Part,
    backends: List(0..=ADDRESSES_MAX, List(0..=4, List(0..=8, Part))),
    room: 1..=16,
    keepalive_ms: Maybe(10_000..=60_000),
    channels: List(1..=CHANNELS_MAX, Part),
    faults: List(0..=8, Part),
    teardown: Part,
});
lastref::bounds!(Threads { pollers: 0..=4, timers: Part });
lastref::bounds!(ChannelPlan {
    policy: Part,
    addresses: List(0..=ADDRESSES_MAX, ADDRESS),
    callers: List(0..=4, List(0..=4, Part)),
});

impl lastref::plan::Plan for Teardown {}
impl lastref::plan::Plan for PolicyName {}

impl lastref::plan::Plan for Fault {
    fn check(&self) -> Result<(), BadPlan> {
        const CHANNEL: std::ops::RangeInclusive<usize> = 0..=CHANNELS_MAX - 1;
        match self {
            Fault::Pause(ms) => field("Pause", ms, &(0..=PAUSE_MS_MAX)),
            Fault::Calls(ms) => field("Calls", ms, &(0..=PAUSE_MS_MAX)),
            Fault::ResetBackoff(channel) => field("ResetBackoff", channel, &CHANNEL),
            Fault::Destroy(channel) => field("Destroy", channel, &CHANNEL),
            Fault::Update { channel, addresses, args } => {
                let checked = field("channel", channel, &CHANNEL)
                    .and_then(|()| field("addresses", addresses, &List(0..=ADDRESSES_MAX, ADDRESS)))
                    .and_then(|()| field("args", args, &(0..=3)));
                checked.map_err(|bad| bad.inside("Update"))
            }
            Fault::HangUp => Ok(()),
        }
    }
}

impl lastref::plan::Plan for Call {
    fn check(&self) -> Result<(), BadPlan> {
        match self {
            Call::After(ms) => field("After", ms, &(0..=PAUSE_MS_MAX)),
            Call::Deadline(ms) => field("Deadline", ms, &(0..=PAUSE_MS_MAX)),
            Call::Wait | Call::Cancel => Ok(()),
        }
    }
}

impl Plan {
    /// One channel to one address without calls, on a library that is as small as it gets.
    pub fn smallest() -> Plan {
        let channel = ChannelPlan { policy: PolicyName::PickFirst, addresses: vec![0], callers: Vec::new() };
        Plan {
            threads: Threads::ONE,
            backends: vec![vec![vec![Step::Settings]]],
            room: 8,
            keepalive_ms: None,
            channels: vec![channel],
            faults: Vec::new(),
            teardown: Teardown::InTurn,
        }
    }
}

/// Calls that are waited for, and now and then one that is not.
pub fn any_call() -> impl Strategy<Value = Call> {
    prop_oneof![4 => Just(Call::Wait), 1 => Just(Call::Cancel), 1 => (1_u64..50).prop_map(Call::Deadline)]
}

/// Between one and `callers` callers with between one and `calls` calls each.
pub fn callers(callers: usize, calls: usize) -> impl Strategy<Value = Vec<Vec<Call>>> {
    vec(vec(any_call(), 1..=calls), 1..=callers)
}
