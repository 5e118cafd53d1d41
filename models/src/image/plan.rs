//! The actions of publishers, driver, subscribers and the application in one run, as plain data.
//!
//! A plan is generated from the seed, printed, saved, edited and shrunk. Publishers are named by their number, which
//! is the session id of their streams.

use lastref::plan::{List, Part};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use serde::{Deserialize, Serialize};

use super::image_poll::{Action, Poll};
use crate::kit::weather::Weather;

// The bounds of a plan: little more than the scenarios need, so that the run of an edited plan still ends soon.
const PUBLISHER: std::ops::RangeInclusive<i32> = 0..=3;
const FRAMES: std::ops::RangeInclusive<u32> = 0..=6;
const FRAGMENTS: std::ops::RangeInclusive<u32> = 0..=16;
const PAUSE_MS: std::ops::RangeInclusive<u64> = 0..=1_000;

lastref::plans! {
    /// How the client conductor runs.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Conductor {
        /// A thread that runs until every other task has ended: upstream's default.
        Agent,
        /// A thread that runs this many duty cycles; for exhaustive exploration. The main task runs the rest, as an
        /// invoker does.
        Cycles(cycles: u32 where 0..=16),
    }

    /// The action of the application's image handlers, on the conductor's thread.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Callback {
        /// The application has no image handlers.
        None,
        /// The wrapper creates an `Image` for the duration of the call, as it does for every handler.
        Wrapper,
        /// The handler also queries the subscription's image count.
        Counting,
        /// The handler of an available image puts a new image on the shelf, for another thread to take.
        Keeping,
        /// The handler of an unavailable image does so.
        KeepingLast,
    }

    /// The query of a fragment handler, besides reading.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Ask {
        /// Nothing.
        Nothing,
        /// Queries the image count.
        Count,
        /// Looks up an image and drops the handle.
        Lookup,
    }

    /// A fragment handler.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct Handler {
        /// Time for which it blocks, in milliseconds.
        pub pause_ms: u64 where PAUSE_MS,
        /// Its query after that.
        pub ask: Ask,
        /// The kind of poll that calls it.
        pub poll: Poll,
        /// Its return value.
        pub action: Action,
    }

    /// One step of a subscriber's thread.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Op {
        /// `Subscription::poll` with that fragment limit.
        Poll(limit: u32 where FRAGMENTS),
        /// `Subscription::imageBySessionId`; the handle is kept.
        Lookup(session: i32 where PUBLISHER),
        /// The same, but the wrapper throws.
        LookupThrowing(session: i32 where PUBLISHER),
        /// `Subscription::imageByIndex`; the handle is kept.
        At(index: usize where 0..=8),
        /// `Subscription::copyOfImageList`; the handles are kept.
        Copy,
        /// `Subscription::forEachImage`, which reads the position of each image.
        ForEach,
        /// `Subscription::imageCount`.
        Count,
        /// `Subscription::isConnected`.
        Connected,
        /// `Image::poll` on the oldest handle.
        PollHandle(limit: u32 where FRAGMENTS),
        /// `Image::position`, `isEndOfStream` and `endOfStreamPosition` of the oldest handle.
        Position,
        /// The oldest handle is dropped.
        Drop,
        /// All handles are put on the shelf.
        Shelve,
        /// Nothing, for this many milliseconds.
        Pause(ms: u64 where PAUSE_MS),
        /// The subscription is destroyed; handles stay.
        Close,
    }

    /// The behaviour of a subscriber after its steps.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum After {
        /// Polls until the publishers are done.
        Poll,
        /// Nothing: it never touches its subscription again.
        Nothing,
    }

    /// One subscription and the thread that polls it.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct Subscriber {
        /// The image handlers.
        pub callback: Callback,
        /// The fragment handler.
        pub handler: Handler,
        /// Sessions to whose images it holds a handle from the start.
        pub handles: Vec<i32> where List(0..=4, PUBLISHER),
        /// Its steps.
        pub ops: Vec<Op> where List(0..=256, Part),
        /// After its steps.
        pub after: After,
    }

    /// One step of the media driver, or an event that affects it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum DriverOp {
        /// A publisher starts or returns with a new stream, which is announced to every subscription.
        Publish(publisher: i32 where PUBLISHER),
        /// The publisher writes this many fragments.
        Write(publisher: i32 where PUBLISHER, frames: u32 where FRAMES),
        /// The publisher ends; its stream is announced as unavailable.
        Vanish(publisher: i32 where PUBLISHER),
        /// Another application allocates a counter, which reuses a freed slot if there is one.
        Reuse,
        /// The client's conductor is found to have stalled for longer than its service interval.
        StallConductor,
        /// The driver dies, and the client's liveness check notices it.
        Die,
        /// Nothing, for this many milliseconds.
        Pause(ms: u64 where PAUSE_MS),
    }

    /// The task that closes the subscriptions that are still open at the end.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Closer {
        /// The main task, when everything has settled.
        Settled,
        /// The main task, during the run: as soon as the subscriber's thread has ended its steps.
        Main,
    }

    /// One run in memory: see [`super::run`].
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct Plan {
        /// How the conductor runs.
        pub conductor: Conductor,
        /// Capacity of the conductor's command ring.
        pub command_capacity: u32 where 0..=16,
        /// Capacity of shared memory in logs.
        pub shm_capacity: u32 where 1..=64,
        /// Events before the tasks start, which the conductor has handled.
        pub before: Vec<DriverOp> where List(0..=16, Part),
        /// Events before the tasks start, which the conductor has not handled yet.
        pub unnoticed: Vec<DriverOp> where List(0..=16, Part),
        /// The steps of the driver's task.
        pub driver: Vec<DriverOp> where List(0..=16, Part),
        /// The subscriptions.
        pub subscribers: Vec<Subscriber> where List(0..=4, Part),
        /// The number of times that a task of the application clears the shelf.
        pub clearings: u32 where 0..=8,
        /// The task that closes.
        pub closer: Closer,
    }

    /// How a publisher's stream ends.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Ending {
        /// It is closed: all frames are sent, then the end of the stream.
        Close,
        /// It is revoked: subscribers must not read the rest.
        Revoke,
        /// The publisher's process dies without notice.
        Die,
    }

    /// One stream of a publisher.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct Life {
        /// Its session. The publisher's number, or the session of an earlier life, means that the same session returns.
        pub session_id: i32 where 0..=63,
        /// The pause before it, in milliseconds.
        pub pause_ms: u64 where PAUSE_MS,
        /// Its number of frames, at most those of a term.
        pub frames: u32 where FRAMES,
        /// The application's interval between two frames, in milliseconds.
        pub between_ms: u64 where PAUSE_MS,
        /// Its duration, in milliseconds.
        pub lives_ms: u64 where PAUSE_MS,
        /// How it ends.
        pub ending: Ending,
    }

    /// A publisher: a host whose process sends one stream after the other.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct Publisher {
        /// Its streams in order.
        pub lives: Vec<Life> where List(0..=8, Part),
    }

    /// One run on a network: see [`super::run_on_network`].
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct NetPlan {
        /// The client and its subscribers, the capacity of shared memory, and the driver's steps after the events.
        pub plan: Plan,
        /// The publishers.
        pub publishers: Vec<Publisher> where List(1..=PUBLISHERS.len(), Part),
        /// The network. Its peers are the publishers.
        pub weather: Weather,
        /// `image_liveness_timeout` in milliseconds: after this time without frames an image ends, and it lingers as
        /// long.
        pub liveness_ms: u64 where 10..=1_000,
        /// Receiver window: the frames that a publisher may be ahead of the slowest subscriber, at most half a term.
        pub window: u32 where 1..=4,
    }
}

impl Handler {
    /// Reads and does nothing else.
    pub const QUICK: Handler = Handler { pause_ms: 0, ask: Ask::Nothing, poll: Poll::Plain, action: Action::Continue };
    /// Blocks for longer than the conductor's idle time.
    pub const SLOW: Handler = Handler { pause_ms: 50, ..Handler::QUICK };
}

impl Subscriber {
    /// A subscriber with the steps `ops` and without image handlers.
    pub fn doing(ops: Vec<Op>) -> Subscriber {
        Subscriber {
            callback: Callback::None,
            handler: Handler::QUICK,
            handles: Vec::new(),
            ops,
            after: After::Nothing,
        }
    }
}

/// The hosts of publishers: a plan has at most this many.
pub(super) const PUBLISHERS: [&str; 4] = ["publisher.0", "publisher.1", "publisher.2", "publisher.3"];

impl lastref::plan::Plan for Poll {}
impl lastref::plan::Plan for Action {}

impl Plan {
    /// Publishers 0 to `publishers` with `frames` fragments each, with space for all of them; no task acts yet.
    pub fn with(publishers: i32, frames: u32) -> Plan {
        let streams = (0..publishers).flat_map(|id| [DriverOp::Publish(id), DriverOp::Write(id, frames)]);
        Plan {
            conductor: Conductor::Agent,
            command_capacity: 8,
            shm_capacity: 64,
            before: streams.collect(),
            unnoticed: Vec::new(),
            driver: Vec::new(),
            subscribers: Vec::new(),
            clearings: 0,
            closer: Closer::Settled,
        }
    }

    /// The same with one stream without fragments and a conductor of few cycles, for exhaustive exploration.
    pub fn smallest(cycles: u32) -> Plan {
        Plan { conductor: Conductor::Cycles(cycles), ..Plan::with(1, 0) }
    }
}

impl NetPlan {
    /// These publishers and subscribers, with ample capacities and without faults.
    pub fn of(publishers: Vec<Publisher>, subscribers: Vec<Subscriber>) -> NetPlan {
        let plan = Plan { before: Vec::new(), subscribers, ..Plan::with(0, 0) };
        NetPlan { plan, publishers, weather: Weather::SHORT, liveness_ms: 80, window: 4 }
    }

    /// The first term of a life; the terms of two lives of a run never overlap.
    pub(super) fn initial_term_id(publisher: usize, life: usize) -> i32 {
        i32::try_from(1_000 * (publisher + 1) + 20 * life).unwrap_or(i32::MAX)
    }

    /// Whether every subscriber reads every fragment: polls until the end, aborts no fragment, and is not closed by
    /// force.
    pub(super) fn is_read(&self) -> bool {
        let takes = |handler: Handler| handler.poll == Poll::Plain || handler.action != Action::Abort;
        let lives = !self.plan.driver.iter().any(|op| matches!(op, DriverOp::StallConductor | DriverOp::Die));
        lives && self.plan.subscribers.iter().all(|it| it.after == After::Poll && takes(it.handler))
    }

    /// True if every subscriber must receive every fragment.
    pub(super) fn is_faultless(&self) -> bool {
        let lives = || self.publishers.iter().flat_map(|publisher| &publisher.lives);
        let stays = |subscriber: &Subscriber| !subscriber.ops.contains(&Op::Close);
        self.is_read()
            && self.weather.is_fair(0, 0)
            && self.plan.subscribers.iter().all(stays)
            && lives().all(|life| life.ending == Ending::Close)
    }
}

/// A step of a subscriber that polls, looks up images of `publishers` publishers, and drops handles.
fn any_op(publishers: i32) -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (1_u32..4).prop_map(Op::Poll),
        3 => (0..publishers).prop_map(Op::Lookup),
        1 => (0..publishers).prop_map(Op::LookupThrowing),
        1 => (0..3_usize).prop_map(Op::At),
        1 => Just(Op::Copy),
        1 => Just(Op::ForEach),
        1 => Just(Op::Count),
        1 => Just(Op::Connected),
        2 => (1_u32..4).prop_map(Op::PollHandle),
        1 => Just(Op::Position),
        3 => Just(Op::Drop),
        1 => Just(Op::Shelve),
        2 => (1_u64..40).prop_map(Op::Pause),
    ]
}

/// Any fragment handler.
fn any_handler() -> impl Strategy<Value = Handler> {
    let pause = prop_oneof![2 => Just(0_u64), 1 => 1_u64..60];
    let ask = prop_oneof![2 => Just(Ask::Nothing), 1 => Just(Ask::Count), 1 => Just(Ask::Lookup)];
    let action = prop_oneof![
        2 => Just(Action::Continue),
        1 => Just(Action::Commit),
        1 => Just(Action::Break),
        1 => Just(Action::Abort),
    ];
    (pause, ask, any::<bool>(), action).prop_map(|(pause_ms, ask, controlled, action)| {
        let poll = if controlled { Poll::Controlled } else { Poll::Plain };
        Handler { pause_ms, ask, poll, action }
    })
}

/// Any subscriber that polls after its steps.
pub fn any_subscriber(publishers: i32, ops: usize) -> impl Strategy<Value = Subscriber> {
    let callback =
        prop_oneof![Just(Callback::None), Just(Callback::Wrapper), Just(Callback::Counting), Just(Callback::Keeping)];
    let ops = vec(any_op(publishers), 0..=ops);
    (callback, any_handler(), ops).prop_map(|(callback, handler, ops)| Subscriber {
        callback,
        handler,
        handles: Vec::new(),
        ops,
        after: After::Poll,
    })
}

/// Up to `steps` driver steps: publishers start, write and end.
pub fn any_driver(publishers: i32, steps: usize) -> impl Strategy<Value = Vec<DriverOp>> {
    let step = prop_oneof![
        3 => (0..publishers).prop_map(DriverOp::Publish),
        2 => (0..publishers, 1_u32..3).prop_map(|(id, frames)| DriverOp::Write(id, frames)),
        3 => (0..publishers).prop_map(DriverOp::Vanish),
        1 => Just(DriverOp::Reuse),
        2 => (1_u64..40).prop_map(DriverOp::Pause),
    ];
    vec(step, 0..=steps)
}

/// A publisher of one to `lives` streams, each of a new session or of the session `number`.
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

/// This many publishers.
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
