//! Programs with a planted bug, and programs without one.

pub(crate) mod clean;
pub(crate) mod endless;
pub(crate) mod heap;
pub(crate) mod sockets;
pub(crate) mod system;
pub(crate) mod waiting;
