//! Virtual time: it stands still while tasks run, and advances when a sleeper is chosen.
//!
//! If no task is ready, the sleeper with the earliest deadline is chosen, which advances the clock. The strategy may
//! also choose that sleeper before ready tasks, by at most the timer slack ([`crate::explore::Limits::timer_slack`]) in
//! the whole run.

use std::ops::{Add, AddAssign, Sub};
use std::panic::Location;
pub use std::time::Duration;

use kernel::record::{ObjectId, OpKind};

use crate::engine::{self, loom as loom_engine, threads};
use crate::session::{self, Backend, arm, with_log};

/// A moment of the run's virtual time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(Duration);

impl Instant {
    /// The current time. Not a scheduling point: reading the clock changes nothing.
    pub fn now() -> Instant {
        let ns = match arm() {
            Backend::Sched | Backend::Loom => with_log(|log| log.now_ns).unwrap_or(0),
            Backend::Threads => threads::now_ns(),
            Backend::Std => return Instant(outside()),
        };
        Instant(Duration::from_nanos(ns))
    }

    /// In nanoseconds of virtual time since the run began.
    pub(crate) fn as_ns(self) -> u64 {
        kernel::as_ns(self.0)
    }

    /// The time since this moment; zero if it is in the future.
    pub fn elapsed(self) -> Duration {
        Instant::now().saturating_duration_since(self)
    }

    /// The time from `earlier` to this moment; zero if `earlier` is later.
    pub fn saturating_duration_since(self, earlier: Instant) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// The time from `earlier` to this moment; `None` if `earlier` is later.
    pub fn checked_duration_since(self, earlier: Instant) -> Option<Duration> {
        self.0.checked_sub(earlier.0)
    }

    /// The moment `duration` later; `None` if it cannot be represented.
    pub fn checked_add(self, duration: Duration) -> Option<Instant> {
        self.0.checked_add(duration).map(Instant)
    }
}

#[expect(clippy::disallowed_methods, reason = "outside any run the facade is plain std")]
fn outside() -> Duration {
    use std::sync::OnceLock;
    static START: OnceLock<std::time::Instant> = OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed()
}

impl Add<Duration> for Instant {
    type Output = Instant;

    /// Saturates at the last moment of virtual time, which a run reaches only if it waits for it.
    fn add(self, duration: Duration) -> Instant {
        Instant(self.0.saturating_add(duration).min(Duration::from_nanos(u64::MAX)))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl Sub for Instant {
    type Output = Duration;

    /// Zero if the other is later.
    fn sub(self, earlier: Instant) -> Duration {
        self.saturating_duration_since(earlier)
    }
}

/// Waits for `duration` of virtual time.
#[track_caller]
pub fn sleep(duration: Duration) {
    let location = Location::caller();
    if let Some(kernel) = session::kernel() {
        return kernel.sleep(kernel::as_ns(duration), location);
    }
    match arm() {
        Backend::Loom => loom_engine::pass_time(duration),
        Backend::Threads => threads::sleep(duration),
        Backend::Std | Backend::Sched => really_sleep(duration),
    }
    engine::after(OpKind::Sleep, ObjectId::NONE, location);
}

#[expect(clippy::disallowed_methods, reason = "outside any run the facade is plain std")]
fn really_sleep(duration: Duration) {
    std::thread::sleep(duration);
}

/// The error of a [`timeout`] that has elapsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the timeout has elapsed")]
pub struct Elapsed;

/// Calls `poll` repeatedly, and lets other tasks run between the calls, until it returns a value or `duration` of
/// virtual time has passed.
///
/// # Errors
/// [`Elapsed`] if `duration` passes first.
#[track_caller]
pub fn timeout<T>(duration: Duration, mut poll: impl FnMut() -> Option<T>) -> Result<T, Elapsed> {
    /// The pause before the second call of `poll`. Each later pause is twice as long, so that a long timeout costs few
    /// steps.
    const FIRST_PAUSE: Duration = Duration::from_millis(1);
    let mut pause = FIRST_PAUSE;
    let deadline = Instant::now() + duration;
    loop {
        if let Some(value) = poll() {
            return Ok(value);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Elapsed);
        }
        sleep(left.min(pause));
        pause *= 2;
    }
}
