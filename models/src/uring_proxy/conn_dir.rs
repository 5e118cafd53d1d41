//! `struct conn_dir`: one direction of a connection, named after the descriptor that it receives from.
//!
//! Direction 0 receives from `in_fd`, direction 1 from `out_fd`. The data that direction i receives is queued in
//! direction 1 - i, and sent on the descriptor of direction 1 - i. The counters that the parent's house keeping reads
//! are in [`SharedDir`]; upstream they are plain integers that two threads use without a lock.

use lastref::ledger::{Owner, Resource, Slot};
use lastref::property::always;
use lastref::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::kernel::abi::{Bid, Fd, Iov};
use super::variant::Variant;

/// The counters of a direction that the parent's house_keeping reads.
pub(super) struct SharedDir {
    pub(super) pending_shutdown: AtomicBool,
    pub(super) rcv: AtomicU32,
    pub(super) snd: AtomicU32,
    pub(super) in_bytes: AtomicU32,
    pub(super) out_bytes: AtomicU32,
}

impl SharedDir {
    pub(super) fn new() -> SharedDir {
        SharedDir {
            pending_shutdown: AtomicBool::named("pending_shutdown", false),
            rcv: AtomicU32::named("rcv", 0),
            snd: AtomicU32::named("snd", 0),
            in_bytes: AtomicU32::named("in_bytes", 0),
            out_bytes: AtomicU32::named("out_bytes", 0),
        }
    }
}

/// Adds to a counter that one thread writes and another reads: no atomic addition, as in C.
pub(super) fn count(counter: &AtomicU32, by: u32) {
    counter.store(counter.load(Ordering::Relaxed) + by, Ordering::Relaxed);
}

/// `struct conn_dir`: the part that only the connection's thread uses.
pub(super) struct ConnDir {
    pub(super) index: usize,
    /// `pending_recv`: a receive is armed.
    pub(super) pending_recv: Slot,
    /// `pending_send`: a send is in flight.
    pub(super) pending_send: Slot,
    /// The descriptor of the last send: harness state.
    pub(super) snd_fd: Option<Fd>,
    /// Zero-copy sends whose memory may still be read.
    pub(super) snd_notif: u32,
    /// The number of buffers that are queued or in flight; the number of parts, if buffers are incremental.
    pub(super) out_buffers: u32,
    pub(super) rcv_enobufs: u32,
    pub(super) rcv_shrt: u32,
    pub(super) snd_shrt: u32,
    /// The number of bytes by which the last send was short.
    pub(super) snd_unsent: u32,
    pub(super) snd_next_bid: Option<Bid>,
    pub(super) rcv_next_bid: Option<Bid>,
    /// A receive found no buffer, and waits until one returns.
    pub(super) rcv_rearm: bool,
    /// The sent parts, until their completion.
    pub(super) in_flight: Vec<Iov>,
    /// One vector is being sent, the other is being filled.
    vecs: [MsgVec; 2],
    vec_index: usize,
    buckets: Option<[Bucket; 2]>,
}

/// `struct msg_vec`.
struct MsgVec {
    memory: Resource,
    iov: Vec<Iov>,
    vec_size: usize,
    cur_iov: usize,
}

/// Statistics: the number of packets of each receive or send.
struct Bucket {
    memory: Resource,
    places: u32,
}

impl MsgVec {
    /// upstream: `init_mvec`.
    #[track_caller]
    fn init(owner: Owner) -> MsgVec {
        MsgVec { memory: Resource::acquire("iovec", owner), iov: Vec::new(), vec_size: 1, cur_iov: 0 }
    }
}

impl ConnDir {
    /// The part of upstream's `handle_accept` that sets a direction up.
    pub(super) fn init(index: usize, fd: Fd, owner: Owner, buckets: Option<u32>) -> ConnDir {
        let dir = Owner::new("conn_dir", fd as u32);
        let bucket = |class, places| Bucket { memory: Resource::acquire(class, owner), places };
        ConnDir {
            index,
            vecs: [MsgVec::init(owner), MsgVec::init(owner)],
            vec_index: 0,
            buckets: buckets.map(|places| [bucket("rcv_bucket", places), bucket("snd_bucket", places)]),
            pending_recv: Slot::new("pending_recv", dir),
            pending_send: Slot::new("pending_send", dir),
            snd_fd: None,
            snd_notif: 0,
            out_buffers: 0,
            rcv_enobufs: 0,
            rcv_shrt: 0,
            snd_shrt: 0,
            snd_unsent: 0,
            snd_next_bid: None,
            rcv_next_bid: None,
            rcv_rearm: false,
            in_flight: Vec::new(),
        }
    }

    /// upstream: `send_append_vec`.
    pub(super) fn append(&mut self, owner: Owner, part: Iov) {
        let mvec = &mut self.vecs[self.vec_index];
        if mvec.iov.len() == mvec.vec_size {
            mvec.vec_size <<= 1;
            mvec.memory.release(owner);
            mvec.memory = Resource::acquire("iovec", owner);
        }
        mvec.memory.touch(owner);
        mvec.iov.push(part);
    }

    /// Takes all queued parts, for one sendmsg, and swaps the vectors (upstream: `prep_next_send`, `snd_msg`).
    pub(super) fn take_all(&mut self, owner: Owner) -> Vec<Iov> {
        let mvec = &mut self.vecs[self.vec_index];
        if mvec.iov.is_empty() {
            return Vec::new();
        }
        mvec.memory.touch(owner);
        self.vec_index = 1 - self.vec_index;
        std::mem::take(&mut mvec.iov)
    }

    /// Takes the next queued part; after the last one of a vector, swaps the vectors (upstream: `prep_next_send`).
    pub(super) fn take_one(&mut self, owner: Owner) -> Option<Iov> {
        let mvec = &mut self.vecs[self.vec_index];
        let part = *mvec.iov.get(mvec.cur_iov)?;
        mvec.memory.touch(owner);
        mvec.cur_iov += 1;
        if mvec.cur_iov == mvec.iov.len() {
            mvec.iov.clear();
            mvec.cur_iov = 0;
            self.vec_index = 1 - self.vec_index;
        }
        Some(part)
    }

    /// `rcv_bucket[nr_packets]++` or `snd_bucket[nr_packets]++`.
    pub(super) fn bucket(&self, owner: Owner, which: usize, nr_packets: u32) {
        if let Some(buckets) = &self.buckets {
            buckets[which].memory.touch(owner);
            always("each count of packets has its entry in the statistics", nr_packets < buckets[which].places);
        }
    }

    /// upstream: `free_msgs`, and the frees of the statistics in `handle_close`.
    #[track_caller]
    pub(super) fn free(&self, variant: Variant, owner: Owner) {
        // First, since operations that are pending in a freed direction can never complete.
        self.pending_recv.retire(owner);
        if variant == Variant::CloseBeforeNotif && self.snd_notif > 0 {
            // Abandoned. That does no harm if the kernel is done with the memory, and only the notification is
            // outstanding.
            self.pending_send.complete(owner);
        }
        self.pending_send.retire(owner);
        self.vecs.iter().for_each(|mvec| mvec.memory.release(owner));
        if variant == Variant::BucketsLeak && self.index == 1 {
            return;
        }
        self.free_buckets(owner);
    }

    /// The frees of `rcv_bucket` and `snd_bucket`, which leave the pointers as they are.
    #[track_caller]
    pub(super) fn free_buckets(&self, owner: Owner) {
        for bucket in self.buckets.iter().flatten() {
            bucket.memory.release(owner);
        }
    }
}
