//! A stream: one call on one transport.

use std::sync::Arc;

use lastref::ledger::{Owner, Slot, Tag};
use lastref::sync::{Condvar, Mutex};
use lastref::time::Instant;

use crate::kit::harness::wait_until;
use crate::subchannel::status::Status;

/// `grpc_chttp2_stream`, with the call's side of it.
pub(crate) struct Stream {
    pub(crate) number: u32,
    pub(crate) tag: Tag,
    /// The trailing metadata: delivered exactly once.
    trailing: Slot,
    status: Mutex<Option<Status>>,
    given: Condvar,
}

impl Stream {
    pub(crate) fn new(number: u32, tag: Tag) -> Arc<Stream> {
        let trailing = Slot::new("recv_trailing_metadata", Owner::new("stream", number));
        trailing.begin(Owner::new("stream", number));
        let status = Mutex::named("call", None);
        Arc::new(Stream { number, tag, trailing, status, given: Condvar::named("call") })
    }

    /// `grpc_chttp2_mark_stream_closed`, called by the transport, after it has removed the stream from its map.
    pub(crate) fn finish(&self, status: Status) {
        let mut place = self.status.lock();
        *place = Some(status);
        self.trailing.complete(Owner::new("stream", self.number));
        self.given.notify_all();
    }

    /// Waits for the end of the call, up to `deadline` if there is one.
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> Option<Status> {
        let mut status = self.status.lock();
        while status.is_none() {
            status = wait_until(&self.given, status, deadline).ok()?;
        }
        *status
    }

    /// Whether the call has ended.
    pub(crate) fn is_finished(&self) -> bool {
        self.status.lock().is_some()
    }
}
