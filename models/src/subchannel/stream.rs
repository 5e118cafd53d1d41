//! A stream: one call on one transport.

use std::fmt;
use std::sync::Arc;

use lastref::ledger::{Owner, Slot, Tag};
use lastref::sync::{Condvar, Mutex};
use lastref::time::Instant;

use super::status::Status;

/// `grpc_chttp2_stream`, with the call's end of it.
pub(super) struct Stream {
    pub(super) number: u32,
    pub(super) tag: Tag,
    /// The trailing metadata: given exactly once.
    trailing: Slot,
    status: Mutex<Option<Status>>,
    given: Condvar,
}

impl Stream {
    pub(super) fn new(number: u32, tag: Tag) -> Arc<Stream> {
        let trailing = Slot::new("recv_trailing_metadata", Owner::new("stream", number));
        trailing.begin(Owner::new("stream", number));
        let status = Mutex::named("call", None);
        Arc::new(Stream { number, tag, trailing, status, given: Condvar::named("call") })
    }

    /// `grpc_chttp2_mark_stream_closed`, by the transport, which has taken the stream off its map.
    pub(super) fn finish(&self, status: Status) {
        let mut place = self.status.lock();
        *place = Some(status);
        self.trailing.complete(Owner::new("stream", self.number));
        self.given.notify_all();
    }

    /// Waits for the end of the call, up to `deadline` if there is one.
    pub(super) fn wait(&self, deadline: Option<Instant>) -> Option<Status> {
        let mut status = self.status.lock();
        loop {
            if status.is_some() {
                return *status;
            }
            status = match deadline {
                None => self.given.wait(status),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return None;
                    }
                    self.given.wait_timeout(status, left).0
                }
            };
        }
    }

    /// Whether the call has ended.
    pub(super) fn is_finished(&self) -> bool {
        self.status.lock().is_some()
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("number", &self.number).field("tag", &self.tag).finish_non_exhaustive()
    }
}
