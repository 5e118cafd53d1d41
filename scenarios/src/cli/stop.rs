//! Ctrl-C: the first ends a hunt with the table so far, the second ends the process.

use std::sync::atomic::{AtomicBool, Ordering};

static STOP: AtomicBool = AtomicBool::new(false);

/// What a shell expects of a process that SIGINT ended.
const INTERRUPTED: i32 = 130;

/// Catches Ctrl-C from now on, and gives the flag that it sets.
///
/// A stopped hunt is judged by what it has: cells that were not decided are left out, and the exit code is 0 if the
/// others are as expected and 1 if not. So a hunt that is watched, and stopped when it has shown enough, does not fail.
/// Where the handler cannot be installed, Ctrl-C ends the process as it does without one.
pub(super) fn on_ctrl_c() -> &'static AtomicBool {
    let _ = ctrlc::set_handler(|| {
        if STOP.swap(true, Ordering::Relaxed) {
            std::process::exit(INTERRUPTED);
        }
    });
    &STOP
}
