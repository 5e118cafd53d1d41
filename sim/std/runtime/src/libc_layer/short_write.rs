//! Blocking writes to streams of the system: each writes at most the number of bytes that certainly fits.
//!
//! A stream that is ready has space for some bytes. The system's own blocking write would wait for space for the rest,
//! which only another task of the same OS thread could free. A write to a stream may accept fewer bytes than requested,
//! so it is cut, and the caller writes the rest in another call.

use std::ptr;

use super::descriptor::{blocks, socket_option};
use super::outside::is_pipe;
use super::raw;

/// A stream that is ready for writing accepts this many bytes: POSIX guarantees it for a pipe, and the buffer of a
/// socket has more space.
const BYTES_MAX: usize = libc::PIPE_BUF;

/// Performs a write on a descriptor that is ready. A blocking write to a stream is cut.
///
/// # Safety
/// As for the system call.
pub(super) unsafe fn write(number: i64, mut args: [usize; 6]) -> isize {
    let at = args[1];
    // SAFETY: the caller's promise: a cut call refers to a part of the same bytes.
    unsafe {
        match number {
            libc::SYS_write | libc::SYS_sendto if args[2] > BYTES_MAX && is_cut(args[0]) => {
                args[2] = BYTES_MAX;
                raw(number, args)
            }
            libc::SYS_writev => match cut(args[0], ptr::with_exposed_provenance(at), args[2]) {
                Some(parts) => raw(number, [args[0], parts.as_ptr().expose_provenance(), parts.len(), 0, 0, 0]),
                None => raw(number, args),
            },
            libc::SYS_sendmsg if at != 0 => {
                let mut message = ptr::with_exposed_provenance::<libc::msghdr>(at).read();
                let Some(mut parts) = cut(args[0], message.msg_iov, message.msg_iovlen) else {
                    return raw(number, args);
                };
                (message.msg_iov, message.msg_iovlen) = (parts.as_mut_ptr(), parts.len());
                args[1] = (&raw const message).expose_provenance();
                raw(number, args)
            }
            _ => raw(number, args),
        }
    }
}

/// The first bytes of these parts, if there are more of them than a write may take; `None` if the call is not cut.
///
/// # Safety
/// As for the parts of `writev`.
unsafe fn cut(descriptor: usize, parts: *const libc::iovec, count: usize) -> Option<Vec<libc::iovec>> {
    // The system refuses any other number.
    let is_valid = !parts.is_null() && (1..=libc::UIO_MAXIOV as usize).contains(&count);
    if !is_valid {
        return None;
    }
    // SAFETY: the caller's promise.
    let parts = unsafe { std::slice::from_raw_parts(parts, count) };
    let all = parts.iter().fold(0, |all: usize, part| all.saturating_add(part.iov_len));
    if all <= BYTES_MAX || !is_cut(descriptor) {
        return None;
    }
    let mut left = BYTES_MAX;
    let first = |part: &libc::iovec| {
        let count = part.iov_len.min(left);
        left -= count;
        libc::iovec { iov_base: part.iov_base, iov_len: count }
    };
    Some(parts.iter().map(first).collect())
}

/// Whether a write is cut: the descriptor blocks, and is a pipe or a socket that keeps no boundaries between writes.
fn is_cut(descriptor: usize) -> bool {
    // SAFETY: the value is a number.
    let kind = || unsafe { socket_option(descriptor, libc::SO_TYPE, 0_i32) };
    blocks(descriptor) && (is_pipe(descriptor) || kind() == Some(libc::SOCK_STREAM))
}
