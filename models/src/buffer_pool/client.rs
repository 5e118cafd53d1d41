//! The clients: each sends its requests over one connection and checks that it gets the answers, and its own.

use std::sync::Arc;

use lastref::ledger::{Tag, deliver};
use lastref::property::{always, sometimes};

use super::engine::Engine;
use super::kernel::Received;
use super::octet::{Octet, Part};
use super::plan::{Ask, Client, Ending, Framing, Step};

/// One connection of a client.
struct Session<'a> {
    engine: &'a Arc<Engine>,
    client: &'a Client,
    address: u32,
    socket: usize,
    received: Vec<Octet>,
    /// Octets that it has received in all.
    taken: u32,
    /// The client has reset its connection.
    has_reset: bool,
}

/// Carries one client out.
pub(super) fn run(engine: &Arc<Engine>, number: u32) {
    let Some(client) = engine.plan.clients.get(number as usize) else { return };
    for visit in 0..client.visits {
        let address = engine.plan.address(number, visit);
        let Some(socket) = engine.kernel.connect(address) else {
            sometimes("a client is refused", true);
            return;
        };
        if !engine.plan.threads.listener {
            engine.kernel.try_accept().into_iter().for_each(|accepted| engine.add_conn(accepted));
        }
        Session { engine, client, address, socket, received: Vec::new(), taken: 0, has_reset: false }.run();
    }
}

impl Session<'_> {
    fn run(&mut self) {
        let rounds: Vec<&[Ask]> = match self.client.pipelined {
            true => vec![&self.client.asks],
            false => self.client.asks.chunks(1).collect(),
        };
        let (mut first, mut sent) = (0, 0);
        for asks in rounds {
            let octets: Vec<Octet> = asks.iter().zip(first..).flat_map(|(ask, nth)| wire(self.tag(nth), ask)).collect();
            if self.send(&octets, &mut sent) {
                return self.engine.kernel.reset(self.socket);
            }
            if self.client.ending == Ending::Abandon {
                return self.engine.kernel.finish(self.socket);
            }
            for (ask, nth) in asks.iter().zip(first..) {
                // A handler that panics answers nothing, and the connection goes on.
                if ask.steps.contains(&Step::Panic) {
                    continue;
                }
                let answered = self.answer(self.tag(nth), ask);
                if self.has_reset {
                    return;
                }
                self.judge(answered);
                if !answered || ask.close {
                    return self.end();
                }
            }
            first += asks.len() as u64;
        }
        self.end();
    }

    fn tag(&self, request: u64) -> Tag {
        Tag { peer: self.address, request }
    }

    /// Sends in segments; true if the moment to reset has come.
    fn send(&self, octets: &[Octet], sent: &mut u32) -> bool {
        for segment in octets.chunks(self.client.segment.max(1) as usize) {
            if matches!(self.client.ending, Ending::Reset(after) if *sent >= after) {
                return true;
            }
            self.engine.kernel.send(self.socket, segment);
            *sent += u32::try_from(segment.len()).unwrap_or(u32::MAX);
        }
        matches!(self.client.ending, Ending::Reset(after) if *sent >= after)
    }

    /// Reads one answer; false if the connection ends before it is complete.
    fn answer(&mut self, tag: Tag, ask: &Ask) -> bool {
        let (Some(status), Some(length), Some(over)) = (self.next(), self.next(), self.next()) else { return false };
        for octet in [status, length, over] {
            deliver(octet.tag, tag);
        }
        let Part::ContentLength(length) = length.part else { return false };
        for place in 0..length {
            // A handler that has said how long its answer is may have written less, of a body that it closed.
            let Some(octet) = self.next() else { return false };
            deliver(octet.tag, tag);
            if self.engine.plan.audit.order() {
                always("an answer comes in order", octet.part == Part::Body(place));
            }
        }
        sometimes("a request is answered", true);
        sometimes("a body is echoed to its end", length > 0 && length == ask.length());
        true
    }

    /// A client that has done nothing to deserve it is not cut off.
    fn judge(&self, answered: bool) {
        let plan = &self.engine.plan;
        let kind = plan.audit.order() && plan.is_kind() && !self.client.asks.iter().any(|ask| ask.close);
        always("a client that behaves gets its answers", answered || !kind);
    }

    fn end(&mut self) {
        match self.client.ending {
            Ending::Linger => while self.next().is_some() {},
            Ending::Finish | Ending::Abandon | Ending::Reset(_) | Ending::ResetReceived(_) => {
                self.engine.kernel.finish(self.socket);
            }
        }
    }

    fn next(&mut self) -> Option<Octet> {
        if self.received.is_empty() {
            match self.engine.kernel.receive(self.socket) {
                Received::Data(octets) => self.received = octets,
                Received::Closed => return None,
            }
            self.taken += u32::try_from(self.received.len()).unwrap_or(u32::MAX);
            if matches!(self.client.ending, Ending::ResetReceived(after) if self.taken >= after) {
                self.engine.kernel.reset(self.socket);
                self.has_reset = true;
                return None;
            }
        }
        Some(self.received.remove(0))
    }
}

/// A request as it goes on the wire.
pub(super) fn wire(tag: Tag, ask: &Ask) -> Vec<Octet> {
    let mut parts = vec![Part::RequestLine];
    if ask.close {
        parts.push(Part::ConnectionClose);
    }
    let mut place = 0;
    let mut body = |size: u32| {
        let from = place;
        place += size;
        (from..from + size).map(Part::Body).collect::<Vec<Part>>()
    };
    match &ask.body {
        Framing::Length(length) => {
            parts.extend([Part::ContentLength(*length), Part::HeaderOver]);
            parts.extend(body(*length));
        }
        Framing::Chunks(sizes) => {
            parts.extend([Part::Chunked, Part::HeaderOver]);
            for size in sizes {
                parts.push(Part::ChunkSize(*size));
                parts.extend(body(*size));
            }
            parts.push(Part::ChunkSize(0));
        }
    }
    parts.into_iter().map(|part| Octet::new(tag, part)).collect()
}
