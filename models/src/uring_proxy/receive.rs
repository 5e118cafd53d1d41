//! Receives: arming, completion, the end of the stream, and -ENOBUFS.

use lastref::property::{always, sometimes};
use lastref::sync::atomic::Ordering;

use super::conn::{Conn, Fatal, Handled};
use super::conn_dir::count;
use super::kernel::abi::{Cqe, Errno, Fd, Iov, Op, Sqe, UserOp};
use super::rings::IN_GROUP;
use super::variant::Variant;

impl Conn {
    /// upstream: `__submit_receive`, which asserts that no receive is pending.
    ///
    /// Deviates: a connection that is being stopped arms nothing; upstream still arms receives, after its own
    /// cancellations.
    pub(super) fn submit_receive(&mut self, dir: usize, fd: Fd) {
        if self.stopping && self.variant != Variant::ArmAfterStop {
            return;
        }
        self.cd[dir].pending_recv.begin(self.owner);
        self.cd[dir].rcv_rearm = false;
        let op = Op::Recv { fd, group: IN_GROUP, multishot: self.options.recv_mshot, bundle: self.options.rcv_bundle };
        let user_data = self.user_data(UserOp::Recv, 0, fd);
        self.ring.push(Sqe::new(op, user_data));
    }

    /// upstream: `__handle_recv`.
    pub(super) fn handle_recv(&mut self, cqe: &Cqe) -> Handled {
        let fd = cqe.user_data.fd();
        let dir = self.dir_of(fd);
        let other = 1 - dir;
        let more = cqe.has(Cqe::F_MORE);
        if !more {
            self.cd[dir].pending_recv.complete(self.owner);
        }
        if !cqe.has(Cqe::F_BUFFER) {
            if cqe.res != 0 {
                return Err(Fatal);
            }
            sometimes("a receive ends with no bytes and no buffer", true);
            self.start_close(dir, fd);
            return Ok(());
        }
        let res = cqe.res as u32;
        self.cd[dir].rcv_shrt += u32::from(res < self.options.buf_size);
        let bid = cqe.bid();
        if !self.options.bidi && !self.options.buf_ring_inc && self.cd[dir].rcv_next_bid.is_some_and(|next| next != bid)
        {
            // upstream: prints an error and closes. With one direction, buffers return in the order in which they were
            // taken.
            always("one direction's buffers arrive in order", false);
        }
        let nr_packets = self.queue(dir, cqe, res);
        self.cd[dir].bucket(self.owner, 0, nr_packets);
        self.cd[other].out_buffers += nr_packets;
        if !self.options.buf_ring_inc {
            always("no more buffers are queued than there are", self.cd[other].out_buffers <= self.options.nr_bufs);
        }
        count(&self.shared.cd[dir].rcv, 1);
        if !more && !self.cd[other].pending_send.is_pending() {
            // Otherwise the completion of the send arms the next receive. upstream: 7f008999.
            match self.variant {
                Variant::RearmCd0 => self.submit_receive(0, self.in_fd),
                _ => self.submit_receive(dir, fd),
            }
        }
        let is_idle = !self.cd[other].pending_send.is_pending();
        let is_due = is_idle && (self.options.bidi || self.cd[other].out_buffers >= self.options.nr_bufs / 2);
        if is_due || (!more && self.variant != Variant::NoSendWithoutMore) {
            self.prep_next_send(other, self.other_fd(fd));
        }
        count(&self.shared.cd[dir].in_bytes, res);
        Ok(())
    }

    /// Queues the received data for the other direction. Returns the number of packets.
    fn queue(&mut self, dir: usize, cqe: &Cqe, res: u32) -> u32 {
        let other = 1 - dir;
        if self.options.buf_ring_inc {
            let part = self.rings.recv_inc(cqe.bid(), res, cqe.has(Cqe::F_BUF_MORE));
            let nr_packets = u32::from(part.is_some());
            if let Some(part) = part {
                self.cd[other].append(self.owner, part);
            }
            return nr_packets;
        }
        let (parts, next) = self.rings.recv_bids(cqe.bid(), res);
        sometimes("a receive fills several buffers", parts.len() > 1);
        self.cd[dir].rcv_next_bid = Some(next);
        if self.options.send_ring {
            self.rings.out_add(other, &parts);
        } else {
            parts.iter().for_each(|(_, part)| self.cd[other].append(self.owner, *part));
        }
        parts.len() as u32
    }

    /// upstream: `__handle_recv`, `start_close`.
    fn start_close(&mut self, dir: usize, fd: Fd) {
        sometimes("a peer's end comes while bytes are queued", self.cd[1 - dir].out_buffers > 0);
        self.prep_next_send(1 - dir, self.other_fd(fd));
        self.close_cd(dir);
    }

    /// upstream: `recv_error`.
    pub(super) fn recv_error(&mut self, cqe: &Cqe) -> Handled {
        let fd = cqe.user_data.fd();
        let dir = self.dir_of(fd);
        self.cd[dir].pending_recv.complete(self.owner);
        if !cqe.failed_with(Errno::NoBufs) {
            return self.default_error(cqe);
        }
        self.recv_enobufs(dir, fd);
        Ok(())
    }

    /// upstream: `recv_enobufs`. The receive of this direction found no buffer. If a send of its data is in flight, or
    /// can be started, the completion of that send arms the receive again.
    ///
    /// Deviates: upstream passes the receiving direction as the sending one, with the other's descriptor, and arms
    /// direction 0. It also arms at once, and gets -ENOBUFS again until a buffer returns; here the receive waits for
    /// the buffer.
    fn recv_enobufs(&mut self, dir: usize, fd: Fd) {
        self.cd[dir].rcv_enobufs += 1;
        let wrong = self.variant == Variant::EnobufsWrongDir;
        let (sends, rearm) = if wrong { (dir, 0) } else { (1 - dir, dir) };
        let is_sending = self.cd[sends].pending_send.is_pending() || self.prep_next_send(sends, self.other_fd(fd));
        if is_sending || self.variant == Variant::NoRearmOnEnobufs {
            return;
        }
        sometimes("no send is under way that could arm a receive", true);
        if self.rings.in_ring() > 0 {
            let fd = if rearm == 0 { self.in_fd } else { self.out_fd };
            self.submit_receive(rearm, fd);
        } else {
            self.cd[rearm].rcv_rearm = true;
        }
    }

    /// Arms the receives that wait for a buffer, once one has returned.
    pub(super) fn rearm_receives(&mut self) {
        for (dir, fd) in [(0, self.in_fd), (1, self.out_fd)] {
            if self.cd[dir].rcv_rearm && self.rings.in_ring() > 0 {
                sometimes("a receive waited for a buffer to come back", true);
                self.submit_receive(dir, fd);
            }
        }
    }

    /// upstream: `close_cd`.
    pub(super) fn close_cd(&mut self, dir: usize) {
        self.shared.cd[dir].pending_shutdown.store(true, Ordering::Release);
        // Upstream's house keeping runs periodically; here the parent is woken, since it may now have to act.
        self.ring.call(self.parent);
        if self.cd[dir].pending_send.is_pending() {
            return;
        }
        if self.shared.flags() & super::conn::PENDING_SHUTDOWN == 0 {
            self.shared.set(super::conn::PENDING_SHUTDOWN);
        }
    }

    /// Passes the buffer of a part to the send.
    pub(super) fn lend(&self, part: &Iov, fd: Fd) {
        if !self.options.buf_ring_inc {
            self.rings.lend(part.base.buffer, super::kernel::abi::held_by_send(fd));
        }
    }
}
