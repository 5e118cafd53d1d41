//! The buffer rings of a connection: `in_br`, which both directions receive into, and `out_br`, which sends take from.
//!
//! Each buffer has one owner at a time:
//!
//! ```text
//! in_br ──receive completes──► connection ──appended──► vector, or out_br ──send──► in flight
//!   ▲                                                                                  │
//!   └───────────────────────────── replenished ◄──send completes (zero copy: notified)──┘
//! ```
//!
//! Deviates: three repairs are here. Upstream uses a buffer's id as its index in `in_br`. That is right only while
//! buffers return in the order in which they were taken, so not for long with two directions ([`Variant::SlotByBid`]).
//! It has one `out_br` for both directions, so the next send of either direction sends its bytes
//! ([`Variant::SharedOutRing`]). And it forwards incremental buffers only when they are full
//! ([`Variant::IncWholeBuffer`]).

use lastref::ledger::{Owner, Resource};
use lastref::property::always;

use super::kernel::abi::{Address, Bid, GroupId, Iov, held_by_conn, held_by_group};
use super::kernel::{Buf, BufRing, Uring};
use super::plan::Options;
use super::variant::Variant;

/// `cur_bgid` of a connection's rings: group ids are local to a ring, so each connection counts from 1.
pub(super) const IN_GROUP: GroupId = 1;

/// `in_br` and `out_br`.
pub(super) struct Rings {
    variant: Variant,
    owner: Owner,
    nr_bufs: u32,
    buf_size: u32,
    in_br: BufRing,
    /// The number of `in_br` entries that the kernel has taken, according to the completions: the ring position of the
    /// next one, which a completion does not report (io_uring_prep_recv(3)).
    in_head: u32,
    bufs: Vec<Resource>,
    out_br: Vec<OutRing>,
    /// Incremental: per buffer, how much is filled, how many parts are not sent yet, and whether the kernel is done
    /// with it.
    parts: Vec<Part>,
}

/// `out_br`, of one direction.
struct OutRing {
    br: BufRing,
    group: GroupId,
    head: u32,
}

#[derive(Clone, Copy, Default)]
struct Part {
    filled: u32,
    unsent: u32,
    full: bool,
}

impl Rings {
    /// upstream: `setup_buffer_rings`.
    pub(super) fn setup(variant: Variant, options: &Options, uring: &Uring) -> Rings {
        let Options { nr_bufs, buf_size, .. } = *options;
        let owner = held_by_conn(uring.id());
        let mut in_br = uring.setup_buf_ring(IN_GROUP, nr_bufs, options.buf_ring_inc, owner);
        let holder = held_by_group(IN_GROUP);
        let bufs: Vec<Resource> = (0..nr_bufs).map(|_| Resource::acquire("buf", holder)).collect();
        uring.set_memory(bufs.clone(), buf_size);
        for bid in 0..nr_bufs {
            in_br.add(owner, whole(bid as Bid, buf_size), bid);
        }
        in_br.advance(nr_bufs);
        let groups = if options.send_ring { [IN_GROUP + 1, IN_GROUP + 2].as_slice() } else { &[] };
        let out_br = groups.iter().map(|group| {
            let br = uring.setup_buf_ring(*group, nr_bufs, false, owner);
            OutRing { br, group: *group, head: 0 }
        });
        Rings {
            variant,
            owner,
            nr_bufs,
            buf_size,
            in_br,
            in_head: 0,
            bufs,
            out_br: out_br.collect(),
            parts: vec![Part::default(); nr_bufs as usize],
        }
    }

    /// The group that a direction sends from.
    pub(super) fn out_group(&self, dir: usize) -> GroupId {
        self.out_br[self.out_index(dir)].group
    }

    fn out_index(&self, dir: usize) -> usize {
        if self.variant == Variant::SharedOutRing { 0 } else { dir }
    }

    /// The number of buffers in `in_br`, according to the completions.
    pub(super) fn in_ring(&self) -> u32 {
        self.in_br.tail().wrapping_sub(self.in_head)
    }

    fn next(&self, bid: Bid) -> Bid {
        ((u32::from(bid) + 1) % self.nr_bufs) as Bid
    }

    /// upstream: `recv_bids`. Returns the parts that received `in_bytes`, from buffer `bid` on, and the id after the
    /// last.
    pub(super) fn recv_bids(&mut self, bid: Bid, in_bytes: u32) -> (Vec<(Bid, Iov)>, Bid) {
        let (mut left, mut bid, mut parts) = (in_bytes, bid, Vec::new());
        while left > 0 {
            let slot = if self.variant == Variant::SlotByBid { u32::from(bid) } else { self.in_head };
            let buf = self.in_br.at(self.owner, slot);
            if self.variant != Variant::SlotByBid {
                let starts_well = !parts.is_empty() || buf.bid == bid;
                always("a receive takes the buffers at the head of their ring", starts_well);
                bid = buf.bid;
            }
            always("a buffer is sent from where it was filled", buf.addr.buffer == bid);
            let len = buf.len.min(left);
            parts.push((bid, Iov { base: buf.addr, len }));
            left -= len;
            self.in_head = self.in_head.wrapping_add(1);
            bid = self.next(bid);
        }
        (parts, bid)
    }

    /// Incremental: returns the part that this completion added to its buffer; upstream's `recv_inc` waits until the
    /// buffer is full.
    pub(super) fn recv_inc(&mut self, bid: Bid, res: u32, more: bool) -> Option<Iov> {
        let more = more && self.variant != Variant::IncIgnoresBufMore;
        if !more {
            self.in_head = self.in_head.wrapping_add(1);
            // The kernel no longer writes into the buffer.
            self.bufs[usize::from(bid)].access(self.owner);
        }
        let part = &mut self.parts[usize::from(bid)];
        let from = part.filled;
        part.filled += res;
        part.full = !more;
        if self.variant == Variant::IncWholeBuffer {
            if more {
                return None;
            }
            part.unsent = 1;
            return Some(Iov { base: Address { buffer: bid, offset: 0 }, len: self.buf_size });
        }
        part.unsent += 1;
        Some(Iov { base: Address { buffer: bid, offset: from }, len: res })
    }

    /// Incremental: records that a part was sent. True if its buffer can be replenished.
    pub(super) fn sent_inc(&mut self, bid: Bid) -> bool {
        let part = &mut self.parts[usize::from(bid)];
        part.unsent -= 1;
        let done = part.full && part.unsent == 0;
        if done {
            *part = Part::default();
        }
        done
    }

    /// upstream: `send_append` and `recv_bids`, with a send ring: queues the received parts in `out_br`.
    pub(super) fn out_add(&mut self, dir: usize, parts: &[(Bid, Iov)]) {
        let index = self.out_index(dir);
        let out = &mut self.out_br[index];
        for ((bid, part), offset) in parts.iter().zip(0_u32..) {
            self.bufs[usize::from(*bid)].transfer(self.owner, held_by_group(out.group));
            out.br.add(self.owner, Buf { addr: part.base, len: part.len, bid: *bid }, offset);
        }
        out.br.advance(parts.len() as u32);
    }

    /// Takes the buffers of a send of `bytes` bytes off the head of `out_br`, `bid` first. Returns them, and the number
    /// of unsent bytes of the last one.
    pub(super) fn out_take(&mut self, dir: usize, bid: Bid, bytes: u32) -> (Vec<Bid>, u32) {
        let index = self.out_index(dir);
        let (owner, mut left, mut bids, mut unsent) = (self.owner, bytes, Vec::new(), 0);
        let out = &mut self.out_br[index];
        while left > 0 {
            let buf = out.br.at(owner, out.head);
            always("a send takes the buffers at the head of their ring", !bids.is_empty() || buf.bid == bid);
            out.head = out.head.wrapping_add(1);
            unsent = buf.len.saturating_sub(left);
            left -= buf.len.min(left);
            bids.push(buf.bid);
        }
        (bids, unsent)
    }

    /// Passes a buffer to a send, before the send starts.
    #[track_caller]
    pub(super) fn lend(&self, bid: Bid, to: Owner) {
        self.bufs[usize::from(bid)].transfer(self.owner, to);
    }

    /// upstream: `replenish_buffer` for each, then one advance.
    pub(super) fn replenish(&mut self, bids: &[Bid]) {
        for (bid, offset) in bids.iter().zip(0_u32..) {
            self.bufs[usize::from(*bid)].transfer(self.owner, held_by_group(IN_GROUP));
            self.in_br.add(self.owner, whole(*bid, self.buf_size), offset);
        }
        self.in_br.advance(bids.len() as u32);
    }

    /// upstream: the counting of `handle_send_buf`, which assumes as many buffers from `bid` on as the bytes may have
    /// filled.
    pub(super) fn counted(&self, bid: Bid, bytes: u32) -> (Vec<Bid>, Bid) {
        let (mut left, mut bid, mut bids) = (bytes, bid, Vec::new());
        while left > 0 {
            let buf = self.in_br.at(self.owner, u32::from(bid));
            left -= buf.len.min(left);
            bids.push(bid);
            bid = self.next(bid);
        }
        (bids, bid)
    }

    /// upstream: `free_buffer_rings`.
    pub(super) fn free(&self, uring: &Uring) {
        uring.unregister_buf_ring(IN_GROUP);
        self.in_br.free(self.owner);
        for out in &self.out_br {
            uring.unregister_buf_ring(out.group);
            out.br.free(self.owner);
        }
        self.bufs.iter().for_each(|buf| buf.release(self.owner));
    }
}

/// The entry that provides a whole buffer.
fn whole(bid: Bid, buf_size: u32) -> Buf {
    Buf { addr: Address { buffer: bid, offset: 0 }, len: buf_size, bid }
}
