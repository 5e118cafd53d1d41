//! A client of the proxy: an event loop like memtier's, which reads whenever there is something to read.
//!
//! A client that wrote all before it read anything could wait for ever, and rightly so: its replies fill the proxy's
//! buffers and leave none for its requests.

use std::collections::VecDeque;
use std::sync::Arc;

use lastref::property::{always, sometimes};

use super::kernel::abi::{ListenerId, Octet};
use super::kernel::programs::{Progress, Read, Socket, Sockets};
use super::plan::Step;
use super::resp::{Reader, Writer, reply_stream, request_stream};
use crate::kit::harness::Unscheduled;

/// What clients and server know of each other without the network: the experiment's own bookkeeping.
#[derive(Debug, Default)]
pub(super) struct Totals {
    /// Per client: bytes written; and whether that was all of it.
    sent: Vec<(u32, bool)>,
    /// Per client: bytes that arrived at the server.
    arrived: Vec<u32>,
}

/// Shared by all peers, and read under the kernel's lock only.
pub(super) type Scores = Arc<Unscheduled<Totals>>;

impl Totals {
    pub(super) fn new(clients: usize) -> Scores {
        Arc::new(Unscheduled::new(Totals { sent: vec![(0, false); clients], arrived: vec![0; clients] }))
    }

    /// The server has read this much of a client's stream.
    pub(super) fn arrive(&mut self, client: u32, bytes: u32) {
        self.arrived[client as usize] = bytes;
    }

    /// How much a client has sent, and how much of it has arrived.
    pub(super) fn totals(&self, client: u32) -> (u32, u32) {
        (self.sent[client as usize].0, self.arrived[client as usize])
    }

    /// Whether a client has ended its stream, and how long it is.
    pub(super) fn whole(&self, client: u32) -> Option<u32> {
        let (bytes, ended) = self.sent[client as usize];
        ended.then_some(bytes)
    }
}

/// One client.
#[derive(Debug)]
pub(super) struct Client {
    number: u32,
    steps: VecDeque<Step>,
    proxy: ListenerId,
    socket: Option<Socket>,
    writer: Writer,
    reader: Reader,
    outgoing: VecDeque<Octet>,
    asked: u64,
    answered: u64,
    /// Nothing can be lost: whoever waits gets his replies.
    lossless: bool,
    /// The proxy forwards the replies.
    bidi: bool,
    fin: bool,
    scores: Scores,
}

/// What kind of run it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    pub(super) lossless: bool,
    pub(super) bidi: bool,
}

impl Client {
    pub(super) fn new(number: u32, steps: &[Step], proxy: ListenerId, manner: Manner, scores: &Scores) -> Client {
        Client {
            number,
            steps: steps.iter().copied().collect(),
            proxy,
            socket: None,
            writer: Writer::new(request_stream(number)),
            reader: Reader::new(Some(reply_stream(request_stream(number)))),
            outgoing: VecDeque::new(),
            asked: 0,
            answered: 0,
            lossless: manner.lossless,
            bidi: manner.bidi,
            fin: false,
            scores: Arc::clone(scores),
        }
    }

    /// Does what can be done without waiting.
    pub(super) fn step(&mut self, net: &mut Sockets<'_>) -> Progress {
        let Some(socket) = self.socket else {
            self.socket = net.connect(self.proxy);
            return if self.socket.is_some() { Progress::Some } else { Progress::Done };
        };
        let read = match net.read(socket) {
            Read::Nothing => false,
            Read::Octets(octets) => {
                self.answered += self.reader.take(&octets).len() as u64;
                true
            }
            Read::End | Read::Broken => return self.end(net, socket),
        };
        let wrote = self.write(net, socket);
        let stepped = self.outgoing.is_empty() && self.advance(net, socket);
        match (read || wrote || stepped, self.socket) {
            (_, None) => Progress::Done,
            (true, _) => Progress::Some,
            (false, _) => Progress::None,
        }
    }

    /// The connection is over, by the peer's will.
    fn end(&mut self, net: &mut Sockets<'_>, socket: Socket) -> Progress {
        self.reader.end();
        let waits = self.bidi && self.steps.contains(&Step::Await);
        always("a client that waits gets its replies", !(self.lossless && waits));
        net.close(socket);
        Progress::Done
    }

    fn write(&mut self, net: &mut Sockets<'_>, socket: Socket) -> bool {
        if self.outgoing.is_empty() {
            return false;
        }
        let octets: Vec<Octet> = self.outgoing.iter().copied().collect();
        // A broken connection shows when it is read.
        let count = net.write(socket, &octets).unwrap_or(octets.len());
        self.outgoing.drain(..count);
        count > 0
    }

    /// The next step of the plan, if it is its time.
    fn advance(&mut self, net: &mut Sockets<'_>, socket: Socket) -> bool {
        match self.steps.front().copied() {
            Some(Step::Await) => {
                let arrived = if self.bidi { self.answered == self.asked } else { self.all_arrived() };
                if !arrived {
                    return false;
                }
                sometimes("a client has all of its replies", self.bidi);
            }
            Some(Step::Ping(count)) => (0..count).for_each(|_| self.ask(b"PING\r\n")),
            Some(Step::Get(len)) => self.ask(format!("GET {len}\r\n").as_bytes()),
            Some(Step::Reset) => {
                net.reset(socket);
                self.socket = None;
            }
            Some(Step::Fin) | None if !self.fin => {
                self.fin = true;
                self.note(true);
                net.shut_write(socket);
            }
            Some(Step::Fin) => {}
            None => return false,
        }
        self.steps.pop_front();
        true
    }

    fn ask(&mut self, text: &[u8]) {
        let octets = self.writer.write(text, self.asked);
        self.outgoing.extend(octets);
        self.asked += 1;
        self.note(false);
    }

    fn note(&self, ended: bool) {
        let mut scores = self.scores.lock();
        scores.sent[self.number as usize] = (self.writer.written(), ended);
    }

    fn all_arrived(&self) -> bool {
        let scores = self.scores.lock();
        scores.arrived[self.number as usize] == self.writer.written()
    }
}
