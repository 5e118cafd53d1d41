//! SP's bytes on a TCP connection: the greetings of both ends, and the messages after them.
//!
//! ```text
//! greeting:  00 'S' 'P' 00  protocol (2 bytes)  00 00
//! message:   length (8 bytes)  header and body, this many bytes
//! request:   hops*  request id, its high bit set  body         (a reply begins with the same hops and id)
//! ```
//!
//! All numbers are big-endian. Upstream (v1.10.1): `tcptran_pipe_start`, `tcptran_pipe_nego_cb` and
//! `tcptran_pipe_send_start` in tcp.c; the header is req.c's and rep.c's. The body here is a tag of three words.

use lastref::ledger::Tag;
use lastref::net::{End, Protocol, Role, TcpStream};
use tokio::io::AsyncReadExt;

/// Bytes of the greeting, and of the length before a message.
pub(super) const HEADER: usize = 8;
/// `NNI_PROTO(3, 0)`.
pub(crate) const REQ0: u16 = 0x30;
/// `NNI_PROTO(3, 1)`.
pub(crate) const REP0: u16 = 0x31;
/// `NNG_OPT_RECVMAXSZ`, which an application sets; unlimited by default.
pub(super) const RECVMAXSZ: u64 = 1024;
/// The bit that ends a backtrace, and is set in every request id.
pub(super) const LAST: u32 = 0x8000_0000;

/// The greeting of an end with this protocol.
pub(super) fn greeting(protocol: u16) -> [u8; HEADER] {
    let [high, low] = protocol.to_be_bytes();
    [0, b'S', b'P', 0, high, low, 0, 0]
}

/// The protocol that a greeting names; `None` if it is not SP.
pub(super) fn peer(greeting: [u8; HEADER]) -> Option<u16> {
    let [0, b'S', b'P', 0, high, low, 0, 0] = greeting else { return None };
    Some(u16::from_be_bytes([high, low]))
}

/// A message of these words.
pub(super) fn message(words: &[u32]) -> Vec<u8> {
    let length = 4 * words.len() as u64;
    length.to_be_bytes().into_iter().chain(words.iter().flat_map(|word| word.to_be_bytes())).collect()
}

/// The words of a message without its length. An incomplete last word is dropped: every reader reads whole words.
pub(super) fn words(octets: &[u8]) -> Vec<u32> {
    octets.as_chunks().0.iter().map(|word| u32::from_be_bytes(*word)).collect()
}

/// The length before a message, if it is there.
pub(super) fn length(octets: &[u8]) -> Option<u64> {
    octets.first_chunk().map(|length| u64::from_be_bytes(*length))
}

/// The bytes of a connection that are not whole messages yet.
#[derive(Debug, Default)]
pub(super) struct Unread(Vec<u8>);

impl Unread {
    /// The words of the next message, if all of it is there.
    pub(super) fn message(&mut self) -> Option<Vec<u32>> {
        let end = HEADER + usize::try_from(length(&self.0)?).ok()?;
        let words = words(self.0.get(HEADER..end)?);
        self.0.drain(..end);
        Some(words)
    }

    /// Waits for bytes; 0 at the end of the connection.
    pub(super) async fn read(&mut self, stream: &mut TcpStream) -> std::io::Result<usize> {
        let mut octets = [0; 256];
        let read = stream.read(&mut octets).await?;
        self.0.extend_from_slice(&octets[..read]);
        Ok(read)
    }
}

/// The backtrace of a message, request id last, and the tag after it; `None` if the message has another form.
pub(super) fn read(words: &[u32]) -> Option<(Vec<u32>, Tag)> {
    let hops = words.iter().position(|word| word & LAST != 0)? + 1;
    let [peer, high, low] = words[hops..] else { return None };
    Some((words[..hops].to_vec(), Tag { peer, request: u64::from(high) << 32 | u64::from(low) }))
}

/// Parses the bytes of one end of a connection, for tables and for the connection's phases.
#[derive(Debug)]
pub(crate) struct Sp {
    end: End,
    has_greeted: bool,
}

impl Sp {
    pub(crate) fn of(end: End) -> Box<dyn Protocol> {
        Box::new(Sp { end, has_greeted: false })
    }
}

impl Protocol for Sp {
    fn next(&mut self, unread: &[u8]) -> Option<(usize, Role)> {
        let length = length(unread)?;
        if !std::mem::replace(&mut self.has_greeted, true) {
            let is_ours = matches!(peer(*unread.first_chunk()?), Some(REQ0 | REP0));
            return Some((HEADER, if is_ours { Role::Handshake } else { Role::Fault("MALFORMED") }));
        }
        if length > RECVMAXSZ {
            // The receiver reads no further.
            return Some((unread.len(), Role::Fault("MALFORMED")));
        }
        let octets = unread.get(HEADER..HEADER + usize::try_from(length).ok()?)?;
        let role = match (read(&words(octets)), self.end) {
            (None, _) => Role::Fault("MALFORMED"),
            (Some(_), End::Client) => Role::Request,
            (Some(_), End::Server) => Role::Response { answers: 1 },
        };
        Some((HEADER + octets.len(), role))
    }

    fn name(&self, frame: &[u8]) -> String {
        let greeting = <[u8; HEADER]>::try_from(frame).ok();
        match greeting.and_then(peer) {
            Some(REQ0) => return String::from("SP req0"),
            Some(REP0) => return String::from("SP rep0"),
            Some(other) => return format!("SP {other:#06x}"),
            None => {}
        }
        let length = length(frame).unwrap_or_default();
        match (frame.get(HEADER..).and_then(|octets| read(&words(octets))), self.end) {
            (None, _) => format!("message of {length} bytes that is none of ours"),
            (Some((trace, tag)), End::Client) => format!("request {:x?} of {tag}", trace),
            (Some((trace, tag)), End::Server) => format!("reply {:x?} to {tag}", trace),
        }
    }

    fn has_handshake(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: Tag = Tag { peer: 3, request: 0x1_0000_0002 };

    /// A request by two hops.
    fn request() -> Vec<u32> {
        [&[5, 6, LAST | 1][..], &crate::context_pool::message::words(TAG)].concat()
    }

    /// What frames of these bytes are, which arrive one by one.
    fn roles(end: End, octets: &[u8]) -> Vec<(Role, String)> {
        let (mut sp, mut unread, mut roles) = (Sp::of(end), Vec::new(), Vec::new());
        for octet in octets {
            unread.push(*octet);
            if let Some((length, role)) = sp.next(&unread) {
                let frame: Vec<u8> = unread.drain(..length).collect();
                roles.push((role, sp.name(&frame)));
            }
        }
        roles
    }

    #[test]
    fn a_message_is_what_it_was() {
        let octets = message(&request());
        assert_eq!(length(&octets), Some(24));
        assert_eq!(words(&octets[HEADER..]), request());
        assert_eq!(read(&request()), Some((vec![5, 6, LAST | 1], TAG)));
        assert_eq!(read(&[1, 2]), None);
        assert_eq!(peer(greeting(REQ0)), Some(REQ0));
        assert_eq!(peer(*b"HTTP/1.1"), None);
    }

    #[test]
    fn frames_are_read_by_role_and_name() {
        let asked = [&greeting(REQ0)[..], &message(&request())].concat();
        let asked = roles(End::Client, &asked);
        assert_eq!(asked[0], (Role::Handshake, String::from("SP req0")));
        assert_eq!(asked[1], (Role::Request, format!("request [5, 6, 80000001] of {TAG}")));
        let replied = [&greeting(REP0)[..], &message(&request()[2..]), &message(&[7])].concat();
        let replied: Vec<Role> = roles(End::Server, &replied).into_iter().map(|(role, _)| role).collect();
        assert_eq!(replied, [Role::Handshake, Role::Response { answers: 1 }, Role::Fault("MALFORMED")]);
    }

    #[test]
    fn bytes_that_are_not_sp_are_malformed() {
        assert_eq!(roles(End::Server, b"HTTP/1.1")[0].0, Role::Fault("MALFORMED"));
        let oversize = [&greeting(REP0)[..], &[255; HEADER]].concat();
        assert_eq!(roles(End::Server, &oversize)[1].0, Role::Fault("MALFORMED"));
    }
}
