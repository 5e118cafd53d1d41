//! The server behind the proxy: one event loop over all connections, like redis. It always reads, and queues replies
//! that it cannot write yet.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::client::{Manner, write};
use super::resp::{Reader, Writer, answer, reply_stream};
use super::score::Score;
use crate::uring_proxy::kernel::abi::{ListenerId, Octet};
use crate::uring_proxy::kernel::programs::{Progress, Read, Socket, Sockets};
use crate::uring_proxy::plan::Habit;

/// The server.
#[derive(Debug)]
pub(crate) struct Server {
    listener: ListenerId,
    conns: Vec<Conn>,
    habit: Habit,
    manner: Manner,
    score: Arc<Score>,
    /// True once no more connections will arrive. The application sets it, then wakes all programs.
    pub(super) closing: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Conn {
    socket: Socket,
    reader: Reader,
    writer: Option<Writer>,
    outgoing: Vec<Octet>,
    answered: u32,
    fin: bool,
}

impl Server {
    pub(crate) fn new(listener: ListenerId, habit: Habit, manner: Manner, score: &Arc<Score>) -> Server {
        let closing = Arc::new(AtomicBool::new(false));
        Server { listener, conns: Vec::new(), habit, manner, score: Arc::clone(score), closing }
    }

    /// Makes all progress that is possible without blocking.
    pub(crate) fn step(&mut self, net: &mut Sockets<'_>) -> Progress {
        let mut progress = false;
        while let Some(socket) = net.accept(self.listener) {
            let (reader, outgoing) = (Reader::new(None), Vec::new());
            self.conns.push(Conn { socket, reader, writer: None, outgoing, answered: 0, fin: false });
            progress = true;
        }
        self.conns.retain_mut(|conn| {
            let stepped = conn.step(net, self.habit, self.manner, &self.score);
            progress |= stepped != Progress::None;
            stepped != Progress::Done
        });
        match (progress, self.conns.is_empty() && self.closing.load(Ordering::Relaxed)) {
            (true, _) => Progress::Some,
            (false, true) => Progress::Done,
            (false, false) => Progress::None,
        }
    }
}

impl Conn {
    fn step(&mut self, net: &mut Sockets<'_>, habit: Habit, manner: Manner, score: &Score) -> Progress {
        let socket = self.socket;
        let mut progress = true;
        match net.read(socket) {
            Read::Nothing => progress = false,
            Read::Octets(octets) => self.receive(&octets, manner, score),
            ended @ (Read::End | Read::Broken) => {
                self.reader.end();
                // The proxy has ended the connection: all data that the client sent before its own end must have
                // arrived.
                let ended_whole = ended == Read::End && manner.lossless;
                if let Some(stream) = self.reader.stream.filter(|_| ended_whole) {
                    score.check_ended(stream / 2);
                }
                net.close(socket);
                return Progress::Done;
            }
        }
        match habit {
            Habit::ResetAfter(requests) if self.answered >= requests => {
                net.reset(socket);
                return Progress::Done;
            }
            Habit::FinAfter(requests) if self.answered >= requests && !self.fin && self.outgoing.is_empty() => {
                net.shut_write(socket);
                self.fin = true;
                progress = true;
            }
            _ => {}
        }
        progress |= !self.fin && write(net, socket, &mut self.outgoing);
        if progress { Progress::Some } else { Progress::None }
    }

    fn receive(&mut self, octets: &[Octet], manner: Manner, score: &Score) {
        let lines = self.reader.take(octets);
        let Some(stream) = self.reader.stream else { return };
        score.arrived(stream / 2, self.reader.at.into());
        let writer = self.writer.get_or_insert_with(|| Writer::new(reply_stream(stream)));
        for (request, line) in lines {
            self.answered += 1;
            if manner.bidi {
                self.outgoing.extend(writer.write(&answer(&line), request));
            }
        }
    }
}
