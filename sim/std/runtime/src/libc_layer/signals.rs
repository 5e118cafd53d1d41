//! Signals: a run's handlers end with it, and a signal that a run sends to its own process is handled at once.
//!
//! Without this, a later run would call the handler, although the memory of that run does not contain its registration.
//! tokio's handler, for example, would then take itself for the previous handler and call itself. The system delivers a
//! signal to the process preferably on the main thread, where the handler would run in parallel with the run, at a time
//! that no seed determines.

use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{outside, raw, result_of};
use crate::run::{Run, current};

/// The signals that the search's OS thread blocked before its first run.
static BLOCKED: AtomicU64 = AtomicU64::new(0);

/// The signals that this OS thread blocks.
fn blocked() -> u64 {
    let mut signals = 0_u64;
    let args = [libc::SIG_BLOCK as usize, 0, (&raw mut signals).addr(), size_of::<u64>(), 0, 0];
    // SAFETY: the place has the size that is passed. Without a first set the call changes nothing.
    unsafe { raw(libc::SYS_rt_sigprocmask, args) };
    signals
}

/// Notes the blocked signals. Called by host code, before the first run.
pub(crate) fn note_blocked() {
    BLOCKED.store(blocked(), Ordering::Relaxed);
}

/// Unblocks the signals that the run has blocked. One that was sent and is still pending is discarded, as at the end of
/// a thread.
fn restores_blocked() {
    let (before, after) = (BLOCKED.load(Ordering::Relaxed), blocked());
    if before == after {
        return;
    }
    let (own, time) = (after & !before, libc::timespec { tv_sec: 0, tv_nsec: 0 });
    let pending = [(&raw const own).addr(), 0, (&raw const time).addr(), size_of::<u64>(), 0, 0];
    let args = [libc::SIG_SETMASK as usize, (&raw const before).addr(), 0, size_of::<u64>(), 0, 0];
    // SAFETY: the sets and the time are valid for the calls.
    unsafe {
        while raw(libc::SYS_rt_sigtimedwait, pending) > 0 {}
        raw(libc::SYS_rt_sigprocmask, args);
    }
}

type Sigaction = unsafe extern "C" fn(i32, *const libc::sigaction, *mut libc::sigaction) -> i32;

fn glibc() -> Sigaction {
    // SAFETY: this is the type of glibc's function.
    unsafe { std::mem::transmute::<*mut libc::c_void, Sigaction>(outside::glibc(c"sigaction")) }
}

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sigaction(signal: i32, new: *const libc::sigaction, old: *mut libc::sigaction) -> i32 {
    if let Some(run) = current().filter(|_| !new.is_null()) {
        run.host(|| run.keeps_handler(signal));
    }
    // SAFETY: the caller's promise.
    unsafe { glibc()(signal, new, old) }
}

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn signal(signal: i32, handler: libc::sighandler_t) -> libc::sighandler_t {
    type Signal = unsafe extern "C" fn(i32, libc::sighandler_t) -> libc::sighandler_t;
    if let Some(run) = current() {
        run.host(|| run.keeps_handler(signal));
    }
    // SAFETY: this is the type of glibc's function; the caller's promise.
    unsafe { std::mem::transmute::<*mut libc::c_void, Signal>(outside::glibc(c"signal"))(signal, handler) }
}

/// Sends a signal. In a run, a handler of this process runs before the call returns. It executes as code of the
/// runtime, without a scheduling point, so it must not wait for a thread of the run.
///
/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kill(process: i32, signal: i32) -> i32 {
    // SAFETY: the calls have plain arguments.
    let result = unsafe {
        let own = raw(libc::SYS_getpid, [0; 6]);
        match current().filter(|_| process as isize == own) {
            Some(run) => run.host(|| {
                let thread = raw(libc::SYS_gettid, [0; 6]);
                let result = raw(libc::SYS_tgkill, [own as usize, thread as usize, signal as usize, 0, 0, 0]);
                // The handler may have written to a descriptor for which tasks wait.
                run.wake_waiters();
                result
            }),
            None => raw(libc::SYS_kill, [process as usize, signal as usize, 0, 0, 0, 0]),
        }
    };
    result_of(result) as i32
}

impl Run {
    /// Saves the action of a signal that the run is about to change for the first time. Called by host code.
    fn keeps_handler(&self, signal: i32) {
        self.handlers.borrow_mut().entry(signal).or_insert_with(|| {
            // SAFETY: an action of zeros is valid, and the place is.
            unsafe {
                let mut action = std::mem::zeroed();
                glibc()(signal, ptr::null(), &raw mut action);
                action
            }
        });
    }

    /// Restores the actions that the run has changed, and the blocked signals. Called by host code.
    pub(crate) fn restores_handlers(&self) {
        restores_blocked();
        for (signal, action) in std::mem::take(&mut *self.handlers.borrow_mut()) {
            // SAFETY: the action was the one of this signal.
            unsafe { glibc()(signal, &raw const action, ptr::null_mut()) };
        }
    }
}
