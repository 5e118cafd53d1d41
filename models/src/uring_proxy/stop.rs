//! The end of a connection: stop, cancel, shut down, close, free.

use lastref::property::{always, sometimes};
use lastref::sync::atomic::Ordering;
use lastref::trace::transition;

use super::conn::{Conn, DISCONNECTED, DISCONNECTING, Shared};
use super::kernel::abi::{Cqe, Errno, Fd, Op, Sqe, Target, UserOp};
use super::plan::Options;
use super::variant::Variant;

/// upstream: `should_shutdown`, called by the parent.
///
/// Deviates: if the proxy forwards both ways, upstream compares the numbers of receives and sends. One send may forward
/// the data of several receives, or the reverse, so here bytes are compared, as upstream does for one direction.
pub(super) fn should_shutdown(variant: Variant, options: &Options, conn: &Shared) -> bool {
    if !conn.pending_shutdown() {
        return false;
    }
    let [cd0, cd1] = &conn.cd;
    let equal = |one: &lastref::sync::atomic::AtomicU32, other: &lastref::sync::atomic::AtomicU32| {
        one.load(Ordering::Relaxed) == other.load(Ordering::Relaxed)
    };
    if !options.bidi {
        return equal(&cd0.in_bytes, &cd1.out_bytes);
    }
    if variant == Variant::StopByCounts {
        return equal(&cd0.rcv, &cd1.snd) && equal(&cd1.rcv, &cd0.snd);
    }
    equal(&cd0.in_bytes, &cd1.out_bytes) && equal(&cd1.in_bytes, &cd0.out_bytes)
}

impl Conn {
    /// upstream: `handle_stop`.
    pub(super) fn handle_stop(&mut self) {
        always("a connection is stopped once", !self.stopping);
        sometimes("a stop comes while a send is in flight", self.cd.iter().any(|cd| cd.pending_send.is_pending()));
        self.queue_cancel();
    }

    /// An error stops the connection, unless the parent is already stopping it.
    pub(super) fn stop_by_itself(&mut self) {
        if self.shared.set(DISCONNECTING) & DISCONNECTING == 0 {
            sometimes("an error stops a connection", true);
            self.queue_cancel();
        }
    }

    /// upstream: `queue_cancel`.
    ///
    /// Deviates: upstream cancels only the first request that it finds on each descriptor, which may have two.
    fn queue_cancel(&mut self) {
        transition("conn", self.tid, if self.is_open { "open" } else { "connecting" }, "stopping");
        self.stopping = true;
        let all = self.variant != Variant::CancelFirstMatch;
        for fd in [self.in_fd, self.out_fd].into_iter().filter(|fd| *fd != -1) {
            let user_data = self.user_data(UserOp::Cancel, 0, fd);
            self.ring.push(Sqe::new(Op::Cancel { target: Target::Fd(fd), all }, user_data));
            self.pending_cancels += 1;
        }
        self.ring.submit();
    }

    /// upstream: `handle_cancel`. The result does not matter: a count, or, for the cancellation of one request, 0,
    /// -ENOENT or -EALREADY.
    pub(super) fn handle_cancel(&mut self, cqe: &Cqe) {
        let found_none = if self.variant == Variant::CancelFirstMatch { Errno::Noent.res() } else { 0 };
        sometimes("there is nothing to cancel", cqe.res == found_none);
        always("a cancellation completes once", self.pending_cancels > 0);
        self.pending_cancels -= 1;
        if self.pending_cancels == 0 {
            self.queue_shutdown_close(self.in_fd);
            if self.out_fd != -1 {
                self.queue_shutdown_close(self.out_fd);
            }
            self.ring.submit();
        }
    }

    /// upstream: `queue_shutdown_close`.
    fn queue_shutdown_close(&mut self, fd: Fd) {
        let mut shutdown = Sqe::new(Op::Shutdown { fd }, self.user_data(UserOp::Shutdown, 0, fd));
        shutdown.skip_success = true;
        let close = Sqe::new(Op::Close { fd }, self.user_data(UserOp::Close, 0, fd));
        self.ring.push_linked(shutdown, close);
    }

    /// upstream: `handle_shutdown`, after a failure. The close that is linked to the shutdown runs all the same, so the
    /// close that is queued here is the second one.
    pub(super) fn handle_shutdown(&mut self, cqe: &Cqe) {
        always("a shutdown that succeeds is silent", cqe.res < 0);
        sometimes("a shutdown fails", true);
        let fd = cqe.user_data.fd();
        let user_data = self.user_data(UserOp::Close, 0, fd);
        self.ring.push(Sqe::new(Op::Close { fd }, user_data));
    }

    /// upstream: `handle_close`.
    ///
    /// Deviates: upstream frees at each completion of a close that finds both descriptors closed.
    pub(super) fn handle_close(&mut self, cqe: &Cqe) {
        sometimes("a descriptor is closed a second time", cqe.failed_with(Errno::Badf));
        sometimes("a close completes after everything was freed", self.is_freed);
        if self.is_freed && self.variant == Variant::SecondCloseFrees {
            // upstream: `free_buffer_ring` and `free_mvec` clear their pointers; only the statistics are freed again.
            self.cd.iter().for_each(|cd| cd.free_buckets(self.owner));
        }
        let fd = cqe.user_data.fd();
        if fd == self.in_fd {
            self.in_fd = -1;
        } else if fd == self.out_fd {
            self.out_fd = -1;
        }
        if self.variant == Variant::EarlyDisconnected {
            // upstream: before e4562576.
            self.shared.set(DISCONNECTED);
        }
        self.try_disconnect();
    }

    /// upstream: `handle_close`, when both descriptors are closed.
    ///
    /// Deviates: upstream frees the buffers then, whether or not a zero-copy send may still read them.
    pub(super) fn try_disconnect(&mut self) {
        if !self.stopping || self.in_fd != -1 || self.out_fd != -1 || self.is_freed {
            return;
        }
        let unsent = self.cd.iter().any(|cd| cd.snd_notif > 0);
        sometimes("a notification is due after the close", unsent);
        if unsent && self.variant != Variant::CloseBeforeNotif {
            return;
        }
        if self.is_open {
            *self.open_conns.lock() -= 1;
        }
        self.is_freed = true;
        let pending = self.cd.iter().any(|cd| cd.pending_recv.is_pending() || cd.pending_send.is_pending());
        always("no request is pending when a connection is freed", !pending || unsent);
        self.cd.iter().for_each(|cd| cd.free(self.variant, self.owner));
        self.rings.free(&self.ring);
        transition("conn", self.tid, "stopping", "disconnected");
        self.shared.set(DISCONNECTED);
    }
}
