//! What the proxy's options are and what its peers and the network do in one run, as plain data.
//!
//! A plan is generated from the seed, printed, saved, edited and shrunk. Its strategies shrink towards one client with
//! one request that waits for its reply.

use std::ops::RangeInclusive;

use lastref::plan::{BadPlan, Bound, List, Part, field};
use proptest::collection::vec;
use proptest::prelude::Strategy;
use serde::{Deserialize, Serialize};

/// The command line of the proxy: the letters are proxy.c's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// `-m`: receives stay armed.
    pub recv_mshot: bool,
    /// `-B`: forwards both ways.
    pub bidi: bool,
    /// `-u`: what is to be sent waits in a buffer ring, not in vectors.
    pub send_ring: bool,
    /// `-c`: a receive may fill several buffers.
    pub rcv_bundle: bool,
    /// `-C`: a send takes all that waits in the buffer ring.
    pub snd_bundle: bool,
    /// `-M`: one sendmsg for all that waits.
    pub snd_msg: bool,
    /// `-z`: zero copy.
    pub snd_zc: bool,
    /// `-i`: buffers fill by and by.
    pub buf_ring_inc: bool,
    /// `-x`: counts packets per receive and send.
    pub ext_stat: bool,
    /// `-n`: provided buffers, a power of two.
    pub nr_bufs: u32,
    /// `-b`: bytes in each.
    pub buf_size: u32,
    /// `-q`: places in the submission queue.
    pub ring_size: u32,
    /// Places in the completion queue; 1024 upstream.
    pub cq_entries: u32,
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

    /// As in the report, with `-b` as proxy.c has it: what a request on the network has, in a buffer or two.
    pub const NETWORK: Options = Options { buf_size: 32, ..Options::REPORTED };

    /// What proxy.c's main makes of options that exclude each other.
    ///
    /// Deviates: incremental buffers are for plain sends and receives here; upstream lets them be combined.
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

/// One thing that a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// Sends so many requests one behind the other: `PING`, answered `+PONG`.
    Ping(u32),
    /// Sends one request with an answer of so many bytes and a header.
    Get(u32),
    /// Waits until all is answered; where the proxy forwards one way only, until all has arrived.
    Await,
    /// Ends its stream: FIN. Behind its last step every client does.
    Fin,
    /// Breaks the connection: RST.
    Reset,
}

/// What the server does beside answering.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServerFault {
    /// Nothing.
    None,
    /// Nobody listens.
    Refuses,
    /// It ends each connection after so many requests: FIN.
    FinAfter(u32),
    /// It breaks each connection after so many requests: RST.
    ResetAfter(u32),
}

/// What is done to the proxy meanwhile, in this order, each at a moment that the schedule chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// Nothing, for so many milliseconds.
    Pause(u64),
    /// Every connection is told to stop, and so is each that opens later.
    StopAll,
}

/// One run of the workbench: see [`super::bench::run`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The proxy's command line.
    pub options: Options,
    /// Bytes that a connection takes in each direction before its writer has to wait.
    pub window: u32,
    /// What each client does.
    pub clients: Vec<Vec<Step>>,
    /// What the server does.
    pub server: ServerFault,
    /// What happens meanwhile.
    pub faults: Vec<Fault>,
    /// One task is kernel, network, peers and the proxy's parent; the other the connection. For exhaustive exploration.
    pub two_tasks: bool,
}

// The bounds of a plan: what the scenarios need, and little more, so that an edited plan still ends soon.
const REQUESTS: RangeInclusive<u32> = 1..=32;

lastref::bounds!(Options {
    recv_mshot: Part,
    bidi: Part,
    send_ring: Part,
    rcv_bundle: Part,
    snd_bundle: Part,
    snd_msg: Part,
    snd_zc: Part,
    buf_ring_inc: Part,
    ext_stat: Part,
    nr_bufs: PowerOfTwo(1..=1024),
    buf_size: 1..=256,
    ring_size: 2..=256,
    cq_entries: 1..=1024,
});
lastref::bounds!(Plan {
    options: Part,
    window: 1..=256,
    clients: List(1..=4, List(0..=8, Part)),
    server: Part,
    faults: List(0..=4, Part),
    two_tasks: Part,
});

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

impl lastref::plan::Plan for Step {
    fn check(&self) -> Result<(), BadPlan> {
        match self {
            Step::Ping(requests) => field("Ping", requests, &REQUESTS),
            Step::Get(bytes) => field("Get", bytes, &(0..=256)),
            Step::Await | Step::Fin | Step::Reset => Ok(()),
        }
    }
}

impl lastref::plan::Plan for ServerFault {
    fn check(&self) -> Result<(), BadPlan> {
        match self {
            ServerFault::FinAfter(requests) => field("FinAfter", requests, &REQUESTS),
            ServerFault::ResetAfter(requests) => field("ResetAfter", requests, &REQUESTS),
            ServerFault::None | ServerFault::Refuses => Ok(()),
        }
    }
}

impl lastref::plan::Plan for Fault {
    fn check(&self) -> Result<(), BadPlan> {
        match self {
            Fault::Pause(ms) => field("Pause", ms, &(0..=1_000)),
            Fault::StopAll => Ok(()),
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
            server: ServerFault::None,
            faults: Vec::new(),
            two_tasks: false,
        }
    }

    /// Whether nothing is done on purpose that may lose bytes.
    ///
    /// A client that ends before it has its replies loses them: the proxy does not know a half of a close. And as the
    /// server then writes to a socket that is shut, which is answered by RST, it may lose what it has sent as well.
    pub fn is_lossless(&self) -> bool {
        let resets = self.clients.iter().flatten().any(|step| *step == Step::Reset);
        let asks = |step: &&Step| matches!(step, Step::Ping(_) | Step::Get(_) | Step::Await);
        let waits = |steps: &Vec<Step>| steps.iter().rfind(asks).is_none_or(|last| *last == Step::Await);
        let waited_for = !self.options.bidi || self.clients.iter().all(waits);
        self.server == ServerFault::None && waited_for && !resets && !self.faults.contains(&Fault::StopAll)
    }
}

/// Between one and `clients` clients that each send between one and `requests` requests, in one or two goes, and wait.
pub fn clients(clients: usize, requests: u32) -> impl Strategy<Value = Vec<Vec<Step>>> {
    let goes = vec(1..=requests, 1..=2).prop_map(|goes| {
        let steps = goes.into_iter().flat_map(|requests| [Step::Ping(requests), Step::Await]);
        steps.collect()
    });
    vec(goes, 1..=clients)
}
