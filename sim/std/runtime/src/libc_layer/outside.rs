//! Events from outside the process: a child process writes to a pipe, or ends; another machine answers.
//!
//! The kernel knows only the tasks of its run. If all of them wait, a child process or another machine may still wake
//! one: the run then waits for real, for a limited time, before virtual time passes or the run ends as a deadlock. So a
//! task that polls a child between its sleeps does not outrun it.
//!
//! The time at which a child acts is not determined by the seed. While a child exists, calls on pipes are therefore not
//! recorded and are not scheduling points, like calls on files.

use std::ptr;

use lastref_kernel::RealWait;

use super::clock::real_monotonic_ns;
use super::opened::has_remote;
use super::raw;
use crate::run::Run;
use crate::search::run_of_process;

/// The longest real wait without an event.
const REAL_WAIT_NS_MAX: u64 = 10_000_000_000;

/// Whether this process has a child that it has not reaped.
pub(super) fn has_children() -> bool {
    let mut about = [0_u64; 16];
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    let args = [libc::P_ALL as usize, 0, (&raw mut about).addr(), options as usize, 0, 0];
    // SAFETY: the place is large enough for the description of a child, and the call reaps none.
    unsafe { raw(libc::SYS_waitid, args) == 0 }
}

/// Reaps the children of a run that have ended: a later run would wait for them. Called by host code at a run's end.
pub(crate) fn reap() {
    let any = -1_isize as usize;
    // SAFETY: the call writes nothing.
    while unsafe { raw(libc::SYS_wait4, [any, 0, libc::WNOHANG as usize, 0, 0, 0]) } > 0 {}
}

/// Whether the descriptor is a pipe, which a child process may share.
pub(super) fn is_pipe(descriptor: usize) -> bool {
    // SAFETY: the structure is plain data, and valid for the call.
    unsafe {
        let mut about: libc::stat = std::mem::zeroed();
        let result = raw(libc::SYS_fstat, [descriptor, (&raw mut about).addr(), 0, 0, 0, 0]);
        result == 0 && about.st_mode & libc::S_IFMT == libc::S_IFIFO
    }
}

/// Waits in real time until one of the awaited descriptors is ready; see [`lastref_kernel::Outside`].
pub(crate) fn waits(in_ns: Option<u64>) -> RealWait {
    let Some(run) = run_of_process() else { return RealWait::default() };
    let mut awaited = run.awaited.borrow().clone();
    // Not every event comes from a call that wakes the tasks: one of inotify comes from a call on a file.
    if are_ready(&mut awaited) {
        return RealWait { has_event: true, duration_ns: 0 };
    }
    let wait = run.waits_really(&mut awaited, in_ns);
    // Without this flag, a run that cannot continue would spend the full time in each later wait. With a timer it
    // can continue.
    if !wait.has_event && in_ns.is_none() {
        run.has_given_up.set(true);
    }
    wait
}

/// Whether one of these descriptors is ready now.
fn are_ready(awaited: &mut [libc::pollfd]) -> bool {
    let args = [awaited.as_mut_ptr().addr(), awaited.len(), 0, 0, 0, 0];
    // SAFETY: the descriptors are valid for the call.
    !awaited.is_empty() && unsafe { raw(libc::SYS_poll, args) > 0 }
}

impl Run {
    /// Waits in real time until one of these descriptors is ready, at most for `in_ns`, the virtual time to the next
    /// deadline. Called by host code.
    pub(super) fn waits_really(&self, awaited: &mut [libc::pollfd], in_ns: Option<u64>) -> RealWait {
        let has_source = match awaited.is_empty() {
            // A task may poll a child between its sleeps. A child that an earlier run left behind does not count: when
            // it ends is not known.
            true => in_ns.is_some() && self.has_spawned.get() && has_children(),
            // A process that a child has started may hold the other end of a pipe after the child's end.
            false => has_remote() || self.has_spawned.get() || has_children(),
        };
        if !has_source || self.has_given_up.get() {
            return RealWait::default();
        }
        let wait_ns = in_ns.unwrap_or(REAL_WAIT_NS_MAX).min(REAL_WAIT_NS_MAX);
        let time =
            libc::timespec { tv_sec: (wait_ns / 1_000_000_000) as i64, tv_nsec: (wait_ns % 1_000_000_000) as i64 };
        let args = [awaited.as_mut_ptr().addr(), awaited.len(), (&raw const time).addr(), 0, 8, 0];
        let begin_ns = real_monotonic_ns();
        // SAFETY: the descriptors and the time are valid for the call.
        let has_event = unsafe { raw(libc::SYS_ppoll, args) > 0 };
        // An event comes at a time that the seed does not determine. Beside a child, virtual time keeps up with it: a
        // later time limit is not shorter for the child than it says. Other runs stay repeatable.
        let most_ns = in_ns.unwrap_or(0);
        let duration_ns = match has_event {
            true if self.has_spawned.get() => most_ns.min(real_monotonic_ns() - begin_ns),
            true => 0,
            false => most_ns,
        };
        RealWait { has_event, duration_ns }
    }

    /// Waits for the end of a child process while other tasks run.
    ///
    /// # Safety
    /// As for `waitpid`.
    pub(super) unsafe fn waits_for_child(&'static self, child: i32, status: *mut i32, options: i32) -> isize {
        // SAFETY: the arguments are plain.
        let descriptor = unsafe { raw(libc::SYS_pidfd_open, [child as usize, 0, 0, 0, 0, 0]) };
        let args = |options: i32| [child as usize, status.addr(), options as usize, 0, 0, 0];
        if descriptor < 0 {
            // SAFETY: the caller's promise.
            return unsafe { raw(libc::SYS_wait4, args(options)) };
        }
        let awaited = libc::pollfd { fd: descriptor as i32, events: libc::POLLIN, revents: 0 };
        let mut result = 0;
        self.note_call();
        self.waits_quietly(&[awaited], None, || {
            // SAFETY: the caller's promise.
            result = unsafe { raw(libc::SYS_wait4, args(options | libc::WNOHANG)) };
            result != 0
        });
        // SAFETY: the descriptor was opened above, and is not used again.
        unsafe { raw(libc::SYS_close, [descriptor as usize, 0, 0, 0, 0, 0]) };
        result
    }
}

/// The function of this name in glibc.
pub(super) fn glibc(name: &std::ffi::CStr) -> *mut libc::c_void {
    // SAFETY: the name is a valid text. The loader looks behind this executable, whose function has the same name.
    let found = unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) };
    assert_ne!(found, ptr::null_mut(), "invariant: glibc has {name:?}");
    found
}
