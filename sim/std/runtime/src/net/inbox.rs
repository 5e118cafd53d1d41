//! Receive queue of one end of a connection: the segments that have arrived and are not yet read.
//!
//! A transfer copies each byte twice: from the sender's memory into a segment, and from there into the reader's. Bytes
//! that move one by one, or through a further list, would be most of the time of a run that transfers megabytes.

use std::collections::VecDeque;

/// The unread bytes of one end.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    segments: VecDeque<Vec<u8>>,
    /// The bytes of the first segment that were read.
    read: usize,
    bytes: usize,
}

impl Inbox {
    pub(super) fn len(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Adds the bytes of a segment.
    pub(super) fn push(&mut self, segment: Vec<u8>) {
        if !segment.is_empty() {
            self.bytes += segment.len();
            self.segments.push_back(segment);
        }
    }

    /// Passes the first bytes to `to`, at most this many, and returns how many.
    pub(super) fn peek(&self, most: usize, to: &mut dyn FnMut(&[u8])) -> usize {
        let (mut left, mut read) = (most.min(self.bytes), self.read);
        let count = left;
        for segment in &self.segments {
            if left == 0 {
                break;
            }
            let unread = &segment[read..];
            let part = &unread[..unread.len().min(left)];
            to(part);
            (left, read) = (left - part.len(), 0);
        }
        count
    }

    /// Like [`Inbox::peek`], and removes these bytes.
    pub(super) fn read(&mut self, most: usize, to: &mut dyn FnMut(&[u8])) -> usize {
        let count = self.peek(most, to);
        self.bytes -= count;
        let mut left = self.read + count;
        while let Some(segment) = self.segments.front().filter(|segment| segment.len() <= left) {
            left -= segment.len();
            self.segments.pop_front();
        }
        self.read = left;
        count
    }
}

#[cfg(test)]
mod tests {
    use super::Inbox;

    #[test]
    fn bytes_are_read_in_their_order_across_segments() {
        let sent: Vec<u8> = (0..=255).collect();
        for sizes in [[1, 255], [100, 156], [0, 256]] {
            for most in [1, 7, 100, 101, 300] {
                let mut inbox = Inbox::default();
                let (first, second) = sent.split_at(sizes[0]);
                [first, second].into_iter().for_each(|segment| inbox.push(segment.to_vec()));
                let mut got = Vec::new();
                while !inbox.is_empty() {
                    let mut peeked = Vec::new();
                    inbox.peek(most, &mut |part| peeked.extend_from_slice(part));
                    let before = got.len();
                    let count = inbox.read(most, &mut |part| got.extend_from_slice(part));
                    assert_eq!((count, &got[before..]), (peeked.len(), peeked.as_slice()));
                    assert_eq!(inbox.len(), sent.len() - got.len());
                }
                assert_eq!(got, sent, "{sizes:?}, {most}");
            }
        }
    }
}
