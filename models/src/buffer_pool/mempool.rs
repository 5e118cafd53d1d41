//! `mempool`: buffers that are taken from pools by size and put back (v1.5.12, mempool.go and aligned_allocator.go).
//!
//! A caller holds a slice header: a backing array with a length. `Free` puts a pointer to a *fresh* header into the
//! pool, so two Frees of one array give two items that share only the array. The ledger therefore detects aliasing by
//! the array: Malloc claims it, and Free ends the claim.
//!
//! | | Malloc | Append beyond the capacity | Free |
//! | --- | --- | --- | --- |
//! | `MemPool` | any pooled array, grown if too small | Go's `append`: the old array is garbage | pooled up to `freeSize` |
//! | `Aligned` | one of the size's bucket | Malloc, copy, Free | pooled in its bucket, unless too large |
//!
//! Sizes are scaled down: a few octets here stand for kilobytes upstream.
//!
//! Left out: `Realloc`, which is deprecated and has no caller in the server. The ledger replaces upstream's debugging
//! allocator, which panics when a buffer is freed that is not from the pool.

use std::sync::Arc;

use lastref::ledger::{Owner, Resource};
use lastref::property::sometimes;
use serde::{Deserialize, Serialize};

use super::audit::{Audit, Loan};
use super::octet::Octet;
use super::sync_pool::{Pick, SyncPool};
use super::variant::Variant;
use crate::kit::harness::Unscheduled;

/// `bufSize` of the default pool: 1024 upstream.
const BUF_SIZE: usize = 4;
/// `freeSize`: 1 GB upstream by default, 64 kB by `New`.
const FREE_SIZE: usize = 24;
/// `minAlignedBufferSize`: 32 upstream.
const MIN_ALIGNED: usize = 2;
/// `alignedPoolBucketNum`: 2, 4, 8, 16 octets.
const ALIGNED_BUCKETS: usize = 4;
/// `maxAlignedBufferSize`: 64 kB upstream.
const MAX_ALIGNED: usize = MIN_ALIGNED << (ALIGNED_BUCKETS - 1);

/// Which allocator the engine uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Allocator {
    /// `mempool.New`, the default.
    MemPool,
    /// `mempool.NewAligned`.
    Aligned,
}

/// A backing array. The ledger follows its identity from owner to owner; the garbage collector owns its memory.
#[derive(Debug)]
pub(super) struct Array {
    identity: Option<Resource>,
    octets: Unscheduled<Vec<Octet>>,
    cap: usize,
}

/// A slice header. Copying it copies the pointer: it may dangle.
#[derive(Clone, Debug)]
pub struct Buffer {
    array: Arc<Array>,
    len: usize,
    loan: Loan,
    owner: Owner,
}

/// An allocator with its pools.
#[derive(Debug)]
pub struct Mempool {
    allocator: Allocator,
    audit: Audit,
    variant: Variant,
    pool: SyncPool<Arc<Array>>,
    aligned_pools: [SyncPool<Arc<Array>>; ALIGNED_BUCKETS],
}

impl Array {
    fn new(audit: Audit, cap: usize, owner: Owner) -> Arc<Array> {
        let identity = audit.buffers().then(|| Resource::acquire("backing array", owner));
        if let Some(identity) = identity {
            identity.keep("memory of Go is the garbage collector's");
        }
        Arc::new(Array { identity, octets: Unscheduled::new(vec![Octet::NOTHING; cap]), cap })
    }

    #[track_caller]
    fn claim(&self, by: Owner) {
        if let Some(identity) = self.identity {
            identity.claim(by);
        }
    }

    #[track_caller]
    fn give_up(&self, by: Owner) {
        if let Some(identity) = self.identity {
            identity.unclaim(by);
        }
    }

    fn write(&self, at: usize, data: &[Octet]) {
        let mut octets = self.octets.lock();
        octets.iter_mut().skip(at).zip(data).for_each(|(place, octet)| *place = *octet);
    }
}

impl Buffer {
    /// `len(buf)`.
    #[expect(clippy::len_without_is_empty, reason = "the model never asks whether a buffer is empty")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// `cap(buf)`.
    pub fn cap(&self) -> usize {
        self.array.cap
    }

    /// `buf[:len]`, of the same array.
    pub(super) fn resliced(mut self, len: usize) -> Buffer {
        self.len = len.min(self.cap());
        self
    }

    /// Copies at most `count` octets out of the array, from `at` on.
    #[track_caller]
    pub fn read(&self, at: usize, count: usize, by: Owner) -> Vec<Octet> {
        self.loan.touch(by);
        let octets = self.array.octets.lock();
        octets.iter().take(self.len).skip(at).take(count).copied().collect()
    }

    /// Copies octets into the array from `at` on, up to its capacity; returns the number copied.
    #[track_caller]
    pub fn write(&self, at: usize, data: &[Octet], by: Owner) -> usize {
        self.loan.touch(by);
        self.array.write(at, data);
        data.len().min(self.cap().saturating_sub(at))
    }
}

impl Mempool {
    /// An allocator whose pools are empty.
    pub fn new(allocator: Allocator, audit: Audit, variant: Variant, pick: Pick) -> Mempool {
        Mempool {
            allocator,
            audit,
            variant,
            pool: SyncPool::new("MemPool.pool", pick),
            aligned_pools: std::array::from_fn(|_| SyncPool::new("alignedPools", pick)),
        }
    }

    /// `Malloc`.
    #[track_caller]
    pub fn malloc(&self, size: usize, by: Owner) -> Buffer {
        let pooled = match self.allocator {
            Allocator::MemPool if size > FREE_SIZE => None,
            Allocator::MemPool => self.pool.get(),
            Allocator::Aligned => bucket(size).and_then(|bucket| self.aligned_pools[bucket].get()),
        };
        let array = match pooled {
            Some(array) if array.cap >= size => {
                array.claim(by);
                sometimes("a buffer is handed out again", true);
                array
            }
            // A pooled array that is too small becomes garbage; a new one replaces it.
            Some(_) => Array::new(self.audit, size, by),
            None => Array::new(self.audit, self.fresh_cap(size), by),
        };
        let loan = Loan::begin(self.audit.buffers(), "mempool buffer", by);
        Buffer { array, len: size, loan, owner: by }
    }

    /// `Malloc` with the data in it.
    #[track_caller]
    pub fn malloc_copy(&self, data: &[Octet], by: Owner) -> Buffer {
        let buffer = self.malloc(data.len(), by);
        buffer.write(0, data, by);
        buffer
    }

    /// `Append`. The caller must not use the old header again.
    #[track_caller]
    pub fn append(&self, buffer: Buffer, more: &[Octet], by: Owner) -> Buffer {
        let (len, total) = (buffer.len, buffer.len + more.len());
        if total <= buffer.cap() {
            buffer.write(len, more, by);
            return buffer.resliced(total);
        }
        let old = buffer.read(0, len, by);
        let grown = match self.allocator {
            Allocator::MemPool => {
                // Go's append: the pool still counts it as the same buffer.
                buffer.array.give_up(buffer.owner);
                let array = Array::new(self.audit, total.max(2 * buffer.cap()), by);
                Buffer { array, len: total, loan: buffer.loan, owner: by }
            }
            Allocator::Aligned => {
                let grown = self.malloc(total, by);
                sometimes("an append moves to a larger buffer", true);
                // upstream: aligned_allocator.go Append, before 2cb6cc2.
                if self.variant != Variant::AppendNoFreeOld {
                    self.free(&buffer, by);
                }
                grown
            }
        };
        grown.write(0, &old, by);
        grown.write(len, more, by);
        grown
    }

    /// `Free`. It does not check the owner.
    #[track_caller]
    pub fn free(&self, buffer: &Buffer, by: Owner) {
        buffer.loan.end(by);
        buffer.array.give_up(buffer.owner);
        let cap = buffer.cap();
        match self.allocator {
            Allocator::MemPool if cap == 0 || cap > FREE_SIZE => {}
            Allocator::MemPool => self.pool.put(Arc::clone(&buffer.array)),
            Allocator::Aligned => {
                if let Some(bucket) = bucket(cap).filter(|&bucket| MIN_ALIGNED << bucket == cap) {
                    self.aligned_pools[bucket].put(Arc::clone(&buffer.array));
                }
            }
        }
    }

    /// A garbage collection; returns the number of arrays that it removes from the pools.
    pub fn collect(&self) -> usize {
        self.aligned_pools.iter().chain([&self.pool]).map(SyncPool::collect).sum()
    }

    /// Whether some array is pooled twice.
    pub fn has_duplicates(&self) -> bool {
        self.aligned_pools.iter().chain([&self.pool]).any(|pool| {
            let items = pool.items();
            items.iter().any(|item| pool.count(|other| Arc::ptr_eq(item, other)) > 1)
        })
    }

    fn fresh_cap(&self, size: usize) -> usize {
        match self.allocator {
            Allocator::MemPool => size.max(BUF_SIZE),
            Allocator::Aligned => bucket(size).map_or(size, |bucket| MIN_ALIGNED << bucket),
        }
    }
}

/// The bucket of a size; `None` if it is too large to be pooled.
fn bucket(size: usize) -> Option<usize> {
    (size <= MAX_ALIGNED).then(|| (0..ALIGNED_BUCKETS).find(|bucket| size <= MIN_ALIGNED << bucket))?
}
