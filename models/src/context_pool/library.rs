//! The library as a whole: task queue, expiration queue, reaper, and the tables that one global lock guards.
//!
//! Upstream (v1.10.1): init.c starts the subsystems and stops them in reverse; socket.c keeps `sock_ids` and `ctx_ids`
//! under `sock_lk`, together with `s_ref`, `s_closed`, `s_ctxs`, `c_ref` and `c_closed`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use lastref::net::Host;
use lastref::property::always;
use lastref::sync::Mutex;
use serde::{Deserialize, Serialize};

use super::context::Context;
use super::expire::ExpireQueue;
use super::reap::Reaper;
use super::rep::Rep0Sock;
use super::req::{Req0Sock, ReqOptions};
use super::socket::{Protocol, Socket};
use super::task::TaskQueue;
use super::variant::Variant;
use crate::kit::harness::impl_debug;

lastref::plans! {
    /// The threads of the library.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct Threads {
        /// Workers of the task queue. NNG starts at least two; fewer are for exhaustive exploration.
        pub workers: u32 where 1..=4,
        /// Whether the expiration thread runs. Without it nothing may have a timeout or a resend time.
        pub timers: bool,
        /// Whether the reaper has its own thread. Without it the thread that closes a socket reaps.
        pub reaper: bool,
    }
}

impl Threads {
    /// As in NNG on a machine with one processor.
    pub const NNG: Threads = Threads { workers: 2, timers: true, reaper: true };

    /// One worker and nothing else.
    pub const ONE: Threads = Threads { workers: 1, timers: false, reaper: false };

    /// No thread: the application waits for every aio, and no aio has a callback.
    pub const NONE: Threads = Threads { workers: 0, timers: false, reaper: false };
}

/// NNG, initialised.
pub struct Nng {
    /// The defect of the library or of the application, if any.
    pub variant: Variant,
    pub(super) tq: Arc<TaskQueue>,
    pub(super) eq: Arc<ExpireQueue>,
    pub(super) reaper: Arc<Reaper>,
    pub(super) sock_lk: Mutex<Tables>,
    /// The host of its threads on a simulated network.
    pub(super) host: Option<Host>,
    aios: AtomicU32,
}

/// The state that `sock_lk` guards.
#[derive(Default)]
pub(super) struct Tables {
    pub(super) ctx_ids: BTreeMap<u32, ContextEntry>,
    pub(super) socks: Vec<SocketEntry>,
    next_ctx: u32,
}

/// The fields of one context that `sock_lk` guards.
pub(super) struct ContextEntry {
    pub(super) ctx: Arc<Context>,
    pub(super) c_ref: u32,
    pub(super) c_closed: bool,
}

/// The fields of one socket that `sock_lk` guards. Its index in [`Tables::socks`] is the socket's number.
#[derive(Default)]
pub(super) struct SocketEntry {
    pub(super) s_ref: u32,
    pub(super) s_closed: bool,
    /// Ids of the contexts that the socket has to wait for.
    pub(super) s_ctxs: Vec<u32>,
}

impl Nng {
    /// `nni_init`.
    pub fn init(variant: Variant, threads: Threads) -> Arc<Nng> {
        Nng::init_on(variant, threads, None)
    }

    /// Like [`Nng::init`], with the library's threads on `host` if there is one.
    pub(super) fn init_on(variant: Variant, threads: Threads, host: Option<Host>) -> Arc<Nng> {
        Arc::new(Nng {
            variant,
            tq: TaskQueue::start(threads.workers, host),
            eq: ExpireQueue::start(threads.timers, host),
            reaper: Reaper::start(threads.reaper, host),
            sock_lk: Mutex::named("sock_lk", Tables::default()),
            host,
            aios: AtomicU32::new(0),
        })
    }

    /// `nng_fini`: must be called after every socket is closed and every aio freed.
    pub fn fini(&self) {
        let tables = self.sock_lk.lock();
        always("ctx_ids is empty when the library ends", tables.ctx_ids.is_empty());
        always("s_ctxs is empty when the library ends", tables.socks.iter().all(|sock| sock.s_ctxs.is_empty()));
        drop(tables);
        self.reaper.fini();
        self.eq.fini();
        self.tq.fini();
    }

    /// `nng_req0_open`.
    pub fn req0_open(self: &Arc<Nng>, options: ReqOptions) -> Arc<Socket> {
        Socket::open(self, |number| Protocol::Req(Req0Sock::init(self, number, options)))
    }

    /// `nng_rep0_open`.
    pub fn rep0_open(self: &Arc<Nng>) -> Arc<Socket> {
        Socket::open(self, |number| Protocol::Rep(Rep0Sock::init(self, number)))
    }

    pub(super) fn next_aio(&self) -> u32 {
        self.aios.fetch_add(1, Ordering::Relaxed)
    }
}

impl Tables {
    /// `nni_id_alloc32` on `ctx_ids`.
    pub(super) fn insert(&mut self, ctx: impl FnOnce(u32) -> Arc<Context>) -> Arc<Context> {
        self.next_ctx += 1;
        let ctx = ctx(self.next_ctx);
        self.ctx_ids.insert(self.next_ctx, ContextEntry { ctx: Arc::clone(&ctx), c_ref: 1, c_closed: false });
        ctx
    }
}

impl_debug!(Nng { variant });
