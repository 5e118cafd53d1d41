//! Random bytes: drawn from the run's seed, so that the order of a `HashMap` is the same in every replay.

use super::{raw, result_of};
use crate::run::current;

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn getrandom(bytes: *mut u8, count: usize, flags: u32) -> isize {
    let Some(run) = current() else {
        // SAFETY: the arguments are the caller's.
        return result_of(unsafe { raw(libc::SYS_getrandom, [bytes.addr(), count, flags as usize, 0, 0, 0]) });
    };
    // SAFETY: the caller passes a place for this many bytes.
    let bytes = unsafe { std::slice::from_raw_parts_mut(bytes, count) };
    run.host(|| {
        for chunk in bytes.chunks_mut(8) {
            let drawn = run.draw().to_le_bytes();
            chunk.copy_from_slice(&drawn[..chunk.len()]);
        }
    });
    count as isize
}

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn getentropy(bytes: *mut u8, count: usize) -> i32 {
    if count > 256 {
        return super::fail(libc::EIO) as i32;
    }
    // SAFETY: the arguments are the caller's.
    if unsafe { getrandom(bytes, count, 0) } < 0 { -1 } else { 0 }
}
