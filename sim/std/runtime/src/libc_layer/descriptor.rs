//! Pipes, event counters and Unix sockets: the real ones of the system, with simulated waiting. TCP sockets are
//! simulated; see `socket`.
//!
//! A call that would block waits in the kernel until another task has used a descriptor, and then tries again. This
//! holds only for descriptors that the run has opened. Files, and inherited descriptors, are the system's.

use std::panic::Location;

use lastref_kernel::record::{ObjectId, Op, OpKind};

use super::opened::{copy_marks, is_of_run, is_opened, mark, mark_file};
use super::outside::{glibc, has_children, is_pipe};
use super::socket::{Place, place};
use super::transfer::{receives, sends};
use super::{fail, file, raw, result_of, short_write};
use crate::net::FIRST_DESCRIPTOR;
use crate::objects::Objects;
use crate::run::{Run, current};

impl Run {
    fn any(&self, kind: OpKind) -> Op {
        // In the recorded run of a finding, `places` records the source location of the call.
        Op { kind, object: Objects::DESCRIPTORS, location: Location::caller() }
    }

    /// Wakes the tasks that wait for descriptors, since one may be ready now. Called by host code.
    pub(super) fn wake_waiters(&self) {
        let op = self.any(OpKind::NotifyAll);
        if self.kernel.has_waiters(op.object) {
            self.kernel.wake_word(op.object, op, u32::MAX);
        }
    }

    /// Delivers what has arrived on the network by now. All tasks that wait for an arrival become ready, including
    /// those whose own deadline is this arrival: a sleeper that reaches its deadline wakes alone. Called by host code.
    pub(super) fn advances(&self) {
        if self.network.borrow_mut().advance(self.kernel.now_ns()) {
            self.wake_waiters();
        }
    }

    /// Waits until an attempt succeeds (`is_ready` returns true) or the deadline passes; returns whether an attempt
    /// succeeded. A failed attempt may still change the network. Called by host code.
    pub(super) fn waits_on(
        &self,
        object: ObjectId,
        deadline_ns: Option<u64>,
        mut is_ready: impl FnMut() -> bool,
    ) -> bool {
        loop {
            self.advances();
            let before = self.network.borrow().state();
            if is_ready() {
                return true;
            }
            let state = self.network.borrow().state();
            if state != before {
                self.wake_waiters();
                continue;
            }
            if deadline_ns.is_some_and(|deadline_ns| deadline_ns <= self.kernel.now_ns()) {
                return false;
            }
            let until_ns = [deadline_ns, state.1].into_iter().flatten().min();
            self.notes_wait();
            let op = Op { object, ..self.any(OpKind::Wait) };
            // Does not attempt again: an attempt could change the network without waking the tasks that wait for the
            // change.
            let is_same = || self.network.borrow().state() == state;
            self.kernel.wait_on_word(Objects::DESCRIPTORS, op, until_ns, is_same);
            self.waited();
        }
    }

    /// A scheduling point, and then [`Run::waits_quietly`]. Called by host code.
    pub(super) fn wait_until(
        &self,
        awaited: &[libc::pollfd],
        deadline_ns: Option<u64>,
        is_ready: impl FnMut() -> bool,
    ) -> bool {
        self.kernel.point(self.any(OpKind::Load));
        self.waits_quietly(awaited, deadline_ns, is_ready)
    }

    /// Waits until `is_ready` returns true, because of these descriptors or of another task, or until the deadline.
    /// Returns whether it is ready. Called by host code.
    pub(super) fn waits_quietly(
        &self,
        awaited: &[libc::pollfd],
        deadline_ns: Option<u64>,
        mut is_ready: impl FnMut() -> bool,
    ) -> bool {
        loop {
            self.advances();
            if is_ready() {
                return true;
            }
            let arrival_ns = self.network.borrow().next_ns();
            let until_ns = [deadline_ns, arrival_ns].into_iter().flatten().min();
            if let Some(next_in_ns) = self.kernel.is_alone() {
                let own_in_ns = until_ns.map(|until_ns| until_ns.saturating_sub(self.kernel.now_ns()));
                let wait_ns = [next_in_ns, own_in_ns].into_iter().flatten().min();
                if wait_ns != Some(0) {
                    let wait = self.waits_really(&mut awaited.to_vec(), wait_ns);
                    self.kernel.pass_time(wait.duration_ns);
                    if wait.has_event {
                        continue;
                    }
                }
            }
            if deadline_ns.is_some_and(|deadline_ns| deadline_ns <= self.kernel.now_ns()) {
                return false;
            }
            self.notes_wait();
            let op = self.any(OpKind::Wait);
            self.awaited.borrow_mut().extend_from_slice(awaited);
            let mut is_found = false;
            let waited = self.kernel.wait_on_word(op.object, op, until_ns, || {
                is_found = is_ready();
                // A send since then has an arrival of its own, for which this wait would have no deadline.
                !is_found && self.network.borrow().next_ns() == arrival_ns
            });
            self.forgets_awaited(awaited);
            self.waited();
            if waited.is_none() && is_found {
                // It is not called again: epoll reports an edge only once.
                return true;
            }
        }
    }
}

impl Run {
    /// Ends the current task's wait for these descriptors.
    fn forgets_awaited(&self, awaited: &[libc::pollfd]) {
        let mut all = self.awaited.borrow_mut();
        for one in awaited {
            if let Some(nth) = all.iter().position(|other| (other.fd, other.events) == (one.fd, one.events)) {
                all.swap_remove(nth);
            }
        }
    }
}

/// Whether the descriptor is ready for these events, from a system poll with timeout 0.
fn is_ready(descriptor: usize, events: i16) -> bool {
    let mut asked = libc::pollfd { fd: descriptor as i32, events, revents: 0 };
    // SAFETY: the structure is valid.
    unsafe { raw(libc::SYS_poll, [(&raw mut asked).addr(), 1, 0, 0, 0, 0]) != 0 }
}

pub(super) fn blocks(descriptor: usize) -> bool {
    // SAFETY: the arguments are plain.
    let flags = unsafe { raw(libc::SYS_fcntl, [descriptor, libc::F_GETFL as usize, 0, 0, 0, 0]) };
    flags >= 0 && flags as i32 & libc::O_NONBLOCK == 0
}

/// The value of this timeout option of a socket, in nanoseconds.
fn timeout_ns(descriptor: usize, option: i32) -> Option<u64> {
    // SAFETY: the structure is two numbers.
    let time = unsafe { socket_option(descriptor, option, libc::timeval { tv_sec: 0, tv_usec: 0 }) }?;
    let ns = time.tv_sec as u64 * 1_000_000_000 + time.tv_usec as u64 * 1_000;
    (ns > 0).then_some(ns)
}

/// The value of an option of a socket of the system; `None` if the descriptor is not a socket.
///
/// # Safety
/// Any bytes are a `T`.
pub(super) unsafe fn socket_option<T>(descriptor: usize, option: i32, mut value: T) -> Option<T> {
    let mut size = size_of::<T>() as u32;
    let (value_at, size_at) = ((&raw mut value).addr(), (&raw mut size).addr());
    let args = [descriptor, libc::SOL_SOCKET as usize, option as usize, value_at, size_at, 0];
    // SAFETY: both places are valid for the call, which writes at most `size` bytes.
    let result = unsafe { raw(libc::SYS_getsockopt, args) };
    (result == 0).then_some(value)
}

/// How a call uses its descriptor.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Reads,
    Writes,
    /// Never waits.
    Changes,
}

/// A call on a descriptor. A scheduling point precedes it, and afterwards the waiting tasks check their descriptors
/// again.
///
/// # Safety
/// As for the system call.
pub(super) unsafe fn call(number: i64, args: [usize; 6], uses: Use) -> isize {
    let descriptor = args[0];
    let Some(run) = current().filter(|_| is_opened(descriptor)) else {
        // SAFETY: the caller's promise.
        return result_of(unsafe { raw(number, args) });
    };
    let result = run.host(|| {
        run.note_call();
        let (events, option) = match uses {
            Use::Reads => (libc::POLLIN, libc::SO_RCVTIMEO),
            Use::Writes | Use::Changes => (libc::POLLOUT, libc::SO_SNDTIMEO),
        };
        if !(is_pipe(descriptor) && has_children()) {
            run.kernel.point(run.any(OpKind::Load));
        }
        // A read that does not wait finds out only here that its timer has expired.
        if run.network.borrow().timer_is_realtime(descriptor as i32).is_some() {
            run.advances();
        }
        if uses != Use::Changes && blocks(descriptor) {
            let timeout_ns = timeout_ns(descriptor, option);
            let deadline_ns = timeout_ns.map(|timeout_ns| run.kernel.now_ns().saturating_add(timeout_ns));
            let awaited = libc::pollfd { fd: descriptor as i32, events, revents: 0 };
            if !run.waits_quietly(&[awaited], deadline_ns, || is_ready(descriptor, events)) {
                return Err(libc::EAGAIN);
            }
        }
        // SAFETY: the caller's promise.
        let result = unsafe { if uses == Use::Writes { short_write::write(number, args) } else { raw(number, args) } };
        run.wake_waiters();
        Ok(result)
    });
    match result {
        Ok(result) => result_of(result),
        Err(error) => fail(error),
    }
}

/// Repeats an attempt on a blocking descriptor of the run, whose call would block although `poll` reports it as ready:
/// until it does not fail with `EAGAIN`, or until the socket's timeout for writes. The result is in libc's form; `None`
/// if the descriptor does not wait in a run, or if the receiver may be a child, whose progress only the system sees.
pub(super) fn tries(descriptor: usize, mut attempt: impl FnMut() -> isize) -> Option<isize> {
    let run = current().filter(|_| is_opened(descriptor) && blocks(descriptor))?;
    if run.has_spawned.get() && has_children() {
        return None;
    }
    let result = run.host(|| {
        run.note_call();
        let timeout_ns = timeout_ns(descriptor, libc::SO_SNDTIMEO);
        let deadline_ns = timeout_ns.map(|timeout_ns| run.kernel.now_ns().saturating_add(timeout_ns));
        let mut result = 0;
        run.wait_until(&[], deadline_ns, || {
            result = attempt();
            result != -(libc::EAGAIN as isize)
        });
        run.wake_waiters();
        result
    });
    Some(result_of(result))
}

/// Whether the task's output is dropped: only the first run and the recorded run of a finding print. A file or a pipe
/// that the run has put in the place of a standard stream gets its bytes in every run.
fn is_silent(descriptor: i32) -> bool {
    let is_stream = matches!(descriptor, 1 | 2) && !is_of_run(descriptor as usize);
    is_stream && current().is_some_and(|run| !run.prints.get())
}

/// Stores the test's stderr output while its result is read.
fn keeps(descriptor: i32, bytes: &[u8]) -> bool {
    let Some(run) = current().filter(|_| descriptor == 2) else { return false };
    run.host(|| run.printed.borrow_mut().as_mut().map(|printed| printed.extend_from_slice(bytes)).is_some())
}

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn read(descriptor: i32, bytes: *mut u8, count: usize) -> isize {
    match place(descriptor) {
        Place::Simulated(run) => {
            let part = libc::iovec { iov_base: bytes.cast(), iov_len: count };
            // SAFETY: the caller's promise.
            unsafe { receives(run, descriptor, &[part], 0) }
        }
        // SAFETY: the caller's promise.
        Place::Real(real) => unsafe { call(libc::SYS_read, [real as usize, bytes.addr(), count, 0, 0, 0], Use::Reads) },
    }
}

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn readv(descriptor: i32, parts: *const libc::iovec, count: i32) -> isize {
    match place(descriptor) {
        // SAFETY: the caller passes this many parts.
        Place::Simulated(run) => unsafe {
            receives(run, descriptor, std::slice::from_raw_parts(parts, count.max(0) as usize), 0)
        },
        Place::Real(real) => {
            // SAFETY: the caller's promise.
            unsafe { call(libc::SYS_readv, [real as usize, parts.addr(), count as usize, 0, 0, 0], Use::Reads) }
        }
    }
}

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn write(descriptor: i32, bytes: *const u8, count: usize) -> isize {
    // SAFETY: the caller passes this many bytes.
    if keeps(descriptor, unsafe { std::slice::from_raw_parts(bytes, count) }) || is_silent(descriptor) {
        return count as isize;
    }
    match place(descriptor) {
        Place::Simulated(run) => {
            let part = libc::iovec { iov_base: bytes.cast_mut().cast(), iov_len: count };
            // SAFETY: the caller's promise.
            unsafe { sends(run, descriptor, &[part], 0) }
        }
        Place::Real(real) => {
            // SAFETY: the caller's promise.
            unsafe { call(libc::SYS_write, [real as usize, bytes.addr(), count, 0, 0, 0], Use::Writes) }
        }
    }
}

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn writev(descriptor: i32, parts: *const libc::iovec, count: i32) -> isize {
    if is_silent(descriptor) {
        // SAFETY: the caller passes this many parts.
        let parts = unsafe { std::slice::from_raw_parts(parts, count.max(0) as usize) };
        return parts.iter().map(|part| part.iov_len as isize).sum();
    }
    match place(descriptor) {
        // SAFETY: the caller passes this many parts.
        Place::Simulated(run) => unsafe {
            sends(run, descriptor, std::slice::from_raw_parts(parts, count.max(0) as usize), 0)
        },
        Place::Real(real) => {
            // SAFETY: the caller's promise.
            unsafe { call(libc::SYS_writev, [real as usize, parts.addr(), count as usize, 0, 0, 0], Use::Writes) }
        }
    }
}

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn close(descriptor: i32) -> i32 {
    let descriptor = match (descriptor >= FIRST_DESCRIPTOR, current()) {
        (true, Some(run)) => match run.closes_socket(descriptor) {
            Ok(None) => return 0,
            // The system's descriptor of a connection that leads outside the run.
            Ok(Some(real)) => real,
            Err(error) => return fail(error) as i32,
        },
        _ => descriptor,
    };
    let args = [descriptor as usize, 0, 0, 0, 0, 0];
    let Some(run) = current().filter(|_| is_opened(descriptor as usize)) else {
        forgets_file(descriptor);
        if let Some(run) = current().filter(|_| descriptor <= 2) {
            run.host(|| run.keeps_stream(descriptor));
        }
        // SAFETY: the caller's promise.
        let result = result_of(unsafe { raw(libc::SYS_close, args) }) as i32;
        file::unlocks();
        return result;
    };
    let result = run.host(|| {
        run.note_call();
        run.kernel.point(run.any(OpKind::Release));
        // Both happen in one step: after the close another task may open a descriptor of the same number.
        mark(descriptor as isize, false);
        run.network.borrow_mut().forgets_real(descriptor);
        // SAFETY: the caller's promise.
        let result = unsafe { raw(libc::SYS_close, args) };
        run.wake_waiters();
        result
    });
    result_of(result) as i32
}

/// The descriptor is about to be closed. Its number may then be that of a descriptor of the host.
fn forgets_file(descriptor: i32) {
    if current().is_some() {
        mark_file(descriptor as isize, false);
    }
}

/// glibc closes the descriptor of a folder itself.
///
/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn closedir(folder: *mut libc::DIR) -> i32 {
    // SAFETY: this is the type of glibc's function.
    let closedir: unsafe extern "C" fn(*mut libc::DIR) -> i32 = unsafe { std::mem::transmute(glibc(c"closedir")) };
    // SAFETY: the caller's promise.
    unsafe {
        if !folder.is_null() {
            forgets_file(libc::dirfd(folder));
        }
        closedir(folder)
    }
}

impl Run {
    fn closes_socket(&'static self, descriptor: i32) -> Result<Option<i32>, i32> {
        self.host(|| {
            let object = self.network.borrow().object(descriptor).unwrap_or(Objects::DESCRIPTORS);
            self.note_call();
            self.kernel.point(Op { object, ..self.any(OpKind::Release) });
            self.advances();
            let closed = self.network.borrow_mut().close(descriptor, self.kernel.now_ns());
            self.wake_waiters();
            closed
        })
    }

    /// `fcntl` of a simulated socket. Called by host code.
    fn controls_socket(&self, descriptor: i32, command: i32, argument: usize, copies: bool) -> Result<i32, i32> {
        let mut network = self.network.borrow_mut();
        match command {
            _ if copies => {
                let copy = network.copy(descriptor)?;
                network.set_inherited(copy, command == libc::F_DUPFD);
                Ok(copy)
            }
            libc::F_GETFL if network.is_nonblocking(descriptor) => Ok(libc::O_RDWR | libc::O_NONBLOCK),
            libc::F_GETFL => Ok(libc::O_RDWR),
            libc::F_SETFL => network.set_nonblocking(descriptor, argument as i32 & libc::O_NONBLOCK != 0).map(|()| 0),
            libc::F_GETFD => Ok(if network.is_inherited(descriptor) { 0 } else { libc::FD_CLOEXEC }),
            libc::F_SETFD => {
                network.set_inherited(descriptor, argument as i32 & libc::FD_CLOEXEC == 0);
                Ok(0)
            }
            _ => Err(libc::EINVAL),
        }
    }
}

/// A call that opens a descriptor.
///
/// # Safety
/// As for the system call.
pub(super) unsafe fn open(number: i64, args: [usize; 6]) -> i32 {
    // SAFETY: the caller's promise.
    let opened = result_of(unsafe { raw(number, args) });
    if current().is_some() {
        mark(opened, true);
    }
    opened as i32
}

/// Copies a descriptor, or performs another command of `fcntl`. The copy belongs to the run if the original does: a
/// read from the copy must wait in the run as well.
///
/// # Safety
/// As for libc's, whose third argument is optional: a caller that passes none leaves the register as it is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fcntl(descriptor: i32, command: i32, argument: usize) -> i32 {
    let copies = matches!(command, libc::F_DUPFD | libc::F_DUPFD_CLOEXEC);
    let descriptor = match place(descriptor) {
        Place::Simulated(run) => {
            let result = run.host(|| run.controls_socket(descriptor, command, argument, copies));
            return result.unwrap_or_else(|error| fail(error) as i32);
        }
        Place::Real(real) => real,
    };
    // SAFETY: the caller's promise.
    let result = unsafe { raw(libc::SYS_fcntl, [descriptor as usize, command as usize, argument, 0, 0, 0]) };
    if let Some(run) = current().filter(|_| copies && result >= 0) {
        run.host(|| run.notes_copy(descriptor, result as i32));
    }
    result_of(result) as i32
}

impl Run {
    /// Marks a copy as its original is marked. Called by host code.
    fn notes_copy(&self, descriptor: i32, copy: i32) {
        copy_marks(descriptor, copy);
        let mut network = self.network.borrow_mut();
        network.forgets_real(copy);
        network.copies_real(descriptor, copy);
    }
}

/// Copies a descriptor to a number of the caller's choice, whose descriptor is closed.
///
/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dup2(descriptor: i32, copy: i32) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { copies_to(libc::SYS_dup2, descriptor, copy, 0) }
}

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dup3(descriptor: i32, copy: i32, flags: i32) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { copies_to(libc::SYS_dup3, descriptor, copy, flags) }
}

/// # Safety
/// As for libc's.
unsafe fn copies_to(number: i64, descriptor: i32, copy: i32, flags: i32) -> i32 {
    let args = [descriptor as usize, copy as usize, flags as usize, 0, 0, 0];
    let Some(run) = current() else {
        // SAFETY: the caller's promise.
        return result_of(unsafe { raw(number, args) }) as i32;
    };
    // A simulated socket has no descriptor of the system.
    if descriptor >= FIRST_DESCRIPTOR || copy >= FIRST_DESCRIPTOR {
        return fail(libc::EINVAL) as i32;
    }
    let result = run.host(|| {
        run.note_call();
        if is_opened(copy as usize) {
            run.kernel.point(run.any(OpKind::Release));
        }
        if descriptor != copy {
            run.keeps_stream(copy);
        }
        // SAFETY: the caller's promise.
        let result = unsafe { raw(number, args) };
        if result >= 0 && descriptor != copy {
            run.notes_copy(descriptor, copy);
            run.wake_waiters();
        }
        result
    });
    result_of(result) as i32
}

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fcntl64(descriptor: i32, command: i32, argument: usize) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { fcntl(descriptor, command, argument) }
}

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dup(descriptor: i32) -> i32 {
    // SAFETY: the arguments are plain.
    unsafe { fcntl(descriptor, libc::F_DUPFD, 0) }
}

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventfd(count: u32, flags: i32) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { open(libc::SYS_eventfd2, [count as usize, flags as usize, 0, 0, 0, 0]) }
}

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn epoll_create1(flags: i32) -> i32 {
    // SAFETY: the caller's promise.
    let opened = unsafe { open(libc::SYS_epoll_create1, [flags as usize, 0, 0, 0, 0, 0]) };
    if let Some(run) = current().filter(|_| opened >= 0) {
        run.host(|| run.network.borrow_mut().adds_poller(opened));
    }
    opened
}

/// Opens two descriptors.
///
/// # Safety
/// As for the system call; `pair` is a place for two numbers.
pub(super) unsafe fn open_pair(number: i64, args: [usize; 6], pair: *mut i32) -> i32 {
    // SAFETY: the caller's promise.
    let result = result_of(unsafe { raw(number, args) });
    if result == 0 && current().is_some() {
        // SAFETY: the call has written both.
        let pair = unsafe { [pair.read(), pair.add(1).read()] };
        pair.into_iter().for_each(|descriptor| mark(descriptor as isize, true));
    }
    result as i32
}

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pipe(pair: *mut i32) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { pipe2(pair, 0) }
}

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pipe2(pair: *mut i32, flags: i32) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { open_pair(libc::SYS_pipe2, [pair.addr(), flags as usize, 0, 0, 0, 0], pair) }
}
