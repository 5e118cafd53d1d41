//! RESP2, as clients and redis speak it: `PING <payload>`, answered by the payload as a bulk string, and `GET <key>`,
//! whose value is the payload that the key determines.
//!
//! The crate redis-protocol encodes and decodes it. A payload is a tag, then bytes that depend on the tag and on their
//! position: a reader that knows the next payload can check each of its bytes.

use std::collections::VecDeque;

use lastref::ledger::{Tag, deliver};
use lastref::net::{End, Protocol, Role};
use redis_protocol::resp2::decode::decode;
use redis_protocol::resp2::encode::encode;
use redis_protocol::resp2::types::{OwnedFrame, Resp2Frame};

/// The first bytes of each kind of request.
const REQUESTS: [&[u8]; 2] = [b"*2\r\n$4\r\nPING\r\n$", b"*2\r\n$3\r\nGET\r\n$"];
/// The owner of bytes that no client or server sent.
const NOBODY: Tag = Tag { peer: u32::MAX, request: 0 };

/// The payload of a connection's request.
pub(super) fn payload(stream: u32, request: u64, bytes: u32) -> Vec<u8> {
    let letter = |place: u32| b'a' + ((stream * 7 + request as u32 * 5 + place) % 26) as u8;
    let mut payload = format!("{stream:02}.{request:02}.").into_bytes();
    payload.extend((0..bytes).map(letter));
    payload
}

/// Length of a payload's tag in bytes.
const TAG_BYTES: usize = 6;

/// The stream (requests or replies) and the request that a payload names.
fn tag(payload: &[u8], end: End) -> Option<Tag> {
    let mut numbers = std::str::from_utf8(payload).ok()?.split('.');
    let stream: u32 = numbers.next()?.parse().ok()?;
    Some(tagged(stream, numbers.next()?.parse().ok()?, end))
}

/// The tag of this request, or of its reply, by the end that sends it.
fn tagged(stream: u32, request: u64, end: End) -> Tag {
    Tag { peer: 2 * stream + u32::from(end == End::Server), request }
}

/// A frame as bytes.
fn bytes(frame: &OwnedFrame) -> Vec<u8> {
    let mut bytes = vec![0; frame.encode_len(false)];
    let encoded = encode(&mut bytes, frame, false);
    if encoded.is_err() {
        lastref::bug!("a frame needs more bytes than its computed length");
    }
    bytes
}

/// A request.
fn request(words: [&[u8]; 2]) -> Vec<u8> {
    bytes(&OwnedFrame::Array(words.into_iter().map(|word| OwnedFrame::BulkString(word.to_vec())).collect()))
}

/// A request that contains this payload, which is also its reply.
pub(super) fn ping(payload: &[u8]) -> Vec<u8> {
    request([b"PING", payload])
}

/// A request whose reply is the payload of this connection's request number `number`.
pub(super) fn get(stream: u32, number: u64, bytes: u32) -> Vec<u8> {
    request([b"GET", format!("{stream:02}.{number:02}.{bytes}").as_bytes()])
}

/// The reply with this payload.
pub(super) fn reply(payload: &[u8]) -> Vec<u8> {
    bytes(&OwnedFrame::BulkString(payload.to_vec()))
}

/// The end that sends such a frame, and its payload.
fn read(frame: OwnedFrame) -> Option<(End, Vec<u8>)> {
    match frame {
        OwnedFrame::BulkString(payload) => Some((End::Server, payload)),
        OwnedFrame::Array(words) => match words.into_iter().nth(1)? {
            OwnedFrame::BulkString(payload) => Some((End::Client, payload)),
            _ => None,
        },
        _ => None,
    }
}

/// Reports bytes that `to` did not expect, with their owner as far as it is known.
fn stray(bytes: &[u8], to: Tag) {
    let frame = decode(bytes).ok().flatten();
    let tag = frame.and_then(|(frame, _)| read(frame)).and_then(|(end, payload)| tag(&payload, end));
    deliver(tag.filter(|tag| *tag != to).unwrap_or(NOBODY), to);
}

/// The replies that a client waits for on one connection.
#[derive(Debug)]
pub(super) struct Replies {
    stream: u32,
    expected: VecDeque<(Tag, Vec<u8>)>,
    received: Vec<u8>,
}

impl Replies {
    pub(super) fn new(stream: u32) -> Replies {
        Replies { stream, expected: VecDeque::new(), received: Vec::new() }
    }

    /// Records a request, whose reply is this payload.
    pub(super) fn expect(&mut self, number: u64, payload: &[u8]) {
        self.expected.push_back((tagged(self.stream, number, End::Server), reply(payload)));
    }

    /// Whether every reply has arrived.
    pub(super) fn are_complete(&self) -> bool {
        self.expected.is_empty()
    }

    /// Checks received bytes against the expected replies.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        self.received.extend_from_slice(bytes);
        while !self.received.is_empty() {
            let Some((to, awaited)) = self.expected.front() else {
                return stray(&self.received, tagged(self.stream, u64::MAX, End::Server));
            };
            let count = awaited.len().min(self.received.len());
            if self.received[..count] != awaited[..count] {
                return stray(&self.received, *to);
            }
            if count < awaited.len() {
                return;
            }
            let decoded = decode(&self.received).ok().flatten().map(|(frame, length)| (read(frame), length));
            let Some((Some((end, payload)), length)) = decoded else { return stray(&self.received, *to) };
            deliver(tag(&payload, end).unwrap_or(NOBODY), *to);
            self.received.drain(..length);
            self.expected.pop_front();
        }
    }
}

/// The requests that the server receives on one connection.
#[derive(Debug, Default)]
pub(super) struct Requests {
    stream: Option<u32>,
    next: u64,
    received: Vec<u8>,
}

impl Requests {
    /// The stream and the number of requests that have arrived; `None` before the first.
    pub(super) fn arrived(&self) -> Option<(u32, u64)> {
        self.stream.map(|stream| (stream, self.next))
    }

    /// Checks the bytes. Returns the reply payload for each request that they complete.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        self.received.extend_from_slice(bytes);
        let mut payloads = Vec::new();
        while !self.received.is_empty() {
            let is_begun = |request: &&[u8]| self.received.iter().zip(*request).all(|(byte, awaited)| byte == awaited);
            let decoded = decode(&self.received);
            let is_request = REQUESTS.iter().any(is_begun) && decoded.is_ok();
            let Some((frame, length)) = decoded.ok().flatten().filter(|_| is_request) else {
                if !is_request {
                    stray(&self.received, self.awaited());
                }
                break;
            };
            let Some((_, payload)) = read(frame) else { break };
            let tag = tag(&payload, End::Client).unwrap_or(NOBODY);
            self.stream.get_or_insert(tag.peer / 2);
            deliver(tag, self.awaited());
            let stream = self.stream.unwrap_or_default();
            let more = payload.get(TAG_BYTES..).unwrap_or_default();
            let bytes = std::str::from_utf8(more).ok().and_then(|more| more.parse().ok());
            let reply = self::payload(stream, self.next, bytes.unwrap_or(more.len() as u32));
            let awaited = match bytes {
                Some(bytes) => get(stream, self.next, bytes),
                None => ping(&reply),
            };
            if self.received[..length] != awaited {
                stray(&self.received, self.awaited());
            }
            self.received.drain(..length);
            self.next += 1;
            payloads.push(reply);
        }
        payloads
    }

    fn awaited(&self) -> Tag {
        tagged(self.stream.unwrap_or_default(), self.next, End::Client)
    }
}

/// Parses RESP for the wire: an array is a request, any other frame is a response.
#[derive(Debug)]
pub(crate) struct Resp;

impl Protocol for Resp {
    fn next(&mut self, unread: &[u8]) -> Option<(usize, Role)> {
        let Ok(decoded) = decode(unread) else { return Some((unread.len(), Role::Other)) };
        let (frame, length) = decoded?;
        let role = match frame {
            OwnedFrame::Array(_) => Role::Request,
            _ => Role::Response { answers: 1 },
        };
        Some((length, role))
    }

    fn name(&self, frame: &[u8]) -> String {
        let decoded = decode(frame).ok().flatten().and_then(|(frame, _)| read(frame));
        match decoded {
            Some((End::Client, payload)) if frame.starts_with(REQUESTS[0]) => {
                format!("PING {}", String::from_utf8_lossy(&payload))
            }
            Some((End::Client, key)) => format!("GET {}", String::from_utf8_lossy(&key)),
            Some((End::Server, payload)) => format!("${}", String::from_utf8_lossy(&payload)),
            None => format!("{} bytes of something else", frame.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use lastref::net::{Protocol, Role};

    use super::{Replies, Requests, Resp, get, payload, ping, reply};

    #[test]
    fn requests_and_replies_are_read_however_they_are_cut() {
        let payloads = [payload(3, 0, 0), payload(3, 1, 20)];
        let asked = [ping(&payloads[0]), get(3, 1, 20)].concat();
        let answered = payloads.each_ref().map(|payload| reply(payload)).concat();
        for cut in 0..answered.len() {
            let mut replies = Replies::new(3);
            payloads.iter().zip(0..).for_each(|(payload, number)| replies.expect(number, payload));
            let (first, rest) = answered.split_at(cut);
            replies.take(first);
            replies.take(rest);
            assert!(replies.are_complete());
        }
        for cut in 0..asked.len() {
            let mut requests = Requests::default();
            let (first, rest) = asked.split_at(cut);
            let mut read = requests.take(first);
            read.extend(requests.take(rest));
            assert_eq!(read, payloads);
            assert_eq!(requests.arrived(), Some((3, 2)));
        }
    }

    #[test]
    fn the_wire_knows_who_asks_and_who_answers() {
        let (asked, answered) = (ping(b"00.00."), reply(b"00.00."));
        assert_eq!(Resp.next(&asked), Some((asked.len(), Role::Request)));
        assert_eq!(Resp.next(&answered), Some((answered.len(), Role::Response { answers: 1 })));
        assert_eq!(Resp.next(&asked[..asked.len() - 1]), None);
        assert_eq!([Resp.name(&asked), Resp.name(&answered)], ["PING 00.00.", "$00.00."]);
    }
}
