//! The driver's receiver on a simulated network: publishers on hosts of their own, which send it Aeron's frames.
//!
//! ```text
//! publisher's host                         subscriber's host
//! publication ─► frames ─► TcpStream ══ wire ══► sockets ─► media driver ─► log, counters ─► client's threads
//!             ◄─ SM, NAK ◄─          ══ wire ══         ◄─ publication image ◄─ positions ◄─ polls
//! ```
//!
//! Client and driver share memory, as in Aeron, so they are threads of one host. The layers above the driver are the
//! same as in memory. There a plan starts, writes and ends a stream. Here a stream starts with a SETUP frame
//! (`media_driver`), DATA frames are written at their positions, and the stream ends when its publisher ends it or is
//! silent for too long (`publication_image`). The windows of status messages make a publisher wait for
//! subscribers that lag (`publication`). A publisher that dies returns on the same host, with the same
//! session or another.
//!
//! Deviates (inferred): upstream's frames are datagrams. Here each publisher sends them over a connection, which it
//! establishes again after a loss (`publisher`, `sockets`); a lost connection loses frames, but does not end images.
//!
//! Left out: multicast and several destinations, RTT measurement, response channels, loss on an intact connection.

pub(super) mod frame;
mod hosts;
mod media_driver;
mod publication;
mod publication_image;
mod publisher;
mod sockets;

pub(super) use hosts::Publishers;
