//! The sockets behind the component's streams.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use turmoil_net::shim::tokio::net as shim;

use crate::unpoisoned;

/// A socket of turmoil-net, shared by the component's stream and by the wire, which shuts down its write side.
pub(super) type Socket = Arc<Mutex<shim::TcpStream>>;

/// The component's streams, by their own and their peers' addresses.
pub(super) type Streams = BTreeMap<(SocketAddr, SocketAddr), Socket>;

/// Accesses a socket.
pub(super) fn locked<R>(socket: &Mutex<shim::TcpStream>, f: impl FnOnce(&mut shim::TcpStream) -> R) -> R {
    f(&mut unpoisoned::locked(socket))
}
