//! How the bytes of a connection are told in tables: as what they mean, where the protocol is known.

/// The protocol that tables read connections by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Frames {
    /// None: numbers of bytes.
    #[default]
    Bytes,
    /// HTTP/2 (RFC 9113): frames.
    Http2,
    /// Lines of text, up to CR LF: HTTP/1.1 heads, RESP.
    Lines,
}

/// Reads one direction of a connection.
#[derive(Debug)]
pub(super) struct Reader {
    frames: Frames,
    unread: Vec<u8>,
    started: bool,
}

/// What a client says before its first frame (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Length, type, flags, stream (RFC 9113, 4.1).
const HEADER: usize = 9;

impl Reader {
    /// A reader, if there is something to read by.
    pub(super) fn of(frames: Frames) -> Option<Reader> {
        (frames != Frames::Bytes).then(|| Reader { frames, unread: Vec::new(), started: false })
    }

    /// What has become complete with these bytes, each in words.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Vec<String> {
        self.unread.extend_from_slice(bytes);
        let mut read = Vec::new();
        while let Some(frame) = match self.frames {
            Frames::Bytes => None,
            Frames::Http2 => self.http2(),
            Frames::Lines => self.line(),
        } {
            read.push(frame);
        }
        read
    }

    fn http2(&mut self) -> Option<String> {
        if !self.started {
            let shared = self.unread.len().min(PREFACE.len());
            if self.unread[..shared] == PREFACE[..shared] {
                if shared < PREFACE.len() {
                    return None;
                }
                self.unread.drain(..PREFACE.len());
                self.started = true;
                return Some(String::from("preface"));
            }
            self.started = true;
        }
        let header = self.unread.get(..HEADER)?;
        let length = header[..3].iter().fold(0, |length, byte| (length << 8) | usize::from(*byte));
        let (kind, flags) = (header[3], header[4]);
        let stream = number(&header[5..9]) & 0x7fff_ffff;
        let payload = self.unread.get(HEADER..HEADER + length)?.to_vec();
        self.unread.drain(..HEADER + length);
        Some(frame(kind, flags, stream, &payload))
    }

    fn line(&mut self) -> Option<String> {
        let end = self.unread.windows(2).position(|pair| pair == b"\r\n")?;
        let line: Vec<u8> = self.unread.drain(..end + 2).collect();
        Some(String::from_utf8_lossy(&line[..end]).into_owned())
    }
}

fn number(bytes: &[u8]) -> u32 {
    bytes.iter().take(4).fold(0, |number, byte| (number << 8) | u32::from(*byte))
}

/// A frame by its registered name (RFC 9113, 6).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> String {
    let ends = if flags & 1 != 0 { " END_STREAM" } else { "" };
    let acks = if flags & 1 != 0 { " ACK" } else { "" };
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
    use super::*;

    #[test]
    fn frames_are_read_across_pieces_and_named() {
        let mut reader = Reader::of(Frames::Http2).expect("http2 is read");
        let goaway = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 11];
        assert!(reader.read(&PREFACE[..10]).is_empty());
        assert_eq!(reader.read(&PREFACE[10..]), ["preface"]);
        assert!(reader.read(&goaway[..12]).is_empty());
        assert_eq!(reader.read(&goaway[12..]), ["GOAWAY last_stream=5 ENHANCE_YOUR_CALM"]);
    }

    #[test]
    fn lines_end_with_cr_lf() {
        let mut reader = Reader::of(Frames::Lines).expect("lines are read");
        assert!(reader.read(b"+PO").is_empty());
        assert_eq!(reader.read(b"NG\r\n+PONG\r\n"), ["+PONG", "+PONG"]);
    }
}
