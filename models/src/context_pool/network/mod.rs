//! The component on a simulated network: the same sockets, contexts, aios and pipes, over TCP and SP's bytes.
//!
//! | here | upstream | what it is |
//! | --- | --- | --- |
//! | `wire` | tcp.c, req.c, rep.c | greeting, lengths, backtraces; how tables read them |
//! | `conn` | posix_tcpconn.c | a socket with its poller |
//! | `tcp` | tcp.c | the transport's part of a pipe, in place of `transport` |
//! | `dialer` | dialer.c, listener.c | connects, greets, makes pipes; again after a back-off |
//! | `peer` | - | a server that is not NNG: replies twice, late, never, or hangs up |
//! | `client` | - | a client that is not NNG: several requests at once, and goes |
//! | `hosts` | - | the two ends of one run |
//!
//! Everything from the context down to `p_send` and `p_recv` is the model's own. Each NNG is a process of its own, with
//! its own workers, expiration thread and reaper, on a host of its own.
//!
//! Left out: a process of NNG that dies (a host that crashes is a peer's); bodies that are not tags; IPC, TLS and
//! inproc.

pub(super) mod client;
mod conn;
mod dialer;
mod hosts;
mod peer;
mod tcp;
mod wire;

pub use client::Step;
pub(super) use hosts::{Asking, Serving};
pub use peer::{Greeting, Habit};
pub(super) use wire::Sp;

/// Where the server listens.
pub(super) const PORT: u16 = 5555;
