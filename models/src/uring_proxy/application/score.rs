//! The counts of sent and received data: harness state, invisible to the network.
//!
//! In memory a stream is a client, counted in bytes; on the network it is a connection, counted in requests.

use std::collections::BTreeMap;

use lastref::property::always_with;

use crate::kit::harness::Unscheduled;

/// The counts by stream.
#[derive(Debug, Default)]
pub(crate) struct Score(Unscheduled<BTreeMap<u32, Count>>);

#[derive(Debug, Default)]
struct Count {
    sent: u64,
    has_ended: bool,
    arrived: u64,
}

impl Score {
    fn with<R>(&self, stream: u32, f: impl FnOnce(&mut Count) -> R) -> R {
        f(self.0.lock().entry(stream).or_default())
    }

    /// Records the total that has been sent so far.
    pub(crate) fn sent(&self, stream: u32, count: u64) {
        self.with(stream, |score| score.sent = count);
    }

    /// Records that nothing more will be sent.
    pub(crate) fn ended(&self, stream: u32) {
        self.with(stream, |score| score.has_ended = true);
    }

    /// Records the total that has arrived at the server so far.
    pub(crate) fn arrived(&self, stream: u32, count: u64) {
        self.with(stream, |score| score.arrived = count);
    }

    /// True if everything that was sent has arrived.
    pub(crate) fn is_even(&self, stream: u32) -> bool {
        self.with(stream, |score| score.sent == score.arrived)
    }

    /// Checks, if the stream has ended, that everything that was sent has arrived.
    pub(crate) fn check_ended(&self, stream: u32) {
        self.with(stream, |score| {
            if score.has_ended {
                check(stream, score)
            }
        });
    }

    /// Checks that everything that was sent on any stream has arrived.
    pub(crate) fn check(&self) {
        self.0.lock().iter().for_each(|(stream, score)| check(*stream, score));
    }
}

fn check(stream: u32, score: &Count) {
    always_with("bytes received before the end of a stream are forwarded", score.sent == score.arrived, || {
        let facts = [("stream", u64::from(stream)), ("sent", score.sent), ("arrived", score.arrived)];
        facts.into_iter().map(|(name, value)| (name, value.to_string())).collect()
    });
}

#[cfg(test)]
mod tests {
    use lastref::Check;

    use super::*;

    /// Checks the finding of a run in which a connection sent `sent` requests, and `arrived` of them arrived.
    #[track_caller]
    fn check(sent: u64, arrived: u64, property: Option<&str>) {
        let found = Check::new("score").schedules(1).search(move || {
            let score = Score::default();
            score.sent(0, 2);
            score.arrived(0, 2);
            score.sent(1, sent);
            score.arrived(1, arrived);
            score.check();
        });
        assert_eq!(found.as_ref().err().map(|failure| failure.violation.property.as_str()), property, "{found:?}");
    }

    #[test]
    fn what_was_sent_and_has_not_arrived_is_found() {
        check(3, 3, None);
        check(3, 2, Some("bytes received before the end of a stream are forwarded"));
        check(0, 1, Some("bytes received before the end of a stream are forwarded"));
    }
}
