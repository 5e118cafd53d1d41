//! One connection of the server in memory, where frames are not encoded. A thread of the run plays the script: the
//! component performs the steps that depend on its connection, such as `Fin`, and passes the others to a [`Session`].

use lastref::ledger::Tag;
use lastref::time::{Duration, sleep};

use super::Step;
use crate::kit::http2::{ClientFrame, ServerFrame};

/// A component's connection, as the server sees it.
pub(crate) trait ServerEnd {
    /// Waits for the client's next frame; `None` if no frame can come.
    fn receive(&self) -> Option<ClientFrame>;

    /// Sends a frame to the client.
    fn send(&self, frame: ServerFrame);

    /// Called for each request that the server carries out.
    fn carry_out(&self, _: Tag) {}
}

/// The server's side of the connection.
pub(crate) struct Session<'a, E> {
    end: &'a E,
    taken: Vec<(u32, Tag)>,
    highest: u32,
    /// The last stream of the GOAWAY that was sent, if any.
    last_stream: Option<u32>,
}

impl<E: ServerEnd> Session<'_, E> {
    pub(crate) fn new(end: &E) -> Session<'_, E> {
        Session { end, taken: Vec::new(), highest: 0, last_stream: None }
    }

    /// Performs a step that is the same on every connection, and ignores any other.
    pub(crate) fn perform(&mut self, step: Step) {
        match step {
            Step::Pause(ms) => sleep(Duration::from_millis(ms)),
            Step::Take(requests) => while self.taken.len() < requests as usize && self.read() {},
            Step::Answer => self.answer(),
            Step::Goaway(code) => {
                self.last_stream = Some(self.highest);
                self.end.send(ServerFrame::Goaway { last_stream: self.highest, code });
            }
            Step::Refuse | Step::Ignore | Step::Settings | Step::Fin | Step::Rst | Step::Stall => {}
        }
    }

    /// Answers every request until no frame can come.
    pub(crate) fn serve(mut self) {
        self.answer();
        while self.read() {
            self.answer();
        }
    }

    /// Reads one frame; returns false if no frame can come.
    fn read(&mut self) -> bool {
        match self.end.receive() {
            None => return false,
            Some(ClientFrame::Request { stream, tag }) => {
                self.highest = self.highest.max(stream);
                // Streams above the last one of a GOAWAY are ignored.
                if self.last_stream.is_none_or(|last| stream <= last) {
                    self.end.carry_out(tag);
                    self.taken.push((stream, tag));
                }
            }
            Some(ClientFrame::RstStream { stream }) => self.taken.retain(|(taken, _)| *taken != stream),
            Some(ClientFrame::Ping) => self.end.send(ServerFrame::PingAck),
            Some(ClientFrame::Preface | ClientFrame::SettingsAck | ClientFrame::PingAck { .. }) => {}
        }
        true
    }

    fn answer(&mut self) {
        for (stream, payload) in std::mem::take(&mut self.taken) {
            self.end.send(ServerFrame::Response { stream, payload });
        }
    }
}
