//! The library as a whole: the event loop, the network below it, and the pool of Subchannels.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde::{Deserialize, Serialize};

use super::iomgr::Iomgr;
use super::network::{Backends, Network};
use super::pool::GlobalSubchannelPool;
use super::variant::Variant;

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

/// gRPC, initialised.
pub struct Grpc {
    /// What is wrong with it.
    pub variant: Variant,
    pub(super) iomgr: Arc<Iomgr>,
    pub(super) network: Arc<Network>,
    pub(super) pool: GlobalSubchannelPool,
    made: AtomicU32,
}

impl Grpc {
    /// `grpc_init`. So many frames of the client's fit into a connection.
    pub fn init(variant: Variant, threads: Threads, backends: Backends, room: u32) -> Arc<Grpc> {
        let iomgr = Iomgr::start(threads);
        let network = Network::new(&iomgr, backends, room);
        Arc::new(Grpc { variant, iomgr, network, pool: GlobalSubchannelPool::new(), made: AtomicU32::new(0) })
    }

    /// A number for an object's name in tables.
    pub(super) fn number(&self) -> u32 {
        self.made.fetch_add(1, Ordering::Relaxed)
    }

    /// Every server ends, and the client sees it.
    pub fn hang_up(&self) {
        self.network.hang_up();
    }

    /// Waits until nothing happens any more unless the application does something or time passes; nothing begins during
    /// `check`.
    pub fn at_rest<R>(&self, mut check: impl FnMut() -> R) -> R {
        self.iomgr.at_rest(|| self.network.is_idle().then(&mut check))
    }

    /// `grpc_shutdown`, once every channel is destroyed: runs the loop until nothing is left, timers included.
    pub fn shutdown(&self) {
        self.iomgr.drain();
        self.network.hang_up();
        self.pool.check_empty();
    }
}

impl fmt::Debug for Grpc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grpc").field("variant", &self.variant).finish_non_exhaustive()
    }
}
