//! The component on a simulated network: the same sockets, contexts, aios and pipes, over TCP and SP's bytes.
//!
//! | here | upstream | description |
//! | --- | --- | --- |
//! | `wire` | tcp.c, req.c, rep.c | greeting, lengths, backtraces; their parser for tables |
//! | `conn` | posix_tcpconn.c | a socket with its poller |
//! | `tcp` | tcp.c | the transport's part of a pipe, in place of `transport` |
//! | `dialer` | dialer.c, listener.c | connects, greets, creates pipes; retries after a back-off |
//! | `peer` | - | a server that is not NNG: replies twice, late, never, or hangs up |
//! | `client` | - | a client that is not NNG: sends several requests at once, and disconnects |
//!
//! Everything from the context down to `p_send` and `p_recv` is the same model as in memory. Each NNG is a separate
//! process on its own host, with its own workers, expiration thread and reaper.
//!
//! Left out: the death of an NNG process (only hosts of peers crash); bodies that are not tags; IPC, TLS and
//! inproc.

pub(super) mod client;
mod conn;
mod dialer;
mod peer;
mod tcp;
mod wire;

pub use client::Step;
pub(super) use dialer::Endpoint;
pub(super) use peer::Peer;
pub use peer::{Greeting, Habit};
pub(super) use wire::{REP0, REQ0, Sp};

/// The port of the server.
pub(super) const PORT: u16 = 5555;
