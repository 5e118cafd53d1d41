//! Reads and writes of sockets. The bytes of a simulated one are copied between the caller's memory and the segments of
//! its connection (`net::inbox`).

use std::ptr;

use lastref_kernel::record::OpKind;

use super::descriptor::{Use, call};
use super::fail;
use super::opened::mark_remote;
use super::socket::{Place, Waits, number, place};
use crate::bytes::Bytes;
use crate::run::Run;

/// Buffers to fill one after the other.
struct Places<'a> {
    left: &'a [libc::iovec],
    /// The number of bytes already written to the first buffer.
    filled: usize,
}

impl<'a> Places<'a> {
    fn new(parts: &'a [libc::iovec]) -> Places<'a> {
        Places { left: parts, filled: 0 }
    }

    /// Fills the next buffers.
    ///
    /// # Safety
    /// The buffers are valid for writes.
    unsafe fn fill(&mut self, mut bytes: &[u8]) {
        while let ([part, rest @ ..], false) = (self.left, bytes.is_empty()) {
            let count = bytes.len().min(part.iov_len - self.filled);
            // SAFETY: the caller's promise; the bytes fit in the rest of this place.
            unsafe { part.iov_base.cast::<u8>().add(self.filled).copy_from_nonoverlapping(bytes.as_ptr(), count) };
            bytes = &bytes[count..];
            self.filled += count;
            if self.filled == part.iov_len {
                (self.left, self.filled) = (rest, 0);
            }
        }
    }
}

/// A copy of this many bytes behind the first `skipped` ones.
///
/// # Safety
/// The parts are valid for reads, and have as many bytes.
unsafe fn copied(parts: &[libc::iovec], mut skipped: usize, count: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(count);
    for part in parts {
        let first = skipped.min(part.iov_len);
        skipped -= first;
        let taken = (part.iov_len - first).min(count - bytes.len());
        if taken > 0 {
            // SAFETY: the caller's promise.
            let own = unsafe { std::slice::from_raw_parts(part.iov_base.cast::<u8>().add(first), taken) };
            bytes.extend_from_slice(own);
        }
    }
    bytes
}

/// Reads from a simulated socket into these buffers.
///
/// # Safety
/// The buffers are valid for writes.
pub(super) unsafe fn receives(run: &'static Run, descriptor: i32, parts: &[libc::iovec], flags: i32) -> isize {
    let most = parts.iter().map(|part| part.iov_len).sum();
    let peeks = flags & libc::MSG_PEEK != 0;
    let waits = if flags & libc::MSG_DONTWAIT != 0 { Waits::No } else { Waits::Blocking(libc::SO_RCVTIMEO) };
    let read = run.on_socket(descriptor, OpKind::Load, waits, |network, _| {
        let mut places = Places::new(parts);
        // SAFETY: the caller's promise.
        let count = network.reads(descriptor, most, peeks, &mut |bytes| unsafe { places.fill(bytes) })?;
        run.remarks(|| format!("receives {}", Bytes(count)));
        Ok(count as isize)
    });
    number(read)
}

/// Writes these buffers to a simulated socket. A blocking write ends when everything is sent.
///
/// # Safety
/// The buffers are valid for reads.
pub(super) unsafe fn sends(run: &'static Run, descriptor: i32, parts: &[libc::iovec], flags: i32) -> isize {
    let waits = if flags & libc::MSG_DONTWAIT != 0 { Waits::No } else { Waits::Blocking(libc::SO_SNDTIMEO) };
    let all: usize = parts.iter().map(|part| part.iov_len).sum();
    let mut sent = 0;
    let written = run.on_socket(descriptor, OpKind::Store, waits, |network, now_ns| {
        let is_blocking = flags & libc::MSG_DONTWAIT == 0 && !network.is_nonblocking(descriptor);
        loop {
            // SAFETY: the caller's promise.
            let take = |count: usize| unsafe { copied(parts, sent, count) };
            match network.writes(descriptor, all - sent, now_ns, take) {
                Ok(count) => {
                    run.remarks(|| format!("sends {}", Bytes(count)));
                    sent += count;
                    // A blocking write returns when everything is sent, unless the run has short writes.
                    if sent == all || !is_blocking || network.is_short() {
                        return Ok(());
                    }
                }
                Err(libc::EAGAIN) if is_blocking => return Err(libc::EAGAIN),
                Err(_) if sent > 0 => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    });
    match written {
        Err(error) if sent == 0 => fail(error),
        _ => sent as isize,
    }
}

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn recvfrom(
    descriptor: i32,
    bytes: *mut u8,
    count: usize,
    flags: i32,
    from: *mut u8,
    size: *mut u32,
) -> isize {
    match place(descriptor) {
        Place::Simulated(run) => {
            let part = libc::iovec { iov_base: bytes.cast(), iov_len: count };
            // SAFETY: the caller's promise.
            unsafe { receives(run, descriptor, &[part], flags) }
        }
        Place::Real(real) => {
            let args = [real as usize, bytes.addr(), count, flags as usize, from.addr(), size.addr()];
            // SAFETY: the caller's promise.
            unsafe { call(libc::SYS_recvfrom, args, Use::Reads) }
        }
    }
}

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sendto(
    descriptor: i32,
    bytes: *const u8,
    count: usize,
    flags: i32,
    to: *const u8,
    size: u32,
) -> isize {
    match place(descriptor) {
        Place::Simulated(run) => {
            let part = libc::iovec { iov_base: bytes.cast_mut().cast(), iov_len: count };
            // SAFETY: the caller's promise.
            unsafe { sends(run, descriptor, &[part], flags) }
        }
        Place::Real(real) => {
            let args = [real as usize, bytes.addr(), count, flags as usize, to.addr(), size as usize];
            // SAFETY: the caller's promise.
            unsafe {
                mark_remote(real, to, size);
                call(libc::SYS_sendto, args, Use::Writes)
            }
        }
    }
}

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn recv(descriptor: i32, bytes: *mut u8, count: usize, flags: i32) -> isize {
    // SAFETY: the caller's promise.
    unsafe { recvfrom(descriptor, bytes, count, flags, ptr::null_mut(), ptr::null_mut()) }
}

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn send(descriptor: i32, bytes: *const u8, count: usize, flags: i32) -> isize {
    // SAFETY: the caller's promise.
    unsafe { sendto(descriptor, bytes, count, flags, ptr::null(), 0) }
}

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn recvmsg(descriptor: i32, message: *mut libc::msghdr, flags: i32) -> isize {
    match place(descriptor) {
        // SAFETY: the caller passes a valid message.
        Place::Simulated(run) => unsafe {
            let message = &mut *message;
            (message.msg_namelen, message.msg_controllen, message.msg_flags) = (0, 0, 0);
            receives(run, descriptor, std::slice::from_raw_parts(message.msg_iov, message.msg_iovlen), flags)
        },
        Place::Real(real) => {
            // SAFETY: the caller's promise.
            unsafe { call(libc::SYS_recvmsg, [real as usize, message.addr(), flags as usize, 0, 0, 0], Use::Reads) }
        }
    }
}

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sendmsg(descriptor: i32, message: *const libc::msghdr, flags: i32) -> isize {
    match place(descriptor) {
        // SAFETY: the caller passes a valid message.
        Place::Simulated(run) => unsafe {
            let message = &*message;
            sends(run, descriptor, std::slice::from_raw_parts(message.msg_iov, message.msg_iovlen), flags)
        },
        Place::Real(real) => {
            // SAFETY: the caller passes a valid message.
            unsafe {
                mark_remote(real, (*message).msg_name.cast(), (*message).msg_namelen);
                call(libc::SYS_sendmsg, [real as usize, message.addr(), flags as usize, 0, 0, 0], Use::Writes)
            }
        }
    }
}
