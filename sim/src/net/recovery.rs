//! Times at which broken parts of the network recover: links, and hosts that a fault has crashed.

use std::collections::BTreeMap;

use crate::time::Instant;

/// The scheduled recoveries of parts, such as links: at most one for each part.
#[derive(Debug)]
pub(super) struct Recoveries<T>(BTreeMap<Instant, Vec<T>>);

impl<T> Default for Recoveries<T> {
    fn default() -> Recoveries<T> {
        Recoveries(BTreeMap::new())
    }
}

impl<T: Copy + PartialEq> Recoveries<T> {
    /// The part recovers at that time, or at the time at which an earlier fault of it ends, whichever is later.
    pub(super) fn schedule(&mut self, part: T, at: Instant) {
        let earlier = self.0.iter().filter(|(_, parts)| parts.contains(&part)).map(|(at, _)| *at).max();
        self.forget(part);
        self.0.entry(earlier.map_or(at, |earlier| earlier.max(at))).or_default().push(part);
    }

    /// Whether the part will recover by itself.
    pub(super) fn contains(&self, part: T) -> bool {
        self.0.values().any(|parts| parts.contains(&part))
    }

    /// Cancels the recovery of this part.
    pub(super) fn forget(&mut self, part: T) {
        self.0.values_mut().for_each(|parts| parts.retain(|other| *other != part));
        self.0.retain(|_, parts| !parts.is_empty());
    }

    /// Cancels every recovery.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The time of the next recovery.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.first_key_value().map(|(at, _)| *at)
    }

    /// A part whose recovery is due, the earliest first. One at a time, since the recovery of one may cancel that of
    /// another.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<T> {
        let mut first = self.0.first_entry().filter(|entry| *entry.key() <= now)?;
        let part = first.get_mut().remove(0);
        if first.get().is_empty() {
            first.remove();
        }
        Some(part)
    }
}
