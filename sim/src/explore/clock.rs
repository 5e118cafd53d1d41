//! Wall time, for the duration of an exploration. Runs do not see it.

use std::time::Instant;

#[expect(clippy::disallowed_methods, reason = "the duration of a hunt is reported, and does not influence a run")]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// The result of `work`, and the seconds that it took.
pub(super) fn timed<R>(work: impl FnOnce() -> R) -> (R, f64) {
    let start = now();
    let result = work();
    (result, start.elapsed().as_secs_f64())
}
