//! A request that is under way: armed, or on a worker.

use super::abi::{Bid, Fd, GroupId, Iov, ListenerId, RingId, Sqe, UserData};
use super::socket::EndpointId;

/// What the kernel remembers of a submission.
pub(super) struct Request {
    pub(super) ring: RingId,
    pub(super) user_data: UserData,
    pub(super) fd: Fd,
    /// The socket: a request keeps it open whatever becomes of the descriptor.
    pub(super) endpoint: EndpointId,
    pub(super) skip_success: bool,
    /// What is linked to it.
    pub(super) link: Vec<Sqe>,
    pub(super) work: Work,
}

/// What is being done.
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
    },
    Send(Send),
    /// On a worker of the kernel: queued, then running.
    Shutdown {
        running: bool,
    },
}

/// A send and how far it got.
pub(super) struct Send {
    pub(super) iovs: Vec<Iov>,
    /// From a group, whose buffers are not taken yet.
    pub(super) select: Option<(GroupId, bool)>,
    /// The group that its buffers were taken from.
    pub(super) taken_from: Option<GroupId>,
    /// It takes all that the group has.
    pub(super) is_bundle: bool,
    /// Buffers whose custody the send has.
    pub(super) held: Vec<Bid>,
    pub(super) done: u32,
    pub(super) waitall: bool,
    /// The notification that a zero-copy send owes.
    pub(super) notif: Option<u64>,
}

impl Send {
    pub(super) fn total(&self) -> u32 {
        self.iovs.iter().map(|iov| iov.len).sum()
    }
}

/// What an attempt came to.
pub(super) enum Attempt {
    /// It would have to wait.
    Armed,
    /// It is over, with this result and these flags.
    Over(i32, u32),
    /// It is over, and has said so.
    Posted,
}
