//! Receive windows as the wire sees them: which end was told of little room, and what tells it of more.

use std::net::SocketAddr;

use turmoil_net::{Packet, Transport};

use super::connection::Connection;
use super::fault::End;

impl Connection {
    /// A packet of this end gets lost.
    pub(super) fn lose(&mut self, packet: &Packet, from: End) {
        self.acknowledge(packet, from);
        if let Some(Packet { payload: Transport::Tcp(segment), .. }) = &mut self.sides[from.index()].last_ack {
            segment.window = 0;
        }
    }

    /// Whether an end was told of little room, of this size when it is all free.
    pub(super) fn waits(&self, window: u16) -> bool {
        self.sides.iter().filter_map(|side| side.last_ack.as_ref()).any(|packet| match &packet.payload {
            Transport::Tcp(segment) => segment.window < window.div_ceil(2),
            _ => false,
        })
    }

    /// Acknowledgements that say of room what the ends have not: those whose buffers, of this size, were more than half
    /// full and are not any more, by the number of bytes in a socket's.
    pub(super) fn open_windows(&mut self, window: u16, filled: impl Fn(SocketAddr, SocketAddr) -> u16) -> Vec<Packet> {
        let enough = window.div_ceil(2);
        let mut opened = Vec::new();
        for packet in self.sides.iter_mut().filter_map(|side| side.last_ack.as_mut()) {
            let (source, destination) = (packet.src, packet.dst);
            let Transport::Tcp(segment) = &mut packet.payload else { continue };
            if segment.window >= enough {
                continue;
            }
            let local = SocketAddr::new(source, segment.src_port);
            let room = window.saturating_sub(filled(local, SocketAddr::new(destination, segment.dst_port)));
            if room >= enough {
                segment.window = room;
                opened.push(packet.clone());
            }
        }
        opened
    }

    /// Tells the ends that wait for room of as much as there can be, and of nothing else: it acknowledges nothing that
    /// was not acknowledged before.
    pub(super) fn probes(&mut self, window: u16) -> Vec<Packet> {
        let firsts = [self.sides[1].first, self.sides[0].first];
        let mut probes = self.open_windows(window, |_, _| 0);
        for packet in &mut probes {
            let Transport::Tcp(segment) = &mut packet.payload else { continue };
            let is_of_client = SocketAddr::new(packet.src, segment.src_port) == self.pair.client;
            let first = firsts[usize::from(!is_of_client)];
            segment.ack = first.unwrap_or(segment.ack);
        }
        probes
    }
}
