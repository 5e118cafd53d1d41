//! The lock of std's backtraces.
//!
//! std captures and resolves one backtrace at a time, under a lock that is not reentrant. The ledger captures a stack
//! for each allocation in the recorded run of a finding. If std allocates under that lock, because the program captures
//! a backtrace or an allocation has failed, another capture would wait forever. std does not publish the lock, so the
//! runtime looks for its word: the one that is 0 before a capture, 1 during an allocation in it, and 0 afterwards.

use std::backtrace::Backtrace;
use std::cell::Cell;
use std::ptr;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::memory::{range_of_thread, ranges_of_program};

/// The address of the lock's word; 0 if it was not found.
static WORD: AtomicUsize = AtomicUsize::new(0);

/// Whether a thread is looking for the word.
static IS_PROBING: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// The probe of this thread; null while it does not look for the word.
    static PROBE: Cell<*mut Probe> = const { Cell::new(ptr::null_mut()) };
}

/// More words than this change for another reason, and the lock is not found.
const CANDIDATES_MAX: usize = 4_096;

/// The words of the program's data before a capture, and those that a capture changes from 0 to 1.
struct Probe {
    before: Vec<(usize, Vec<u32>)>,
    /// Has its full capacity from the start, since it grows within an allocation.
    candidates: Vec<usize>,
}

/// Whether a task or the runtime holds the lock.
pub(crate) fn is_held() -> bool {
    let word = WORD.load(Ordering::Relaxed);
    word != 0 && read(word) != 0
}

/// Looks for the lock, once in a process.
pub(crate) fn find() {
    static FOUND: Once = Once::new();
    FOUND.call_once(|| {
        let (first, second) = (candidates(), candidates());
        let mut both = first.into_iter().filter(|word| second.contains(word));
        if let (Some(word), None) = (both.next(), both.next()) {
            WORD.store(word, Ordering::Relaxed);
        } else {
            eprintln!("lastref: the lock of std's backtraces was not found; a test that captures a backtrace may hang");
        }
    });
}

/// Called by the allocator for each allocation outside of a run.
#[inline]
pub(crate) fn allocates() {
    if IS_PROBING.load(Ordering::Relaxed) {
        look();
    }
}

#[cold]
fn look() {
    // A thread that ends has no probe any more.
    let probe = PROBE.try_with(|probe| probe.replace(ptr::null_mut())).unwrap_or(ptr::null_mut());
    // SAFETY: the pointer is null, or that of the probe in `candidates`, which waits for the capture on this thread.
    let Some(probe) = (unsafe { probe.as_mut() }) else { return };
    for (start, words) in &probe.before {
        for (address, before) in (*start..).step_by(4).zip(words) {
            if *before == 0 && probe.candidates.len() < CANDIDATES_MAX && read(address) == 1 {
                probe.candidates.push(address);
            }
        }
    }
}

/// The words that are 0, 1 and 0 before, during and after a capture.
fn candidates() -> Vec<usize> {
    // Set before the first reading and until after the last, so that it is not a candidate itself.
    IS_PROBING.store(true, Ordering::Relaxed);
    let own = range_of_thread();
    let ranges = ranges_of_program().into_iter().filter(|range| *range != own);
    let before = ranges.map(|(start, end)| {
        let start = start.next_multiple_of(4);
        (start, (start..end & !3).step_by(4).map(read).collect())
    });
    let mut probe = Probe { before: before.collect(), candidates: Vec::with_capacity(CANDIDATES_MAX) };
    PROBE.set(&raw mut probe);
    drop(Backtrace::force_capture());
    PROBE.set(ptr::null_mut());
    probe.candidates.retain(|address| read(*address) == 0);
    IS_PROBING.store(false, Ordering::Relaxed);
    probe.candidates
}

fn read(address: usize) -> u32 {
    // SAFETY: the address is that of an aligned word in the writable data of the program, which is never unmapped.
    unsafe { ptr::with_exposed_provenance::<u32>(address).read_volatile() }
}
