//! HTTP/1.1 as the simulated network parses it: by httparse, from the bytes alone, without the model's octets.
//!
//! A frame is a head, a whole body, or a chunk with its line. A request begins with its head; an answer ends with its
//! body, or with its head if it has no body. Bytes that are not HTTP form one frame up to the end of the buffer.

use lastref::ledger::Tag;
use lastref::net::{End, Protocol, Role};
use lastref::property::always;

/// An upper bound for the headers of a head.
const HEADERS: usize = 8;
/// The header of an answer with the tag of its request.
pub(crate) const TAG: &str = "X-Tag";

/// A request without a body, for this tag.
pub(crate) fn request(tag: Tag) -> Vec<u8> {
    format!("POST /{}/{} HTTP/1.1\r\nHost: server\r\nContent-Length: 0\r\n\r\n", tag.peer, tag.request).into_bytes()
}

/// The answer to the request of this tag.
pub(crate) fn answer(tag: Tag) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\n{TAG}: {}/{}\r\nContent-Length: 0\r\n\r\n", tag.peer, tag.request).into_bytes()
}

/// Removes the first message that this end has sent from these bytes if it is complete, and returns the tag of its
/// request.
pub(crate) fn take(end: End, unread: &mut Vec<u8>) -> Option<Tag> {
    let parsed = Head::parse(end, unread);
    let only_http = match end {
        End::Client => "a server receives only HTTP/1.1",
        End::Server => "a client receives only HTTP/1.1",
    };
    always(only_http, parsed.is_ok());
    let (length, head) = parsed.ok()??;
    unread.drain(..length);
    match end {
        End::Client => tag(&head.path),
        End::Server => tag(head.value(TAG)?),
    }
}

/// Parses a tag in the form used in paths and headers.
pub(crate) fn tag(text: &str) -> Option<Tag> {
    let (peer, request) = text.trim_start_matches('/').split_once('/')?;
    Some(Tag { peer: peer.parse().ok()?, request: request.parse().ok()? })
}

/// The head of a request or of an answer.
pub(crate) struct Head {
    /// The first line, without the version of an answer.
    words: String,
    /// The path of a request.
    pub(crate) path: String,
    /// Names and values, in order.
    pub(crate) headers: Vec<(String, String)>,
}

impl Head {
    /// Parses the head of this end at the start of these bytes, and returns its length too; `None` if it is incomplete.
    ///
    /// # Errors
    ///
    /// If the bytes are not HTTP.
    pub(crate) fn parse(end: End, unread: &[u8]) -> Result<Option<(usize, Head)>, httparse::Error> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let (status, words, path, headers) = match end {
            End::Client => {
                let mut request = httparse::Request::new(&mut headers);
                let status = request.parse(unread)?;
                let path = request.path.unwrap_or("?");
                (status, format!("{} {path} HTTP/1.1", request.method.unwrap_or("?")), path, request.headers)
            }
            End::Server => {
                let mut answer = httparse::Response::new(&mut headers);
                let status = answer.parse(unread)?;
                let words = format!("{} {}", answer.code.unwrap_or(0), answer.reason.unwrap_or("?"));
                (status, words, "", answer.headers)
            }
        };
        let httparse::Status::Complete(length) = status else { return Ok(None) };
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let headers = headers.iter().map(|header| (header.name.to_owned(), text(header.value))).collect();
        Ok(Some((length, Head { words, path: path.to_owned(), headers })))
    }

    fn value(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name))?;
        Some(value)
    }

    /// The element that follows the head.
    fn follows(&self) -> Expects {
        let length = self.value("Content-Length").and_then(|length| length.parse().ok());
        match (self.value("Transfer-Encoding"), length) {
            (Some("chunked"), _) => Expects::Chunk,
            (_, Some(length @ 1..)) => Expects::Body(length),
            _ => Expects::Head,
        }
    }
}

/// One direction of a connection.
#[derive(Debug)]
pub(crate) struct Http {
    end: End,
    expects: Expects,
    /// The name of the last frame.
    name: String,
}

/// The element that follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expects {
    Head,
    /// This many bytes.
    Body(usize),
    Chunk,
}

/// A frame: its length, its name, its role, and the element that follows it.
type Frame = (usize, String, Role, Expects);

impl Http {
    /// For [`lastref::net::Decoder::Own`].
    pub(crate) fn of(end: End) -> Box<dyn Protocol> {
        Box::new(Http { end, expects: Expects::Head, name: String::new() })
    }

    /// The frame at the start of these bytes, whose end may be missing; `None` if its length is not known yet.
    ///
    /// # Errors
    ///
    /// If the bytes are not HTTP.
    fn frame(&self, unread: &[u8]) -> Result<Option<Frame>, ()> {
        match self.expects {
            Expects::Head => {
                let parsed = Head::parse(self.end, unread).map_err(|_| ())?;
                Ok(parsed.map(|(length, head)| {
                    let follows = head.follows();
                    let body = match follows {
                        Expects::Head => "0 bytes".to_owned(),
                        Expects::Body(length) => format!("{length} bytes"),
                        Expects::Chunk => "chunked".to_owned(),
                    };
                    let role = match self.end {
                        End::Client => Role::Request,
                        End::Server => self.part_of_body(follows == Expects::Head),
                    };
                    (length, format!("{} {body}", head.words), role, follows)
                }))
            }
            Expects::Body(length) => Ok(Some((length, "body".to_owned(), self.part_of_body(true), Expects::Head))),
            Expects::Chunk => {
                let parsed = httparse::parse_chunk_size(unread).map_err(|_| ())?;
                let httparse::Status::Complete((line, size)) = parsed else { return Ok(None) };
                let size = usize::try_from(size).map_err(|_| ())?;
                let (name, follows) = match size {
                    0 => ("last chunk".to_owned(), Expects::Head),
                    size => (format!("chunk {size} bytes"), Expects::Chunk),
                };
                Ok(Some((line + size + 2, name, self.part_of_body(size == 0), follows)))
            }
        }
    }

    /// The role of a frame within a message, whose last frame completes it.
    fn part_of_body(&self, is_last: bool) -> Role {
        match self.end {
            End::Client => Role::Other,
            End::Server => Role::Response { answers: u32::from(is_last) },
        }
    }
}

impl Protocol for Http {
    fn next(&mut self, unread: &[u8]) -> Option<(usize, Role)> {
        let length = unread.len();
        let (length, name, role, follows) = match self.frame(unread) {
            Ok(frame) => frame.filter(|(whole, ..)| length >= *whole)?,
            Err(()) => (length, format!("{length} bytes that are not HTTP"), Role::Other, Expects::Head),
        };
        (self.name, self.expects) = (name, follows);
        Some((length, role))
    }

    fn name(&self, _: &[u8]) -> String {
        self.name.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The frames of these bytes, given to the decoder one by one.
    #[track_caller]
    fn check(end: End, bytes: &[u8], expected: &[(&str, Role)]) {
        let mut protocol = Http::of(end);
        let (mut unread, mut frames) = (Vec::new(), Vec::new());
        for byte in bytes {
            unread.push(*byte);
            if let Some((length, role)) = protocol.next(&unread) {
                frames.push((protocol.name(&unread[..length]), role));
                unread.drain(..length);
            }
        }
        let expected: Vec<(String, Role)> = expected.iter().map(|(name, role)| ((*name).to_owned(), *role)).collect();
        assert_eq!(frames, expected);
        assert!(unread.is_empty());
    }

    #[test]
    fn a_request_begins_with_its_head() {
        let bytes =
            b"POST /3/0 HTTP/1.1\r\nContent-Length: 4\r\n\r\nabcdPOST /3/1 HTTP/1.1\r\nContent-Length: 0\r\n\r\n";
        let frames = [
            ("POST /3/0 HTTP/1.1 4 bytes", Role::Request),
            ("body", Role::Other),
            ("POST /3/1 HTTP/1.1 0 bytes", Role::Request),
        ];
        check(End::Client, bytes, &frames);
    }

    #[test]
    fn a_chunk_is_a_frame_with_its_line() {
        let bytes =
            b"POST /3 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nPOST /4 HTTP/1.1\r\n\r\n";
        let frames = [
            ("POST /3 HTTP/1.1 chunked", Role::Request),
            ("chunk 3 bytes", Role::Other),
            ("last chunk", Role::Other),
            ("POST /4 HTTP/1.1 0 bytes", Role::Request),
        ];
        check(End::Client, bytes, &frames);
    }

    #[test]
    fn an_answer_ends_with_its_body_or_with_a_head_that_promises_none() {
        let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        let frames = [
            ("200 OK 2 bytes", Role::Response { answers: 0 }),
            ("body", Role::Response { answers: 1 }),
            ("200 OK 0 bytes", Role::Response { answers: 1 }),
        ];
        check(End::Server, bytes, &frames);
    }

    #[test]
    fn bytes_that_are_not_http_are_named_so() {
        check(End::Client, b"\0", &[("1 bytes that are not HTTP", Role::Other)]);
    }
}
