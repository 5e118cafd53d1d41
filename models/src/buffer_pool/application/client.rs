//! The clients: each sends its requests over one connection, and checks that it gets all of its answers and no others.
//!
//! The same client runs in memory and on a host of the simulated network; a [`Line`] carries its octets. In memory, a
//! line blocks its thread, so one poll completes the client.

use std::sync::Arc;

use lastref::ledger::{Tag, deliver};
use lastref::net::sleep;
use lastref::property::{always, sometimes};
use lastref::time::Duration;

use crate::buffer_pool::engine::Engine;
use crate::buffer_pool::kernel::Kernel;
use crate::buffer_pool::octet::{Octet, Part};
use crate::buffer_pool::plan::{Client, Ending, Framing, Plan, PlannedRequest, Step};
use crate::kit::harness::poll_once;

/// The transport of a client's octets.
pub(crate) trait Line {
    /// Sends octets; returns false if the connection accepts no more.
    async fn send(&mut self, octets: &[Octet]) -> bool;

    /// Waits for octets; returns `None` at the end of the connection, or after a timeout.
    async fn receive(&mut self) -> Option<Vec<Octet>>;

    /// Closes the connection.
    async fn finish(&mut self);

    /// Resets the connection. On the network, dropping the line resets it.
    fn reset(&mut self);
}

/// One connection of a client.
pub(crate) struct Session<'a, L> {
    pub(crate) plan: &'a Plan,
    pub(crate) client: &'a Client,
    pub(crate) address: u32,
    pub(crate) line: L,
    /// The client's pause before each send.
    pub(crate) idle: Duration,
    /// True if the network cannot lose an answer.
    pub(crate) is_calm: bool,
    pub(crate) traffic: Traffic,
}

/// Received octets that the client has not read yet, and the counts of octets sent and received.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    received: Vec<Octet>,
    sent: u32,
    taken: u32,
}

/// Runs one client, in memory.
pub(crate) fn run(engine: &Arc<Engine>, number: u32) {
    let plan = &engine.plan;
    let Some(client) = plan.clients.get(number as usize) else { return };
    for visit in 0..client.visits {
        let address = plan.address(number, visit);
        let Some(socket) = engine.kernel.connect(address) else {
            sometimes("a client is refused", true);
            return;
        };
        if !plan.threads.listener {
            engine.kernel.try_accept().into_iter().for_each(|accepted| engine.add_conn(accepted));
        }
        let line = InMemory { kernel: &engine.kernel, socket };
        let (idle, traffic) = (Duration::ZERO, Traffic::default());
        poll_once(Session { plan, client, address, line, idle, is_calm: true, traffic }.run());
    }
}

struct InMemory<'a> {
    kernel: &'a Kernel,
    socket: usize,
}

impl Line for InMemory<'_> {
    async fn send(&mut self, octets: &[Octet]) -> bool {
        self.kernel.send(self.socket, octets);
        true
    }

    async fn receive(&mut self) -> Option<Vec<Octet>> {
        self.kernel.receive(self.socket)
    }

    async fn finish(&mut self) {
        self.kernel.finish(self.socket);
    }

    fn reset(&mut self) {
        self.kernel.reset(self.socket);
    }
}

impl<L: Line> Session<'_, L> {
    pub(crate) async fn run(mut self) {
        let rounds: Vec<&[PlannedRequest]> = match self.client.pipelined {
            true => vec![&self.client.asks],
            false => self.client.asks.chunks(1).collect(),
        };
        let mut first = 0;
        for asks in rounds {
            if !self.idle.is_zero() {
                sleep(self.idle).await;
            }
            let octets: Vec<Octet> = asks.iter().zip(first..).flat_map(|(ask, nth)| wire(self.tag(nth), ask)).collect();
            let is_sent = self.send(&octets).await;
            if self.resets() {
                return self.line.reset();
            }
            if !is_sent {
                return self.judge(false);
            }
            if self.client.ending == Ending::Abandon {
                return self.line.finish().await;
            }
            for (ask, nth) in asks.iter().zip(first..) {
                // A handler that panics sends no answer, and the connection stays open.
                if ask.steps.contains(&Step::Panic) {
                    continue;
                }
                let is_answered = self.answer(self.tag(nth), ask).await.is_some();
                if self.resets() {
                    return self.line.reset();
                }
                self.judge(is_answered);
                if !is_answered {
                    return self.line.finish().await;
                }
                if ask.close {
                    return self.end().await;
                }
            }
            first += asks.len() as u64;
        }
        self.end().await;
    }

    fn tag(&self, request: u64) -> Tag {
        Tag { peer: self.address, request }
    }

    /// True once the client has sent or received the number of octets after which it resets.
    fn resets(&self) -> bool {
        match self.client.ending {
            Ending::Reset(after) => self.traffic.sent >= after,
            Ending::ResetReceived(after) => self.traffic.taken >= after,
            Ending::Finish | Ending::Linger | Ending::Abandon => false,
        }
    }

    /// Sends in segments; returns false if the connection accepts no more, or if the client must reset first.
    async fn send(&mut self, octets: &[Octet]) -> bool {
        for segment in octets.chunks(self.client.segment.max(1) as usize) {
            if self.resets() || !self.line.send(segment).await {
                return false;
            }
            self.traffic.sent += u32::try_from(segment.len()).unwrap_or(u32::MAX);
        }
        true
    }

    /// Reads one answer; returns `None` if the connection ends before the answer is complete.
    async fn answer(&mut self, tag: Tag, ask: &PlannedRequest) -> Option<()> {
        let (status, length, over) = (self.next().await?, self.next().await?, self.next().await?);
        for octet in [status, length, over] {
            deliver(octet.tag, tag);
        }
        let Part::ContentLength(length) = length.part else { return None };
        for place in 0..length {
            // A handler that set `Content-Length` may have written less, if it closed its body before the end.
            let octet = self.next().await?;
            deliver(octet.tag, tag);
            if self.plan.audit.order() {
                always("an answer arrives in order", octet.part == Part::Body(place));
            }
        }
        sometimes("a request is answered", true);
        sometimes("a body is echoed to its end", length > 0 && length == ask.length());
        Some(())
    }

    /// A well-behaved client on a network without faults must get its answers.
    fn judge(&self, is_answered: bool) {
        let closes = self.client.asks.iter().any(|ask| ask.close);
        let kind = self.is_calm && self.plan.audit.order() && self.plan.is_harmless() && !closes;
        always("a well-behaved client gets its answers", is_answered || !kind);
    }

    /// Ends the connection after the last answer: closes it, or waits until the server closes.
    async fn end(&mut self) {
        if self.client.ending == Ending::Linger {
            while self.next().await.is_some() {}
        } else {
            self.line.finish().await;
        }
    }

    async fn next(&mut self) -> Option<Octet> {
        if self.traffic.received.is_empty() {
            self.traffic.received = self.line.receive().await?;
            self.traffic.taken += u32::try_from(self.traffic.received.len()).unwrap_or(u32::MAX);
            if self.resets() {
                return None;
            }
        }
        Some(self.traffic.received.remove(0))
    }
}

/// Encodes a request as octets.
pub(crate) fn wire(tag: Tag, ask: &PlannedRequest) -> Vec<Octet> {
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
