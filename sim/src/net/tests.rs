//! Unit tests of links and of HTTP/2's frames: waiting packets, restoring a link, and the role of each frame.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use kernel::record::End;
use turmoil_net::{Packet, Transport};

use super::decoder::{Decoder, Reader};
use super::link::{Ends, Link, Links};
use super::protocol::Role;
use super::segment::reset_from;
use crate::time::{Duration, Instant};

/// A packet, identified by its port.
fn packet(port: u16) -> Packet {
    let at = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    reset_from(at(port), at(1))
}

fn ports(packets: &[Packet]) -> Vec<u16> {
    let port = |packet: &Packet| match &packet.payload {
        Transport::Tcp(segment) => segment.src_port,
        _ => 0,
    };
    packets.iter().map(port).collect()
}

/// The links whose restoration is due.
pub(super) fn due(links: &mut Links, now: Instant) -> Vec<Ends> {
    std::iter::from_fn(|| links.mending.take_due(now)).collect()
}

#[test]
fn links_are_mended_in_the_order_of_their_moments_and_each_once() {
    let (start, mut links) = (Instant::now(), Links::default());
    let at = |ms| start + Duration::from_millis(ms);
    let (near, far, other) = (Ends::new(0, 1), Ends::new(2, 0), Ends::new(1, 2));
    assert_eq!(links.mending.next(), None);
    links.mending.schedule(far, at(30));
    links.mending.schedule(near, at(10));
    links.mending.schedule(other, at(30));
    assert_eq!(links.mending.next(), Some(at(10)));
    assert_eq!(due(&mut links, at(9)), []);
    assert_eq!(due(&mut links, at(10)), [near], "due at this very moment");
    assert_eq!(links.mending.next(), Some(at(30)));
    assert_eq!(due(&mut links, at(40)), [far, other]);
    assert_eq!((links.mending.next(), due(&mut links, at(50))), (None, Vec::new()));
}

#[test]
fn packets_wait_on_their_own_link_and_in_order() {
    let mut links = Links::default();
    let (one, other) = (Ends::new(0, 1), Ends::new(0, 2));
    assert_eq!(one, Ends::new(1, 0), "a link has no direction");
    assert_eq!(links.state(one), Link::Up);
    assert!(ports(&links.set(one, Link::Held)).is_empty());
    links.set(other, Link::Held);
    for (ends, port) in [(one, 10), (other, 20), (one, 11)] {
        links.hold(ends, packet(port));
    }
    assert!(ports(&links.set(one, Link::Held)).is_empty(), "it is held still");
    assert_eq!(ports(&links.set(one, Link::Up)), [10, 11]);
    assert_eq!((links.state(one), links.state(other)), (Link::Up, Link::Held));
    assert_eq!(ports(&links.set(other, Link::Partitioned)), [20]);
}

/// A frame of HTTP/2 (RFC 9113, 4.1) without payload, on stream 1.
fn frame(kind: u8, flags: u8) -> [u8; 9] {
    [0, 0, 0, kind, flags, 0, 0, 0, 1]
}

#[test]
fn each_frame_of_http2_does_what_its_type_its_flags_and_its_sender_say() {
    const DATA: u8 = 0;
    const HEADERS: u8 = 1;
    const RST_STREAM: u8 = 3;
    const SETTINGS: u8 = 4;
    const PING: u8 = 6;
    const GOAWAY: u8 = 7;
    // Bit 0 is END_STREAM or ACK; bit 2 is END_HEADERS, which has no effect here.
    let cases = [
        (End::Client, HEADERS, 4, Role::Request),
        (End::Client, HEADERS, 5, Role::Request),
        (End::Client, DATA, 1, Role::Other),
        (End::Server, HEADERS, 4, Role::Response { answers: 0 }),
        (End::Server, HEADERS, 5, Role::Response { answers: 1 }),
        (End::Server, DATA, 0, Role::Response { answers: 0 }),
        (End::Server, DATA, 1, Role::Response { answers: 1 }),
        (End::Client, RST_STREAM, 0, Role::Response { answers: 1 }),
        (End::Server, RST_STREAM, 0, Role::Response { answers: 1 }),
        (End::Client, SETTINGS, 0, Role::Handshake),
        (End::Server, SETTINGS, 0, Role::Handshake),
        (End::Server, SETTINGS, 1, Role::Other),
        (End::Server, PING, 0, Role::Other),
        (End::Client, GOAWAY, 0, Role::Fault("GOAWAY")),
        (End::Server, GOAWAY, 0, Role::Fault("GOAWAY")),
    ];
    for (end, kind, flags, role) in cases {
        let mut reader = Reader::of(Decoder::Http2, end).expect("http2 is read");
        assert!(reader.has_handshake(), "SETTINGS come before anything else");
        if end == End::Client {
            assert_eq!(reader.read(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", false).roles, [Role::Other]);
        }
        let read = reader.read(&frame(kind, flags), false);
        assert_eq!(read.roles, [role], "{end:?} {kind} {flags}");
        assert!(read.names.is_empty() && !reader.is_within(), "{end:?} {kind} {flags}");
    }
}

#[test]
fn frames_of_http2_are_told_apart_by_their_lengths() {
    let mut reader = Reader::of(Decoder::Http2, End::Server).expect("http2 is read");
    let mut bytes = Vec::from([0, 1, 2, 0, 1, 0x80, 0, 0, 3]);
    bytes.resize(9 + 258, 7);
    let length = bytes.len();
    bytes.extend(frame(6, 1));
    assert_eq!(reader.read(&bytes[..length - 1], true).names, Vec::<String>::new());
    assert!(reader.is_within());
    let read = reader.read(&bytes[length - 1..], true);
    assert_eq!(
        read.names,
        ["DATA stream=3 258 bytes END_STREAM", "PING ACK"],
        "the reserved bit is not part of the stream number"
    );
    let mut client = Reader::of(Decoder::Http2, End::Client).expect("http2 is read");
    assert_eq!(
        client.read(&frame(4, 0), true).names,
        ["SETTINGS"],
        "a client that sends no preface is read all the same"
    );
}
