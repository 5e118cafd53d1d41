//! Applying faults to the traffic: each packet passes the faults of its connection before it is put on its link.

use kernel::record::End;
use turmoil_net::{Packet, Transport};

use super::connection::Connection;
use super::directory::ConnectionEnd;
use super::link::Ends;
use super::packet_steps::{PacketSteps, Step};
use super::wire::{self, Wire};
use crate::time::{Duration, Instant};

impl Wire {
    /// Applies the faults of its connection to a packet that leaves its host.
    pub(super) fn pass(&mut self, packet: Packet, now: Instant) {
        let Transport::Tcp(segment) = &packet.payload else { return };
        let is_attempt = segment.flags.syn && !segment.flags.ack;
        let place = match is_attempt {
            true => self.connections.of_attempt(&packet, self.config.decoder, &self.config.faults),
            false => self.connections.of(&packet),
        };
        let Some(place) = place else { return };
        let is_full = is_attempt && self.is_full(self.connections.get(place).pair.server);
        let passed = self.connections.get_mut(place).pass(packet, place.end, is_full, now);
        self.follow(place, passed, now);
    }

    /// Performs the steps for a packet, or for a fault between two packets.
    fn follow(&mut self, place: ConnectionEnd, passed: PacketSteps, now: Instant) {
        if let Some(told) = passed.told {
            let words = if told.is_empty() { told } else { format!("{} {told}", self.words(place)) };
            self.notes.push(words);
        }
        for step in passed.steps {
            match step {
                // An earlier fault may have broken the link.
                Step::Send(packet) if self.vanishes(&packet) => self.lose(&packet),
                Step::Send(packet) => self.send(packet),
                Step::Hit(hit) => wire::hit(hit),
                Step::Stall(until) => self.connections.get_mut(place).stall(until),
                Step::Break(link, ms) => {
                    let Connection { number, pair, .. } = *self.connections.get(place);
                    if let (Some(client), Some(server)) = self.hosts_of(pair) {
                        let ends = Ends::new(client, server);
                        // The fault was counted for this connection at its byte, before
                        // the later effects of its segment.
                        self.hit_where(link.fault(), |other, client, server| {
                            other != number && ends == Ends::new(client, server)
                        });
                        self.set_link(ends, link);
                        self.links.mending.schedule(ends, now + Duration::from_millis(u64::from(ms)));
                    }
                }
                Step::Crash(ms) => {
                    let Connection { number, pair, .. } = *self.connections.get(place);
                    // A host that was crashed by hand stays down until it is restarted by hand.
                    if let (_, Some(server)) = self.hosts_of(pair)
                        && (!self.hosts[server].is_down || self.restarts.contains(server))
                    {
                        self.take_down(server, |other| other != number);
                        self.crashed.push(server);
                        self.restarts.schedule(server, now + Duration::from_millis(u64::from(ms)));
                    }
                }
                Step::Shut(end) => self.shut_if_due(ConnectionEnd { end, ..place }),
                Step::Later(at, fault) => {
                    let turn = self.turn_at(at);
                    self.late.insert(turn, (ConnectionEnd { end: fault.from, ..place }, fault));
                }
            }
        }
    }

    /// Applies the delayed faults that are due.
    pub(super) fn happen_late(&mut self, now: Instant) {
        while let Some(entry) = self.late.first_entry().filter(|entry| entry.key().0 <= now) {
            let (place, fault) = entry.remove();
            if let Some(passed) = self.connections.get_mut(place).happen_late(fault, now) {
                self.follow(place, passed, now);
            }
        }
    }

    /// The number of bytes that an end may write before a fault shuts down its write side, if a fault does.
    pub(super) fn half_closes_after(&self, place: ConnectionEnd) -> Option<u64> {
        self.connections.get(place).half_closes_after(place.end)
    }

    /// Called when an end writes beyond that byte.
    pub(super) fn half_close_before(&mut self, place: ConnectionEnd) {
        self.connections.get_mut(place).half_close_before(place.end);
        self.shut_if_due(place);
    }

    /// Records that the component shuts down the write side of an end.
    pub(super) fn shut(&mut self, place: ConnectionEnd) {
        self.connections.get_mut(place).shut(place.end);
    }

    fn words(&self, place: ConnectionEnd) -> String {
        let Connection { number, pair, .. } = self.connections.get(place);
        let (client, server) = (self.name_of(pair.client.ip()), self.name_of(pair.server.ip()));
        match place.end {
            End::Client => format!("tcp#{number} {client} -> {server}:"),
            End::Server => format!("tcp#{number} {server} -> {client}:"),
        }
    }
}
