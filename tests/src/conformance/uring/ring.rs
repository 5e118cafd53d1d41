//! A ring of io_uring with two groups of provided buffers: all that is unsafe about driving the kernel.
//!
//! The rings of the groups and the buffers are one allocation, which lives longer than the ring of requests.
#![expect(unsafe_code, reason = "requests name memory by its address, and the kernel reads and writes it")]

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::io;
use std::os::fd::AsRawFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::types::{BufRingEntry, CancelBuilder, Fixed};
use io_uring::{IoUring, opcode, squeue};

use super::application::{BUF_SIZE, BUFS, Completion, Op};
use super::script::How;

/// The group of buffers for receives.
pub(super) const IN: u16 = 1;
/// The group of buffers for sends.
pub(super) const OUT: u16 = 2;

const PAGE: usize = 4096;
const SQ_ENTRIES: u32 = 16;
const CQ_ENTRIES: u32 = 256;
/// `IOU_PBUF_RING_INC`
const INC: u16 = 2;
/// `IORING_ENTER_GETEVENTS`
const GETEVENTS: u32 = 1;

/// Three pages: the ring of each group, and the buffers.
struct Memory(NonNull<u8>);

impl Memory {
    const LAYOUT: Layout = match Layout::from_size_align(3 * PAGE, PAGE) {
        Ok(layout) => layout,
        Err(_) => panic!("invariant: a page is a power of two"),
    };

    fn new() -> Memory {
        // SAFETY: the layout has a size.
        match NonNull::new(unsafe { alloc_zeroed(Memory::LAYOUT) }) {
            Some(start) => Memory(start),
            None => handle_alloc_error(Memory::LAYOUT),
        }
    }

    fn group(&self, group: u16) -> *mut BufRingEntry {
        // SAFETY: groups are 1 and 2, and the pages 0 and 1 are theirs.
        unsafe { self.0.as_ptr().add(PAGE * usize::from(group - IN)).cast() }
    }

    fn buffer(&self, bid: u16) -> *mut u8 {
        assert!(bid < BUFS, "invariant: a buffer id");
        // SAFETY: page 2 has room for all buffers.
        unsafe { self.0.as_ptr().add(2 * PAGE + usize::from(bid) * BUF_SIZE as usize) }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: it was allocated with this layout; the ring of requests is gone, see the order of `Ring`'s fields.
        unsafe { dealloc(self.0.as_ptr(), Memory::LAYOUT) }
    }
}

/// A ring of requests, with its groups and its table of direct descriptors.
pub(super) struct Ring {
    // Dropped before the memory that its requests name.
    requests: IoUring,
    memory: Memory,
}

impl Ring {
    /// A ring as the proxy sets it up, with these direct descriptors.
    pub(super) fn new(incremental: bool, files: &[&dyn AsRawFd]) -> io::Result<Ring> {
        let mut builder = IoUring::builder();
        builder.setup_single_issuer().setup_defer_taskrun().setup_cqsize(CQ_ENTRIES);
        let ring = Ring { requests: builder.build(SQ_ENTRIES)?, memory: Memory::new() };
        let submitter = ring.requests.submitter();
        let files: Vec<i32> = files.iter().map(|file| file.as_raw_fd()).collect();
        submitter.register_files(&files)?;
        for (group, flags) in [(IN, if incremental { INC } else { 0 }), (OUT, 0)] {
            let address = ring.memory.group(group) as u64;
            // SAFETY: the memory is a page of the ring's own and outlives the registration.
            unsafe { submitter.register_buf_ring_with_flags(address, BUFS, group, flags)? };
        }
        Ok(ring)
    }

    /// Provides the first `len` bytes of a buffer to a group.
    pub(super) fn add(&mut self, group: u16, bid: u16, len: u32) {
        let base = self.memory.group(group);
        // SAFETY: the group's page starts with its entries, the first of which holds the tail. The kernel reads the
        // tail with acquire, and does not write it.
        let tail = unsafe { AtomicU16::from_ptr(BufRingEntry::tail(base).cast_mut()) };
        let at = tail.load(Ordering::Relaxed);
        // SAFETY: the ring has `BUFS` entries. The kernel has given this one back: no more than `BUFS` buffers exist.
        let entry = unsafe { &mut *base.add(usize::from(at % BUFS)) };
        entry.set_addr(self.memory.buffer(bid) as u64);
        entry.set_len(len);
        entry.set_bid(bid);
        tail.store(at.wrapping_add(1), Ordering::Release);
    }

    /// Unregisters a group.
    pub(super) fn unregister(&self, group: u16) -> io::Result<()> {
        self.requests.submitter().unregister_buf_ring(group)
    }

    /// Puts a request into the submission queue.
    pub(super) fn push(&mut self, user: u64, op: &Op, is_linked: bool) -> io::Result<()> {
        let mut entry = self.entry(op).user_data(user);
        if is_linked {
            entry = entry.flags(squeue::Flags::IO_LINK);
        }
        // SAFETY: the memory that the entry names outlives the ring of requests.
        unsafe { self.requests.submission().push(&entry) }.map_err(io::Error::other)
    }

    fn entry(&self, op: &Op) -> squeue::Entry {
        let fixed = |socket: u8| Fixed(u32::from(socket));
        let all = |builder: CancelBuilder, all: bool| if all { builder.all() } else { builder };
        match *op {
            Op::Recv { socket, multishot: true, bundle: true } => {
                opcode::RecvMultiBundle::new(fixed(socket), IN).build()
            }
            Op::Recv { socket, multishot: true, bundle: false } => opcode::RecvMulti::new(fixed(socket), IN).build(),
            Op::Recv { socket, multishot: false, bundle: true } => opcode::RecvBundle::new(fixed(socket), IN).build(),
            Op::Recv { socket, multishot: false, bundle: false } => {
                let recv = opcode::Recv::new(fixed(socket), std::ptr::null_mut(), 0).buf_group(IN).build();
                recv.flags(squeue::Flags::BUFFER_SELECT)
            }
            Op::Send { socket, bid, len, how } => {
                let buffer = self.memory.buffer(bid).cast_const();
                let flags = if how == How::Waitall { libc::MSG_WAITALL } else { 0 };
                match how {
                    How::ZeroCopy => opcode::SendZc::new(fixed(socket), buffer, len).build(),
                    How::Plain | How::Waitall => opcode::Send::new(fixed(socket), buffer, len).flags(flags).build(),
                }
            }
            Op::SendGroup { socket, bundle: true } => opcode::SendBundle::new(fixed(socket), OUT).build(),
            Op::SendGroup { socket, bundle: false } => {
                let send = opcode::Send::new(fixed(socket), std::ptr::null(), 0).buf_group(OUT).build();
                send.flags(squeue::Flags::BUFFER_SELECT)
            }
            Op::CancelUser { user, all: of } => {
                opcode::AsyncCancel2::new(all(CancelBuilder::user_data(user), of)).build()
            }
            Op::CancelFd { socket, all: of } => {
                opcode::AsyncCancel2::new(all(CancelBuilder::fd(fixed(socket)), of)).build()
            }
            Op::Close(socket) => opcode::Close::new(fixed(socket)).build(),
            Op::Shutdown(socket) => opcode::Shutdown::new(fixed(socket), libc::SHUT_RDWR).build(),
        }
    }

    /// Submits what was pushed.
    pub(super) fn submit(&self) -> io::Result<()> {
        self.requests.submitter().submit().map(drop)
    }

    /// Enters the kernel without waiting, so that it runs deferred work, and returns the completions.
    pub(super) fn completions(&mut self) -> io::Result<Vec<Completion>> {
        // SAFETY: nothing is submitted, and no argument given.
        unsafe { self.requests.submitter().enter::<()>(0, 0, GETEVENTS, None)? };
        let completions = self.requests.completion().map(|entry| Completion {
            user: entry.user_data(),
            res: entry.result(),
            flags: entry.flags(),
        });
        Ok(completions.collect())
    }

    /// Cancels everything.
    pub(super) fn cancel_all(&self) -> io::Result<()> {
        match self.requests.submitter().register_sync_cancel(None, CancelBuilder::any()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}
