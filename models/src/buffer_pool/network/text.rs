//! Encodes octets as HTTP/1.1, and decodes them.
//!
//! | octet | text |
//! | --- | --- |
//! | a line of a head | that line, and a header with the tag if the line has no room for it |
//! | a byte of a body | a record of [`RECORD`] bytes: address, request, position |
//!
//! Each line of a head is an octet and can be misdelivered alone, so each has a header with its tag. The tag follows
//! its line; that of the empty line precedes it.
//!
//! A length on the wire is the number of records times [`RECORD`]. A record can name its request; a single byte could
//! not.

use lastref::ledger::Tag;
use lastref::net::End;

use crate::buffer_pool::octet::{Octet, Part};
use crate::kit::http1::{Head, TAG, tag};

/// Bytes of a record: `0003.001.004;`.
pub(super) const RECORD: usize = 13;

/// Encodes octets that follow an octet of the part `before`.
pub(super) fn encode(octets: &[Octet], mut before: Option<Part>) -> Vec<u8> {
    let mut text = String::new();
    for octet in octets {
        let Tag { peer, request } = octet.tag;
        // A chunk ends with CRLF, which is not an octet.
        if matches!((before, octet.part), (Some(Part::Body(_)), Part::ChunkSize(_))) {
            text.push_str("\r\n");
        }
        text.push_str(&match octet.part {
            Part::RequestLine => format!("POST /{peer}/{request} HTTP/1.1\r\nHost: server\r\n"),
            Part::StatusLine => format!("HTTP/1.1 200 OK\r\n{TAG}: {peer}/{request}\r\n"),
            Part::ContentLength(length) => {
                format!("Content-Length: {}\r\n{TAG}: {peer}/{request}\r\n", length as usize * RECORD)
            }
            Part::Chunked => "Transfer-Encoding: chunked\r\n".to_owned(),
            Part::ConnectionClose => "Connection: close\r\n".to_owned(),
            Part::HeaderOver => format!("{TAG}: {peer}/{request}\r\n\r\n"),
            Part::ChunkSize(0) => "0\r\n\r\n".to_owned(),
            Part::ChunkSize(size) => format!("{:x}\r\n", size as usize * RECORD),
            Part::Body(place) => format!("{peer:04}.{request:03}.{place:03};"),
            Part::Nothing => "----.---.---;".to_owned(),
            Part::Malformed => "\0".to_owned(),
        });
        before = Some(octet.part);
    }
    text.into_bytes()
}

/// Decodes a record; `None` if the bytes are not a record.
pub(super) fn record(bytes: &[u8]) -> Option<Octet> {
    let text = std::str::from_utf8(bytes).ok()?.strip_suffix(';')?;
    if text == "----.---.---" {
        return Some(Octet::NOTHING);
    }
    let mut numbers = text.split('.');
    let tag = Tag { peer: numbers.next()?.parse().ok()?, request: numbers.next()?.parse().ok()? };
    Some(Octet::new(tag, Part::Body(numbers.next()?.parse().ok()?)))
}

/// Decodes the bytes of one end line by line and record by record, so that half a head reaches the parser as half a
/// head.
#[derive(Debug)]
pub(super) struct Decoder {
    /// The end that sends the bytes.
    end: End,
    unread: Vec<u8>,
    head: Vec<u8>,
    tag: Tag,
    length: usize,
    chunked: bool,
    next: Next,
}

/// The element that is expected next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    HeadLine,
    ChunkSize,
    /// This many bytes of a body with a length, or of a chunk.
    Body(usize),
    /// The CRLF after a chunk, or after the last chunk, which has no data.
    ChunkEnd {
        last: bool,
    },
    /// Bytes that are not HTTP.
    Nothing,
}

impl Decoder {
    /// A decoder for a new connection. Octets before the first tag belong to `peer`.
    pub(super) fn new(end: End, peer: u32) -> Decoder {
        let tag = Tag { peer, request: 0 };
        Decoder { end, unread: Vec::new(), head: Vec::new(), tag, length: 0, chunked: false, next: Next::HeadLine }
    }

    /// Returns the octets that these bytes complete.
    pub(super) fn decode(&mut self, bytes: &[u8]) -> Vec<Octet> {
        self.unread.extend_from_slice(bytes);
        let mut octets = Vec::new();
        while self.next != Next::Nothing {
            let most = match self.next {
                Next::Body(_) => Some(RECORD).filter(|most| *most <= self.unread.len()),
                _ => self.unread.windows(2).position(|pair| pair == b"\r\n").map(|end| end + 2),
            };
            let Some(most) = most else { break };
            let piece: Vec<u8> = self.unread.drain(..most).collect();
            match self.piece(&piece) {
                Some(octet) => octets.extend(octet),
                None => {
                    self.next = Next::Nothing;
                    octets.push(Octet::new(self.tag, Part::Malformed));
                }
            }
        }
        octets
    }

    /// Decodes a line or a record into at most one octet; `None` if the bytes are not HTTP.
    fn piece(&mut self, piece: &[u8]) -> Option<Option<Octet>> {
        let octet = |part| Some(Octet::new(self.tag, part));
        match self.next {
            Next::HeadLine if piece == b"\r\n" && !self.head.is_empty() => {
                self.head.clear();
                self.next = match (self.chunked, self.length) {
                    (true, _) => Next::ChunkSize,
                    (false, 0) => Next::HeadLine,
                    (false, length) => Next::Body(length),
                };
                Some(octet(Part::HeaderOver))
            }
            Next::HeadLine => self.head_line(piece),
            Next::Body(left) => {
                self.next = match left {
                    ..=RECORD if self.chunked => Next::ChunkEnd { last: false },
                    ..=RECORD => Next::HeadLine,
                    _ => Next::Body(left - RECORD),
                };
                match (record(piece), self.end) {
                    (Some(octet), _) => Some(Some(octet)),
                    (None, End::Client) => None,
                    // The bytes are free memory, or part of another answer's head.
                    (None, End::Server) => Some(Some(Octet::NOTHING)),
                }
            }
            Next::ChunkSize => {
                let httparse::Status::Complete((_, size)) = httparse::parse_chunk_size(piece).ok()? else {
                    return None;
                };
                let records = records(usize::try_from(size).ok()?)?;
                self.next = match records {
                    0 => Next::ChunkEnd { last: true },
                    records => Next::Body(records as usize * RECORD),
                };
                Some(octet(Part::ChunkSize(records)))
            }
            Next::ChunkEnd { last } => {
                self.next = if last { Next::HeadLine } else { Next::ChunkSize };
                (piece == b"\r\n").then_some(None)
            }
            Next::Nothing => None,
        }
    }

    /// Decodes a line of a head. The head is parsed as if it ended there, so that httparse checks every line.
    fn head_line(&mut self, line: &[u8]) -> Option<Option<Octet>> {
        self.head.extend_from_slice(line);
        let (_, head) = Head::parse(self.end, &[&self.head[..], b"\r\n"].concat()).ok()??;
        let [lines @ .., (name, value)] = &head.headers[..] else {
            (self.length, self.chunked) = (0, false);
            if self.end == End::Server {
                return Some(None);
            }
            self.tag = tag(&head.path)?;
            return Some(Some(Octet::new(self.tag, Part::RequestLine)));
        };
        let part = match (self.end, name.as_str()) {
            (end, "Content-Length") => {
                self.length = value.parse().ok()?;
                let length = Part::ContentLength(records(self.length)?);
                // In an answer the tag follows, and both are one octet.
                return Some((end == End::Client).then_some(Octet::new(self.tag, length)));
            }
            (End::Server, TAG) => {
                self.tag = tag(value)?;
                match lines.last() {
                    None => Part::StatusLine,
                    Some((name, _)) if name == "Content-Length" => Part::ContentLength(records(self.length)?),
                    // The tag belongs to the empty line, which follows and is the octet.
                    Some(_) => return Some(None),
                }
            }
            (End::Client, "Transfer-Encoding") if value == "chunked" => {
                self.chunked = true;
                Part::Chunked
            }
            (End::Client, "Connection") if value == "close" => Part::ConnectionClose,
            _ => return Some(None),
        };
        Some(Some(Octet::new(self.tag, part)))
    }
}

/// The number of records in this many bytes; `None` if the last one is incomplete.
pub(super) fn records(bytes: usize) -> Option<u32> {
    if bytes.is_multiple_of(RECORD) { u32::try_from(bytes / RECORD).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: Tag = Tag { peer: 3, request: 1 };

    fn octets(parts: &[Part]) -> Vec<Octet> {
        parts.iter().map(|part| Octet::new(REQUEST, *part)).collect()
    }

    #[test]
    fn a_request_is_what_it_was_whatever_the_split() {
        let chunks = [Part::ChunkSize(2), Part::Body(0), Part::Body(1), Part::ChunkSize(1), Part::Body(2)];
        let length =
            [Part::RequestLine, Part::ConnectionClose, Part::ContentLength(1), Part::HeaderOver, Part::Body(0)];
        let none = [Part::RequestLine, Part::ContentLength(0), Part::HeaderOver];
        let chunked =
            [&[Part::RequestLine, Part::Chunked, Part::HeaderOver], &chunks[..], &[Part::ChunkSize(0)]].concat();
        let sent = octets(&[&chunked[..], &length[..], &none[..]].concat());
        let bytes = encode(&sent, None);
        for split in 1..40 {
            let mut decoder = Decoder::new(End::Client, 3);
            let read: Vec<Octet> = bytes.chunks(split).flat_map(|piece| decoder.decode(piece)).collect();
            assert_eq!(read, sent, "in pieces of {split}");
        }
    }

    #[test]
    fn an_answer_is_what_it_was_whatever_the_split() {
        let (head, body) =
            ([Part::StatusLine, Part::ContentLength(2), Part::HeaderOver], [Part::Body(0), Part::Body(1)]);
        let sent =
            octets(&[&head[..], &body[..], &[Part::StatusLine, Part::ContentLength(0), Part::HeaderOver]].concat());
        let bytes = encode(&sent, None);
        for split in 1..40 {
            let mut decoder = Decoder::new(End::Server, 9);
            let read: Vec<Octet> = bytes.chunks(split).flat_map(|piece| decoder.decode(piece)).collect();
            assert_eq!(read, sent, "in pieces of {split}");
        }
    }

    #[test]
    fn bytes_of_an_answer_that_are_not_a_record_belong_to_no_request() {
        let [status, length, over] = [Part::StatusLine, Part::ContentLength(1), Part::HeaderOver];
        let bytes = [encode(&octets(&[status, length, over]), None), vec![b'x'; RECORD]].concat();
        assert_eq!(Decoder::new(End::Server, 9).decode(&bytes).last(), Some(&Octet::NOTHING));
    }

    #[test]
    fn bytes_that_are_not_http_are_malformed_and_the_end() {
        for text in ["\0\r\n", "POST /3/1 HTTP/1.1\r\nContent-Length: 5\r\n", "POST /3/1 HTTP/1.1\r\nno header\r\n"] {
            let mut decoder = Decoder::new(End::Client, 3);
            let parts: Vec<Part> = decoder.decode(text.as_bytes()).iter().map(|octet| octet.part).collect();
            assert_eq!(parts.last(), Some(&Part::Malformed), "{text:?}");
            assert!(decoder.decode(b"POST /3/1 HTTP/1.1\r\n").is_empty());
        }
    }

    #[test]
    fn a_record_tells_whose_it_is() {
        let text = encode(&octets(&[Part::Body(7)]), None);
        assert_eq!(text.len(), RECORD);
        assert_eq!(record(&text), Some(Octet::new(REQUEST, Part::Body(7))));
        assert_eq!(record(&encode(&[Octet::NOTHING], None)), Some(Octet::NOTHING));
        assert_eq!(record(b"HTTP/1.1 200 "), None);
    }
}
