//! A server's side of one connection: it runs a script, and after that serves like an ordinary server.

use lastref::ledger::Tag;
use lastref::note;
use lastref::time::{Duration, sleep};

use crate::kit::http2::{ClientFrame, ServerFrame};
use crate::kit::server::Step;
use crate::subchannel::network::connection::Connection;

struct Session<'a> {
    connection: &'a Connection,
    taken: Vec<(u32, Tag)>,
    highest: u32,
    /// The last stream of the GOAWAY that was sent, if any.
    last_stream: Option<u32>,
}

/// Accepts the connection and serves it to its end.
pub(crate) fn serve(connection: &Connection, steps: &[Step]) {
    connection.answer(Ok(()));
    let mut session = Session { connection, taken: Vec::new(), highest: 0, last_stream: None };
    for step in steps {
        if connection.is_hanging_up() {
            break;
        }
        note!("backend: {step:?}");
        session.perform(*step);
    }
    session.answer();
    while session.read() {
        session.answer();
    }
    connection.gone();
}

impl Session<'_> {
    fn perform(&mut self, step: Step) {
        match step {
            Step::Refuse | Step::Ignore => {}
            Step::Settings => self.connection.send(ServerFrame::Settings),
            Step::Pause(ms) => sleep(Duration::from_millis(ms)),
            Step::Take(requests) => while self.taken.len() < requests as usize && self.read() {},
            Step::Answer => self.answer(),
            Step::Goaway(code) => {
                self.last_stream = Some(self.highest);
                self.connection.send(ServerFrame::Goaway { last_stream: self.highest, code });
            }
            Step::Fin => self.connection.fin(),
            Step::Rst => self.connection.rst(),
            Step::Stall => self.connection.stall(),
        }
    }

    /// Reads one frame; false if no frame can come.
    fn read(&mut self) -> bool {
        match self.connection.receive() {
            None => return false,
            Some(ClientFrame::Request { stream, tag }) => {
                self.highest = self.highest.max(stream);
                // Streams above the last one of a GOAWAY are ignored.
                if self.last_stream.is_none_or(|last| stream <= last) {
                    self.taken.push((stream, tag));
                }
            }
            Some(ClientFrame::RstStream { stream }) => self.taken.retain(|(taken, _)| *taken != stream),
            Some(ClientFrame::Ping) => self.connection.send(ServerFrame::PingAck),
            Some(ClientFrame::Preface | ClientFrame::SettingsAck | ClientFrame::PingAck { .. }) => {}
        }
        true
    }

    fn answer(&mut self) {
        for (stream, payload) in std::mem::take(&mut self.taken) {
            self.connection.send(ServerFrame::Response { stream, payload });
        }
    }
}
