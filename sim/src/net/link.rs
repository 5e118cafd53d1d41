//! Links between hosts: whether packets pass, the packets that wait, and the times at which broken links are restored.

use std::collections::BTreeMap;

use turmoil_net::Packet;

use crate::time::Instant;

/// Whether packets pass between two hosts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Link {
    #[default]
    Up,
    /// Packets are lost.
    Partitioned,
    /// Packets wait.
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

    /// Changes a link; returns the packets that waited on it and may pass now, in order. A change to [`Link::Up`]
    /// cancels the scheduled restoration.
    pub(super) fn set(&mut self, ends: Ends, link: Link) -> Vec<Packet> {
        self.states.insert(ends, link);
        if link == Link::Up {
            self.forget_mending_of(ends);
        }
        if link == Link::Held {
            return Vec::new();
        }
        // Packets of other links keep waiting.
        let waiting = std::mem::take(&mut self.held);
        let (released, held): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|(of, _)| *of == ends);
        self.held = held;
        released.into_iter().map(|(_, packet)| packet).collect()
    }

    /// Queues a packet on its held link.
    pub(super) fn hold(&mut self, ends: Ends, packet: Packet) {
        self.held.push((ends, packet));
    }

    /// Restores the link at that time, or at the time at which an earlier fault of it ends, whichever is later.
    pub(super) fn mend_at(&mut self, ends: Ends, at: Instant) {
        let earlier = self.mending.iter().filter(|(_, links)| links.contains(&ends)).map(|(at, _)| *at).max();
        self.forget_mending_of(ends);
        self.mending.entry(earlier.map_or(at, |earlier| earlier.max(at))).or_default().push(ends);
    }

    /// Cancels the scheduled restoration of this link.
    pub(super) fn forget_mending_of(&mut self, ends: Ends) {
        self.mending.values_mut().for_each(|links| links.retain(|other| *other != ends));
        self.mending.retain(|_, links| !links.is_empty());
    }

    /// Cancels the scheduled restorations.
    pub(super) fn forget_mending(&mut self) {
        self.mending.clear();
    }

    /// The time of the next restoration.
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

#[cfg(test)]
mod tests {
    use turmoil_net::{TcpFlags, Transport};

    use super::*;
    use crate::net::segment::packet_of;
    use crate::time::Duration;
    use kernel::record::End;

    fn packet(seq: u32) -> Packet {
        packet_of(End::Client, (seq, 0), TcpFlags::default(), b"")
    }

    fn numbers(packets: Vec<Packet>) -> Vec<u32> {
        let number = |packet: Packet| match packet.payload {
            Transport::Tcp(segment) => segment.seq,
            other => panic!("not a segment: {other:?}"),
        };
        packets.into_iter().map(number).collect()
    }

    #[test]
    fn a_link_releases_its_own_packets_in_order() {
        let (one, other) = (Ends::new(2, 1), Ends::new(1, 3));
        assert_eq!(one, Ends::new(1, 2), "a link has no direction");
        let mut links = Links::default();
        assert_eq!(links.state(one), Link::Up);
        assert!(links.set(one, Link::Held).is_empty() && links.set(other, Link::Held).is_empty());
        for (nth, link) in [one, other, one, other].into_iter().zip(1..).map(|(link, nth)| (nth, link)) {
            links.hold(link, packet(nth));
        }
        assert!(links.set(one, Link::Held).is_empty(), "it is still held");
        assert_eq!(numbers(links.set(one, Link::Up)), [1, 3]);
        assert_eq!((links.state(one), links.state(other)), (Link::Up, Link::Held));
        assert!(links.set(one, Link::Up).is_empty(), "they were released once");
        // They are lost later, on their way.
        assert_eq!(numbers(links.set(other, Link::Partitioned)), [2, 4]);
    }

    #[test]
    fn links_are_restored_when_they_are_due_unless_that_is_forgotten() {
        let (one, other) = (Ends::new(0, 1), Ends::new(0, 2));
        let now = Instant::now();
        let after = |ms| now + Duration::from_millis(ms);
        let mut links = Links::default();
        assert_eq!(links.next_mending(), None);
        for (ends, ms) in [(one, 30), (other, 10), (one, 10), (other, 20)] {
            links.mend_at(ends, after(ms));
        }
        // The later of two faults of a link ends it.
        assert_eq!(links.next_mending(), Some(after(20)));
        assert!(links.mended(after(19)).is_empty());
        assert_eq!(links.mended(after(20)), [other]);
        assert_eq!(links.next_mending(), Some(after(30)));
        links.set(one, Link::Up);
        assert_eq!(links.next_mending(), None, "it was restored by hand");
        links.mend_at(one, after(40));
        links.forget_mending();
        assert_eq!(links.next_mending(), None);
        assert!(links.mended(after(60)).is_empty());
    }
}
