//! The dialogue of a connection's two ends, as the wire parses it. It determines the phase of the connection.

use kernel::record::{End, Phase};

use super::protocol::Role;

/// The dialogue so far.
#[derive(Debug, Default)]
pub(super) struct Dialogue {
    /// The client has acknowledged the SYN-ACK.
    is_established: bool,
    /// It was reset, or is in a blackhole.
    is_over: bool,
    /// The ends that have completed their part of the handshake.
    greeted: [bool; 2],
    /// The ends that have sent FIN.
    half_closed: [bool; 2],
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

    /// Records that the client has acknowledged the SYN-ACK; returns whether this is the first time.
    pub(super) fn establish(&mut self) -> bool {
        !std::mem::replace(&mut self.is_established, true)
    }

    /// Records that this end sends FIN.
    pub(super) fn half_close(&mut self, end: End) {
        self.half_closed[end.index()] = true;
    }

    /// Ends the dialogue.
    pub(super) fn end(&mut self) {
        self.is_over = true;
    }

    /// Applies a frame of this end, which has sent `bytes` so far; returns the fault's name if the frame is a fault of
    /// the protocol.
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
        if self.is_over || self.half_closed == [true; 2] {
            Phase::Closed
        } else if self.half_closed.contains(&true) {
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
        dialogue.half_close(End::Server);
        assert_eq!(phase(&dialogue, 20), Phase::Closing);
        dialogue.half_close(End::Client);
        assert_eq!(phase(&dialogue, 20), Phase::Closed);
    }
}
