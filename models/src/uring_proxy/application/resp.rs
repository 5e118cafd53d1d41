//! The protocol that clients and server speak through the proxy: a subset of RESP, byte by byte.
//!
//! Requests are inline commands: `PING\r\n`, answered by `+PONG\r\n`, and `GET n\r\n`, answered by a bulk string of n
//! bytes. Each byte carries its stream, its request and its position, so the reader detects the first byte that arrives
//! at the wrong peer, twice, or out of order.

use lastref::ledger::{Tag, deliver};
use lastref::property::always_with;

use crate::uring_proxy::kernel::abi::Octet;

/// The stream from a client to the server; the reply stream has the next number.
pub(crate) fn request_stream(client: u32) -> u32 {
    2 * client
}

/// The stream that answers a stream.
pub(crate) fn reply_stream(stream: u32) -> u32 {
    stream | 1
}

/// The writing end of a stream.
#[derive(Debug)]
pub(crate) struct Writer {
    stream: u32,
    /// The number of bytes written so far.
    pub(super) at: u32,
}

impl Writer {
    pub(crate) fn new(stream: u32) -> Writer {
        Writer { stream, at: 0 }
    }

    /// The text as bytes of this stream that belong to this request.
    pub(crate) fn write(&mut self, text: &[u8], request: u64) -> Vec<Octet> {
        let tag = Tag { peer: self.stream, request };
        let octets = text.iter().zip(self.at..).map(|(byte, at)| Octet { byte: *byte, tag, at });
        let octets = octets.collect();
        self.at += text.len() as u32;
        octets
    }
}

/// The reading end of a stream: checks each byte and returns whole lines.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(super) stream: Option<u32>,
    /// The number of bytes read so far.
    pub(super) at: u32,
    line: Vec<u8>,
    /// Bytes of a bulk string that are still to come.
    bulk: u32,
    /// The position of the first missing byte.
    gap: Option<u32>,
}

impl Reader {
    /// A reader of the given stream; without one, of the client's stream to which the first byte belongs.
    pub(crate) fn new(stream: Option<u32>) -> Reader {
        Reader { stream, at: 0, line: Vec::new(), bulk: 0, gap: None }
    }

    /// Checks, at the end of the stream, that no byte was missing.
    pub(crate) fn end(&self) {
        always_with(IN_ORDER, self.gap.is_none(), || vec![("left out from", self.gap.unwrap_or(0).to_string())]);
    }

    /// Checks the bytes. Returns each line that they complete, with its request; a bulk string counts as one line.
    pub(crate) fn take(&mut self, octets: &[Octet]) -> Vec<(u64, Vec<u8>)> {
        let mut lines = Vec::new();
        for octet in octets {
            // Clients write to even streams, so the server expects one.
            let stream = *self.stream.get_or_insert(octet.tag.peer & !1);
            deliver(octet.tag, Tag { peer: stream, request: octet.tag.request });
            if octet.at > self.at {
                // The missing bytes may have reached another peer, whose check reports the misdelivery: the better
                // finding of the two.
                self.gap.get_or_insert(self.at);
                self.at = octet.at;
            }
            always_with(IN_ORDER, octet.at == self.at, || {
                vec![("byte", octet.at.to_string()), ("awaited", self.at.to_string())]
            });
            self.at += 1;
            self.line.push(octet.byte);
            self.bulk = self.bulk.saturating_sub(1);
            if self.bulk > 0 || !self.line.ends_with(b"\r\n") {
                continue;
            }
            match number(&self.line, b"$") {
                // The bytes, and the end of their line, are still to come.
                Some(len) if self.line.iter().filter(|byte| **byte == b'\n').count() == 1 => self.bulk = len + 2,
                _ => lines.push((octet.tag.request, std::mem::take(&mut self.line))),
            }
        }
        lines
    }
}

const IN_ORDER: &str = "bytes arrive once and in order";

/// The number between this prefix and the end of the line.
fn number(line: &[u8], prefix: &[u8]) -> Option<u32> {
    let digits = line.strip_prefix(prefix)?.split(|byte| *byte == b'\r').next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The server's reply to a request.
pub(crate) fn answer(request: &[u8]) -> Vec<u8> {
    match number(request, b"GET ") {
        None => b"+PONG\r\n".to_vec(),
        Some(len) => [format!("${len}\r\n").as_bytes(), &vec![b'x'; len as usize], b"\r\n"].concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Reader, Writer, answer};

    #[track_caller]
    fn check(request: &[u8], reply: &[u8]) {
        assert_eq!(answer(request), reply);
        let octets = Writer::new(1).write(reply, 7);
        let mut reader = Reader::new(Some(1));
        let (first, rest) = octets.split_at(reply.len() / 2);
        let mut lines = reader.take(first);
        lines.extend(reader.take(rest));
        assert_eq!(lines, [(7, reply.to_vec())]);
    }

    #[test]
    fn an_answer_is_one_line_however_it_is_cut() {
        check(b"PING\r\n", b"+PONG\r\n");
        check(b"GET 3\r\n", b"$3\r\nxxx\r\n");
        check(b"GET 0\r\n", b"$0\r\n\r\n");
    }
}
