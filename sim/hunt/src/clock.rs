//! The wall clock: only this file reads it.
//!
//! It ends a hunt whose time is up, estimates the time left, and fills in the field `seconds`;
//! inside an execution time is virtual.

use std::time::{Duration, Instant};

/// When the command started.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    start: Instant,
}

impl Clock {
    /// Starts the clock.
    #[expect(clippy::disallowed_methods, reason = "a budget of time is about the wall clock, and no run reads it")]
    pub(super) fn start() -> Clock {
        Clock { start: Instant::now() }
    }

    /// The instant `time` after the start; `None` if the clock cannot represent it, which is equivalent to never.
    pub(super) fn deadline(self, time: Duration) -> Option<Instant> {
        self.start.checked_add(time)
    }

    /// Seconds since the start.
    pub(super) fn seconds(self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }
}

/// The time until then; zero if that has passed.
#[expect(clippy::disallowed_methods, reason = "what is left of a budget of time is about the wall clock")]
pub(super) fn until(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}
