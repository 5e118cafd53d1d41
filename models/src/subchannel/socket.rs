//! What a descriptor is, to those who hold it: the client's end of a connection, whoever carries its bytes.
//!
//! There are two. A `connection` is a connection to a script (see `backend`), whole frames in memory, for every engine.
//! A `carrier` has a socket of the simulated network, with HTTP/2's own bytes on it, and a server of another make at
//! the other end. Neither blocks: an edge goes to the poller that watches, as from epoll.

use std::fmt;
use std::sync::Arc;

use super::fd::GrpcFd;
use super::status::{Error, Outcome};
use crate::kit::http2::{ClientFrame, ServerFrame};

/// What a read of the client's gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// Some of what has come.
    Frames(Vec<ServerFrame>),
    /// `EAGAIN`.
    WouldBlock,
    /// The server's FIN, or an error.
    Failed(Error),
}

/// What a write of the client's gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// The buffer has it.
    Done,
    /// `EAGAIN`.
    WouldBlock,
    /// The other end is gone.
    Failed(Error),
}

/// A descriptor's socket.
pub(super) trait Socket: fmt::Debug + Send + Sync {
    /// `epoll_ctl(EPOLL_CTL_ADD)`.
    fn watch(&self, wrapper: &Arc<GrpcFd>);

    /// `SO_ERROR`, once the descriptor is writable; nothing while the connection is still being made.
    fn connected(&self) -> Option<Outcome>;

    /// `recvmsg`.
    fn read(&self) -> Read;

    /// `sendmsg`.
    fn write(&self, frame: ClientFrame) -> Written;

    /// `shutdown(2)`.
    fn shutdown(&self);

    /// `close(2)`.
    fn close(&self);

    /// Whether nothing happens here unless the client does something.
    fn is_idle(&self) -> bool;

    /// The end of whatever is at work here besides the client: for a script, its server's end; for a carrier, its own,
    /// which leaves a descriptor open that nobody has closed.
    fn hang_up(&self);
}
