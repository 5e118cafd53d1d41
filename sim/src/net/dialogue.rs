//! The dialogue of a connection's two ends, as far as the wire follows it, which determines the connection's phase.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::fault::End;
use super::frames::Role;

/// The phase of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The attempt is made, and the client has not acknowledged the SYN-ACK.
    Connecting,
    /// The connection is established; both ends have not completed the handshake. A protocol may have no handshake.
    Handshake,
    /// Every request is answered.
    Idle,
    /// A request has begun to leave, and no part of its response has.
    Request,
    /// A response has begun to leave, and has not arrived completely.
    Response,
    /// One end has sent FIN.
    Closing,
    /// Both ends have sent FIN, or the connection was reset or cut.
    Closed,
}

impl Phase {
    /// Every phase, in the order of a connection's life.
    pub const ALL: [Phase; 7] = [
        Phase::Connecting,
        Phase::Handshake,
        Phase::Idle,
        Phase::Request,
        Phase::Response,
        Phase::Closing,
        Phase::Closed,
    ];

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Connecting => "connecting",
            Phase::Handshake => "handshake",
            Phase::Idle => "idle",
            Phase::Request => "request in flight",
            Phase::Response => "response in flight",
            Phase::Closing => "closing",
            Phase::Closed => "closed",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The dialogue so far.
#[derive(Debug, Default)]
pub(super) struct Dialogue {
    /// The client has acknowledged the SYN-ACK.
    is_established: bool,
    /// It was reset or cut.
    is_over: bool,
    /// The ends that have completed their part of the handshake.
    greeted: [bool; 2],
    /// The ends that have sent FIN.
    finished: [bool; 2],
    /// Requests that have begun and have no complete response.
    unanswered: u32,
    /// Position in the server's stream at the end of the last response.
    responded: u64,
    /// A response has begun and not ended.
    is_responding: bool,
}

impl Dialogue {
    /// A dialogue with or without a handshake.
    pub(super) fn new(has_handshake: bool) -> Dialogue {
        Dialogue { greeted: [!has_handshake; 2], ..Dialogue::default() }
    }

    /// The client has acknowledged the SYN-ACK; returns whether this is the first time.
    pub(super) fn establish(&mut self) -> bool {
        !std::mem::replace(&mut self.is_established, true)
    }

    /// This end sends FIN.
    pub(super) fn finish(&mut self, end: End) {
        self.finished[end.index()] = true;
    }

    /// The dialogue is over.
    pub(super) fn end(&mut self) {
        self.is_over = true;
    }

    /// Applies a frame of this end, which has sent `bytes` so far; returns the protocol's own fault if it is one.
    pub(super) fn play(&mut self, from: End, role: Role, bytes: u64) -> Option<&'static str> {
        match role {
            Role::Handshake => self.greeted[from.index()] = true,
            Role::Request => self.unanswered = self.unanswered.saturating_add(1),
            Role::Response { answers } => {
                self.unanswered = self.unanswered.saturating_sub(answers);
                if from == End::Server {
                    self.is_responding = answers == 0;
                    self.responded = bytes;
                }
            }
            Role::Fault(name) => return Some(name),
            Role::Other => {}
        }
        None
    }

    /// The phase, given the ends that are within a frame, and the number of the server's bytes that have arrived.
    pub(super) fn phase(&self, client_is_within: bool, server_is_within: bool, arrived: u64) -> Phase {
        if self.is_over || self.finished == [true; 2] {
            Phase::Closed
        } else if self.finished.contains(&true) {
            Phase::Closing
        } else if !self.is_established {
            Phase::Connecting
        } else if self.greeted.contains(&false) {
            Phase::Handshake
        } else if self.is_responding || server_is_within || self.responded > arrived {
            Phase::Response
        } else if self.unanswered > 0 || client_is_within {
            Phase::Request
        } else {
            Phase::Idle
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_goes_through_its_phases_as_its_ends_speak() {
        let mut dialogue = Dialogue::new(true);
        let phase = |dialogue: &Dialogue, arrived| dialogue.phase(false, false, arrived);
        assert_eq!(phase(&dialogue, 0), Phase::Connecting);
        dialogue.establish();
        dialogue.play(End::Client, Role::Handshake, 10);
        assert_eq!(phase(&dialogue, 0), Phase::Handshake);
        dialogue.play(End::Server, Role::Handshake, 10);
        assert_eq!(phase(&dialogue, 10), Phase::Idle);
        dialogue.play(End::Client, Role::Request, 20);
        assert_eq!(phase(&dialogue, 10), Phase::Request);
        dialogue.play(End::Server, Role::Response { answers: 0 }, 15);
        assert_eq!(phase(&dialogue, 15), Phase::Response, "another part follows");
        dialogue.play(End::Server, Role::Response { answers: 1 }, 20);
        assert_eq!(phase(&dialogue, 15), Phase::Response, "it has not arrived");
        assert_eq!(phase(&dialogue, 20), Phase::Idle);
        assert_eq!(dialogue.phase(true, false, 20), Phase::Request, "a request has begun");
        assert_eq!(dialogue.phase(false, true, 20), Phase::Response, "a response has begun");
        dialogue.finish(End::Server);
        assert_eq!(phase(&dialogue, 20), Phase::Closing);
        dialogue.finish(End::Client);
        assert_eq!(phase(&dialogue, 20), Phase::Closed);
    }
}
