//! The actions of clients, handlers, the application and the network in one run, as plain data.
//!
//! A plan is generated from the seed, printed, saved, edited and shrunk. Its strategies shrink towards one client with
//! one request whose handler reads it to the end.

use lastref::plan::{BadPlan, List, Maybe, Part, field};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, prop_oneof};
use serde::{Deserialize, Serialize};

use super::audit::Audit;
use super::body_reader::CloseStyle;
use super::mempool::Allocator;
use super::sync_pool::Pick;
use crate::kit::weather::{CLIENTS, Weather};

// The bounds of a plan: little more than the scenarios need, so that the run of an edited plan still ends soon.
const CLIENTS_MAX: usize = 8;
const OCTETS_MAX: u32 = 256;
const PAUSE_MS_MAX: u64 = 1_000;
const DEADLINE_MS_MAX: u64 = 200_000;

lastref::plans! {
    /// The threads of the engine.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct Threads {
        /// `NPoller`.
        pub pollers: u32 where 1..=4,
        /// Workers of the task pool.
        pub workers: u32 where 1..=4,
        /// Whether the listener has its own thread. Without it the connecting client accepts.
        pub listener: bool,
        /// Whether the timer has its own thread. Without it no deadline expires.
        pub timer: bool,
    }

    /// The framing of a request's body.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Framing {
        /// With a `Content-Length`; zero means no body.
        Length(octets: u32 where 0..=OCTETS_MAX),
        /// In chunks of these sizes.
        Chunks(sizes: Vec<u32> where List(1..=8, 1..=OCTETS_MAX)),
    }

    /// A handler's steps, in this order. The handler writes everything that it reads.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Step {
        /// Reads this many octets, or as many as there are.
        Read(octets: u32 where 0..=OCTETS_MAX),
        /// Reads to the end.
        ReadAll,
        /// Closes the body, as a handler for net/http would by `defer`.
        Close,
        /// Closes the body from a goroutine that the handler waits for before it returns.
        CloseElsewhere,
        /// Starts a goroutine that closes the body after the handler's last step.
        CloseLate,
        /// Starts a goroutine that reads the body after the handler's last step.
        ReadLate,
        /// Takes the buffers out of the body, and frees them.
        TakeOver,
        /// Wraps the request's body in a body of another type, as middleware does.
        Wrap,
        /// Sets the response's `Content-Length`, so that writes are sent at once.
        ContentLength,
        /// Panics.
        Panic,
    }

    /// One request, and the handler's steps for it.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct PlannedRequest {
        /// The body.
        pub body: Framing,
        /// Whether the request has `Connection: close`.
        pub close: bool,
        /// The handler's steps.
        pub steps: Vec<Step> where List(0..=8, Part),
    }

    /// How a client ends its connection.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Ending {
        /// Closes when it has its answers.
        Finish,
        /// Waits until the server closes.
        Linger,
        /// Closes after its first write, and reads nothing.
        Abandon,
        /// Resets when it has sent this many octets.
        Reset(octets: u32 where 0..=OCTETS_MAX),
        /// Resets when it has received this many octets, while the rest of its answers is on the way.
        ResetReceived(octets: u32 where 0..=OCTETS_MAX),
    }

    /// A client with one connection at a time.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct Client {
        /// The number of its connections, one after another.
        pub visits: u32 where 1..=4,
        /// Its requests, in order, on each connection.
        pub asks: Vec<PlannedRequest> where List(0..=8, Part),
        /// Whether it sends them all before it reads an answer.
        pub pipelined: bool,
        /// The number of octets per write.
        pub segment: u32 where 1..=OCTETS_MAX,
        /// How it ends.
        pub ending: Ending,
    }

    /// The application's acts during the run, in this order, each at a moment that the schedule chooses.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Act {
        /// A garbage collection.
        Collect,
        /// A pause of this many milliseconds.
        Pause(ms: u64 where 0..=PAUSE_MS_MAX),
        /// The engine stops while its clients are active.
        Stop,
    }

    /// One run in memory: see [`super::run`].
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct Plan {
        /// The engine's threads.
        pub threads: Threads,
        /// The objects that the ledger checks.
        pub audit: Audit,
        /// Which pooled item is handed out.
        pub pick: Pick,
        /// The allocator.
        pub allocator: Allocator,
        /// The version of the body reader's `Close`.
        pub close_style: CloseStyle,
        /// `RetainHTTPBody`: the application closes each body, once.
        pub retain_http_body: bool,
        /// Send and receive buffer size of the server's sockets, in octets.
        pub window: u32 where 1..=OCTETS_MAX,
        /// Whether reads and writes may be cut short.
        pub short: bool,
        /// One write in this many fails, as if the peer's host had gone; zero disables failures.
        pub failing_write_in: u32 where 0..=1_000,
        /// `MaxHTTPBodySize`.
        pub max_http_body_size: Option<u32> where Maybe(1..=OCTETS_MAX),
        /// `ReadLimit`.
        pub read_limit: Option<u32> where Maybe(1..=OCTETS_MAX),
        /// `MaxWriteBufferSize`.
        pub max_write_buffer_size: Option<u32> where Maybe(1..=OCTETS_MAX),
        /// `KeepaliveTime`.
        pub keepalive_ms: Option<u64> where Maybe(1..=DEADLINE_MS_MAX),
        /// `WriteTimeout`.
        pub write_timeout_ms: Option<u64> where Maybe(1..=DEADLINE_MS_MAX),
        /// The clients.
        pub clients: Vec<Client> where List(1..=CLIENTS_MAX, Part),
        /// Whether each client starts only after the previous client and its handlers' goroutines have ended.
        pub in_turn: bool,
        /// The application's acts meanwhile.
        pub acts: Vec<Act> where List(0..=8, Part),
    }

    /// One run on a network: see [`super::run_on_network`].
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct NetPlan {
        /// The engine and its clients. Threads, segments and endings are as in memory, except that a client that resets
        /// drops its socket with whatever it has not read.
        pub plan: Plan where OnHosts,
        /// The network. Its peers are the clients.
        pub weather: Weather,
        /// A client's pause before each send, in milliseconds.
        pub idle_ms: u64 where 0..=10_000,
    }
}

impl Threads {
    /// As in nbio on a machine with one processor, but for the task pool, which would have a thousand workers.
    pub const NBIO: Threads = Threads { pollers: 1, workers: 2, listener: true, timer: true };

    /// One poller and one worker.
    pub const FEW: Threads = Threads { pollers: 1, workers: 1, listener: false, timer: false };
}

impl lastref::plan::Plan for Audit {}
impl lastref::plan::Plan for Pick {}
impl lastref::plan::Plan for Allocator {}
impl lastref::plan::Plan for CloseStyle {}

/// The bounds of a plan whose clients have hosts of their own.
struct OnHosts;

impl lastref::plan::Bound<Plan> for OnHosts {
    fn check(&self, plan: &Plan) -> Result<(), BadPlan> {
        lastref::plan::Plan::check(plan)?;
        field("clients", &plan.clients, &List(1..=CLIENTS.len(), Part))
    }
}

impl Plan {
    /// One client that makes one request, without faults, on the smallest engine.
    pub fn smallest() -> Plan {
        Plan {
            threads: Threads::FEW,
            audit: Audit::Objects,
            pick: Pick::Lifo,
            allocator: Allocator::MemPool,
            close_style: CloseStyle::ClosedField,
            retain_http_body: false,
            window: 64,
            short: false,
            failing_write_in: 0,
            max_http_body_size: None,
            read_limit: None,
            max_write_buffer_size: None,
            keepalive_ms: None,
            write_timeout_ms: None,
            clients: vec![Client::of(vec![PlannedRequest::of(2, vec![Step::ReadAll])])],
            in_turn: false,
            acts: Vec::new(),
        }
    }

    /// These clients on an engine with all its threads.
    pub fn of(clients: Vec<Client>) -> Plan {
        Plan { threads: Threads::NBIO, clients, ..Plan::smallest() }
    }

    /// The address of connection number `visit` of a client; each connection has a different one.
    pub(super) fn address(&self, client: u32, visit: u32) -> u32 {
        visit * u32::try_from(self.clients.len()).unwrap_or(u32::MAX) + client
    }

    /// The client behind an address.
    pub(super) fn client_at(&self, address: u32) -> Option<&Client> {
        self.clients.get((address as usize).checked_rem(self.clients.len())?)
    }

    /// True if only a client's own actions can prevent its answers.
    pub(super) fn is_harmless(&self) -> bool {
        let no_limits = self.max_http_body_size.or(self.read_limit).or(self.max_write_buffer_size).is_none();
        let no_deadlines = self.keepalive_ms.or(self.write_timeout_ms).is_none();
        no_limits && no_deadlines && self.failing_write_in == 0 && !self.acts.contains(&Act::Stop)
    }
}

/// The largest total delay by the network, in milliseconds, that causes no timeout at either end.
const CALM_MS: u64 = 60;

impl NetPlan {
    /// This plan on a network without faults.
    pub fn of(plan: Plan) -> NetPlan {
        let weather = if plan.short { Weather::SHORT } else { Weather::FAIR };
        NetPlan { plan, weather, idle_ms: 0 }
    }

    /// True if the network cannot lose an answer.
    pub(super) fn is_calm(&self) -> bool {
        self.weather.is_fair(CALM_MS, self.plan.clients.len())
    }
}

impl PlannedRequest {
    /// A request with a body of this length.
    pub fn of(length: u32, steps: Vec<Step>) -> PlannedRequest {
        PlannedRequest { body: Framing::Length(length), close: false, steps }
    }

    /// A request with a body in chunks.
    pub fn chunked(chunks: Vec<u32>, steps: Vec<Step>) -> PlannedRequest {
        PlannedRequest { body: Framing::Chunks(chunks), close: false, steps }
    }

    /// The length of the body.
    pub(super) fn length(&self) -> u32 {
        match &self.body {
            Framing::Length(length) => *length,
            Framing::Chunks(sizes) => sizes.iter().sum(),
        }
    }
}

impl Client {
    /// A client that sends all at once, reads its answers and closes.
    pub fn of(asks: Vec<PlannedRequest>) -> Client {
        Client { visits: 1, asks, pipelined: true, segment: 64, ending: Ending::Finish }
    }
}

/// A body of up to `most` octets, in one piece or in chunks.
pub fn any_framing(most: u32) -> impl Strategy<Value = Framing> {
    prop_oneof![(0..=most).prop_map(Framing::Length), vec(1..=most.div_ceil(2), 1..=3).prop_map(Framing::Chunks)]
}

/// The steps of handlers that follow net/http's contract.
pub fn any_steps() -> impl Strategy<Value = Vec<Step>> {
    prop_oneof![
        Just(vec![Step::ReadAll]),
        Just(vec![Step::ReadAll, Step::Close]),
        Just(vec![Step::Read(1), Step::Close]),
        Just(vec![Step::Close, Step::Close]),
        Just(vec![Step::Read(2), Step::Read(2), Step::Close, Step::Close]),
        Just(vec![Step::ContentLength, Step::ReadAll]),
        Just(vec![]),
    ]
}

/// Between one and `most` requests whose handlers take `steps`.
pub fn asks(most: usize, steps: impl Strategy<Value = Vec<Step>>) -> impl Strategy<Value = Vec<PlannedRequest>> {
    let ask = (any_framing(6), steps).prop_map(|(body, steps)| PlannedRequest { body, close: false, steps });
    vec(ask, 1..=most)
}

/// Between `fewest` and `most` clients with these requests and endings. Each makes one or two connections, pipelined or
/// not, and writes 2 to 8 octets at a time.
pub fn clients(
    (fewest, most): (usize, usize),
    asks: impl Strategy<Value = Vec<PlannedRequest>>,
    ending: impl Strategy<Value = Ending>,
) -> impl Strategy<Value = Vec<Client>> {
    let pipelined = prop_oneof![Just(true), Just(false)];
    let client = (1..=2_u32, asks, pipelined, 2..=8_u32, ending);
    let client = client.prop_map(|(visits, asks, pipelined, segment, ending)| Client {
        visits,
        asks,
        pipelined,
        segment,
        ending,
    });
    vec(client, fewest..=most)
}
