//! The wall clock: only this file reads it.
//!
//! It bounds the time of a process and fills in the seconds of a report; inside a run, time is virtual.

use std::time::{Duration, Instant};

/// The time of a start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    /// Starts the clock.
    #[expect(clippy::disallowed_methods, reason = "limits and reports are about the wall clock, and no run reads it")]
    pub(crate) fn start() -> Clock {
        Clock { start: Instant::now() }
    }

    /// The time since the start.
    pub(crate) fn elapsed(self) -> Duration {
        self.start.elapsed()
    }

    /// Seconds since the start.
    pub(crate) fn seconds(self) -> f64 {
        self.elapsed().as_secs_f64()
    }
}
