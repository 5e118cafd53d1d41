//! HTTP/2's frames (RFC 9113) by their registered names.

use kernel::record::End;

use super::protocol::{Protocol, Role};

/// Parses the bytes that one end of an HTTP/2 connection sends.
#[derive(Debug)]
pub(super) struct Http2 {
    end: End,
    started: bool,
}

/// The client's connection preface (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Length, type, flags, stream (RFC 9113, 4.1).
const HEADER: usize = 9;
/// A bit of the flags of DATA and HEADERS.
const END_STREAM: u8 = 1;
/// The same bit of SETTINGS and PING.
const ACK: u8 = 1;

impl Http2 {
    pub(super) fn new(end: End) -> Http2 {
        Http2 { end, started: end == End::Server }
    }

    /// The role of a frame with this type and these flags.
    fn role(&self, kind: u8, flags: u8) -> Role {
        let ends = u32::from(flags & END_STREAM != 0);
        match (kind, self.end) {
            (0 | 1, End::Server) => Role::Response { answers: ends },
            (1, End::Client) => Role::Request,
            // A request that either end resets gets no further response.
            (3, _) => Role::Response { answers: 1 },
            (4, _) if flags & ACK == 0 => Role::Handshake,
            (7, _) => Role::Fault("GOAWAY"),
            _ => Role::Other,
        }
    }
}

impl Protocol for Http2 {
    fn next(&mut self, unread: &[u8]) -> Option<(usize, Role)> {
        if !self.started {
            let shared = unread.len().min(PREFACE.len());
            if unread[..shared] == PREFACE[..shared] {
                self.started = shared == PREFACE.len();
                return self.started.then_some((PREFACE.len(), Role::Other));
            }
            self.started = true;
        }
        let header = unread.get(..HEADER)?;
        let length = header[..3].iter().fold(0, |length, byte| (length << 8) | usize::from(*byte));
        (unread.len() >= HEADER + length).then(|| (HEADER + length, self.role(header[3], header[4])))
    }

    fn name(&self, frame: &[u8]) -> String {
        if frame == PREFACE {
            return String::from("preface");
        }
        match frame.split_at_checked(HEADER) {
            Some((header, payload)) => words(header[3], header[4], number(&header[5..9]) & 0x7fff_ffff, payload),
            None => String::from("part of a frame"),
        }
    }

    fn has_handshake(&self) -> bool {
        true
    }
}

fn number(bytes: &[u8]) -> u32 {
    bytes.iter().take(4).fold(0, |number, byte| (number << 8) | u32::from(*byte))
}

/// A frame by its registered name (RFC 9113, 6).
fn words(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> String {
    let ends = if flags & END_STREAM != 0 { " END_STREAM" } else { "" };
    let acks = if flags & ACK != 0 { " ACK" } else { "" };
    match kind {
        0 => format!("DATA stream={stream} {} bytes{ends}", payload.len()),
        1 => format!("HEADERS stream={stream}{ends}"),
        3 => format!("RST_STREAM stream={stream} {}", error_code(number(payload))),
        4 => format!("SETTINGS{acks}"),
        6 => format!("PING{acks}"),
        7 => {
            let last_stream = number(payload) & 0x7fff_ffff;
            format!("GOAWAY last_stream={last_stream} {}", error_code(payload.get(4..).map_or(0, number)))
        }
        8 => format!("WINDOW_UPDATE stream={stream}"),
        9 => format!("CONTINUATION stream={stream}"),
        other => format!("frame {other:#x} stream={stream}"),
    }
}

/// RFC 9113, 7.
fn error_code(code: u32) -> &'static str {
    const CODES: [&str; 14] = [
        "NO_ERROR",
        "PROTOCOL_ERROR",
        "INTERNAL_ERROR",
        "FLOW_CONTROL_ERROR",
        "SETTINGS_TIMEOUT",
        "STREAM_CLOSED",
        "FRAME_SIZE_ERROR",
        "REFUSED_STREAM",
        "CANCEL",
        "COMPRESSION_ERROR",
        "CONNECT_ERROR",
        "ENHANCE_YOUR_CALM",
        "INADEQUATE_SECURITY",
        "HTTP_1_1_REQUIRED",
    ];
    CODES.get(code as usize).copied().unwrap_or("unknown error")
}

#[cfg(test)]
mod tests {
    use super::super::decoder::{Decoder, Reader};
    use super::*;

    #[test]
    fn frames_are_read_across_pieces_and_named() {
        let mut reader = Reader::of(Decoder::Http2, End::Client).expect("http2 is read");
        let goaway = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 11];
        assert!(reader.read(&PREFACE[..10], true).names.is_empty());
        assert_eq!(reader.read(&PREFACE[10..], true).names, ["preface"]);
        assert!(reader.read(&goaway[..12], true).names.is_empty());
        let read = reader.read(&goaway[12..], true);
        assert_eq!(read.names, ["GOAWAY last_stream=5 ENHANCE_YOUR_CALM"]);
        assert_eq!(read.roles, [Role::Fault("GOAWAY")]);
    }
}
