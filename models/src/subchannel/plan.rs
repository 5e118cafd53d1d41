//! The actions of the application and the servers in one run, as plain data.
//!
//! A plan is generated from the seed, printed, saved, edited and shrunk. It shrinks towards one channel with one
//! address and one call that waits, a server without special steps, and no fault.

use std::ops::RangeInclusive;

use lastref::plan::{BadPlan, List, Maybe, Part, field};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, prop_oneof};
use serde::{Deserialize, Serialize};

use super::application::Expected;
use super::channel::call::Call;
use super::channel::policy::PolicyName;
use super::library::Threads;
use crate::kit::server::{Backends, Step};
use crate::kit::weather::{Event, Weather};

// The bounds of a plan: little more than the scenarios need, so that an edited plan still ends soon.
const ADDRESSES_MAX: usize = 4;
const ADDRESS: RangeInclusive<u32> = 0..=3;
const CHANNELS_MAX: usize = 4;
const CHANNEL: RangeInclusive<usize> = 0..=CHANNELS_MAX - 1;
pub(crate) const PAUSE_MS: RangeInclusive<u64> = 0..=60_000;

lastref::plans! {
    /// One channel with its callers.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct ChannelPlan {
        /// Its policy.
        pub policy: PolicyName,
        /// The addresses of the first resolver result.
        pub addresses: Vec<u32> where List(0..=ADDRESSES_MAX, ADDRESS),
        /// One list of calls per caller.
        pub callers: Vec<Vec<Call>> where List(0..=4, List(0..=4, Part)),
    }

    /// A step of the application, concurrent with the callers. The steps run in order, at moments that the schedule
    /// chooses.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Act {
        /// Sleeps for this many milliseconds.
        Pause(ms: u64 where PAUSE_MS),
        /// Delivers a resolver result to a channel. The args are part of the subchannels' keys.
        Update {
            /// The channel's index.
            channel: usize where CHANNEL,
            /// The addresses.
            addresses: Vec<u32> where List(0..=ADDRESSES_MAX, ADDRESS),
            /// The channel args.
            args: u32 where 0..=3,
        },
        /// Resets a channel's backoff.
        ResetBackoff(channel: usize where CHANNEL),
        /// Destroys a channel, even while calls on it are in progress.
        Destroy(channel: usize where CHANNEL),
        /// Waits until every caller has ended, for at most this many milliseconds.
        Calls(ms: u64 where PAUSE_MS),
        /// Ends every server.
        HangUp,
    }

    /// The teardown after the acts.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Teardown {
        /// Waits for the calls and for quiescence; then destroys the channels, then ends the servers.
        AtRest,
        /// Waits for the calls, then destroys the channels. At quiescence after that no descriptor may be open,
        /// although every server still runs.
        Drained,
        /// Does not wait for the calls: destroys one channel after the other, then ends the servers.
        InTurn,
        /// Does not wait for the calls: one thread per channel destroys it, while the servers end.
        AllAtOnce,
    }

    /// One run in memory: see [`super::run`].
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct Plan {
        /// The library's threads.
        pub threads: Threads,
        /// The servers' scripts.
        pub backends: Backends where List(0..=ADDRESSES_MAX, List(0..=4, List(0..=8, Part))),
        /// The send buffer size of a connection in client frames.
        pub room: u32 where 1..=16,
        /// The keepalive time of every channel in milliseconds; `None` disables keepalive.
        pub keepalive_ms: Option<u64> where Maybe(10_000..=60_000),
        /// The channels.
        pub channels: Vec<ChannelPlan> where List(1..=CHANNELS_MAX, Part),
        /// The steps of the application, concurrent with the callers.
        pub acts: Vec<Act> where List(0..=8, Part),
        /// The teardown after the acts.
        pub teardown: Teardown,
    }

    /// One run on a network: see [`super::run_on_network`].
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct NetPlan where NetPlan::check_threads {
        /// The application and the servers. The acts begin after the network's events. The library needs a poller and a
        /// thread for timers.
        pub plan: Plan,
        /// Acts of the resolvers, each on its own thread, concurrent with the acts of `plan`; the threads end before
        /// the teardown.
        pub resolvers: Vec<Vec<Act>> where List(0..=4, List(0..=4, Part)),
        /// The network. Its only peer is the host of the servers.
        pub weather: Weather,
        /// The delay before a server accepts a connection, in milliseconds.
        pub accept_ms: u64 where 0..=1_000,
    }
}

impl lastref::plan::Plan for PolicyName {}

impl Plan {
    /// One channel to one address without calls, on a library with a single poller.
    pub fn smallest() -> Plan {
        let channel = ChannelPlan { policy: PolicyName::PickFirst, addresses: vec![0], callers: Vec::new() };
        Plan {
            threads: Threads::ONE,
            backends: vec![vec![vec![Step::Settings]]],
            room: 8,
            keepalive_ms: None,
            channels: vec![channel],
            acts: Vec::new(),
            teardown: Teardown::InTurn,
        }
    }
}

/// The longest delay by the network, in milliseconds, at which no connection times out.
const CALM_MS: u64 = 100;

impl NetPlan {
    /// This plan on a network without faults.
    pub fn of(plan: Plan) -> NetPlan {
        NetPlan { plan, resolvers: Vec::new(), weather: Weather::FAIR, accept_ms: 0 }
    }

    fn check_threads(&self) -> Result<(), BadPlan> {
        let place = |bad: BadPlan| bad.inside("threads").inside("plan");
        field("pollers", &self.plan.threads.pollers, &(1..=4)).map_err(place)?;
        if self.plan.threads.timers {
            return Ok(());
        }
        Err(place(BadPlan::new("is false; on a network the library needs a thread for timers").inside("timers")))
    }

    /// The guarantees that a run of this plan must keep.
    pub(crate) fn expected(&self) -> Expected {
        let steps = || self.plan.backends.iter().flatten().flatten();
        let is_sound = self.weather.is_fair(CALM_MS, 0) && self.accept_ms == 0;
        // A server that sleeps or does nothing does not notice that its client has closed.
        let sees = |step: &Step| match step {
            Step::Settings | Step::Take(_) | Step::Answer | Step::Goaway(_) | Step::Fin | Step::Rst => true,
            Step::Pause(ms) => *ms < 20,
            Step::Refuse | Step::Ignore | Step::Stall => false,
        };
        let serves = |step: &Step| matches!(step, Step::Settings | Step::Answer | Step::Pause(_));
        let calls = || self.plan.channels.iter().flat_map(|channel| &channel.callers).flatten();
        let lets = |act: &Act| matches!(act, Act::Pause(_) | Act::Calls(_));
        Expected {
            same_sockets: is_sound && steps().all(sees),
            answers: is_sound
                && self.resolvers.is_empty()
                && steps().all(|step| sees(step) && serves(step))
                && calls().all(|call| matches!(call, Call::Wait | Call::After(_)))
                && self.plan.acts.iter().all(lets)
                && matches!(self.plan.teardown, Teardown::AtRest | Teardown::Drained),
        }
    }
}

/// Up to `most` outages of these kinds, the first one usually during the first connection attempts. Each lasts up to a
/// few retransmissions, or longer, at most 25 s.
pub fn outages(most: usize, kinds: &'static [Event]) -> impl Strategy<Value = Vec<Event>> {
    let before_ms = prop_oneof![3 => 0..40_u64, 1 => 0..3_000_u64];
    let ms = prop_oneof![1..60_u64, 60..2_000_u64, 2_000..25_000_u64];
    let outage = (before_ms, proptest::sample::select(kinds), ms);
    let outage = outage.prop_map(|(before_ms, outage, ms)| outage.lasting(before_ms, ms));
    vec(outage, 1..=most).prop_map(|outages| outages.concat())
}

/// Between one and `callers` callers with between one and `calls` calls each. A call usually waits for its answer; it
/// may be cancelled or have a deadline.
pub fn callers(callers: usize, calls: usize) -> impl Strategy<Value = Vec<Vec<Call>>> {
    let call = prop_oneof![4 => Just(Call::Wait), 1 => Just(Call::Cancel), 1 => (1_u64..50).prop_map(Call::Deadline)];
    vec(vec(call, 1..=calls), 1..=callers)
}
