//! Links between hosts: whether packets pass, what waits where they do not, and when a broken one is whole again.

use std::collections::BTreeMap;

use turmoil_net::Packet;

use crate::time::Instant;

/// Whether packets pass between two hosts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Link {
    #[default]
    Up,
    /// They vanish.
    Partitioned,
    /// They wait.
    Held,
}

impl Link {
    /// What it is called as a fault.
    pub(super) fn fault(self) -> &'static str {
        match self {
            Link::Up => "heal",
            Link::Partitioned => "partition",
            Link::Held => "hold",
        }
    }
}

/// Two hosts, the one of the lower number first: a link has no direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ends(usize, usize);

impl Ends {
    pub(super) fn new(one: usize, other: usize) -> Ends {
        Ends(one.min(other), one.max(other))
    }
}

/// The links that are not as they were at first.
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

    /// Changes a link; the packets that waited on it and do not any more, in order.
    pub(super) fn set(&mut self, ends: Ends, link: Link) -> Vec<Packet> {
        self.states.insert(ends, link);
        if link == Link::Held {
            return Vec::new();
        }
        // What is not of this link waits on.
        let waiting = std::mem::take(&mut self.held);
        let (released, held): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|(of, _)| *of == ends);
        self.held = held;
        released.into_iter().map(|(_, packet)| packet).collect()
    }

    /// A packet waits on its link.
    pub(super) fn hold(&mut self, ends: Ends, packet: Packet) {
        self.held.push((ends, packet));
    }

    /// The link is to be whole again at that moment.
    pub(super) fn mend_at(&mut self, ends: Ends, at: Instant) {
        self.mending.entry(at).or_default().push(ends);
    }

    /// No link is to be whole again by itself.
    pub(super) fn forget_mending(&mut self) {
        self.mending.clear();
    }

    /// When the next link is.
    pub(super) fn next_mending(&self) -> Option<Instant> {
        self.mending.first_key_value().map(|(at, _)| *at)
    }

    /// Those that are to be whole by now.
    pub(super) fn mended(&mut self, now: Instant) -> Vec<Ends> {
        let mut mended = Vec::new();
        while let Some(entry) = self.mending.first_entry().filter(|entry| *entry.key() <= now) {
            mended.extend(entry.remove());
        }
        mended
    }
}
