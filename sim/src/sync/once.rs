//! `Once` and `OnceLock`, on the facade's own lock and condition variable.

use std::fmt;

use super::{Condvar, Mutex};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    New,
    Running,
    Done,
}

/// Runs a closure once, like [`std::sync::Once`]: a second caller waits until the closure has run.
pub struct Once {
    stage: Mutex<Stage>,
    done: Condvar,
}

impl Once {
    /// A `Once` whose closure has not run.
    #[track_caller]
    pub fn new() -> Once {
        Once { stage: Mutex::named("once", Stage::New), done: Condvar::named("once.done") }
    }

    /// Runs `init` unless an earlier call has run its closure; waits for an earlier call that is running it.
    #[track_caller]
    pub fn call_once(&self, init: impl FnOnce()) {
        let mut stage = self.stage.lock();
        loop {
            match *stage {
                Stage::Done => return,
                Stage::Running => stage = self.done.wait(stage),
                Stage::New => break,
            }
        }
        *stage = Stage::Running;
        drop(stage);
        let mut attempt = Attempt { once: self, reached: Stage::New };
        init();
        attempt.reached = Stage::Done;
    }

    /// Whether the closure has run.
    #[track_caller]
    pub fn is_completed(&self) -> bool {
        *self.stage.lock() == Stage::Done
    }
}

/// Records the outcome of a call when dropped. If the closure panicked, the next caller tries again; std would panic.
struct Attempt<'a> {
    once: &'a Once,
    reached: Stage,
}

impl Drop for Attempt<'_> {
    #[track_caller]
    fn drop(&mut self) {
        *self.once.stage.lock() = self.reached;
        self.once.done.notify_all();
    }
}

impl Default for Once {
    #[track_caller]
    fn default() -> Once {
        Once::new()
    }
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Once").finish_non_exhaustive()
    }
}

/// A cell that is written once, like [`std::sync::OnceLock`].
pub struct OnceLock<T> {
    once: Once,
    value: std::sync::OnceLock<T>,
}

impl<T> OnceLock<T> {
    /// An empty cell.
    #[track_caller]
    pub fn new() -> OnceLock<T> {
        OnceLock { once: Once::new(), value: std::sync::OnceLock::new() }
    }

    /// The value, if it is set.
    #[track_caller]
    pub fn get(&self) -> Option<&T> {
        if self.once.is_completed() { self.value.get() } else { None }
    }

    /// Writes the value if the cell is empty.
    ///
    /// # Errors
    /// `value`, if the cell already has a value.
    #[track_caller]
    pub fn set(&self, value: T) -> Result<(), T> {
        let mut value = Some(value);
        self.once.call_once(|| {
            if let Some(value) = value.take() {
                // `once` admits one writer.
                let _ = self.value.set(value);
            }
        });
        value.map_or(Ok(()), Err)
    }

    /// The value; `init` computes it if the cell is empty.
    #[track_caller]
    pub fn get_or_init(&self, init: impl FnOnce() -> T) -> &T {
        self.once.call_once(|| {
            // `once` admits one writer.
            let _ = self.value.set(init());
        });
        match self.value.get() {
            Some(value) => value,
            None => unreachable!("invariant: the once has run, so the value is there"),
        }
    }
}

impl<T> Default for OnceLock<T> {
    #[track_caller]
    fn default() -> OnceLock<T> {
        OnceLock::new()
    }
}

impl<T> fmt::Debug for OnceLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnceLock").finish_non_exhaustive()
    }
}
