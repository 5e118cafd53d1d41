//! The parent: accepts connections, starts a thread for each, and does the house keeping.
//!
//! House keeping checks every connection after each wait, and upstream's waits end after a second at the latest. Here
//! the parent is woken when a connection needs a check, and by the act that ends the proxy, for which upstream needs a
//! signal.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lastref::property::always;
use lastref::sync::Mutex;
use lastref::thread::JoinHandle;

use super::conn::{Conn, DISCONNECTED, DISCONNECTING, OPEN, Shared};
use super::kernel::abi::{Cqe, Fd, ListenerId, Op, RingId, Sqe, UserData, UserOp};
use super::kernel::{Kernel, Uring};
use super::plan::Options;
use super::stop::should_shutdown;
use super::variant::Variant;

/// Requests to the parent; upstream has only signals.
#[derive(Debug, Default)]
pub(super) struct Orders {
    /// Stop every connection that is open, or will be.
    pub(super) stop_all: AtomicBool,
    /// End when every connection has ended.
    pub(super) quit: AtomicBool,
}

/// The main thread of the proxy.
pub(super) struct Parent {
    pub(super) variant: Variant,
    pub(super) options: Options,
    kernel: Arc<Kernel>,
    pub(super) ring: Uring,
    pub(super) upstream: ListenerId,
    pub(super) open_conns: Arc<Mutex<u32>>,
    conns: Vec<Child>,
    orders: Arc<Orders>,
}

/// The parent's record of `conns[i]`.
struct Child {
    shared: Arc<Shared>,
    ring: RingId,
    thread: Option<JoinHandle<()>>,
    /// The thread has left its loop, normally or by an error: harness state.
    ended: Arc<AtomicBool>,
}

impl Parent {
    /// upstream: `main` and `parent_loop`, up to the multishot accept.
    pub(super) fn new(variant: Variant, options: Options, kernel: &Arc<Kernel>, listeners: [ListenerId; 2]) -> Parent {
        let [listener, upstream] = listeners;
        // CONN_RINGS: the parent's ring is in use by one thread, and its queue is large enough for one batch.
        let mut ring = Uring::new(kernel, 128, 1024.min(options.cq_entries.max(16)));
        let user_data = UserData::encode(0, UserOp::Accept, 0, 0);
        ring.push(Sqe::new(Op::Accept { listener }, user_data));
        Parent {
            variant,
            options,
            kernel: Arc::clone(kernel),
            ring,
            upstream,
            open_conns: Arc::new(Mutex::named("thread_lock", 0)),
            conns: Vec::new(),
            orders: Arc::new(Orders::default()),
        }
    }

    /// The handle for orders, with the ring that wakes the parent.
    pub(super) fn orders(&self) -> (Arc<Orders>, RingId) {
        (Arc::clone(&self.orders), self.ring.id())
    }

    /// upstream: `__event_loop` without a connection.
    pub(super) fn run(mut self) {
        while !self.is_over() {
            self.ring.submit_and_wait();
            self.turn();
        }
        self.exit();
    }

    /// One turn without waiting, for a caller that waits elsewhere: submits, and handles completions.
    pub(super) fn turn_once(&mut self) {
        self.ring.submit();
        self.ring.take_call();
        self.turn();
    }

    /// Checks `open_conns`, then exits the ring.
    pub(super) fn exit(self) {
        let is_left = |child: &&Child| child.shared.flags() & (OPEN | DISCONNECTED) == OPEN;
        let left = self.conns.iter().filter(is_left).count();
        always(
            "a disconnected connection is no longer counted in open_conns",
            *self.open_conns.lock() as usize == left,
        );
        self.ring.exit();
    }

    fn turn(&mut self) {
        let mut seen = 0;
        while let Some(cqe) = self.ring.peek(seen) {
            if cqe.user_data.op() == Some(UserOp::Accept) && cqe.res >= 0 {
                self.handle_accept(&cqe);
            }
            seen += 1;
        }
        self.ring.cq_advance(seen);
        self.house_keeping();
    }

    /// True if the parent was asked to end, and every connection has ended.
    pub(super) fn is_over(&self) -> bool {
        self.orders.quit.load(Ordering::Relaxed) && self.conns.iter().all(|child| child.thread.is_none())
    }

    /// upstream: `handle_accept`.
    ///
    /// Deviates: the connection's ring is set up before its thread starts, instead of the barrier that waits for it.
    fn handle_accept(&mut self, cqe: &Cqe) {
        let tid = self.conns.len() as u32;
        let shared = Arc::new(Shared::new(self.variant, tid));
        let ring = Uring::new(&self.kernel, self.options.ring_size, self.options.cq_entries);
        let id = ring.id();
        let conn = Conn::setup(self, ring, Arc::clone(&shared));
        let ended = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&ended);
        let thread = self.kernel.spawn(format!("conn.{tid}"), move || conn.run(&ends));
        self.conns.push(Child { shared, ring: id, thread: Some(thread), ended });
        // The first descriptor of a new ring has index 0.
        let user_data = UserData::encode(tid, UserOp::FdPass, 0, 0);
        self.message(id, user_data, Some(cqe.res));
    }

    fn message(&mut self, ring: RingId, user_data: UserData, pass: Option<Fd>) {
        let sqe = Sqe::new(Op::MsgRing { ring, user_data, pass }, UserData::encode(0, UserOp::Nop, 0, 0));
        self.ring.push(sqe);
    }

    /// upstream: `house_keeping`.
    fn house_keeping(&mut self) {
        let stop_all = self.orders.stop_all.load(Ordering::Relaxed);
        for nth in 0..self.conns.len() {
            let child = &mut self.conns[nth];
            let flags = child.shared.flags();
            if flags & DISCONNECTED != 0 || child.ended.load(Ordering::Relaxed) {
                // upstream: pthread_join, and CONN_F_REAPED. Upstream never joins a thread that ended by an error.
                if let Some(thread) = child.thread.take() {
                    thread.join();
                }
                continue;
            }
            if flags & DISCONNECTING != 0 {
                continue;
            }
            let is_open = flags & OPEN != 0;
            if (stop_all && is_open) || should_shutdown(self.variant, &self.options, &child.shared) {
                self.close_conn(nth);
            }
        }
    }

    /// upstream: `__close_conn`.
    ///
    /// Deviates: the flag is set first, and only the thread that set it sends the stop; upstream sends the message and
    /// then sets the flag, which the connection's thread may overwrite.
    fn close_conn(&mut self, nth: usize) {
        let child = &self.conns[nth];
        let (shared, ring) = (Arc::clone(&child.shared), child.ring);
        let user_data = UserData::encode(shared.tid, UserOp::Stop, 0, 0);
        if self.variant == Variant::StopSentTwice {
            self.message(ring, user_data, None);
            self.ring.submit();
            shared.set_by_parent(DISCONNECTING);
        } else if shared.set_by_parent(DISCONNECTING) & DISCONNECTING == 0 {
            self.message(ring, user_data, None);
            self.ring.submit();
        }
    }
}
