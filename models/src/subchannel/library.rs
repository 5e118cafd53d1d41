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
use crate::kit::server::{Backends, Peers, Server};

/// Which threads the library runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Threads {
    /// Threads that poll. In an application these are the ones that wait for completions.
    pub pollers: u32,
    /// Whether the timers have a thread. Without it they run when the loop is drained.
    pub timers: bool,
}

impl Threads {
    /// As in an application with two completion threads.
    pub const GRPC: Threads = Threads { pollers: 2, timers: true };

    /// One poller and nothing else.
    pub const ONE: Threads = Threads { pollers: 1, timers: false };

    /// No thread: whoever waits for the loop runs it.
    pub const NONE: Threads = Threads { pollers: 0, timers: false };
}

/// The interval between two checks of the network's quiescence. A simulated network does not report quiescence, and a
/// future may be ready but not polled yet. So the network must be quiet in two checks, and the interval exceeds the
/// run's timer slack, so that every task that was ready at the first check has run.
const MORE_THAN_DRIFT: Duration = Duration::from_millis(10);

/// gRPC, initialised.
pub struct Grpc {
    /// The defect, if any.
    pub variant: Variant,
    /// The host that the library's threads run on, and the application's, if there is a network.
    pub(crate) host: Option<Host>,
    pub(crate) iomgr: Arc<Iomgr>,
    pub(crate) network: Arc<Network>,
    pub(crate) pool: GlobalSubchannelPool,
    made: AtomicU32,
}

impl Grpc {
    /// `grpc_init`. This many frames of the client's fit into a connection.
    pub fn init(variant: Variant, threads: Threads, backends: Backends, room: u32) -> Arc<Grpc> {
        Grpc::among(variant, threads, None, Peers::Scripts(backends), room)
    }

    /// `grpc_init` in a process on a host of the simulated network; the server is on another one.
    pub(crate) fn on_host(
        variant: Variant,
        threads: Threads,
        host: Host,
        server: &Arc<Server>,
        room: u32,
    ) -> Arc<Grpc> {
        Grpc::among(variant, threads, Some(host), Peers::Server(host, Arc::clone(server)), room)
    }

    fn among(variant: Variant, threads: Threads, host: Option<Host>, peers: Peers, room: u32) -> Arc<Grpc> {
        let iomgr = Iomgr::start(threads, host);
        let network = Network::new(&iomgr, peers, room);
        let made = AtomicU32::new(0);
        Arc::new(Grpc { variant, host, iomgr, network, pool: GlobalSubchannelPool::new(), made })
    }

    /// A number for an object's name in tables.
    pub(crate) fn number(&self) -> u32 {
        self.made.fetch_add(1, Ordering::Relaxed)
    }

    /// Every server ends, and the client sees it.
    pub fn hang_up(&self) {
        self.network.hang_up();
    }

    /// Waits until nothing happens any more unless the application does something or time passes; nothing begins during
    /// `check`.
    pub fn at_rest<R>(&self, mut check: impl FnMut() -> R) -> R {
        if self.host.is_none() {
            return self.iomgr.at_rest(|| self.network.is_idle().then(&mut check));
        }
        let mut has_rested = false;
        loop {
            sleep(MORE_THAN_DRIFT);
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

    /// `grpc_shutdown`, once every channel is destroyed: runs the loop until nothing is left, timers included.
    pub fn shutdown(&self) {
        if self.host.is_some() {
            self.await_drained();
        }
        self.iomgr.drain();
        self.network.end();
        self.pool.check_empty();
    }

    /// The loop does not know of written bytes that a socket has not sent yet, and would end too early. Since timers
    /// may be far away, each wait is twice as long as the one before.
    fn await_drained(&self) {
        let (mut pause, mut was_drained) = (MORE_THAN_DRIFT, false);
        loop {
            sleep(pause);
            let is_drained = self.iomgr.is_drained(|| self.network.is_idle());
            if is_drained && was_drained {
                return;
            }
            pause = if is_drained { MORE_THAN_DRIFT } else { 2 * pause };
            was_drained = is_drained;
        }
    }
}

impl_debug!(Grpc { variant });
