//! The proxy on a host of a simulated network, between clients and a server on other hosts, which speak RESP2.
//!
//! ```text
//! client.n                    proxy                                   backend
//! memtier ─► TcpStream ══► kernel's socket ─► io_uring ─► conn ─┐
//!         ◄─           ◄══                 ◄─          ◄─       ├─► …  ══► TcpStream ─► redis
//!                                                   parent ─────┘      ◄══           ◄─
//! ```
//!
//! Proxy and simulated kernel differ from a run in memory in one place: a socket of the kernel is a stream of the
//! network (`kernel::stream`), so that the network decides when a request completes and with what result. The buffers
//! of sockets, FIN, RST, retransmission and all faults are the network's.
//!
//! A request is `PING <payload>`, which redis answers by that payload as a bulk string. A payload names its connection
//! and its request, and two payloads differ at every position, so a reader detects the first wrong byte (`resp`).
//!
//! | task | of | what it does |
//! | --- | --- | --- |
//! | `proxy/kernel` | `kernel::programs` | the kernel's events, and the wakers of its sockets |
//! | `proxy/parent`, `proxy/conn.n` | the model | as without a network |
//! | `client.n/client` | `client` | connections, one after the other, each with bursts of requests |
//! | `backend/accept`, `backend/conn.n` | `backend` | answers, slowly or not, ends connections that are idle |
//! | main | `application` | events of hosts and links, and the teardown |
//!
//! Left out: a crash of the proxy's host, since its threads would continue without a network.

pub(super) mod backend;
pub(super) mod client;
mod duplex;
pub(super) mod resp;

/// The proxy's port, as in the report.
pub(super) const PROXY_PORT: u16 = 6380;
/// The server's port.
pub(super) const BACKEND_PORT: u16 = 6379;
