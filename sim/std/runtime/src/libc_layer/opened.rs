//! The descriptors of the system that a run has opened. A call that may block waits in the run, and the descriptors
//! that are still open at the end of the run are closed.
//!
//! A descriptor that glibc opens or closes by itself, such as the one of `fopen`, is not noticed.

use std::cell::Cell;

use super::raw;
use crate::net::address;
use crate::run::{Run, current};

/// Only descriptors below this number are watched.
const WATCHED: usize = 4096;
const BITS: usize = 64;

type Set = Cell<[u64; WATCHED / BITS]>;

thread_local! {
    /// The descriptors that this run has opened and not closed, without files. Restored with the thread's block.
    static OPENED: Set = const { Cell::new([0; WATCHED / BITS]) };
    /// The files that this run has opened and not closed: calls on them do not wait in the run.
    static FILES: Set = const { Cell::new([0; WATCHED / BITS]) };
    /// The sockets of this run to which another machine may send.
    static REMOTE: Set = const { Cell::new([0; WATCHED / BITS]) };
}

fn has(set: &Set, descriptor: usize) -> bool {
    descriptor < WATCHED && set.get()[descriptor / BITS] & (1 << (descriptor % BITS)) != 0
}

fn put(set: &Set, descriptor: isize, is_member: bool) {
    if let Ok(descriptor) = usize::try_from(descriptor)
        && descriptor < WATCHED
    {
        let mut all = set.get();
        let bit = 1 << (descriptor % BITS);
        let word = &mut all[descriptor / BITS];
        *word = if is_member { *word | bit } else { *word & !bit };
        set.set(all);
    }
}

/// Whether calls on the descriptor wait in the run.
pub(super) fn is_opened(descriptor: usize) -> bool {
    OPENED.with(|opened| has(opened, descriptor))
}

/// Whether the run has opened the descriptor. A standard stream is the run's if the run has replaced it by `dup2`.
pub(super) fn is_of_run(descriptor: usize) -> bool {
    is_opened(descriptor) || FILES.with(|files| has(files, descriptor))
}

pub(super) fn mark(descriptor: isize, is_open: bool) {
    OPENED.with(|opened| put(opened, descriptor, is_open));
    REMOTE.with(|remote| put(remote, descriptor, false));
}

/// The socket connects or sends to this address.
///
/// # Safety
/// `at` is null or valid for `size` bytes.
pub(super) unsafe fn mark_remote(descriptor: i32, at: *const u8, size: u32) {
    if current().is_none() || at.is_null() {
        return;
    }
    // SAFETY: the caller's promise.
    if unsafe { address::read(at, size) }.is_ok_and(|address| !address::is_simulated(address)) {
        REMOTE.with(|remote| put(remote, descriptor as isize, true));
    }
}

/// Whether another machine may send to a socket of this run.
pub(super) fn has_remote() -> bool {
    REMOTE.get().iter().any(|word| *word != 0)
}

/// Marks a copy as its original is marked.
pub(super) fn copy_marks(descriptor: i32, copy: i32) {
    mark(copy as isize, is_opened(descriptor as usize));
    REMOTE.with(|remote| put(remote, copy as isize, has(remote, descriptor as usize)));
    mark_file(copy as isize, FILES.with(|files| has(files, descriptor as usize)));
}

pub(super) fn mark_file(descriptor: isize, is_open: bool) {
    FILES.with(|files| put(files, descriptor, is_open));
}

/// Closes the descriptors that the run has left open: the statics that may own them are restored without `Drop`. Called
/// by host code before the memory is restored.
pub(crate) fn close_left() {
    let (opened, files) = (OPENED.get(), FILES.get());
    let words = opened.iter().zip(&files).map(|(opened, file)| opened | file).enumerate();
    for (nth, word) in words.filter(|(_, word)| *word != 0) {
        let marked = (0..BITS).filter(|bit| word & (1 << bit) != 0).map(|bit| nth * BITS + bit);
        // The standard streams are the process's own again: see `restores_streams`.
        for descriptor in marked.filter(|descriptor| *descriptor > 2) {
            // SAFETY: the run opened it, and no code of the run executes any more.
            unsafe { raw(libc::SYS_close, [descriptor, 0, 0, 0, 0, 0]) };
        }
    }
}

/// Copies of the standard streams have numbers from here on, above those that a program sees.
const STREAM_COPIES: usize = 1_000;

impl Run {
    /// Keeps a standard stream that the run is about to replace. Called by host code.
    pub(super) fn keeps_stream(&self, descriptor: i32) {
        let Ok(nth) = usize::try_from(descriptor) else { return };
        let mut streams = self.streams.get();
        if let Some(kept @ None) = streams.get_mut(nth) {
            let args = [nth, libc::F_DUPFD_CLOEXEC as usize, STREAM_COPIES, 0, 0, 0];
            // SAFETY: the arguments are plain.
            let copy = unsafe { raw(libc::SYS_fcntl, args) };
            *kept = (copy >= 0).then_some(copy as usize);
            self.streams.set(streams);
        }
    }

    /// Restores the standard streams that the run has replaced. Called by host code.
    pub(crate) fn restores_streams(&self) {
        for (nth, copy) in self.streams.take().into_iter().enumerate() {
            let Some(copy) = copy else { continue };
            // SAFETY: the arguments are plain, and this run has opened the copy.
            unsafe {
                raw(libc::SYS_dup2, [copy, nth, 0, 0, 0, 0]);
                raw(libc::SYS_close, [copy, 0, 0, 0, 0, 0]);
            }
        }
    }
}
