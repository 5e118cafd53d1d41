//! A client of the proxy: an event loop like memtier's, which reads whenever data is available.
//!
//! A client that writes everything before it reads may wait forever, which is not a bug of the proxy: the replies fill
//! the proxy's buffers and leave none for the requests.

use std::collections::VecDeque;
use std::sync::Arc;

use lastref::property::{always, sometimes};

use super::resp::{Reader, Writer, reply_stream, request_stream};
use super::score::Score;
use crate::uring_proxy::kernel::abi::{ListenerId, Octet};
use crate::uring_proxy::kernel::programs::{Progress, Read, Socket, Sockets};
use crate::uring_proxy::plan::Step;

/// One client.
#[derive(Debug)]
pub(crate) struct Client {
    number: u32,
    steps: VecDeque<Step>,
    proxy: ListenerId,
    socket: Option<Socket>,
    writer: Writer,
    reader: Reader,
    outgoing: Vec<Octet>,
    asked: u64,
    answered: u64,
    manner: Manner,
    fin: bool,
    score: Arc<Score>,
}

/// The properties of the run that the client's checks depend on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    /// True if no data can be lost, so every awaited reply must arrive.
    pub(crate) lossless: bool,
    /// The proxy forwards the replies.
    pub(crate) bidi: bool,
}

impl Client {
    pub(crate) fn new(number: u32, steps: &[Step], proxy: ListenerId, manner: Manner, score: &Arc<Score>) -> Client {
        Client {
            number,
            steps: steps.iter().copied().collect(),
            proxy,
            socket: None,
            writer: Writer::new(request_stream(number)),
            reader: Reader::new(Some(reply_stream(request_stream(number)))),
            outgoing: Vec::new(),
            asked: 0,
            answered: 0,
            manner,
            fin: false,
            score: Arc::clone(score),
        }
    }

    /// Makes all progress that is possible without blocking.
    pub(crate) fn step(&mut self, net: &mut Sockets<'_>) -> Progress {
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
        let wrote = write(net, socket, &mut self.outgoing);
        let stepped = self.outgoing.is_empty() && self.advance(net, socket);
        match (read || wrote || stepped, self.socket) {
            (_, None) => Progress::Done,
            (true, _) => Progress::Some,
            (false, _) => Progress::None,
        }
    }

    /// The peer has ended the connection.
    fn end(&mut self, net: &mut Sockets<'_>, socket: Socket) -> Progress {
        self.reader.end();
        let waits = self.manner.bidi && self.steps.contains(&Step::Await);
        always("a client that waits gets its replies", !(self.manner.lossless && waits));
        net.close(socket);
        Progress::Done
    }

    /// Performs the next step of the plan, if it is due.
    fn advance(&mut self, net: &mut Sockets<'_>, socket: Socket) -> bool {
        match self.steps.front().copied() {
            Some(Step::Await) => {
                let arrived =
                    if self.manner.bidi { self.answered == self.asked } else { self.score.is_even(self.number) };
                if !arrived {
                    return false;
                }
                sometimes("a client has all of its replies", self.manner.bidi);
            }
            Some(Step::Ping(count)) => (0..count).for_each(|_| self.ask(b"PING\r\n")),
            Some(Step::Get(len)) => self.ask(format!("GET {len}\r\n").as_bytes()),
            Some(Step::Reset) => {
                net.reset(socket);
                self.socket = None;
            }
            Some(Step::Fin) | None if !self.fin => {
                self.fin = true;
                self.score.ended(self.number);
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
        self.score.sent(self.number, self.writer.at.into());
    }
}

/// Writes as many bytes as the socket takes, and returns whether it took any.
pub(super) fn write(net: &mut Sockets<'_>, socket: Socket, outgoing: &mut Vec<Octet>) -> bool {
    if outgoing.is_empty() {
        return false;
    }
    // The next read reports a broken connection.
    let count = net.write(socket, outgoing).unwrap_or(outgoing.len());
    outgoing.drain(..count);
    count > 0
}
