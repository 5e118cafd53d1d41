//! Processes: the end of this one, its children, and the number of a thread.

use super::{outside, raw, result_of};
use crate::finding::{Finding, FindingKind};
use crate::run::current;

/// The thread number that `gettid` returns in the first task of a run.
pub(super) const FIRST_THREAD: isize = 1000;

/// Ends the run of a task with a finding; ends the process otherwise. std aborts when a panic must not unwind.
#[unsafe(no_mangle)]
pub extern "C" fn abort() -> ! {
    if let Some(run) = current() {
        run.leave();
        let stack = run.stack();
        run.fail(
            Finding::new(FindingKind::Crash, "the process aborts".to_owned()).facts(run.here()).stack("abort", stack),
        );
    }
    // SAFETY: the calls have plain arguments. The program may have changed the signal's handler; the second call ends
    // the process in any case.
    unsafe {
        let process = raw(libc::SYS_getpid, [0; 6]) as usize;
        let thread = raw(libc::SYS_gettid, [0; 6]) as usize;
        raw(libc::SYS_tgkill, [process, thread, libc::SIGABRT as usize, 0, 0, 0]);
        raw(libc::SYS_exit_group, [134, 0, 0, 0, 0, 0]);
    }
    std::process::exit(134)
}

/// In the child, nothing is simulated: it has the stack of one task, and no other task may run in it.
///
/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fork() -> i32 {
    if let Some(run) = current() {
        run.goes_outside(super::names::CHILDREN, "fork");
    }
    // SAFETY: this is the type of glibc's function.
    let fork: unsafe extern "C" fn() -> i32 = unsafe { std::mem::transmute(outside::glibc(c"fork")) };
    // SAFETY: the caller's promise.
    let child = unsafe { fork() };
    if child == 0
        && let Some(run) = current()
    {
        run.leave();
    }
    child
}

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn waitpid(child: i32, status: *mut i32, options: i32) -> i32 {
    let waits = child > 0 && options & libc::WNOHANG == 0;
    let result = match current().filter(|_| waits) {
        // SAFETY: the caller's promise.
        Some(run) => run.host(|| unsafe { run.waits_for_child(child, status, options) }),
        // SAFETY: the caller's promise.
        None => unsafe { raw(libc::SYS_wait4, [child as usize, status.addr(), options as usize, 0, 0, 0]) },
    };
    result_of(result) as i32
}
