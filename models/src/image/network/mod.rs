//! The driver's receiver on a simulated network: publishers on hosts of their own, Aeron's frames between them and it.
//!
//! ```text
//! publisher's host                         subscriber's host
//! publication ─► frames ─► TcpStream ══ wire ══► sockets ─► media driver ─► log, counters ─► client's threads
//!             ◄─ SM, NAK ◄─          ══ wire ══         ◄─ publication image ◄─ positions ◄─ polls
//! ```
//!
//! Client and driver share memory, as in Aeron, so they are threads of one host; what is above the driver is the model
//! that other engines run. There a plan starts, writes and ends a stream. Here a stream starts with a SETUP frame
//! (`media_driver`), DATA frames are written at their positions, and the stream ends when its publisher ends it or is
//! silent for too long (`publication_image`). Subscribers that lag hold their publisher up by the windows of status
//! messages (`publication`). A publisher that dies comes back on the same host as the same session or as another.
//!
//! Deviates (inferred): upstream's frames are datagrams. Here they go over a connection each publisher makes, and makes
//! again when it is lost (`publisher`, `sockets`); a lost connection loses frames, and does not end images.
//!
//! Left out: multicast and several destinations, RTT measurement, response channels, loss without a connection's end.

pub(super) mod frame;
mod hosts;
mod media_driver;
mod publication;
mod publication_image;
mod publisher;
mod sockets;

pub(super) use hosts::OnHosts;
