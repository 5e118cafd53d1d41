//! The memory that a ring's application has set aside for its provided buffers.
//!
//! The application passes addresses and never reads the bytes, so the bytes are kept here. Each buffer is one resource
//! of the ledger: its owner is a buffer ring, the connection, or a send. It passes to the connection when the kernel
//! posts the buffer's completion.

use lastref::ledger::{Owner, Resource};

use super::abi::{Address, Bid, Iov, KERNEL, Octet, RingId, held_by_conn};

/// The buffers of one ring.
pub(super) struct Memory {
    ring: RingId,
    bytes: Vec<Vec<Option<Octet>>>,
    bufs: Vec<Resource>,
}

impl Memory {
    pub(super) fn new(ring: RingId, bufs: Vec<Resource>, buf_size: u32) -> Memory {
        Memory { ring, bytes: bufs.iter().map(|_| vec![None; buf_size as usize]).collect(), bufs }
    }

    /// Copies received bytes into a buffer.
    pub(super) fn write(&mut self, at: Address, octets: &[Octet]) {
        if let Some(bytes) = self.bytes.get_mut(usize::from(at.buffer)) {
            for (place, octet) in bytes.iter_mut().skip(at.offset as usize).zip(octets) {
                *place = Some(*octet);
            }
        }
    }

    /// The bytes at an address, from `skip` on.
    pub(super) fn read(&self, iov: &Iov, skip: usize) -> impl Iterator<Item = Octet> + '_ {
        let from = iov.base.offset as usize;
        let bytes = self.bytes.get(usize::from(iov.base.buffer)).into_iter().flatten();
        bytes.skip(from).take(iov.len as usize).skip(skip).copied().flatten()
    }

    /// One byte of memory that the kernel pinned: it is read when it is transmitted.
    pub(super) fn pinned(&self, at: Address) -> Option<Octet> {
        self.bufs.get(usize::from(at.buffer))?.touch(KERNEL);
        self.bytes.get(usize::from(at.buffer))?.get(at.offset as usize).copied().flatten()
    }

    /// Transfers a buffer to another owner within the kernel.
    #[track_caller]
    pub(super) fn pass(&self, bid: Bid, from: Owner, to: Owner) {
        if let Some(buf) = self.bufs.get(usize::from(bid)) {
            buf.transfer(from, to);
        }
    }

    /// Returns a buffer to the connection, with its completion.
    #[track_caller]
    pub(super) fn give_back(&self, bid: Bid, from: Owner) {
        self.pass(bid, from, held_by_conn(self.ring));
    }
}
