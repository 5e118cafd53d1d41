//! Packets that the wire itself makes: acknowledgements, resets, and pieces of segments.

use std::net::SocketAddr;

use bytes::Bytes;
use turmoil_net::{Packet, TcpFlags, TcpSegment, Transport};

/// Time to live of a packet that the wire makes.
const TTL: u8 = 64;

/// A packet's acknowledgement alone.
pub(super) fn bare_ack(packet: &Packet, segment: &TcpSegment) -> Packet {
    let flags = TcpFlags { ack: true, ..TcpFlags::default() };
    let payload = Transport::Tcp(TcpSegment { payload: Bytes::new(), flags, ..segment.clone() });
    Packet { payload, ..packet.clone() }
}

/// RST, to one end as if the other had sent it.
pub(super) fn reset_from(source: SocketAddr, destination: SocketAddr) -> Packet {
    let flags = TcpFlags { rst: true, ack: true, ..TcpFlags::default() };
    let (src_port, dst_port) = (source.port(), destination.port());
    let segment = TcpSegment { src_port, dst_port, seq: 0, ack: 0, flags, window: 0, payload: Bytes::new() };
    Packet { src: source.ip(), dst: destination.ip(), ttl: TTL, payload: Transport::Tcp(segment) }
}

/// Bytes `from..to` of a segment's payload as a segment of their own. Only the last piece carries the FIN.
pub(super) fn piece(packet: &Packet, segment: &TcpSegment, from: usize, to: usize, is_last: bool) -> Packet {
    let mut piece = segment.clone();
    piece.payload = segment.payload.slice(from..to);
    piece.seq = segment.seq.wrapping_add(u32::try_from(from).unwrap_or(u32::MAX));
    piece.flags.fin = segment.flags.fin && is_last;
    Packet { payload: Transport::Tcp(piece), ..packet.clone() }
}
