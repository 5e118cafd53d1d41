//! A pending request: armed, or on a worker.

use super::abi::{Bid, Fd, GroupId, Iov, ListenerId, RingId, Sqe, UserData};
use super::socket::EndpointId;

/// The kernel's record of a submission.
pub(super) struct Request {
    pub(super) ring: RingId,
    pub(super) user_data: UserData,
    pub(super) fd: Fd,
    /// The socket, which the request keeps open even if the descriptor is closed.
    pub(super) endpoint: EndpointId,
    pub(super) skip_success: bool,
    /// Its order among the waiters of its socket: the request armed last is woken first.
    pub(super) armed: u64,
    /// The wake order, if it was woken: lower numbers run first.
    pub(super) woken: Option<u64>,
    /// The submissions linked to it.
    pub(super) link: Vec<Sqe>,
    pub(super) work: Work,
}

impl Request {
    pub(super) fn set_saw_last(&mut self, value: bool) {
        if let Work::Recv { saw_last, .. } = &mut self.work {
            *saw_last = value;
        }
    }
}

/// The operation in progress.
pub(super) enum Work {
    Accept {
        listener: ListenerId,
    },
    Connect {
        to: ListenerId,
    },
    Recv {
        group: GroupId,
        multishot: bool,
        bundle: bool,
        /// True if a bundle has mapped the last buffer since its last completion: it ends with the next one.
        saw_last: bool,
    },
    Send(Send),
    /// On a worker of the kernel: queued, then running.
    Shutdown {
        running: bool,
    },
}

/// A send and its progress.
pub(super) struct Send {
    pub(super) iovs: Vec<Iov>,
    /// The group whose buffers are not taken yet; true for a bundle, which takes all of them.
    pub(super) select: Option<(GroupId, bool)>,
    /// Its buffers were taken from a group.
    pub(super) is_selected: bool,
    /// The buffers that the send owns.
    pub(super) held: Vec<Bid>,
    pub(super) done: u32,
    pub(super) waitall: bool,
    /// The pending notification of a zero-copy send.
    pub(super) notif: Option<u64>,
}

impl Send {
    pub(super) fn total(&self) -> u32 {
        self.iovs.iter().map(|iov| iov.len).sum()
    }
}

/// The result of an attempt.
pub(super) enum Attempt {
    /// It would block.
    Armed,
    /// It is over, with this result and these flags.
    Over(i32, u32),
    /// It is over, and its completion is posted.
    Posted,
}
