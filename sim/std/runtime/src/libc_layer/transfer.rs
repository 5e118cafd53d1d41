//! Reads and writes of sockets. The bytes of a simulated one are copied between the caller's memory and the segments of
//! its connection (`net::inbox`).

use std::ptr;

use lastref_kernel::record::OpKind;

use super::clock::REALTIME_NS;
use super::descriptor::{Use, call, socket_option, tries};
use super::opened::{mark, mark_remote};
use super::socket::{Place, Waits, notes_path, number, place};
use super::{fail, raw, result_of};
use crate::bytes::Bytes;
use crate::run::{Run, current};

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
                Err(error) if sent > 0 => {
                    // The call reports its bytes, and the next one the error.
                    network.keeps_error(descriptor, error);
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
    });
    match written {
        Err(error) if sent == 0 => fail(error),
        _ => sent as isize,
    }
}

/// How a call with these flags uses its descriptor: with `MSG_DONTWAIT` it never waits.
fn used(flags: i32, uses: Use) -> Use {
    if flags & libc::MSG_DONTWAIT != 0 { Use::Changes } else { uses }
}

/// Whether the descriptor is a stream socket, used by the code of a task.
fn is_stream(descriptor: i32) -> bool {
    match place(descriptor) {
        Place::Simulated(_) => true,
        Place::Real(real) if current().is_some() => {
            // SAFETY: the value is a number.
            unsafe { socket_option(real as usize, libc::SO_TYPE, 0_i32) == Some(libc::SOCK_STREAM) }
        }
        Place::Real(_) => false,
    }
}

/// Sends a message on a blocking Unix socket that keeps boundaries between messages. `flags` is the number of the
/// argument with the flags. The system waits while the receiver's queue is full, but reports the sender as writable
/// (`unix_dgram_poll`), so the only way to wait in the run is to try again.
///
/// # Safety
/// As for the system call.
unsafe fn sends_message(number: i64, args: [usize; 6], flags: usize) -> isize {
    let descriptor = args[0];
    let uses = used(args[flags] as i32, Use::Writes);
    if current().is_none() || uses == Use::Changes {
        // SAFETY: the caller's promise.
        return unsafe { call(number, args, uses) };
    }
    // SAFETY: the values are numbers.
    let [domain, kind] =
        [libc::SO_DOMAIN, libc::SO_TYPE].map(|name| unsafe { socket_option(descriptor, name, 0_i32) }.unwrap_or(0));
    let has_messages = domain == libc::AF_UNIX && kind != libc::SOCK_STREAM;
    if !has_messages {
        // SAFETY: the caller's promise.
        return unsafe { call(number, args, uses) };
    }
    let mut attempt = args;
    attempt[flags] |= libc::MSG_DONTWAIT as usize;
    // SAFETY: the caller's promise.
    tries(descriptor, || unsafe { raw(number, attempt) }).unwrap_or_else(|| unsafe { call(number, args, uses) })
}

/// `MSG_WAITALL`: reads until the buffer is full, or until a read fails or finds the end. The system's own call would
/// block the one OS thread of all tasks.
///
/// # Safety
/// As for [`recvfrom`].
unsafe fn receives_all(descriptor: i32, bytes: *mut u8, count: usize, flags: i32) -> isize {
    let mut got = 0;
    while got < count {
        // SAFETY: the caller passes a place for `count` bytes, of which `got` are filled.
        let read = unsafe { recv(descriptor, bytes.add(got), count - got, flags) };
        if read <= 0 {
            return if got > 0 { got as isize } else { read };
        }
        got += read as usize;
    }
    got as isize
}

/// Adapts what came with a message to the run. Descriptors are marked: calls on them wait in the run. A time of arrival
/// becomes the run's present, since the system stamps messages by its own clock.
///
/// # Safety
/// The system has filled the message.
unsafe fn adapts_headers(message: &libc::msghdr) {
    let Some(run) = current() else { return };
    let now_ns = REALTIME_NS.saturating_add(run.host(|| run.kernel.now_ns()));
    let now = libc::timespec { tv_sec: (now_ns / 1_000_000_000) as i64, tv_nsec: (now_ns % 1_000_000_000) as i64 };
    // SAFETY: the headers are those of the message, and each is followed by its data, of the type that is used.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(message);
        while let Some(part) = header.as_ref() {
            let bytes = part.cmsg_len.saturating_sub(libc::CMSG_LEN(0) as usize);
            let data = libc::CMSG_DATA(header);
            match (part.cmsg_level, part.cmsg_type) {
                (libc::SOL_SOCKET, libc::SCM_RIGHTS) => {
                    let passed = data.cast::<i32>();
                    (0..bytes / size_of::<i32>()).for_each(|nth| mark(passed.add(nth).read_unaligned() as isize, true));
                }
                (libc::SOL_SOCKET, libc::SCM_TIMESTAMP) => {
                    let now = libc::timeval { tv_sec: now.tv_sec, tv_usec: now.tv_nsec / 1_000 };
                    data.cast::<libc::timeval>().write_unaligned(now);
                }
                (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => data.cast::<libc::timespec>().write_unaligned(now),
                _ => {}
            }
            header = libc::CMSG_NXTHDR(message, header);
        }
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
    let waiting = libc::MSG_WAITALL | libc::MSG_PEEK | libc::MSG_DONTWAIT;
    if flags & waiting == libc::MSG_WAITALL && is_stream(descriptor) {
        // SAFETY: the caller's promise.
        return unsafe { receives_all(descriptor, bytes, count, flags & !libc::MSG_WAITALL) };
    }
    match place(descriptor) {
        Place::Simulated(run) => {
            let part = libc::iovec { iov_base: bytes.cast(), iov_len: count };
            // SAFETY: the caller's promise.
            unsafe { receives(run, descriptor, &[part], flags) }
        }
        Place::Real(real) => {
            let args = [real as usize, bytes.addr(), count, flags as usize, from.addr(), size.addr()];
            // SAFETY: the caller's promise.
            unsafe { call(libc::SYS_recvfrom, args, used(flags, Use::Reads)) }
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
                notes_path(to, size);
                mark_remote(real, to, size);
                sends_message(libc::SYS_sendto, args, 3)
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
            unsafe {
                let args = [real as usize, message.addr(), flags as usize, 0, 0, 0];
                let received = call(libc::SYS_recvmsg, args, used(flags, Use::Reads));
                if received >= 0 {
                    adapts_headers(&*message);
                }
                received
            }
        }
    }
}

/// Receives several messages. The timeout has no effect: Linux checks it only after a message has arrived.
///
/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn recvmmsg(
    descriptor: i32,
    messages: *mut libc::mmsghdr,
    count: u32,
    flags: i32,
    timeout: *mut libc::timespec,
) -> i32 {
    if current().is_none() {
        let args = [descriptor as usize, messages.addr(), count as usize, flags as usize, timeout.addr(), 0];
        // SAFETY: the caller's promise.
        return result_of(unsafe { raw(libc::SYS_recvmmsg, args) }) as i32;
    }
    let (mut done, mut own) = (0, flags & !libc::MSG_WAITFORONE);
    while done < count {
        // SAFETY: the caller passes this many messages.
        let received = unsafe {
            let message = &mut *messages.add(done as usize);
            let received = recvmsg(descriptor, &raw mut message.msg_hdr, own);
            message.msg_len = received.max(0) as u32;
            received
        };
        if received < 0 {
            break;
        }
        done += 1;
        if flags & libc::MSG_WAITFORONE != 0 {
            own |= libc::MSG_DONTWAIT;
        }
    }
    if done == 0 && count > 0 { -1 } else { done as i32 }
}

/// Sends several messages.
///
/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sendmmsg(descriptor: i32, messages: *mut libc::mmsghdr, count: u32, flags: i32) -> i32 {
    if current().is_none() {
        let args = [descriptor as usize, messages.addr(), count as usize, flags as usize, 0, 0];
        // SAFETY: the caller's promise.
        return result_of(unsafe { raw(libc::SYS_sendmmsg, args) }) as i32;
    }
    let mut done = 0;
    while done < count {
        // SAFETY: the caller passes this many messages.
        let sent = unsafe {
            let message = &mut *messages.add(done as usize);
            let sent = sendmsg(descriptor, &raw const message.msg_hdr, flags);
            message.msg_len = sent.max(0) as u32;
            sent
        };
        if sent < 0 {
            break;
        }
        done += 1;
    }
    if done == 0 && count > 0 { -1 } else { done as i32 }
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
                notes_path((*message).msg_name.cast(), (*message).msg_namelen);
                mark_remote(real, (*message).msg_name.cast(), (*message).msg_namelen);
                let args = [real as usize, message.addr(), flags as usize, 0, 0, 0];
                sends_message(libc::SYS_sendmsg, args, 2)
            }
        }
    }
}
