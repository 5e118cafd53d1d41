//! Calls on sockets: TCP is simulated (`net`), other kinds are the system's.

use std::panic::Location;

use lastref_kernel::record::{Op, OpKind};

use super::descriptor::{Use, call, open, open_pair, socket_option, tries};
use super::names::notes_file;
use super::opened::{is_opened, mark, mark_remote};
use super::outside::has_children;
use super::{fail, raw, result_of};
use crate::net::sockets::{Attempt, Target};
use crate::net::{FIRST_DESCRIPTOR, Network, address};
use crate::objects::Objects;
use crate::run::{Run, current};

/// The destination of a call on a descriptor.
pub(super) enum Place {
    /// To a socket of the run.
    Simulated(&'static Run),
    /// To the system, with this descriptor.
    Real(i32),
}

/// The destination of a call on this descriptor. A call on a closed descriptor of a simulated socket goes to the
/// system, which refuses it.
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

/// Whether a call may wait, and for how long.
#[derive(Clone, Copy)]
pub(super) enum Waits {
    No,
    /// If the socket is not in nonblocking mode; the timeout is the value of this option.
    Blocking(i32),
}

impl Run {
    /// Performs a call on a simulated socket: a scheduling point, then attempts until one need not wait.
    pub(super) fn on_socket<R>(
        &'static self,
        descriptor: i32,
        kind: OpKind,
        waits: Waits,
        mut attempt: impl FnMut(&mut Network, u64) -> Result<R, i32>,
    ) -> Result<R, i32> {
        self.host(|| {
            let object = self.network.borrow().object(descriptor).unwrap_or(Objects::DESCRIPTORS);
            self.note_call();
            self.kernel.point(Op { kind, object, location: Location::caller() });
            self.advances();
            let before = self.network.borrow().state();
            let mut result = attempt(&mut self.network.borrow_mut(), self.kernel.now_ns());
            let mut state = self.network.borrow().state();
            let timeout = match waits {
                Waits::Blocking(option) if !self.network.borrow().is_nonblocking(descriptor) => Some(option),
                _ => None,
            };
            if let (Err(libc::EAGAIN), Some(option)) = (&result, timeout) {
                // The attempt may have changed the network, for example filled the buffer: the peer must wake before
                // this call waits.
                if state != before {
                    self.wake_waiters();
                }
                let timeout_ns = self.network.borrow().timeout_ns(descriptor, option);
                let deadline_ns = timeout_ns.map(|timeout_ns| self.kernel.now_ns().saturating_add(timeout_ns));
                // If this call created the connection, the object exists only from here on.
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
    pub(super) fn remarks(&self, text: impl FnOnce() -> String) {
        self.kernel.log(|log| log.remark(text, Location::caller()));
    }
}

pub(super) fn number(result: Result<isize, i32>) -> isize {
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
            let (is_nonblocking, is_inherited) = (kind & libc::SOCK_NONBLOCK != 0, kind & libc::SOCK_CLOEXEC == 0);
            run.host(|| {
                let mut network = run.network.borrow_mut();
                let descriptor = network.socket(domain == libc::AF_INET6, is_nonblocking);
                network.set_inherited(descriptor, is_inherited);
                descriptor
            })
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

/// Notes the file of a Unix socket. A socket without a name, or with an abstract one, has no file.
///
/// # Safety
/// As for `bind`.
pub(super) unsafe fn notes_path(at: *const u8, size: u32) {
    let mut name = libc::sockaddr_un { sun_family: 0, sun_path: [0; 108] };
    // The last byte of the path stays 0.
    let bytes = (size as usize).min(size_of::<libc::sockaddr_un>() - 1);
    if at.is_null() || bytes <= size_of::<libc::sa_family_t>() {
        return;
    }
    // SAFETY: the caller passes as many bytes, and the place is larger. The path is a text.
    unsafe {
        (&raw mut name).cast::<u8>().copy_from_nonoverlapping(at, bytes);
        if i32::from(name.sun_family) == libc::AF_UNIX && name.sun_path[0] != 0 {
            notes_file(name.sun_path.as_ptr());
        }
    }
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
            unsafe {
                notes_path(at, size);
                result_of(raw(libc::SYS_bind, args)) as i32
            }
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
            return unsafe {
                notes_path(at, size);
                mark_remote(real, at, size);
                connects(args)
            } as i32;
        }
    };
    // SAFETY: the caller's promise.
    let address = match unsafe { address::read(at, size) } {
        Ok(address) => address,
        Err(error) => return fail(error) as i32,
    };
    let begun = run.on_socket(descriptor, OpKind::Store, Waits::No, |network, now_ns| {
        // A child process may listen at an address where no socket of the run does.
        if run.has_spawned.get() && network.is_unanswered(descriptor, address) && has_children() {
            return Ok(Attempt::Outside);
        }
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

/// Connects a socket of the system. For a Unix socket the call waits while the listener's queue is full.
///
/// # Safety
/// As for `connect`.
unsafe fn connects(args: [usize; 6]) -> isize {
    let descriptor = args[0];
    // SAFETY: the value is a number.
    if unsafe { socket_option(descriptor, libc::SO_DOMAIN, 0_i32) } == Some(libc::AF_UNIX) {
        // The call has no flag for a single attempt. No other task runs meanwhile.
        let control = |command: i32, flags: usize| {
            // SAFETY: the arguments are plain.
            unsafe { raw(libc::SYS_fcntl, [descriptor, command as usize, flags, 0, 0, 0]) }
        };
        let connected = tries(descriptor, || {
            let flags = control(libc::F_GETFL, 0) as usize;
            control(libc::F_SETFL, flags | libc::O_NONBLOCK as usize);
            // SAFETY: the caller's promise.
            let result = unsafe { raw(libc::SYS_connect, args) };
            control(libc::F_SETFL, flags);
            result
        });
        if let Some(connected) = connected {
            return connected;
        }
    }
    // SAFETY: the caller's promise.
    unsafe { call(libc::SYS_connect, args, Use::Changes) }
}

/// Connects to an address outside the run, or to a child process, with a descriptor of the system.
///
/// # Safety
/// As for `connect`.
unsafe fn connects_outside(run: &'static Run, descriptor: i32, at: *const u8, size: u32) -> i32 {
    // SAFETY: the caller's promise.
    let address = unsafe { address::read(at, size) };
    // The child process was noted when it began.
    if let Ok(address) = address
        && !address::is_simulated(address)
    {
        let text = run.host(|| address.to_string());
        run.goes_outside(super::names::MACHINES, &text);
        run.host(|| drop(text));
    }
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
        mark_remote(real, at, size);
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
                network.set_inherited(accepted, flags & libc::SOCK_CLOEXEC == 0);
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
                mark(accepted, true);
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

/// `ioctl`: nonblocking mode, and the number of bytes that can be read. Variadic in C; see [`super::syscall`].
///
/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioctl(descriptor: i32, request: u64, argument: *mut i32) -> i32 {
    match place(descriptor) {
        Place::Simulated(run) => {
            let result = run.host(|| {
                // A loop that polls the number of bytes may be the only code that runs.
                run.advances();
                let mut network = run.network.borrow_mut();
                match request {
                    // SAFETY: the caller passes a number.
                    libc::FIONBIO => network.set_nonblocking(descriptor, unsafe { argument.read() } != 0),
                    libc::FIONREAD => network.readable(descriptor).map(|count| {
                        // SAFETY: the caller passes a place for a number.
                        unsafe { argument.write(count as i32) };
                    }),
                    _ => Err(libc::ENOTTY),
                }
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

/// Whether the system may copy between these descriptors: a copy from or to one that the run has opened could block
/// the one OS thread of all tasks. std then copies by reads and writes, which wait in the run.
fn copies_within_system(from: i32, to: i32) -> bool {
    current().is_none() || !(is_opened(from as usize) || is_opened(to as usize))
}

/// `sendfile` and `splice` are not simulated for descriptors of the run.
///
/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sendfile64(to: i32, from: i32, offset: *mut i64, count: usize) -> isize {
    match (place(to), place(from)) {
        (Place::Real(to), Place::Real(from)) if copies_within_system(from, to) => {
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

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn splice(
    from: i32,
    from_offset: *mut i64,
    to: i32,
    to_offset: *mut i64,
    count: usize,
    flags: u32,
) -> isize {
    match (place(from), place(to)) {
        (Place::Real(from), Place::Real(to)) if copies_within_system(from, to) => {
            let args = [from as usize, from_offset.addr(), to as usize, to_offset.addr(), count, flags as usize];
            // SAFETY: the caller's promise.
            result_of(unsafe { raw(libc::SYS_splice, args) })
        }
        _ => fail(libc::EINVAL),
    }
}
