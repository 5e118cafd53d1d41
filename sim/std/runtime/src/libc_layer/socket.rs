//! Calls on sockets: TCP is simulated (`net`), other kinds are the system's.

use std::ptr;

use lastref_kernel::record::{Op, OpKind};

use super::descriptor::{Use, call, open, open_pair};
use super::{fail, raw, result_of};
use crate::net::sockets::{Attempt, Target};
use crate::net::{FIRST_DESCRIPTOR, Network, address};
use crate::objects::Objects;
use crate::run::{Run, current};

/// Where a call on a descriptor goes.
pub(super) enum Place {
    /// To a socket of the run.
    Simulated(&'static Run),
    /// To the system, with this descriptor.
    Real(i32),
}

/// Where a call on this descriptor goes. A number of a simulated socket that is closed goes to the system, which
/// refuses it.
#[inline]
pub(super) fn place(descriptor: i32) -> Place {
    if descriptor < FIRST_DESCRIPTOR {
        return Place::Real(descriptor);
    }
    let Some(run) = current() else { return Place::Real(descriptor) };
    match run.host(|| run.network.borrow().target(descriptor)) {
        Some(Target::Simulated) => Place::Simulated(run),
        Some(Target::Real(real)) => Place::Real(real),
        None => Place::Real(descriptor),
    }
}

/// Whether a call may wait, and how long.
#[derive(Clone, Copy)]
enum Waits {
    No,
    /// If the socket is not in nonblocking mode; the timeout is the value of this option.
    Blocking(i32),
}

impl Run {
    /// Makes a call on a simulated socket: a scheduling point, then attempts until one does not have to wait.
    fn on_socket<R>(
        &'static self,
        descriptor: i32,
        kind: OpKind,
        waits: Waits,
        mut attempt: impl FnMut(&mut Network, u64) -> Result<R, i32>,
    ) -> Result<R, i32> {
        self.host(|| {
            let object = self.network.borrow().object(descriptor).unwrap_or(Objects::DESCRIPTORS);
            self.kernel.point(Op { kind, object, location: self.doing.get().location });
            self.advances();
            let before = self.network.borrow().state();
            let mut result = attempt(&mut self.network.borrow_mut(), self.kernel.now_ns());
            let mut state = self.network.borrow().state();
            let timeout = match waits {
                Waits::Blocking(option) if !self.network.borrow().is_nonblocking(descriptor) => Some(option),
                _ => None,
            };
            if let (Err(libc::EAGAIN), Some(option)) = (&result, timeout) {
                // A write that has filled the buffer waits, and its reader must not.
                if state != before {
                    self.wake_waiters();
                }
                let timeout_ns = self.network.borrow().timeout_ns(descriptor, option);
                let deadline_ns = timeout_ns.map(|timeout_ns| self.kernel.now_ns().saturating_add(timeout_ns));
                // The connection has an object from here on, if the call has made it.
                let object = self.network.borrow().object(descriptor).unwrap_or(object);
                self.waits_on(object, deadline_ns, || {
                    result = attempt(&mut self.network.borrow_mut(), self.kernel.now_ns());
                    state = self.network.borrow().state();
                    !matches!(result, Err(libc::EAGAIN))
                });
            }
            if state != before {
                self.wake_waiters();
            }
            result
        })
    }

    /// Adds a note to the table of a recorded run.
    fn remarks(&self, text: impl FnOnce() -> String) {
        let location = self.doing.get().location;
        self.kernel.log(|log| log.remark(text, location));
    }
}

fn number(result: Result<isize, i32>) -> isize {
    result.unwrap_or_else(fail)
}

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn socket(domain: i32, kind: i32, protocol: i32) -> i32 {
    let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    let is_tcp = matches!(domain, libc::AF_INET | libc::AF_INET6) && kind & !flags == libc::SOCK_STREAM;
    match current().filter(|_| is_tcp) {
        Some(run) => {
            run.host(|| run.network.borrow_mut().socket(domain == libc::AF_INET6, kind & libc::SOCK_NONBLOCK != 0))
        }
        // SAFETY: the caller's promise.
        None => unsafe {
            if let (Some(run), libc::AF_INET | libc::AF_INET6) = (current(), domain) {
                run.goes_outside("UDP sockets", "socket");
            }
            open(libc::SYS_socket, [domain as usize, kind as usize, protocol as usize, 0, 0, 0])
        },
    }
}

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn socketpair(domain: i32, kind: i32, protocol: i32, pair: *mut i32) -> i32 {
    let args = [domain as usize, kind as usize, protocol as usize, pair.addr(), 0, 0];
    // SAFETY: the caller's promise.
    unsafe { open_pair(libc::SYS_socketpair, args, pair) }
}

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bind(descriptor: i32, at: *const u8, size: u32) -> i32 {
    match place(descriptor) {
        Place::Simulated(run) => {
            // SAFETY: the caller's promise.
            let address = unsafe { address::read(at, size) };
            number(run.on_socket(descriptor, OpKind::Store, Waits::No, |network, _| {
                network.bind(descriptor, address?).map(|()| 0)
            })) as i32
        }
        Place::Real(real) => {
            let args = [real as usize, at.addr(), size as usize, 0, 0, 0];
            // SAFETY: the caller's promise.
            result_of(unsafe { raw(libc::SYS_bind, args) }) as i32
        }
    }
}

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn listen(descriptor: i32, backlog: i32) -> i32 {
    match place(descriptor) {
        Place::Simulated(run) => number(run.on_socket(descriptor, OpKind::Store, Waits::No, |network, _| {
            network.listen(descriptor, backlog, || run.kernel.new_object("listener")).map(|()| 0)
        })) as i32,
        Place::Real(real) => {
            let args = [real as usize, backlog as usize, 0, 0, 0, 0];
            // SAFETY: the caller's promise.
            result_of(unsafe { raw(libc::SYS_listen, args) }) as i32
        }
    }
}

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn connect(descriptor: i32, at: *const u8, size: u32) -> i32 {
    let run = match place(descriptor) {
        Place::Simulated(run) => run,
        Place::Real(real) => {
            let args = [real as usize, at.addr(), size as usize, 0, 0, 0];
            // SAFETY: the caller's promise.
            return unsafe { call(libc::SYS_connect, args, Use::Changes) } as i32;
        }
    };
    // SAFETY: the caller's promise.
    let address = match unsafe { address::read(at, size) } {
        Ok(address) => address,
        Err(error) => return fail(error) as i32,
    };
    let begun = run.on_socket(descriptor, OpKind::Store, Waits::No, |network, now_ns| {
        network.connect(descriptor, address, now_ns, || run.kernel.new_object("connection"))
    });
    match begun {
        Ok(Attempt::Begun) if run.host(|| run.network.borrow().is_nonblocking(descriptor)) => {
            fail(libc::EINPROGRESS) as i32
        }
        Ok(Attempt::Begun) => {
            let waits = Waits::Blocking(libc::SO_SNDTIMEO);
            let connected = run.on_socket(descriptor, OpKind::Load, waits, |network, _| network.connected(descriptor));
            number(connected.map(|()| 0).map_err(|error| if error == libc::EAGAIN { libc::EINPROGRESS } else { error }))
                as i32
        }
        Ok(Attempt::Outside) => {
            // SAFETY: the caller's promise.
            unsafe { connects_outside(run, descriptor, at, size) }
        }
        Err(error) => fail(error) as i32,
    }
}

/// Connects to an address outside the run, with a descriptor of the system.
///
/// # Safety
/// As for `connect`.
unsafe fn connects_outside(run: &'static Run, descriptor: i32, at: *const u8, size: u32) -> i32 {
    // SAFETY: the caller's promise.
    let address = unsafe { address::read(at, size) };
    let text = run.host(|| address.map(|address| address.to_string()).unwrap_or_default());
    run.goes_outside("other machines", &text);
    run.host(|| drop(text));
    let (is_v6, is_nonblocking) = run.host(|| {
        let network = run.network.borrow();
        (network.is_v6(descriptor), network.is_nonblocking(descriptor))
    });
    let domain = if is_v6 { libc::AF_INET6 } else { libc::AF_INET };
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | if is_nonblocking { libc::SOCK_NONBLOCK } else { 0 };
    // SAFETY: the arguments are plain; those of the connection are the caller's.
    unsafe {
        let real = open(libc::SYS_socket, [domain as usize, kind as usize, 0, 0, 0, 0]);
        if real < 0 {
            return real;
        }
        // The error is that of the connection, which the system reports on this descriptor.
        let _ = run.host(|| run.network.borrow_mut().leads_outside(descriptor, real));
        call(libc::SYS_connect, [real as usize, at.addr(), size as usize, 0, 0, 0], Use::Changes) as i32
    }
}

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn accept4(descriptor: i32, at: *mut u8, size: *mut u32, flags: i32) -> i32 {
    match place(descriptor) {
        Place::Simulated(run) => {
            let is_nonblocking = flags & libc::SOCK_NONBLOCK != 0;
            let waits = Waits::Blocking(libc::SO_RCVTIMEO);
            let accepted = run.on_socket(descriptor, OpKind::Rmw, waits, |network, _| {
                let (accepted, peer) = network.accept(descriptor, is_nonblocking)?;
                Ok((accepted, peer, network.is_v6(descriptor)))
            });
            match accepted {
                Ok((accepted, peer, is_v6)) => {
                    // SAFETY: the caller's promise.
                    unsafe { address::write(peer, is_v6, at, size) };
                    accepted
                }
                Err(error) => fail(error) as i32,
            }
        }
        Place::Real(real) => {
            let args = [real as usize, at.addr(), size.addr(), flags as usize, 0, 0];
            // SAFETY: the caller's promise.
            let accepted = unsafe { call(libc::SYS_accept4, args, Use::Reads) };
            if current().is_some() {
                super::descriptor::mark(accepted, true);
            }
            accepted as i32
        }
    }
}

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn accept(descriptor: i32, at: *mut u8, size: *mut u32) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { accept4(descriptor, at, size, 0) }
}

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn getsockname(descriptor: i32, at: *mut u8, size: *mut u32) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { name_of(libc::SYS_getsockname, descriptor, at, size, Network::local) }
}

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn getpeername(descriptor: i32, at: *mut u8, size: *mut u32) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { name_of(libc::SYS_getpeername, descriptor, at, size, Network::peer) }
}

/// # Safety
/// As for libc's.
unsafe fn name_of(
    call: i64,
    descriptor: i32,
    at: *mut u8,
    size: *mut u32,
    of: fn(&Network, i32) -> Result<std::net::SocketAddr, i32>,
) -> i32 {
    match place(descriptor) {
        Place::Simulated(run) => {
            let found = run.host(|| {
                run.advances();
                let network = run.network.borrow();
                of(&network, descriptor).map(|address| (address, network.is_v6(descriptor)))
            });
            match found {
                Ok((address, is_v6)) => {
                    // SAFETY: the caller's promise.
                    unsafe { address::write(address, is_v6, at, size) };
                    0
                }
                Err(error) => fail(error) as i32,
            }
        }
        // SAFETY: the caller's promise.
        Place::Real(real) => result_of(unsafe { raw(call, [real as usize, at.addr(), size.addr(), 0, 0, 0]) }) as i32,
    }
}

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn setsockopt(descriptor: i32, level: i32, name: i32, value: *const u8, size: u32) -> i32 {
    match place(descriptor) {
        Place::Simulated(run) => {
            // SAFETY: the caller passes this many bytes.
            let value = unsafe { std::slice::from_raw_parts(value, size as usize) };
            number(run.host(|| run.network.borrow_mut().set_option(descriptor, level, name, value)).map(|()| 0)) as i32
        }
        Place::Real(real) => {
            let args = [real as usize, level as usize, name as usize, value.addr(), size as usize, 0];
            // SAFETY: the caller's promise.
            result_of(unsafe { raw(libc::SYS_setsockopt, args) }) as i32
        }
    }
}

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn getsockopt(descriptor: i32, level: i32, name: i32, value: *mut u8, size: *mut u32) -> i32 {
    match place(descriptor) {
        Place::Simulated(run) => {
            let found = run.host(|| {
                run.advances();
                let found = run.network.borrow_mut().option(descriptor, level, name)?;
                // SAFETY: the caller passes a place of this size.
                unsafe {
                    let fits = found.len().min(size.read() as usize);
                    value.copy_from_nonoverlapping(found.as_ptr(), fits);
                    size.write(fits as u32);
                }
                Ok(0)
            });
            number(found) as i32
        }
        Place::Real(real) => {
            let args = [real as usize, level as usize, name as usize, value.addr(), size.addr(), 0];
            // SAFETY: the caller's promise.
            result_of(unsafe { raw(libc::SYS_getsockopt, args) }) as i32
        }
    }
}

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn shutdown(descriptor: i32, how: i32) -> i32 {
    match place(descriptor) {
        Place::Simulated(run) => number(run.on_socket(descriptor, OpKind::Store, Waits::No, |network, now_ns| {
            network.shutdown(descriptor, how, now_ns).map(|()| 0)
        })) as i32,
        // SAFETY: the caller's promise.
        Place::Real(real) => unsafe {
            call(libc::SYS_shutdown, [real as usize, how as usize, 0, 0, 0, 0], Use::Changes) as i32
        },
    }
}

/// Reads from a simulated socket into these places.
///
/// # Safety
/// They are valid for writes.
pub(super) unsafe fn receives(run: &'static Run, descriptor: i32, parts: &[libc::iovec], flags: i32) -> isize {
    let most = parts.iter().map(|part| part.iov_len).sum();
    let peeks = flags & libc::MSG_PEEK != 0;
    let waits = if flags & libc::MSG_DONTWAIT != 0 { Waits::No } else { Waits::Blocking(libc::SO_RCVTIMEO) };
    let read = run.on_socket(descriptor, OpKind::Load, waits, |network, _| {
        let bytes = network.read(descriptor, most, peeks)?;
        let mut left = bytes.as_slice();
        for part in parts {
            let count = left.len().min(part.iov_len);
            // SAFETY: the caller's promise.
            unsafe { part.iov_base.cast::<u8>().copy_from_nonoverlapping(left.as_ptr(), count) };
            left = &left[count..];
        }
        run.remarks(|| format!("receives {} bytes", bytes.len()));
        Ok(bytes.len() as isize)
    });
    number(read)
}

/// Writes these places to a simulated socket. A blocking write ends when everything is sent.
///
/// # Safety
/// They are valid for reads.
pub(super) unsafe fn sends(run: &'static Run, descriptor: i32, parts: &[libc::iovec], flags: i32) -> isize {
    let waits = if flags & libc::MSG_DONTWAIT != 0 { Waits::No } else { Waits::Blocking(libc::SO_SNDTIMEO) };
    let bytes = run.host(|| {
        let mut bytes = Vec::with_capacity(parts.iter().map(|part| part.iov_len).sum());
        for part in parts.iter().filter(|part| part.iov_len > 0) {
            // SAFETY: the caller's promise.
            bytes.extend_from_slice(unsafe { std::slice::from_raw_parts(part.iov_base.cast::<u8>(), part.iov_len) });
        }
        bytes
    });
    let mut sent = 0;
    let written = run.on_socket(descriptor, OpKind::Store, waits, |network, now_ns| {
        let is_blocking = flags & libc::MSG_DONTWAIT == 0 && !network.is_nonblocking(descriptor);
        loop {
            match network.write(descriptor, &bytes[sent..], now_ns) {
                Ok(count) => {
                    run.remarks(|| format!("sends {count} bytes"));
                    sent += count;
                    // A blocking write returns when everything is sent, unless the run has short writes.
                    if sent == bytes.len() || !is_blocking || network.is_short() {
                        return Ok(());
                    }
                }
                Err(libc::EAGAIN) if is_blocking => return Err(libc::EAGAIN),
                Err(_) if sent > 0 => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    });
    run.host(|| drop(bytes));
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
            unsafe { call(libc::SYS_sendto, args, Use::Writes) }
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
            // SAFETY: the caller's promise.
            unsafe { call(libc::SYS_sendmsg, [real as usize, message.addr(), flags as usize, 0, 0, 0], Use::Writes) }
        }
    }
}

/// `ioctl`: nonblocking mode, and the number of bytes that can be read. Variadic in C; see [`super::syscall`].
///
/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioctl(descriptor: i32, request: u64, argument: *mut i32) -> i32 {
    match place(descriptor) {
        Place::Simulated(run) => {
            let result = run.host(|| match request {
                // SAFETY: the caller passes a number.
                libc::FIONBIO => run.network.borrow_mut().set_nonblocking(descriptor, unsafe { argument.read() } != 0),
                libc::FIONREAD => run.network.borrow().readable(descriptor).map(|count| {
                    // SAFETY: the caller passes a place for a number.
                    unsafe { argument.write(count as i32) };
                }),
                _ => Err(libc::ENOTTY),
            });
            number(result.map(|()| 0)) as i32
        }
        Place::Real(real) => {
            // SAFETY: the caller's promise.
            result_of(unsafe { raw(libc::SYS_ioctl, [real as usize, request as usize, argument.addr(), 0, 0, 0]) })
                as i32
        }
    }
}

/// `sendfile` and `splice` are not simulated for sockets of the run: std then copies by reads and writes.
///
/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sendfile64(to: i32, from: i32, offset: *mut i64, count: usize) -> isize {
    match (place(to), place(from)) {
        (Place::Real(to), Place::Real(from)) => {
            // SAFETY: the caller's promise.
            result_of(unsafe { raw(libc::SYS_sendfile, [to as usize, from as usize, offset.addr(), count, 0, 0]) })
        }
        _ => fail(libc::EINVAL),
    }
}

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sendfile(to: i32, from: i32, offset: *mut i64, count: usize) -> isize {
    // SAFETY: the caller's promise.
    unsafe { sendfile64(to, from, offset, count) }
}
