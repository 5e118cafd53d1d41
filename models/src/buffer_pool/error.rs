//! Errors by upstream's names, and the Go panics from which nbio recovers.

/// An error as nbio returns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NbError {
    /// `net.ErrClosed`.
    Closed,
    /// `io.EOF`: the peer has closed or reset the connection.
    Eof,
    /// `ErrTooLong`: a body or a cache beyond its limit.
    TooLong,
    /// `ErrInvalidMethod`.
    InvalidMethod,
    /// `ErrInvalidCharInHeader`.
    InvalidCharInHeader,
    /// `ErrInvalidChunkSize`.
    InvalidChunkSize,
    /// `errOverflow`: the unsent data would exceed `MaxWriteBufferSize`.
    Overflow,
    /// `errReadTimeout`: no request within the keep-alive time.
    ReadTimeout,
    /// `errWriteTimeout`.
    WriteTimeout,
    /// The error of a system call.
    Sys(Errno),
    /// A panic that unwinds to the next `recover`; upstream does not return it as an error.
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
    /// `br.engine` is nil: another user of the reader has zeroed it (nbio #445).
    NilEngine,
    /// The handler panicked.
    Handler,
}

impl From<GoPanic> for NbError {
    fn from(panic: GoPanic) -> NbError {
        NbError::Panic(panic)
    }
}
