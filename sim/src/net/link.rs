//! Links between hosts: whether packets pass, the packets that wait, and the times at which broken links are restored.

use std::collections::BTreeMap;

use turmoil_net::Packet;

use crate::time::Instant;

/// Whether packets pass between two hosts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Link {
    #[default]
    Up,
    /// They are lost.
    Partitioned,
    /// They wait.
    Held,
}

impl Link {
    /// Its name as a fault.
    pub(super) fn fault(self) -> &'static str {
        match self {
            Link::Up => "heal",
            Link::Partitioned => "partition",
            Link::Held => "hold",
        }
    }
}

/// Two hosts, the one with the lower number first: a link has no direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ends(usize, usize);

impl Ends {
    pub(super) fn new(one: usize, other: usize) -> Ends {
        Ends(one.min(other), one.max(other))
    }
}

/// The links that differ from their initial state.
#[derive(Debug, Default)]
pub(super) struct Links {
    states: BTreeMap<Ends, Link>,
    held: Vec<(Ends, Packet)>,
    mending: BTreeMap<Instant, Vec<Ends>>,
}

impl Links {
    pub(super) fn state(&self, ends: Ends) -> Link {
        self.states.get(&ends).copied().unwrap_or_default()
    }

    /// Changes a link; returns the packets that waited on it and may pass now, in order.
    pub(super) fn set(&mut self, ends: Ends, link: Link) -> Vec<Packet> {
        self.states.insert(ends, link);
        if link == Link::Held {
            return Vec::new();
        }
        // Packets of other links keep waiting.
        let waiting = std::mem::take(&mut self.held);
        let (released, held): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|(of, _)| *of == ends);
        self.held = held;
        released.into_iter().map(|(_, packet)| packet).collect()
    }

    /// A packet waits on its link.
    pub(super) fn hold(&mut self, ends: Ends, packet: Packet) {
        self.held.push((ends, packet));
    }

    /// Restores the link at that time.
    pub(super) fn mend_at(&mut self, ends: Ends, at: Instant) {
        self.mending.entry(at).or_default().push(ends);
    }

    /// No link is restored by itself any more.
    pub(super) fn forget_mending(&mut self) {
        self.mending.clear();
    }

    /// When the next link is restored.
    pub(super) fn next_mending(&self) -> Option<Instant> {
        self.mending.first_key_value().map(|(at, _)| *at)
    }

    /// The links whose restoration is due.
    pub(super) fn mended(&mut self, now: Instant) -> Vec<Ends> {
        let mut mended = Vec::new();
        while let Some(entry) = self.mending.first_entry().filter(|entry| *entry.key() <= now) {
            mended.extend(entry.remove());
        }
        mended
    }
}
