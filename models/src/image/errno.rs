//! The error codes that upstream sets with `AERON_SET_ERR`.

/// A code of errno.h, as `aeron_errcode` returns it after a call has returned -1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errno {
    /// `EINVAL`: the image is not in the subscription's current list. Only the variants that check this return it.
    Inval,
    /// `ENOENT`: the log file was unlinked before it could be mapped.
    NoEnt,
    /// The C++ wrapper threw `std::bad_alloc` between two calls of the C client.
    Thrown,
}
