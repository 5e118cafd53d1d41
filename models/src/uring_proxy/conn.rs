//! `struct conn`: a connection with its ring and its thread, and the thread's event loop.
//!
//! ```text
//! FD_PASS ─► SOCK ─► CONNECT ─► RECV ⇄ SEND ─► (FIN) PENDING_SHUTDOWN
//!                                                    │ parent: all forwarded
//!                      DISCONNECTED ◄─ CLOSE × 2 ◄─ CANCEL × 2 ◄─ STOP
//! ```

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use lastref::ledger::Owner;
use lastref::sync::Mutex;
use lastref::sync::atomic::{AtomicU32, Ordering};
use lastref::trace::transition;

use super::conn_dir::{ConnDir, SharedDir};
use super::kernel::Uring;
use super::kernel::abi::{Cqe, Errno, Fd, ListenerId, Op, RingId, Sqe, UserData, UserOp, held_by_conn};
use super::parent::Parent;
use super::plan::Options;
use super::rings::Rings;
use super::variant::Variant;

/// `CONN_F_STARTED`
pub(super) const STARTED: u32 = 1;
/// `CONN_F_DISCONNECTING`
pub(super) const DISCONNECTING: u32 = 2;
/// `CONN_F_DISCONNECTED`
pub(super) const DISCONNECTED: u32 = 4;
/// `CONN_F_PENDING_SHUTDOWN`
pub(super) const PENDING_SHUTDOWN: u32 = 8;

/// The connection is counted in `open_conns`: a flag of the harness, for acts that stop connections.
pub(super) const OPEN: u32 = 1 << 16;

/// The state that the connection's thread and the parent share; upstream uses no lock.
pub(super) struct Shared {
    pub(super) tid: u32,
    variant: Variant,
    flags: AtomicU32,
    pub(super) cd: [SharedDir; 2],
}

impl Shared {
    pub(super) fn new(variant: Variant, tid: u32) -> Shared {
        let cd = [SharedDir::new(), SharedDir::new()];
        Shared { tid, variant, flags: AtomicU32::named("conn.flags", 0), cd }
    }

    pub(super) fn flags(&self) -> u32 {
        self.flags.load(Ordering::Acquire)
    }

    /// `flags |= …`. Returns the flags before.
    ///
    /// Deviates: upstream reads and writes in two steps, on two threads, so one thread may overwrite the other's bit.
    pub(super) fn set(&self, bits: u32) -> u32 {
        if self.variant == Variant::StopSentTwice {
            let flags = self.flags.load(Ordering::Relaxed);
            self.flags.store(flags | bits, Ordering::Relaxed);
            return flags;
        }
        self.set_by_parent(bits)
    }

    /// The parent's update, atomic in every variant: one thread that overwrites the other's bits suffices for the
    /// defect. If the parent overwrote DISCONNECTED as well, it would never join the thread, which is another finding.
    pub(super) fn set_by_parent(&self, bits: u32) -> u32 {
        self.flags.fetch_or(bits, Ordering::AcqRel)
    }

    /// upstream: `pending_shutdown`.
    ///
    /// Deviates: acquire and release, so that a thread that sees the end also sees the bytes before it.
    pub(super) fn pending_shutdown(&self) -> bool {
        self.cd.iter().any(|cd| cd.pending_shutdown.load(Ordering::Acquire))
    }
}

/// The result of a handler: an error ends the connection's thread.
pub(super) type Handled = Result<(), Fatal>;

/// `handle_cqe` returns 1.
#[derive(Debug)]
pub(super) struct Fatal;

/// `struct conn`: the part that only its thread uses.
pub(super) struct Conn {
    pub(super) variant: Variant,
    pub(super) options: Options,
    pub(super) tid: u32,
    pub(super) owner: Owner,
    pub(super) ring: Uring,
    pub(super) rings: Rings,
    pub(super) in_fd: Fd,
    pub(super) out_fd: Fd,
    /// The value of `in_fd` while it was open.
    passed_fd: Fd,
    pub(super) pending_cancels: u32,
    pub(super) cd: [ConnDir; 2],
    pub(super) shared: Arc<Shared>,
    /// The connection is stopping; only teardown requests are submitted.
    pub(super) stopping: bool,
    /// `open_conns`, under `thread_lock`.
    pub(super) open_conns: Arc<Mutex<u32>>,
    pub(super) is_open: bool,
    pub(super) is_freed: bool,
    pub(super) parent: RingId,
    pub(super) upstream: ListenerId,
}

impl Conn {
    /// The parts of `handle_accept` and `thread_main` that set a connection up.
    pub(super) fn setup(parent: &Parent, ring: Uring, shared: Arc<Shared>) -> Conn {
        let Parent { variant, options, upstream, .. } = *parent;
        let owner = held_by_conn(ring.id());
        let places = if variant == Variant::BucketOffByOne { options.nr_bufs } else { options.nr_bufs + 1 };
        let dir = |index| ConnDir::init(index, index as Fd, owner, options.ext_stat.then_some(places));
        let cd = [dir(0), dir(1)];
        let rings = Rings::setup(variant, &options, &ring);
        Conn {
            variant,
            options,
            tid: shared.tid,
            owner,
            ring,
            rings,
            in_fd: -1,
            out_fd: -1,
            passed_fd: -1,
            pending_cancels: 0,
            cd,
            shared,
            stopping: false,
            open_conns: Arc::clone(&parent.open_conns),
            is_open: false,
            is_freed: false,
            parent: parent.ring.id(),
            upstream,
        }
    }

    /// upstream: `thread_main`, after the setup.
    pub(super) fn run(mut self, ended: &AtomicBool) {
        self.shared.set(STARTED);
        self.event_loop();
        ended.store(true, std::sync::atomic::Ordering::Relaxed);
        self.ring.call(self.parent);
    }

    /// upstream: `__event_loop` with a connection.
    fn event_loop(&mut self) {
        loop {
            self.ring.submit_and_wait();
            let mut seen = 0;
            while let Some(cqe) = self.ring.peek(seen) {
                lastref::note!("conn#{}: {cqe}", self.tid);
                if self.handle_cqe(&cqe).is_err() {
                    return;
                }
                seen += 1;
            }
            self.ring.cq_advance(seen);
            if self.shared.flags() & DISCONNECTED != 0 {
                return;
            }
            self.check_buffers();
            if self.shared.pending_shutdown() {
                self.ring.call(self.parent);
            }
        }
    }

    /// Checks that every provided buffer is in the ring, queued, or in flight; incremental ones may be in several
    /// states at once.
    fn check_buffers(&self) {
        if self.options.buf_ring_inc {
            return;
        }
        let queued = self.cd[0].out_buffers + self.cd[1].out_buffers;
        lastref::property::always_with(
            "every provided buffer is accounted for",
            self.rings.in_ring() + queued == self.options.nr_bufs,
            || vec![("in the ring", self.rings.in_ring().to_string()), ("queued or in flight", queued.to_string())],
        );
    }

    /// upstream: `handle_cqe`.
    fn handle_cqe(&mut self, cqe: &Cqe) -> Handled {
        let op = cqe.user_data.op();
        if cqe.res < 0 {
            match op {
                Some(UserOp::Recv) => return self.recv_error(cqe),
                Some(UserOp::Send) => return self.send_error(cqe),
                Some(UserOp::Sock | UserOp::Connect | UserOp::FdPass | UserOp::Stop) => return self.default_error(cqe),
                _ => {}
            }
        }
        match op {
            Some(UserOp::Sock) => self.handle_sock(cqe),
            Some(UserOp::Connect) => self.handle_connect(),
            Some(UserOp::Recv) => return self.handle_recv(cqe),
            Some(UserOp::Send) => return self.handle_send(cqe),
            Some(UserOp::Cancel) => self.handle_cancel(cqe),
            Some(UserOp::Shutdown) => self.handle_shutdown(cqe),
            Some(UserOp::Close) => self.handle_close(cqe),
            Some(UserOp::FdPass) => self.handle_fd_pass(cqe),
            Some(UserOp::Stop) => self.handle_stop(),
            Some(UserOp::Nop) => {}
            Some(UserOp::Accept) | None => return Err(Fatal),
        }
        Ok(())
    }

    /// upstream: `default_error`, which ends the thread.
    ///
    /// Deviates: upstream then closes and frees nothing until the process exits, so the peers get no notice. It also
    /// does so on the -ECANCELED that its own stop causes. Here an error stops the connection, and a cancelled request
    /// of a connection that is being stopped is not an error.
    pub(super) fn default_error(&mut self, cqe: &Cqe) -> Handled {
        if self.variant == Variant::ErrorEndsThread {
            return Err(Fatal);
        }
        if !(self.stopping && cqe.failed_with(Errno::Canceled)) {
            self.stop_by_itself();
        }
        Ok(())
    }

    /// upstream: `handle_fd_pass` and `open_socket`.
    fn handle_fd_pass(&mut self, cqe: &Cqe) {
        self.in_fd = cqe.user_data.fd();
        self.passed_fd = self.in_fd;
        let user_data = self.user_data(UserOp::Sock, 0, 0);
        self.ring.push(Sqe::new(Op::Socket, user_data));
    }

    /// upstream: `handle_sock`.
    fn handle_sock(&mut self, cqe: &Cqe) {
        self.out_fd = cqe.res;
        let user_data = self.user_data(UserOp::Connect, 0, self.out_fd);
        self.ring.push(Sqe::new(Op::Connect { fd: self.out_fd, to: self.upstream }, user_data));
    }

    /// upstream: `handle_connect`.
    fn handle_connect(&mut self) {
        *self.open_conns.lock() += 1;
        self.is_open = true;
        self.shared.set(OPEN);
        transition("conn", self.tid, "connecting", "open");
        self.submit_receive(0, self.in_fd);
        if self.options.bidi {
            self.submit_receive(1, self.out_fd);
        }
        // An act that stops all connections may have waited for this one to open.
        self.ring.call(self.parent);
    }

    /// upstream: `encode_userdata`.
    pub(super) fn user_data(&self, op: UserOp, bid: u16, fd: Fd) -> UserData {
        UserData::encode(self.tid, op, bid, fd)
    }

    /// upstream: `cqe_to_conn_dir`.
    ///
    /// Deviates: upstream compares with `in_fd`, which is -1 once that descriptor is closed, while a notification of a
    /// send on it may still be due.
    pub(super) fn dir_of(&self, fd: Fd) -> usize {
        let in_fd = if self.variant == Variant::LateNotifWrongDir { self.in_fd } else { self.passed_fd };
        usize::from(fd != in_fd)
    }

    /// upstream: `other_dir_fd`.
    pub(super) fn other_fd(&self, fd: Fd) -> Fd {
        if self.in_fd == fd { self.out_fd } else { self.in_fd }
    }
}
