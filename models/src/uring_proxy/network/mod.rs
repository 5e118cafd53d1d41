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
//! of sockets, FIN, RST, retransmission and all that goes wrong are the network's.
//!
//! A request is `PING <payload>`, which redis answers by that payload as a bulk string. A payload names its connection
//! and its request, and no two are alike in any place, so a reader detects the first wrong byte (`resp`).
//!
//! | task | of | what it does |
//! | --- | --- | --- |
//! | `proxy/kernel` | `kernel::programs` | the kernel's events, and what sockets call for |
//! | `proxy/parent`, `proxy/conn.n` | the model | as without a network |
//! | `client.n/client` | `client` | connections, one after the other, each with bursts of requests |
//! | `backend/accept`, `backend/conn.n` | `backend` | answers, slowly or not, ends connections that are idle |
//! | main | `application` | what happens to hosts and links, and the end |
//!
//! Left out: the proxy's host does not crash, since its threads would go on without a network.

pub(super) mod backend;
pub(super) mod client;
mod duplex;
pub(super) mod resp;

/// Where the proxy listens, as in the report.
pub(super) const PROXY_PORT: u16 = 6380;
/// Where the server does.
pub(super) const BACKEND_PORT: u16 = 6379;
