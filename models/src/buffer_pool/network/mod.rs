//! The server on a host of a simulated network, and clients on other hosts: HTTP/1.1 over real connections.
//!
//! ```text
//! client's host                                  server's host
//! client ─► text ─► TcpStream ══ wire ══► TcpStream ─► carrier ─► octets ─► kernel ─► poller … handler
//!        ◄─ text ◄─           ══ wire ══            ◄─        ◄─ octets ◄─        ◄─ flush
//! ```
//!
//! The code above the kernel is the same as in memory. In memory a client's thread puts octets into a socket; here
//! tasks of the server's host carry them: one accepts, and one per connection reads and writes (`carrier`). An octet is
//! a line of a head, or a record of a body that says whose it is (`text`), so that the reader detects the first byte in
//! a wrong place: heads by httparse, records by their tags. The address of a client, by which its tags are known, is
//! its host and its port on it.
//!
//! The wire does not know octets; it parses the traffic with httparse (`kit::http1`). Tables show these frames, and the
//! phase of a connection when a fault hits it follows from them.
//!
//! Left out: a server's host that crashes, since the engine's threads would go on without a network; more than one
//! engine.

mod carrier;
mod client;
mod text;

pub(super) use carrier::Carrier;
pub(super) use client::run as client;

/// The port of the server.
pub(super) const PORT: u16 = 80;
