//! The progress of a search, in a file that another process reads: a run cannot report its own hang.

use std::fs::OpenOptions;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use lastref_kernel::faults::Faults;

/// The size of the file.
const BYTES: usize = 4096;
/// Maximum length of the text of faults: the size of the file without its four words.
const TEXT_BYTES_MAX: usize = BYTES - 32;

/// Four words: the number of the run, its seed, its step, and the length of the text of its faults, which follows.
static WORDS: AtomicPtr<AtomicU64> = AtomicPtr::new(ptr::null_mut());

/// Maps the file. The error is one line.
pub(crate) fn open(path: &Path) -> Result<(), String> {
    let told = |error| format!("LASTREF_PROGRESS={}: {error}", path.display());
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(told)?;
    file.set_len(BYTES as u64).map_err(told)?;
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: the file has this size, and the mapping is never removed.
    let words = unsafe { libc::mmap(ptr::null_mut(), BYTES, protection, libc::MAP_SHARED, file.as_raw_fd(), 0) };
    if words == libc::MAP_FAILED {
        return Err(told(std::io::Error::last_os_error()));
    }
    WORDS.store(words.cast(), Ordering::Relaxed);
    Ok(())
}

fn set(nth: usize, value: u64) {
    let words = WORDS.load(Ordering::Relaxed);
    if !words.is_null() {
        // SAFETY: the mapping has 512 words, and lasts as long as the process.
        unsafe { (*words.add(nth)).store(value.to_le(), Ordering::Relaxed) };
    }
}

/// Stores the number, the seed and the faults of a run that begins.
pub(crate) fn begins(number: u64, seed: u64, faults: &Faults) {
    set(3, 0);
    if *faults != Faults::default() {
        let text = faults.to_string();
        let words = WORDS.load(Ordering::Relaxed);
        if !words.is_null() && text.len() <= TEXT_BYTES_MAX {
            // SAFETY: the text fits behind the four words.
            unsafe { words.add(4).cast::<u8>().copy_from_nonoverlapping(text.as_ptr(), text.len()) };
            set(3, text.len() as u64);
        }
    }
    set(0, number);
    set(1, seed);
    set(2, 0);
}

/// Stores the step that the run has reached.
#[inline]
pub(crate) fn steps(step: u32) {
    set(2, step.into());
}
