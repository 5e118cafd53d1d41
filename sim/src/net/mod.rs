//! A simulated network: hosts, links, sockets with tokio's names, and what goes wrong with them.
//!
//! [`simulate`] makes a network for the run that it is called in. Futures run on hosts ([`Host::spawn`]), each on a
//! task of its own, so that the engine's strategy orders them as it orders threads, and the model code they call, with
//! its locks and its ledger, is scheduled with them. [`TcpListener`] and [`TcpStream`] are written against as tokio's
//! are: protocol crates such as h2 run over them unchanged.
//!
//! ```text
//! future ─► TcpStream ─► host's kernel (turmoil-net) ─► wire: link, faults, latency ─► the other host's kernel
//!    ▲ token ◄──────────────────── waker ◄─────────────────────────────────────────────────────┘
//! ```
//!
//! Below the streams are the socket kernels of turmoil-net: FIN, RST, windows, retransmission. Between two kernels lies
//! the wire, a task of its own: it moves packets by virtual time, cuts and heals links, and does to a connection what a
//! [`Fault`] of the plan says, at the byte that it says. Retransmission is counted in turns of the wire, one for each
//! [`TICK`]; a network in which nothing is under way takes no turns, and so costs nothing.
//!
//! Absent by intent: loss of single packets (a link is cut, or it is not), reordering on a link, UDP, and any clock but
//! the run's.
//!
//! It needs tasks that can be parked, which the scheduled engine has; under the others [`simulate`] panics.

mod config;
mod connection;
mod dialogue;
mod directory;
mod fault;
mod frames;
mod hits;
mod host;
mod http2;
mod link;
mod network;
mod passed;
mod poll;
mod segment;
mod side;
mod sockets;
mod stream;
mod task;
#[cfg(test)]
mod tests;
mod timer;
mod traffic;
mod window;
mod wire;

pub use config::{Config, ConfigError};
pub use dialogue::Phase;
pub use fault::{End, Fault, FaultKind};
pub use frames::{Frames, Protocol, Role};
pub(crate) use hits::Hits;
pub use hits::{HitCounts, add_hits};
pub use host::{Host, thread_on};
pub use network::{Network, is_quiet, simulate};
pub use poll::block_on;
pub use stream::{TcpListener, TcpStream};
pub use task::Task;
pub(crate) use timer::Timers;
pub use timer::{Sleep, sleep, timeout};
pub use wire::TICK;

use crate::engine;
use crate::void::Void;

/// Ends the run as one that its user has set up wrongly.
fn misused(text: &str) -> ! {
    engine::void(Void::Misuse(text.to_owned()));
    panic!("{text}")
}
