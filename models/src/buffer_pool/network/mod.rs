//! The server on a host of a simulated network, and clients on other hosts: HTTP/1.1 over real connections.
//!
//! ```text
//! client's host                                  server's host
//! client ─► text ─► TcpStream ══ wire ══► TcpStream ─► carrier ─► octets ─► kernel ─► poller … handler
//!        ◄─ text ◄─           ══ wire ══            ◄─        ◄─ octets ◄─        ◄─ flush
//! ```
//!
//! The code above the kernel is the same as in memory. In memory a client's thread puts octets into a socket; here
//! tasks on the server's host carry them: one accepts, and one per connection reads and writes (`carrier`). An octet is
//! a line of a head, or a record of a body that names its request (`text`). The reader therefore detects the first
//! misplaced byte: in a head by httparse, in a body by the record's tag. A client's address, which its tags contain,
//! follows from its host and its local port.
//!
//! The simulated network does not know octets; it parses the traffic with httparse (`kit::http1`). Tables show these
//! frames, and a fault's phase follows from them.
//!
//! Left out: a crash of the server's host, since the engine's threads would continue without a network; more than one
//! engine.

mod carrier;
mod client;
mod text;

pub(super) use carrier::accept;
pub(super) use client::run as client;

/// The port of the server.
pub(super) const PORT: u16 = 80;
