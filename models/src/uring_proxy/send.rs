//! Sends: one at a time in each direction, and the return of their buffers to the pool.

use lastref::property::{always, sometimes};

use super::conn::{Conn, Fatal, Handled};
use super::conn_dir::count;
use super::kernel::abi::{Bid, Cqe, Errno, Fd, Iov, Op, Source, Sqe, UserOp};
use super::variant::Variant;

impl Conn {
    /// upstream: `prep_next_send`. True if a send was submitted.
    pub(super) fn prep_next_send(&mut self, dir: usize, fd: Fd) -> bool {
        if self.cd[dir].pending_send.is_pending() || self.cd[dir].out_buffers == 0 {
            return false;
        }
        if self.stopping {
            return false;
        }
        if self.options.send_ring {
            let group = self.rings.out_group(dir);
            self.submit_send(dir, fd, Source::Group { group, bundle: self.options.snd_bundle });
            return true;
        }
        let parts: Vec<Iov> = if self.options.snd_msg {
            self.cd[dir].take_all(self.owner)
        } else {
            self.cd[dir].take_one(self.owner).into_iter().collect()
        };
        if parts.is_empty() {
            return false;
        }
        sometimes("one sendmsg sends several buffers", parts.len() > 1);
        parts.iter().for_each(|part| self.lend(part, fd));
        self.cd[dir].in_flight.clone_from(&parts);
        self.submit_send(dir, fd, Source::Vectors(parts));
        true
    }

    /// upstream: `submit_send`.
    fn submit_send(&mut self, dir: usize, fd: Fd, from: Source) {
        let cd = &mut self.cd[dir];
        cd.pending_send.begin(self.owner);
        cd.snd_fd = Some(fd);
        cd.snd_notif += u32::from(self.options.snd_zc);
        let bid = cd.snd_next_bid.unwrap_or(0);
        let op = Op::Send { fd, from, waitall: true, zero_copy: self.options.snd_zc };
        let user_data = self.user_data(UserOp::Send, bid, fd);
        self.ring.push(Sqe::new(op, user_data));
    }

    /// upstream: `__handle_send`.
    pub(super) fn handle_send(&mut self, cqe: &Cqe) -> Handled {
        let fd = cqe.user_data.fd();
        let dir = self.dir_of(fd);
        let notif = cqe.has(Cqe::F_NOTIF);
        if self.options.send_ring && !cqe.has(Cqe::F_BUFFER) {
            return Err(Fatal);
        }
        if notif {
            always("a notification is counted for the direction that sent", self.cd[dir].snd_fd == Some(fd));
            self.cd[dir].snd_notif -= 1;
        } else {
            let res = cqe.res as u32;
            self.cd[dir].snd_shrt += u32::from(res < self.options.buf_size);
            count(&self.shared.cd[dir].out_bytes, res);
            count(&self.shared.cd[dir].snd, 1);
            let len: u32 = self.cd[dir].in_flight.iter().map(|part| part.len).sum();
            self.cd[dir].snd_unsent = len.saturating_sub(res);
        }
        // Deviates: a zero-copy send's buffer is replenished after its notification; upstream does so before.
        let early = self.variant == Variant::ReplenishBeforeNotif;
        if notif != early || !self.options.snd_zc {
            self.sent(dir, cqe);
        }
        if self.cd[dir].snd_unsent > 0 && !notif && self.variant != Variant::ShortSendDropsTail {
            // Deviates: with MSG_WAITALL a send is short because the connection broke. Upstream drops the rest and
            // continues, and then waits forever for the numbers of received and sent bytes to be equal.
            sometimes("a send is short", true);
            self.stop_by_itself();
        }
        if !cqe.has(Cqe::F_MORE) {
            self.cd[dir].pending_send.complete(self.owner);
            let do_recv_arm = !self.prep_next_send(dir, fd);
            let other = 1 - dir;
            if self.cd[dir].snd_notif == 0 && do_recv_arm && !self.cd[other].pending_recv.is_pending() {
                self.submit_receive(other, self.other_fd(fd));
            }
            if self.shared.pending_shutdown() {
                self.close_cd(dir);
            }
        }
        self.rearm_receives();
        self.try_disconnect();
        Ok(())
    }

    /// Returns the sent buffers to the receives (upstream: `handle_send_buf`, `handle_send_ring`, `handle_send_inc`).
    fn sent(&mut self, dir: usize, cqe: &Cqe) {
        let parts = std::mem::take(&mut self.cd[dir].in_flight);
        // Parts of one buffer in one send count as one packet in the statistics, whose array has no entry for a larger
        // count.
        let mut buffers: Vec<Bid> = parts.iter().map(|part| part.base.buffer).collect();
        buffers.dedup();
        let (nr_packets, bids): (usize, Vec<Bid>) = if self.options.send_ring {
            let (bids, unsent) = self.rings.out_take(dir, cqe.bid(), cqe.res as u32);
            sometimes("a send takes several buffers", bids.len() > 1);
            self.cd[dir].snd_unsent = unsent;
            (bids.len(), bids)
        } else if self.options.buf_ring_inc {
            let rings = &mut self.rings;
            let done = parts.iter().map(|part| part.base.buffer).filter(|bid| rings.sent_inc(*bid));
            (parts.len(), done.collect())
        } else if self.variant == Variant::BidByCount {
            let bytes = parts.iter().map(|part| part.len).sum();
            let (bids, next) = self.rings.counted(cqe.user_data.bid(), bytes);
            self.cd[dir].snd_next_bid = Some(next);
            (bids.len(), bids)
        } else {
            // Deviates: upstream derives the ids by counting from the last send's, which is right only if one direction
            // uses all buffers.
            (buffers.len(), buffers.clone())
        };
        self.rings.replenish(&bids);
        let nr_packets = nr_packets as u32;
        let counted = if self.options.buf_ring_inc { buffers.len() as u32 } else { nr_packets };
        self.cd[dir].bucket(self.owner, 1, counted);
        always("no more buffers are sent than were queued", nr_packets <= self.cd[dir].out_buffers);
        self.cd[dir].out_buffers -= nr_packets;
    }

    /// upstream: `send_error`.
    pub(super) fn send_error(&mut self, cqe: &Cqe) -> Handled {
        let dir = self.dir_of(cqe.user_data.fd());
        if !cqe.has(Cqe::F_MORE) {
            // Deviates: a zero-copy send that failed still gets its notification, and is pending until then.
            self.cd[dir].pending_send.complete(self.owner);
        }
        if cqe.failed_with(Errno::NoBufs) {
            // Deviates: a short send used up the queued buffers when the connection broke. Upstream continues.
            if self.variant != Variant::ShortSendDropsTail {
                self.stop_by_itself();
            }
            return Ok(());
        }
        self.default_error(cqe)
    }
}
