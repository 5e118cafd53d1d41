//! Detects that a process has settled: every other thread is asleep, and stays asleep.
//!
//! Linux counts each thread's context switches. If all threads are asleep at two checks, and no count has changed, then
//! no thread ran in between. The thread that sends data over the loopback interface also delivers it, so no data is in
//! flight while every thread sleeps.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

/// The pause between two checks.
const PAUSE: Duration = Duration::from_millis(1);
/// Maximum number of checks: about ten seconds.
const LOOKS_MAX: u32 = 10_000;

/// Waits until the process has settled. False if it does not settle, for example if a thread spins.
///
/// # Errors
/// If `/proc` cannot be read; only Linux has it.
#[expect(clippy::disallowed_methods, reason = "the threads of a real library take real time")]
pub(super) fn settle() -> io::Result<bool> {
    let mut before = None;
    for _ in 0..LOOKS_MAX {
        let now = look()?;
        if now.is_some() && now == before {
            return Ok(true);
        }
        before = now;
        std::thread::sleep(PAUSE);
    }
    Ok(false)
}

/// The context-switch counts of the other threads; `None` if one of them is not asleep.
fn look() -> io::Result<Option<Vec<String>>> {
    let own = fs::read_link("/proc/thread-self")?;
    let mut counts = Vec::new();
    for thread in fs::read_dir("/proc/self/task")? {
        let path = thread?.path();
        if path.file_name() == own.file_name() {
            continue;
        }
        // The thread may have ended since the folder was read.
        let Ok(status) = fs::read_to_string(path.join("status")) else { continue };
        if !asleep(&status) {
            return Ok(None);
        }
        counts.push(switches(&path, &status));
    }
    counts.sort();
    Ok(Some(counts))
}

fn asleep(status: &str) -> bool {
    status.lines().any(|line| line.strip_prefix("State:").is_some_and(|state| state.trim().starts_with('S')))
}

fn switches(path: &Path, status: &str) -> String {
    let counts: Vec<&str> = status.lines().filter(|line| line.contains("ctxt_switches")).collect();
    format!("{}: {}", path.display(), counts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Name:\tnng:task\nState:\tS (sleeping)\nvoluntary_ctxt_switches:\t7\n";

    #[test]
    fn a_thread_that_runs_is_not_asleep() {
        assert!(asleep(STATUS));
        assert!(!asleep(&STATUS.replace("S (sleeping)", "R (running)")));
    }

    #[test]
    fn a_thread_that_ran_between_two_looks_is_seen() {
        let path = Path::new("/proc/self/task/1");
        assert_eq!(switches(path, STATUS), switches(path, STATUS));
        assert_ne!(switches(path, STATUS), switches(path, &STATUS.replace('7', "8")));
    }
}
