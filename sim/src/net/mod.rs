//! A simulated network: hosts, links, sockets with tokio's names, and connection faults.
//!
//! [`simulate`] creates a network for the run that calls it. Futures run on hosts ([`Host::spawn`]), each on its own
//! task, so that the engine's strategy orders them like threads; the model code they call, with its locks and its
//! ledger, is scheduled with them. [`TcpListener`] and [`TcpStream`] are used like tokio's: protocol crates such as h2
//! run over them unchanged.
//!
//! ```text
//! future ─► TcpStream ─► host's kernel (turmoil-net) ─► wire: link, faults, latency ─► the other host's kernel
//!    ▲ parker ◄──────────────────── waker ◄─────────────────────────────────────────────────────┘
//! ```
//!
//! turmoil-net's socket kernels implement the streams: FIN, RST, windows, retransmission. A separate task, the wire,
//! connects the kernels: it moves packets by virtual time, breaks and restores links, and applies each [`Fault`] of the
//! plan to its connection, at its byte. Retransmission is counted in turns of the wire, one for each [`TICK`]; a
//! network without packets in transit takes no turns, and so costs nothing.
//!
//! Absent by intent: loss of single packets (a fault drops all packets of a link), reordering on a link, UDP, and any
//! clock except the run's.
//!
//! It needs the kernel's parkers, which only the scheduled engines have; under the others [`simulate`] panics.

mod config;
mod connection;
mod decoder;
mod dialogue;
mod directory;
mod fault;
mod faults;
mod host;
mod http2;
mod link;
mod network;
mod packet_steps;
mod protocol;
mod recovery;
mod segment;
mod side;
mod socket;
mod sockets;
mod software;
mod stream;
#[cfg(test)]
mod tests;
mod traffic;
mod window;
mod wire;

pub use config::{Config, ConfigError};
pub use decoder::Decoder;
pub use fault::Fault;
pub use host::{Host, thread_on};
pub use kernel::record::{End, FaultKind, HitCounts, Phase, add_hits};
pub use network::{Network, is_quiet, simulate};
pub use protocol::{Protocol, Role};
pub use stream::{TcpListener, TcpStream};
pub use wire::TICK;

pub use crate::task::{Sleep, Task, block_on, sleep, timeout};

use crate::session::misused;
