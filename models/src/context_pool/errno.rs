//! Result codes, as upstream returns them (`nng.h`, v1.10.1).

/// A failed operation's code: upstream's number, displayed as upstream's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, strum::Display, strum::FromRepr)]
#[strum(prefix = "NNG_E", serialize_all = "UPPERCASE")]
#[repr(u32)]
pub enum Errno {
    /// A send without a message.
    Inval = 3,
    /// The operation timed out.
    TimedOut = 5,
    /// The context, the socket or the pipe is closed.
    Closed = 7,
    /// The operation would have to wait, and the caller does not wait.
    Again = 8,
    /// An option that this protocol does not have.
    NotSup = 9,
    /// The state does not allow the operation: a receive or a reply without a request.
    State = 11,
    /// The message exceeds the maximum size of this end.
    MsgSize = 17,
    /// The connection with the request was lost, and the request is not resent.
    ConnReset = 19,
    /// The operation was cancelled, or replaced by another.
    Canceled = 20,
    /// The peer closed its end of the connection.
    ConnShut = 31,
}

/// How an operation ends.
pub type Outcome = Result<(), Errno>;

/// The number that C keeps for an outcome: 0 is success.
pub(super) fn to_code(outcome: Outcome) -> u32 {
    outcome.map_or_else(|errno| errno as u32, |()| 0)
}

/// The outcome of a number. A number that is not a code counts as success.
pub(super) fn from_code(code: u32) -> Outcome {
    Errno::from_repr(code).map_or(Ok(()), Err)
}
