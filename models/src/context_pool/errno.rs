//! Result codes, as upstream returns them (`nng.h`, v1.10.1).

use std::fmt;

/// A failed operation's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Errno {
    /// A send without a message.
    Inval,
    /// The operation timed out.
    TimedOut,
    /// The context, the socket or the pipe is closed.
    Closed,
    /// The operation would have to wait, and the caller does not wait.
    Again,
    /// An option that this protocol does not have.
    NotSup,
    /// The state does not allow the operation: a receive or a reply without a request.
    State,
    /// The message exceeds the maximum size of this end.
    MsgSize,
    /// The connection with the request was lost, and the request is not resent.
    ConnReset,
    /// The operation was cancelled, or replaced by another.
    Canceled,
    /// The peer closed its end of the connection.
    ConnShut,
}

/// How an operation ends.
pub type Outcome = Result<(), Errno>;

impl Errno {
    const ALL: [Errno; 10] = [
        Errno::Inval,
        Errno::TimedOut,
        Errno::Closed,
        Errno::Again,
        Errno::NotSup,
        Errno::State,
        Errno::MsgSize,
        Errno::ConnReset,
        Errno::Canceled,
        Errno::ConnShut,
    ];

    /// The code with that number, if the model has it.
    pub fn from_code(code: u32) -> Option<Errno> {
        Errno::ALL.into_iter().find(|errno| errno.code() == code)
    }

    /// Upstream's number.
    pub fn code(self) -> u32 {
        match self {
            Errno::Inval => 3,
            Errno::TimedOut => 5,
            Errno::Closed => 7,
            Errno::Again => 8,
            Errno::NotSup => 9,
            Errno::State => 11,
            Errno::MsgSize => 17,
            Errno::ConnReset => 19,
            Errno::Canceled => 20,
            Errno::ConnShut => 31,
        }
    }

    /// Upstream's name.
    pub fn name(self) -> &'static str {
        match self {
            Errno::Inval => "NNG_EINVAL",
            Errno::TimedOut => "NNG_ETIMEDOUT",
            Errno::Closed => "NNG_ECLOSED",
            Errno::Again => "NNG_EAGAIN",
            Errno::NotSup => "NNG_ENOTSUP",
            Errno::State => "NNG_ESTATE",
            Errno::MsgSize => "NNG_EMSGSIZE",
            Errno::ConnReset => "NNG_ECONNRESET",
            Errno::Canceled => "NNG_ECANCELED",
            Errno::ConnShut => "NNG_ECONNSHUT",
        }
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The number that C keeps for an outcome: 0 is success.
pub(super) fn to_code(outcome: Outcome) -> u32 {
    outcome.map_or_else(Errno::code, |()| 0)
}

/// The outcome of a number. A number that is not a code counts as success.
pub(super) fn from_code(code: u32) -> Outcome {
    Errno::from_code(code).map_or(Ok(()), Err)
}
