//! A ring of provided buffers: memory that application and kernel share.
//!
//! The application writes entries behind the tail and publishes them with one release store of the tail; from then on
//! the kernel owns the buffers. It reads the tail with acquire, and its head is private (io_uring_provided_buffers(7),
//! io_uring_buf_ring_add(3), io_uring_buf_ring_advance(3)). The kernel does not check that an id is in the ring only
//! once: that is the application's duty, and here the ledger checks it.
//!
//! Tail and head are running counts; the index in the ring is the count modulo the ring's size.

use std::sync::Arc;

use lastref::cell::RaceCell;
use lastref::ledger::{Owner, Resource};
use lastref::sync::atomic::{AtomicU32, Ordering};

use super::abi::{Address, Bid, GroupId, KERNEL};
use crate::kit::harness::impl_debug;

/// `struct io_uring_buf`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buf {
    /// The address of the memory, which is independent of the id.
    pub addr: Address,
    /// The length in bytes.
    pub len: u32,
    /// The id.
    pub bid: Bid,
}

const NO_BUF: Buf = Buf { addr: Address { buffer: 0, offset: 0 }, len: 0, bid: 0 };

/// `struct io_uring_buf_ring`, the application's half.
pub struct BufRing {
    shared: Arc<Shared>,
    /// The application's copy of the tail, which only the application writes.
    tail: u32,
}

pub(super) struct Shared {
    memory: Resource,
    tail: AtomicU32,
    bufs: Box<[RaceCell<Buf>]>,
}

impl BufRing {
    /// `io_uring_setup_buf_ring`, the application's half.
    #[track_caller]
    pub(super) fn new(entries: u32, owner: Owner) -> BufRing {
        let bufs = (0..entries).map(|_| RaceCell::named("io_uring_buf", NO_BUF)).collect();
        let memory = Resource::acquire("conn_buf_ring", owner);
        BufRing { shared: Arc::new(Shared { memory, tail: AtomicU32::named("br.tail", 0), bufs }), tail: 0 }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// `io_uring_buf_ring_add`: writes an entry `offset` positions after the tail, without publishing it.
    #[track_caller]
    pub fn add(&self, by: Owner, buf: Buf, offset: u32) {
        self.shared.memory.touch(by);
        self.shared.place(self.tail.wrapping_add(offset)).set(buf);
    }

    /// `io_uring_buf_ring_advance`: publishes this many entries.
    pub fn advance(&mut self, count: u32) {
        self.tail = self.tail.wrapping_add(count);
        self.shared.tail.store(self.tail, Ordering::Release);
    }

    /// The entry at this position, counted from the first entry ever added.
    #[track_caller]
    pub fn at(&self, by: Owner, position: u32) -> Buf {
        self.shared.memory.touch(by);
        self.shared.place(position).get()
    }

    /// The number of entries ever added.
    pub fn tail(&self) -> u32 {
        self.tail
    }

    /// Frees the memory, which neither kernel nor application may use afterwards.
    #[track_caller]
    pub fn free(&self, by: Owner) {
        self.shared.memory.release(by);
    }
}

impl_debug!(BufRing { tail });

impl Shared {
    fn place(&self, position: u32) -> &RaceCell<Buf> {
        &self.bufs[position as usize % self.bufs.len()]
    }
}

/// A registered group: the kernel's half.
pub(super) struct Group {
    pub(super) id: GroupId,
    shared: Arc<Shared>,
    head: u32,
    /// `IOU_PBUF_RING_INC`.
    pub(super) incremental: bool,
}

impl Group {
    pub(super) fn new(id: GroupId, shared: Arc<Shared>, incremental: bool) -> Group {
        Group { id, shared, head: 0, incremental }
    }

    /// The number of available buffers.
    pub(super) fn available(&self) -> u32 {
        self.shared.memory.touch(KERNEL);
        self.shared.tail.load(Ordering::Acquire).wrapping_sub(self.head)
    }

    /// The buffer `nth` positions after the head, which must be available.
    pub(super) fn peek(&self, nth: u32) -> Buf {
        self.shared.place(self.head.wrapping_add(nth)).get()
    }

    /// Takes buffers off the head.
    pub(super) fn consume(&mut self, count: u32) {
        self.head = self.head.wrapping_add(count);
    }

    /// Incremental: writes the unused rest of the buffer into the entry at the head.
    pub(super) fn shorten(&self, buf: Buf) {
        self.shared.place(self.head).set(buf);
    }
}
