//! Receive windows as the wire sees them: small windows that an end has announced, and the updates that open them.

use std::net::SocketAddr;

use kernel::record::End;
use turmoil_net::{Packet, Transport};

use super::connection::Connection;

impl Connection {
    /// Records that a packet of this end is lost: its window is to be announced again.
    pub(super) fn lose(&mut self, packet: &Packet, from: End) {
        self.acknowledge(packet, from);
        if let Some(Packet { payload: Transport::Tcp(segment), .. }) = &mut self.sides[from.index()].last_ack {
            segment.window = 0;
        }
    }

    /// Whether an end has announced less than half of its window, whose full size is `window`.
    pub(super) fn waits(&self, window: u16) -> bool {
        self.sides.iter().filter_map(|side| side.last_ack.as_ref()).any(|packet| match &packet.payload {
            Transport::Tcp(segment) => segment.window < window.div_ceil(2),
            _ => false,
        })
    }

    /// Window updates for the ends: acknowledgements of sockets whose buffers, of this size, were more than half full
    /// and no longer are; `filled` returns the bytes in a socket's buffer.
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

    /// Window updates with the full window, for senders that wait for space. They acknowledge no new bytes.
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
