//! The library as a whole: the event loop, the network below it, and the pool of Subchannels.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use lastref::net::Host;
use lastref::thread::sleep;
use lastref::time::Duration;
use serde::{Deserialize, Serialize};

use super::iomgr::Iomgr;
use super::network::Network;
use super::subchannel::pool::GlobalSubchannelPool;
use super::variant::Variant;
use crate::kit::harness::impl_debug;
use crate::kit::server::{Backends, Peers};

lastref::plans! {
    /// The threads of the library.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct Threads {
        /// Threads that poll. In an application, the threads that wait for completions.
        pub pollers: u32 where 0..=4,
        /// True if a thread runs the timers. Otherwise they run when the loop is drained.
        pub timers: bool,
    }
}

impl Threads {
    /// As in an application with two completion threads.
    pub const GRPC: Threads = Threads { pollers: 2, timers: true };

    /// One poller and nothing else.
    pub const ONE: Threads = Threads { pollers: 1, timers: false };

    /// No thread: a caller that waits for the loop runs it.
    pub const NONE: Threads = Threads { pollers: 0, timers: false };
}

/// The interval between two checks of the network's quiescence. A simulated network does not report quiescence, and a
/// future may be ready but not polled yet. So the network must be quiet in two checks, and the interval exceeds the
/// run's timer slack, so that every task that was ready at the first check has run.
const QUIET_CHECK_INTERVAL: Duration = Duration::from_millis(10);

/// An initialised gRPC library.
pub struct Grpc {
    /// The defect, if any.
    pub variant: Variant,
    /// On a network: the host of the library's and the application's threads.
    pub(crate) host: Option<Host>,
    pub(crate) iomgr: Arc<Iomgr>,
    pub(crate) network: Arc<Network>,
    pub(crate) pool: GlobalSubchannelPool,
    made: AtomicU32,
}

impl Grpc {
    /// `grpc_init`. `room` is the send buffer size of a connection in client frames.
    pub fn init(variant: Variant, threads: Threads, backends: Backends, room: u32) -> Arc<Grpc> {
        Grpc::among(variant, threads, Peers::Scripts(backends), room)
    }

    /// Like [`Grpc::init`], with these peers. If they are on a host, so are the library's threads.
    pub(crate) fn among(variant: Variant, threads: Threads, peers: Peers, room: u32) -> Arc<Grpc> {
        let host = match &peers {
            Peers::Scripts(_) => None,
            Peers::Server(client, _) => Some(*client),
        };
        let iomgr = Iomgr::start(threads, host);
        let network = Network::new(&iomgr, peers, room);
        let made = AtomicU32::new(0);
        Arc::new(Grpc { variant, host, iomgr, network, pool: GlobalSubchannelPool::new(), made })
    }

    /// A unique number, for an object's name in tables.
    pub(crate) fn number(&self) -> u32 {
        self.made.fetch_add(1, Ordering::Relaxed)
    }

    /// Ends every server; the client sees its connections end.
    pub fn hang_up(&self) {
        self.network.hang_up();
    }

    /// Waits for quiescence: only an act of the application or a timer can cause the next event. Then runs `check`; no
    /// event is handled meanwhile.
    pub fn at_rest<R>(&self, mut check: impl FnMut() -> R) -> R {
        if self.host.is_none() {
            return self.iomgr.at_rest(|| self.network.is_idle().then(&mut check));
        }
        let mut has_rested = false;
        loop {
            sleep(QUIET_CHECK_INTERVAL);
            let mut rests = false;
            let result = self.iomgr.if_at_rest(|| {
                rests = self.network.is_idle();
                (rests && has_rested).then(&mut check)
            });
            if let Some(result) = result {
                return result;
            }
            has_rested = rests;
        }
    }

    /// `grpc_shutdown`, once every channel is destroyed: runs the loop until no event and no timer is left.
    pub fn shutdown(&self) {
        if self.host.is_some() {
            self.await_drained();
        }
        self.iomgr.drain();
        self.network.end();
        self.pool.check_empty();
    }

    /// Waits until the network is idle too: the loop does not count written bytes that a socket has not sent yet, and
    /// would end too early. Each wait is twice as long as the one before, since the next timer may be far away.
    fn await_drained(&self) {
        let (mut pause, mut was_drained) = (QUIET_CHECK_INTERVAL, false);
        loop {
            sleep(pause);
            let is_drained = self.iomgr.is_drained(|| self.network.is_idle());
            if is_drained && was_drained {
                return;
            }
            pause = if is_drained { QUIET_CHECK_INTERVAL } else { 2 * pause };
            was_drained = is_drained;
        }
    }
}

impl_debug!(Grpc { variant });
