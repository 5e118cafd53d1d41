//! The sockets of the hosts, and the component's streams over them.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Waker};

use kernel::record::End;
use tokio::io::AsyncWrite;
use turmoil_net::{NetstatEntry, NetstatState, Packet, Transport};

use super::connection::Pair;
use super::directory::ConnectionEnd;
use super::segment::reset_from;
use super::socket::{Socket, locked};
use super::wire::Wire;

impl Wire {
    /// Registers a stream of the component, from an attempt or an accept. Returns its connection and end.
    pub(super) fn opened(&mut self, local: SocketAddr, peer: SocketAddr, socket: &Socket) -> Option<ConnectionEnd> {
        self.streams.insert((local, peer), Arc::clone(socket));
        let place = self.connections.between(local, peer)?;
        if place.end == End::Server {
            self.connections.get_mut(place).is_waiting = false;
        }
        self.shut_if_due(place);
        Some(place)
    }

    /// Unregisters a stream that was dropped.
    pub(super) fn dropped(&mut self, local: SocketAddr, peer: SocketAddr) {
        // The stream's own destructor closes the socket, on its host.
        self.streams.remove(&(local, peer));
        if let Some(place) = self.connections.between(local, peer) {
            self.connections.get_mut(place).drop_end(place.end);
        }
    }

    /// The streams of a host that are still held.
    pub(super) fn held_streams(&self, host: IpAddr) -> Vec<(SocketAddr, SocketAddr)> {
        self.streams.keys().filter(|(local, _)| local.ip() == host).copied().collect()
    }

    /// Shuts down the write side of an end if a fault demands it and the component already has its stream.
    pub(super) fn shut_if_due(&mut self, place: ConnectionEnd) {
        let connection = self.connections.get_mut(place);
        let Pair { client, server } = connection.pair;
        let key = if place.end == End::Client { (client, server) } else { (server, client) };
        let (Some(socket), Some(host)) =
            (self.streams.get(&key), self.hosts.iter().find(|it| it.address == key.0.ip()))
        else {
            return;
        };
        if connection.take_half_close(place.end) {
            turmoil_net::set_current(host.id);
            // It queues a FIN and never waits. An error means that the connection has ended.
            let _ = locked(socket, |socket| {
                std::pin::Pin::new(socket).poll_shutdown(&mut Context::from_waker(Waker::noop()))
            });
            self.has_news();
        }
    }

    /// Whether a FIN arrives for a connected client whose task has not seen the connection yet. turmoil-net would then
    /// refuse the attempt, whereas a real stack connects the client and lets it read the end of the stream. The FIN
    /// therefore waits. It waits no longer than a retransmission takes, since a dropped attempt never sees the
    /// connection.
    pub(super) fn comes_before_its_stream(&mut self, packet: &Packet) -> bool {
        let Transport::Tcp(segment) = &packet.payload else { return false };
        if !segment.flags.fin {
            return false;
        }
        let Some(place) = self.connections.of(packet).filter(|place| place.end == End::Server) else { return false };
        let Pair { client, server } = self.connections.get(place).pair;
        if self.streams.contains_key(&(client, server)) {
            return false;
        }
        let is_connected = entry(client, server).is_some_and(|it| it.state == Some(NetstatState::Established));
        is_connected && self.connections.get_mut(place).waits_for_stream(self.config.retransmit_ticks())
    }

    /// Whether the listener's backlog is full.
    pub(super) fn is_full(&self, server: SocketAddr) -> bool {
        let waiting: Vec<ConnectionEnd> =
            self.connections.places().filter(|it| self.is_waiting_for(server, *it)).collect();
        if waiting.len() < self.config.backlog {
            return false;
        }
        // A connection that has ended leaves the backlog, even if none of its packets shows the end: its socket is
        // closed.
        let held = waiting.into_iter().filter(|place| {
            let connection = self.connections.get(*place);
            let Pair { client, server } = connection.pair;
            match connection.is_answered() {
                true => is_open(server, client),
                false => is_open(client, server),
            }
        });
        held.count() >= self.config.backlog
    }

    fn is_waiting_for(&self, server: SocketAddr, place: ConnectionEnd) -> bool {
        let connection = self.connections.get(place);
        connection.pair.server == server && connection.is_waiting
    }

    /// Sends RST in answer to data that the peer will not read, as a real stack does. turmoil-net would keep the data
    /// until its buffer is full. The sender, whose FIN is behind the data, would then wait forever.
    pub(super) fn refuses(&mut self, packet: &Packet) -> bool {
        let Transport::Tcp(segment) = &packet.payload else { return false };
        if segment.payload.is_empty() {
            return false;
        }
        let Some(place) = self.connections.of(packet) else { return false };
        let connection = self.connections.get_mut(place);
        if !connection.is_unwanted(segment, place.end) {
            return false;
        }
        let [onward, back] = connection.refuse_data(place.end);
        self.send(back);
        self.guard.deliver(onward);
        true
    }

    /// Announces window space to senders. turmoil-net does so only when one read has freed half of a buffer: a reader
    /// that empties a full buffer in smaller pieces would leave its sender, and its FIN, waiting forever.
    ///
    /// A sender whose peer is unreachable would wait forever as well, whereas a real kernel probes the window and gives
    /// up in the end. It therefore gets a window update although the peer's space is unknown. Its next segment is lost
    /// and retransmitted like any other.
    pub(super) fn open_windows(&mut self) {
        let window = u16::try_from(self.config.window).unwrap_or(u16::MAX);
        let filled = |local: SocketAddr, peer: SocketAddr| {
            let filled = entry(local, peer).map(|socket| u16::try_from(socket.recv_q).unwrap_or(u16::MAX));
            filled.unwrap_or(u16::MAX)
        };
        let closed: Vec<ConnectionEnd> =
            self.connections.places().filter(|it| self.connections.get(*it).waits(window)).collect();
        for place in closed {
            let connection = self.connections.get(place);
            let Pair { client, server } = connection.pair;
            // The server has not received the client's acknowledgement, and a window update would end its handshake.
            // Only the answer to a repeated SYN-ACK may do that.
            if entry(server, client).is_some_and(|socket| socket.state == Some(NetstatState::SynReceived)) {
                continue;
            }
            let is_broken = self.is_broken(client.ip(), server.ip());
            let connection = self.connections.get_mut(place);
            let packets = match connection.is_blackhole || is_broken {
                true => connection.probes(window),
                false => connection.open_windows(window, filled),
            };
            // A broken link would lose the update, so it is delivered directly; else it is sent behind earlier packets.
            match is_broken {
                true => packets.into_iter().for_each(|packet| self.guard.deliver(packet)),
                false => packets.into_iter().for_each(|packet| self.send(packet)),
            }
        }
    }

    /// On a quiet wire, resets the sockets whose streams are dropped and which would wait forever, for the FIN or for
    /// window space of a peer that has given up. A real kernel does so in the end, turmoil-net never does.
    pub(super) fn give_up_orphans(&self) {
        // A closed socket is in one of these states; a socket in another state is held, or was leaked.
        let ends = [NetstatState::FinWait1, NetstatState::FinWait2, NetstatState::Closing, NetstatState::LastAck];
        let is_ending = |socket: &NetstatEntry| socket.state.is_some_and(|state| ends.contains(&state));
        let is_held =
            |socket: &NetstatEntry| socket.peer.is_some_and(|peer| self.streams.contains_key(&(socket.local, peer)));
        for host in &self.hosts {
            self.reset_sockets(host.address, |socket| is_ending(socket) && !is_held(socket));
        }
    }

    /// Brings up a host that was down, without its connections. Its kernel is gone, so the rest of a socket's data is
    /// never sent.
    pub(super) fn bring_up(&mut self, host: usize) {
        self.restarts.forget(host);
        if std::mem::replace(&mut self.hosts[host].is_down, false) {
            self.reset_sockets(self.hosts[host].address, |_| true);
            self.reap();
        }
    }

    /// Delivers RST at once, as if from their peers, to the selected connected sockets of a host.
    fn reset_sockets(&self, host: IpAddr, which: impl Fn(&NetstatEntry) -> bool) {
        let sockets = turmoil_net::netstat(host).entries;
        for (local, peer) in sockets.iter().filter(|it| which(it)).filter_map(|it| Some((it.local, it.peer?))) {
            self.guard.deliver(reset_from(peer, local));
        }
    }
}

/// A socket's entry in its host's table.
fn entry(local: SocketAddr, peer: SocketAddr) -> Option<NetstatEntry> {
    let sockets = turmoil_net::netstat(local.ip()).entries;
    sockets.into_iter().find(|socket| socket.local == local && socket.peer == Some(peer))
}

fn is_open(local: SocketAddr, peer: SocketAddr) -> bool {
    entry(local, peer).is_some()
}
