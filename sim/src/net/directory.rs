//! The connections of a network, in the order of their attempts, and the assignment of packets to them.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use kernel::record::End;
use turmoil_net::{Packet, Transport};

use super::connection::{Connection, Pair};
use super::decoder::Decoder;
use super::fault::Fault;

/// The index of a connection in the directory, and one of its ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConnectionEnd {
    pub(super) nth: usize,
    pub(super) end: End,
}

#[derive(Debug, Default)]
pub(super) struct Directory {
    connections: Vec<Connection>,
    /// By an end's address and its peer's address.
    places: BTreeMap<Key, ConnectionEnd>,
}

/// An end's address and its peer's. The ports come first: they differ between most connections, and are compared
/// faster than addresses.
type Key = (u16, u16, IpAddr, IpAddr);

fn key(local: SocketAddr, peer: SocketAddr) -> Key {
    (local.port(), peer.port(), local.ip(), peer.ip())
}

impl Directory {
    /// The connection between two addresses, and the end at `local`.
    pub(super) fn between(&self, local: SocketAddr, peer: SocketAddr) -> Option<ConnectionEnd> {
        self.places.get(&key(local, peer)).copied()
    }

    /// The connection of a packet, and the end that sent it.
    pub(super) fn of(&self, packet: &Packet) -> Option<ConnectionEnd> {
        let (source, destination) = addresses(packet)?;
        self.between(source, destination)
    }

    /// Like [`Directory::of`], for an attempt. Adds the connection if it is new.
    pub(super) fn of_attempt(&mut self, packet: &Packet, decoder: Decoder, faults: &[Fault]) -> Option<ConnectionEnd> {
        let (client, server) = addresses(packet)?;
        if !self.places.contains_key(&key(client, server)) {
            let nth = self.connections.len();
            let number = u32::try_from(nth).unwrap_or(u32::MAX);
            self.connections.push(Connection::new(number, Pair { client, server }, decoder, faults));
            self.places.insert(key(client, server), ConnectionEnd { nth, end: End::Client });
            self.places.insert(key(server, client), ConnectionEnd { nth, end: End::Server });
        }
        self.between(client, server)
    }

    pub(super) fn get(&self, place: ConnectionEnd) -> &Connection {
        &self.connections[place.nth]
    }

    pub(super) fn get_mut(&mut self, place: ConnectionEnd) -> &mut Connection {
        &mut self.connections[place.nth]
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Connection> {
        self.connections.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Connection> {
        self.connections.iter_mut()
    }

    /// The client's end of each connection.
    pub(super) fn places(&self) -> impl Iterator<Item = ConnectionEnd> + use<> {
        (0..self.connections.len()).map(|nth| ConnectionEnd { nth, end: End::Client })
    }
}

/// Source and destination of a segment.
fn addresses(packet: &Packet) -> Option<(SocketAddr, SocketAddr)> {
    let Transport::Tcp(segment) = &packet.payload else { return None };
    Some((SocketAddr::new(packet.src, segment.src_port), SocketAddr::new(packet.dst, segment.dst_port)))
}
