//! Why a call failed, by upstream's names, and the panics that Go programs survive.

/// An error as nbio returns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NbError {
    /// `net.ErrClosed`.
    Closed,
    /// `io.EOF`: the peer is gone.
    Eof,
    /// `ErrTooLong`: a body or a cache beyond its limit.
    TooLong,
    /// `ErrInvalidMethod`.
    InvalidMethod,
    /// `ErrInvalidCharInHeader`.
    InvalidCharInHeader,
    /// `ErrInvalidChunkSize`.
    InvalidChunkSize,
    /// `errOverflow`: more is to be written than `MaxWriteBufferSize` allows.
    Overflow,
    /// `errReadTimeout`: no request within the keep-alive time.
    ReadTimeout,
    /// `errWriteTimeout`.
    WriteTimeout,
    /// What a system call said.
    Sys(Errno),
    /// Not an error that is returned: a panic on its way to the next `recover`.
    Panic(GoPanic),
}

/// The error number of a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errno {
    /// `EAGAIN`: nothing to read, no room to write.
    Again,
    /// `EBADF`: no such descriptor.
    BadFd,
    /// `ECONNRESET`.
    ConnReset,
    /// `EPIPE`.
    Pipe,
    /// `ETIMEDOUT`: the peer has acknowledged nothing for too long.
    TimedOut,
}

/// A Go panic. nbio recovers from it in `Conn.execute` and in `Engine.DataHandler`, logs it, and goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GoPanic {
    /// `br.engine` is nil: somebody has zeroed the reader underneath (nbio #445).
    NilEngine,
    /// The handler panicked.
    Handler,
}

impl From<GoPanic> for NbError {
    fn from(panic: GoPanic) -> NbError {
        NbError::Panic(panic)
    }
}
