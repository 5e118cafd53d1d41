//! `BackOff`: the minimum time between the starts of two attempts.
//!
//! Upstream (backoff.cc, doc/connection-backoff.md): 1 s first, then 1.6 times the previous time, up to 120 s, each
//! with a jitter of 20 % either way. The timeout of an attempt is at least 20 s.

use lastref::random;
use lastref::time::{Duration, Instant};

const INITIAL_MS: u64 = 1_000;
const MAX_MS: u64 = 120_000;

/// `GRPC_SUBCHANNEL_RECONNECT_MIN_TIMEOUT_SECONDS`.
pub(crate) const MIN_CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// `BackOff`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BackOff {
    current_ms: Option<u64>,
}

impl BackOff {
    /// `NextAttemptTime`.
    pub(crate) fn next_attempt_time(&mut self) -> Instant {
        let current = self.current_ms.map_or(INITIAL_MS, |ms| (ms * 8 / 5).min(MAX_MS));
        self.current_ms = Some(current);
        let jitter = random::below(current * 2 / 5 + 1);
        Instant::now() + Duration::from_millis(current - current / 5 + jitter)
    }

    /// `Reset`.
    pub(crate) fn reset(&mut self) {
        self.current_ms = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_by_eight_fifths_up_to_two_minutes_and_is_reset() {
        let mut backoff = BackOff::default();
        let attempts: Vec<u64> = (0..12)
            .filter_map(|_| {
                backoff.next_attempt_time();
                backoff.current_ms
            })
            .collect();
        assert_eq!((attempts[0], attempts[1], attempts[2], attempts[11]), (1_000, 1_600, 2_560, 120_000));
        backoff.reset();
        backoff.next_attempt_time();
        assert_eq!(backoff.current_ms, Some(1_000));
    }
}
