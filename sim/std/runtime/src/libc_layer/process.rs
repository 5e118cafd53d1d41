//! The end of the process, and the number of a thread.

use super::raw;
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
