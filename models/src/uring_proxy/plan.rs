//! The proxy's options, and the actions of its peers and the network in one run, as plain data.
//!
//! A plan is generated from the seed, printed, saved, edited and shrunk. Its strategies shrink towards one client with
//! one request that waits for its reply.

use std::ops::RangeInclusive;

use lastref::net::{Fault, FaultKind};
use lastref::plan::{BadPlan, Bound, List, Part};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, prop_oneof};
use serde::{Deserialize, Serialize};

use crate::kit::weather::Weather;

// The bounds of a plan: little more than the scenarios need, so that the run of an edited plan still ends soon.
const REQUESTS: RangeInclusive<u32> = 1..=32;

lastref::plans! {
    /// The command line of the proxy: the letters are proxy.c's.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct Options {
        /// `-m`: receives stay armed.
        pub recv_mshot: bool,
        /// `-B`: forwards both ways.
        pub bidi: bool,
        /// `-u`: outgoing data is queued in a buffer ring, not in vectors.
        pub send_ring: bool,
        /// `-c`: a receive may fill several buffers.
        pub rcv_bundle: bool,
        /// `-C`: a send takes all buffers that are queued in the buffer ring.
        pub snd_bundle: bool,
        /// `-M`: one sendmsg for all queued data.
        pub snd_msg: bool,
        /// `-z`: zero copy.
        pub snd_zc: bool,
        /// `-i`: incremental buffers, each filled by several receives.
        pub buf_ring_inc: bool,
        /// `-x`: counts packets per receive and send.
        pub ext_stat: bool,
        /// `-n`: provided buffers, a power of two.
        pub nr_bufs: u32 where PowerOfTwo(1..=1024),
        /// `-b`: size of a buffer in bytes.
        pub buf_size: u32 where 1..=256,
        /// `-q`: entries in the submission queue.
        pub ring_size: u32 where 2..=256,
        /// Entries in the completion queue; 1024 upstream.
        pub cq_entries: u32 where 1..=1024,
    }

    /// One step of a client.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Step {
        /// Sends this many requests in a row: `PING`, answered by `+PONG`.
        Ping(requests: u32 where REQUESTS),
        /// Sends one request whose answer has a header and this many bytes.
        Get(bytes: u32 where 0..=256),
        /// Waits until every request is answered or, if the proxy forwards one way only, has arrived at the server.
        Await,
        /// Sends FIN, as every client does after its last step.
        Fin,
        /// Resets the connection (RST).
        Reset,
    }

    /// The server's behaviour on its connections.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Habit {
        /// Answers, and ends no connection.
        Answers,
        /// No socket listens.
        Refuses,
        /// Sends FIN on each connection after this many requests.
        FinAfter(requests: u32 where REQUESTS),
        /// Resets each connection (RST) after this many requests.
        ResetAfter(requests: u32 where REQUESTS),
    }

    /// The acts on the proxy during the run, in this order, each at a moment that the schedule chooses.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Act {
        /// A pause of this many milliseconds.
        Pause(ms: u64 where 0..=1_000),
        /// Stops every connection, including those that open later.
        StopAll,
    }

    /// One run on a network: see [`super::run_on_network`].
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct NetPlan {
        /// The proxy's command line.
        pub options: Options,
        /// The connections of each client, one after the other.
        pub clients: Vec<Vec<Visit>> where List(1..=4, List(0..=4, Part)),
        /// The server behind the proxy.
        pub backend: Backend,
        /// The network. Its peers are the server, then the clients. Connections of clients to the proxy and of the
        /// proxy to the server have numbers of one sequence, in the order of the attempts.
        pub weather: Weather,
        /// The acts on the proxy, after the events.
        pub acts: Vec<Act> where List(0..=4, Part),
    }

    /// A connection of a client.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct Visit {
        /// The client's pause before it connects, in milliseconds.
        pub wait_ms: u32 where 0..=1_000,
        /// Its bursts of requests; saved plans call them `goes`.
        #[serde(rename = "goes")]
        pub bursts: Vec<Burst> where List(0..=4, Part),
        /// How it ends.
        pub ending: Ending,
    }

    /// A burst: requests that are sent in a row, before the client waits for their replies.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct Burst {
        /// The number of requests.
        pub pings: u32 where 1..=16,
        /// If set, the requests are GETs: only the replies contain the payload bytes.
        pub is_get: bool,
        /// Bytes of each payload after its tag.
        pub bytes: u32 where 0..=256,
        /// Idle time of the connection after the replies, in milliseconds.
        pub idle_ms: u32 where 0..=1_000,
    }

    /// How a client ends a connection.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Ending {
        /// Sends FIN when it has all replies, then waits for the peer's FIN.
        HalfClose,
        /// Closes its socket as soon as the last requests are sent, even with unread replies.
        Drop,
        /// Waits until the peer ends the connection.
        Linger,
    }

    /// The server behind the proxy.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct Backend {
        /// Delay before it handles each piece that it reads.
        pub lag_ms: u32 where 0..=1_000,
        /// Bytes that it reads at a time.
        pub piece: u32 where 1..=4096,
        /// When it ends a connection.
        pub leaves: Leaves,
    }

    /// When the server ends a connection.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Leaves {
        /// After an idle timeout.
        WhenIdle,
        /// Sends FIN when it has sent this many answers.
        Fin(answers: u32 where 1..=16),
        /// Closes its socket when it has received this many requests; the last one is not answered.
        Drop(requests: u32 where 1..=16),
    }

    /// One run in memory: see [`super::run`].
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct Plan {
        /// The proxy's command line.
        pub options: Options,
        /// Send and receive buffer size of a connection in bytes.
        pub window: u32 where 1..=256,
        /// The steps of each client.
        pub clients: Vec<Vec<Step>> where List(1..=4, List(0..=8, Part)),
        /// The server's behaviour.
        pub server: Habit,
        /// The acts on the proxy meanwhile.
        pub acts: Vec<Act> where List(0..=4, Part),
        /// If set, one task runs kernel, network, peers and parent, the other the connection. For exhaustive
        /// exploration.
        pub two_tasks: bool,
    }
}

impl Options {
    /// As in the report of liburing#1338: `-m0 -B1` on a kernel without send rings.
    pub const REPORTED: Options = Options {
        recv_mshot: false,
        bidi: true,
        send_ring: false,
        rcv_bundle: false,
        snd_bundle: false,
        snd_msg: false,
        snd_zc: false,
        buf_ring_inc: false,
        ext_stat: false,
        nr_bufs: 8,
        buf_size: 8,
        ring_size: 128,
        cq_entries: 64,
    };

    /// As in the report, but `-b` is about the size of a request on the network, so a request fills one or two buffers.
    pub const NETWORK: Options = Options { buf_size: 32, ..Options::REPORTED };

    /// Resolves options that exclude each other, as proxy.c's `main` does.
    ///
    /// Deviates: incremental buffers exclude send rings, receive bundles and zero copy; upstream combines them.
    #[must_use]
    pub fn settled(self) -> Options {
        let mut options = self;
        if options.buf_ring_inc {
            options.send_ring = false;
            options.rcv_bundle = false;
            options.snd_zc = false;
        }
        if options.snd_zc {
            options.send_ring = false;
        }
        options.snd_bundle &= options.send_ring;
        options.snd_msg &= !options.send_ring;
        options
    }
}

/// How many buffers a ring has.
#[derive(Clone, Debug)]
struct PowerOfTwo(RangeInclusive<u32>);

impl Bound<u32> for PowerOfTwo {
    fn check(&self, value: &u32) -> Result<(), BadPlan> {
        self.0.check(value)?;
        if value.is_power_of_two() {
            Ok(())
        } else {
            Err(BadPlan::new(format!("is {value}; a power of two is wanted")))
        }
    }
}

impl Plan {
    /// One client that sends one request, waits for the reply, and ends.
    pub fn smallest() -> Plan {
        Plan {
            options: Options::REPORTED,
            window: 64,
            clients: vec![vec![Step::Ping(1), Step::Await]],
            server: Habit::Answers,
            acts: Vec::new(),
            two_tasks: false,
        }
    }

    /// True if no step of the plan may lose bytes.
    ///
    /// A client that closes before it has its replies loses them: the proxy does not support half-close. The server
    /// then writes to a socket that was shut down, which causes an RST, so even forwarded requests may be lost.
    pub fn is_lossless(&self) -> bool {
        let resets = self.clients.iter().flatten().any(|step| *step == Step::Reset);
        let asks = |step: &&Step| matches!(step, Step::Ping(_) | Step::Get(_) | Step::Await);
        let waits = |steps: &Vec<Step>| steps.iter().rfind(asks).is_none_or(|last| *last == Step::Await);
        let waited_for = !self.options.bidi || self.clients.iter().all(waits);
        self.server == Habit::Answers && waited_for && !resets && !self.acts.contains(&Act::StopAll)
    }
}

/// The longest delay by the network, in milliseconds, at which no client times out.
const CALM_MS: u64 = 500;

impl NetPlan {
    /// A server that answers at once.
    pub const BACKEND: Backend = Backend { lag_ms: 0, piece: 256, leaves: Leaves::WhenIdle };

    /// These clients, on a network without faults, with a server that answers at once.
    pub fn of(options: Options, clients: Vec<Vec<Visit>>) -> NetPlan {
        NetPlan { options, clients, backend: NetPlan::BACKEND, weather: Weather::SHORT, acts: Vec::new() }
    }

    /// True if no step of the plan may lose bytes: each request that is waited for is answered.
    pub(super) fn is_lossless(&self) -> bool {
        let drops = self.clients.iter().flatten().any(|visit| visit.ending == Ending::Drop);
        let stops = self.acts.contains(&Act::StopAll);
        let is_fair = self.weather.is_fair(CALM_MS, self.clients.len());
        is_fair && !drops && !stops && self.backend.leaves == Leaves::WhenIdle && !self.is_silent()
    }

    /// True if an event goes unnotified, so a waiter may block forever.
    pub(super) fn is_silent(&self) -> bool {
        // An RST that gets lost is not sent again.
        let loses = |fault: &Fault| matches!(fault.kind, FaultKind::Blackhole | FaultKind::Partition { .. });
        self.weather.faults.iter().any(loses) || !self.weather.only_pauses()
    }
}

/// Between `least` and `most` clients with up to two connections, each with one or two bursts of up to `pings`
/// requests, whose payloads have up to `bytes` bytes after the tag.
pub fn visits(
    (least, most): (usize, usize),
    pings: u32,
    bytes: u32,
    ending: impl Strategy<Value = Ending> + Clone,
) -> impl Strategy<Value = Vec<Vec<Visit>>> {
    let idle = prop_oneof![3 => Just(0_u32), 1 => 1..=80_u32];
    let burst = (1..=pings, 0..=bytes, idle);
    let burst = burst.prop_map(|(pings, bytes, idle_ms)| Burst { pings, is_get: false, bytes, idle_ms });
    let visit = (0..=10_u32, vec(burst, 1..=2), ending);
    let visit = visit.prop_map(|(wait_ms, bursts, ending)| Visit { wait_ms, bursts, ending });
    vec(vec(visit, 1..=2), least..=most)
}

/// Between one and `clients` clients that each send one or two bursts of up to `requests` requests, and wait.
pub fn clients(clients: usize, requests: u32) -> impl Strategy<Value = Vec<Vec<Step>>> {
    let steps = vec(1..=requests, 1..=2).prop_map(|bursts| {
        let steps = bursts.into_iter().flat_map(|requests| [Step::Ping(requests), Step::Await]);
        steps.collect()
    });
    vec(steps, 1..=clients)
}
