//! Packets that the wire itself creates: acknowledgements, resets, and pieces of segments.

use std::net::SocketAddr;

use bytes::Bytes;
use turmoil_net::{Packet, TcpFlags, TcpSegment, Transport};

/// Time to live of a packet that the wire creates.
const TTL: u8 = 64;

/// A packet that carries only the acknowledgement of the given packet.
pub(super) fn bare_ack(packet: &Packet, segment: &TcpSegment) -> Packet {
    let flags = TcpFlags { ack: true, ..TcpFlags::default() };
    let payload = Transport::Tcp(TcpSegment { payload: Bytes::new(), flags, ..segment.clone() });
    Packet { payload, ..packet.clone() }
}

/// An RST to `destination`, as if `source` had sent it.
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

/// A packet of a test, between the client `10.0.0.1:4000` and the server `10.0.0.2:80`.
#[cfg(test)]
pub(super) fn packet_of(from: kernel::record::End, (seq, ack): (u32, u32), flags: TcpFlags, payload: &[u8]) -> Packet {
    let client = SocketAddr::from(([10, 0, 0, 1], 4000));
    let server = SocketAddr::from(([10, 0, 0, 2], 80));
    let (own, other) = match from {
        kernel::record::End::Client => (client, server),
        kernel::record::End::Server => (server, client),
    };
    let (src_port, dst_port, payload) = (own.port(), other.port(), Bytes::copy_from_slice(payload));
    let segment = TcpSegment { src_port, dst_port, seq, ack, flags, window: 1_024, payload };
    Packet { src: own.ip(), dst: other.ip(), ttl: TTL, payload: Transport::Tcp(segment) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::record::End;

    #[test]
    fn a_reset_comes_from_the_other_end_and_acknowledges() {
        let [own, other] = [(1, 4000), (2, 80)].map(|(host, port)| SocketAddr::from(([10, 0, 0, host], port)));
        let reset = reset_from(own, other);
        let Transport::Tcp(segment) = &reset.payload else { panic!("not a segment: {reset:?}") };
        assert_eq!((reset.src, segment.src_port), (own.ip(), own.port()));
        assert_eq!((reset.dst, segment.dst_port), (other.ip(), other.port()));
        let flags = TcpFlags { rst: true, ack: true, ..TcpFlags::default() };
        assert!(segment.flags == flags && segment.payload.is_empty(), "{segment:?}");
    }

    #[test]
    fn a_piece_has_its_bytes_their_number_and_the_fin_only_at_the_end() {
        let flags = TcpFlags { ack: true, fin: true, ..TcpFlags::default() };
        let packet = packet_of(End::Client, (100, 7), flags, b"ping");
        let Transport::Tcp(segment) = &packet.payload else { panic!("not a segment: {packet:?}") };
        for (from, to, is_last) in [(0, 1, false), (1, 4, true)] {
            let piece = piece(&packet, segment, from, to, is_last);
            let Transport::Tcp(piece) = &piece.payload else { panic!("not a segment: {piece:?}") };
            assert_eq!((piece.seq, &piece.payload[..]), (100 + from as u32, &b"ping"[from..to]));
            assert_eq!((piece.ack, piece.flags.fin), (7, is_last));
        }
        let Transport::Tcp(ack) = bare_ack(&packet, segment).payload else { panic!("not a segment") };
        assert!(ack.payload.is_empty() && ack.flags == TcpFlags { ack: true, ..TcpFlags::default() }, "{ack:?}");
        assert_eq!((ack.seq, ack.ack), (100, 7));
    }
}
