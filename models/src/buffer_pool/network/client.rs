//! The clients of the network: each sends its requests as text over connections of its own, and checks every byte that
//! comes back.
//!
//! A client has patience, since a connection may be cut without a word. Where the plan has no faults it must never run
//! out.

use std::net::SocketAddr;

use lastref::ledger::{Tag, deliver};
use lastref::net::{TcpStream, sleep, timeout};
use lastref::property::{always, sometimes};
use lastref::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::carrier::visit;
use super::text::{self, END_OF, LENGTH_OF, RECORD, TAG};
use crate::buffer_pool::client::wire;
use crate::buffer_pool::octet::{Octet, Part};
use crate::buffer_pool::plan::{Ask, Client, Ending, NetPlan, Step};
use crate::kit::http1::{self, HEADERS};

/// How long a client waits for what it expects: longer than anything takes that comes at all.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes that it reads at a time.
const READ: usize = 32;
/// Octets of an answer's head: status line, length, empty line.
const HEAD: u32 = 3;

/// One connection of a client.
struct Session<'a> {
    plan: &'a NetPlan,
    client: &'a Client,
    address: u32,
    stream: TcpStream,
    received: Vec<u8>,
    sent: u32,
    /// Octets that it has received in all.
    taken: u32,
}

/// What came of one step of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Went {
    On,
    /// The connection ended, or was lost.
    Wrong,
    /// The moment to reset has come.
    Reset,
}

/// Carries one client out.
pub(crate) async fn run(plan: NetPlan, number: u32, server: SocketAddr) {
    let Some(client) = plan.plan.clients.get(number as usize) else { return };
    for _ in 0..client.visits {
        let Ok(Ok(stream)) = timeout(PATIENCE, TcpStream::connect(server)).await else {
            sometimes("a client is refused", true);
            continue;
        };
        let Ok(local) = stream.local_addr() else { continue };
        let address = plan.plan.address(number, visit(local));
        Session { plan: &plan, client, address, stream, received: Vec::new(), sent: 0, taken: 0 }.run().await;
    }
}

impl Session<'_> {
    async fn run(mut self) {
        let rounds: Vec<&[Ask]> = match self.client.pipelined {
            true => vec![&self.client.asks],
            false => self.client.asks.chunks(1).collect(),
        };
        let mut first = 0;
        for asks in rounds {
            if self.plan.idle_ms > 0 {
                sleep(Duration::from_millis(self.plan.idle_ms)).await;
            }
            let octets: Vec<Octet> = asks.iter().zip(first..).flat_map(|(ask, nth)| wire(self.tag(nth), ask)).collect();
            match self.send(&octets).await {
                Went::On => {}
                Went::Reset => return,
                Went::Wrong => return self.judge(false),
            }
            if self.client.ending == Ending::Abandon {
                return;
            }
            for (ask, nth) in asks.iter().zip(first..) {
                // A handler that panics answers nothing, and the connection goes on.
                if ask.steps.contains(&Step::Panic) {
                    continue;
                }
                let answered = self.answer(self.tag(nth), ask).await.is_some();
                if self.resets_received() {
                    return;
                }
                self.judge(answered);
                if !answered {
                    return self.close().await;
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

    /// Sends in segments.
    async fn send(&mut self, octets: &[Octet]) -> Went {
        let mut before = None;
        for segment in octets.chunks(self.client.segment.max(1) as usize) {
            if self.resets() {
                return Went::Reset;
            }
            let text = text::encode(segment, before);
            if !matches!(timeout(PATIENCE, self.stream.write_all(&text)).await, Ok(Ok(()))) {
                sometimes("a client cannot send", true);
                return Went::Wrong;
            }
            before = segment.last().map(|octet| octet.part);
            self.sent += u32::try_from(segment.len()).unwrap_or(u32::MAX);
        }
        if self.resets() { Went::Reset } else { Went::On }
    }

    fn resets(&self) -> bool {
        matches!(self.client.ending, Ending::Reset(after) if self.sent >= after)
    }

    fn resets_received(&self) -> bool {
        matches!(self.client.ending, Ending::ResetReceived(after) if self.taken >= after)
    }

    /// So many octets of an answer are there; none if they are the last that the client reads.
    fn take(&mut self, octets: u32) -> Option<()> {
        self.taken += octets;
        (!self.resets_received()).then_some(())
    }

    /// Reads one answer; none if the connection ends before it is complete.
    async fn answer(&mut self, tag: Tag, ask: &Ask) -> Option<()> {
        let length = loop {
            match self.head(tag) {
                Some(length) => break length,
                None => self.more().await?,
            }
        };
        self.take(HEAD)?;
        for place in 0..length {
            while self.received.len() < RECORD {
                self.more().await?;
            }
            let record: Vec<u8> = self.received.drain(..RECORD).collect();
            // What is no record is nobody's: memory that is free, or another's head.
            let octet = text::record(&record).unwrap_or(Octet::NOTHING);
            deliver(octet.tag, tag);
            if self.plan.plan.audit.order() {
                always("an answer comes in order", octet.part == Part::Body(place));
            }
            self.take(1)?;
        }
        sometimes("a request is answered", true);
        sometimes("a body is echoed to its end", length > 0 && length == ask.length());
        Some(())
    }

    /// The head of an answer, if all of it is there: how many records follow.
    fn head(&mut self, tag: Tag) -> Option<u32> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let parsed = response.parse(&self.received);
        always("what a client receives is HTTP/1.1", parsed.is_ok());
        let httparse::Status::Complete(end) = parsed.ok()? else { return None };
        let value = |name: &str| {
            let header = response.headers.iter().find(|header| header.name == name)?;
            std::str::from_utf8(header.value).ok()
        };
        let tags = [TAG, LENGTH_OF, END_OF].map(|of| value(of).and_then(http1::tag));
        tags.iter().flatten().for_each(|of| deliver(*of, tag));
        let tags = tags.iter().all(Option::is_some);
        let length = value("Content-Length").and_then(|length| text::records(length.parse().ok()?));
        always("the head of an answer is whole", tags && length.is_some());
        self.received.drain(..end);
        length
    }

    /// Waits for more bytes; none if none will come.
    async fn more(&mut self) -> Option<()> {
        let mut bytes = [0; READ];
        let read = timeout(PATIENCE, self.stream.read(&mut bytes)).await;
        sometimes("a client waits in vain", read.is_err());
        let count = read.ok()?.ok().filter(|count| *count > 0)?;
        self.received.extend_from_slice(&bytes[..count]);
        Some(())
    }

    /// A client that has done nothing to deserve it, on a network that has not either, is not cut off.
    fn judge(&self, answered: bool) {
        let (plan, base) = (self.plan, &self.plan.plan);
        let kind = plan.is_calm() && base.audit.order() && base.is_kind();
        let kind = kind && !self.client.asks.iter().any(|ask| ask.close);
        always("a client that behaves gets its answers", answered || !kind);
    }

    /// Every answer is there.
    async fn end(mut self) {
        if self.client.ending == Ending::Linger {
            while self.more().await.is_some() {}
        }
        always("a client receives nothing that it has not asked for", self.received.is_empty());
        self.close().await;
    }

    async fn close(mut self) {
        // Fails if the connection is gone already.
        let _ = self.stream.shutdown().await;
    }
}
