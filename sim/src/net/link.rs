//! Links between hosts: whether packets pass, the packets that wait, and the times at which broken links are restored.

use std::collections::BTreeMap;

use turmoil_net::Packet;

use super::recovery::Recoveries;

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
    /// Their scheduled restoration.
    pub(super) mending: Recoveries<Ends>,
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
            self.mending.forget(ends);
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
}

#[cfg(test)]
mod tests {
    use turmoil_net::{TcpFlags, Transport};

    use super::*;
    use crate::net::segment::packet_of;
    use crate::net::tests::due;
    use crate::time::{Duration, Instant};
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
        assert_eq!(links.mending.next(), None);
        for (ends, ms) in [(one, 30), (other, 10), (one, 10), (other, 20)] {
            links.mending.schedule(ends, after(ms));
        }
        // The later of two faults of a link ends it.
        assert_eq!(links.mending.next(), Some(after(20)));
        assert!(due(&mut links, after(19)).is_empty());
        assert_eq!(due(&mut links, after(20)), [other]);
        assert_eq!(links.mending.next(), Some(after(30)));
        links.set(one, Link::Up);
        assert_eq!(links.mending.next(), None, "it was restored by hand");
        links.mending.schedule(one, after(40));
        links.mending.clear();
        assert_eq!(links.mending.next(), None);
        assert!(due(&mut links, after(60)).is_empty());
    }
}
