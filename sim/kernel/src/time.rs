//! Virtual time, in nanoseconds since the run began.

use std::time::Duration;

/// A duration in nanoseconds; it saturates after some five hundred years.
pub fn as_ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
