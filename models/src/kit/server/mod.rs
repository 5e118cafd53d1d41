//! The server for a client's model: a host that plays a script on each connection, over HTTP/2 or HTTP/1.1; in memory,
//! a thread for each connection (`memory`).
//!
//! Address n is port 50051 + n of the one host, so that a client with two addresses has two connections to one server.
//! Over HTTP/2, a step does what the server of the crate h2 allows:
//!
//! | step | before SETTINGS | after |
//! | --- | --- | --- |
//! | `Settings` | the handshake, which begins with SETTINGS | nothing |
//! | `Take`, `Answer` | nothing | requests are accepted; answered, once they are whole |
//! | `Goaway(NoError)` | nothing | `graceful_shutdown`: GOAWAY, PING, GOAWAY with the last stream, the end |
//! | `Goaway(TooManyPings)` | nothing | `abrupt_shutdown(ENHANCE_YOUR_CALM)`: GOAWAY, the end |
//! | `Fin`, `Rst`, `Refuse`, `Ignore` | the socket is closed | the socket is closed, even with requests in progress |
//!
//! Over HTTP/1.1 `Settings` and `Goaway` do nothing. A reset, a connection that is refused or not answered, and any
//! failure at a chosen byte are faults of the network (`lastref::net::Fault`). An answer carries the tag of its
//! request. A server that ends drops its sockets at any point of a script.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use lastref::net::{Host, TcpListener, sleep};
use lastref::property::sometimes;
use lastref::time::Duration;

use crate::kit::harness::{Tasks, Unscheduled};

mod http1;
mod http2;
pub(crate) mod memory;
mod script;

pub(crate) use script::script;
pub use script::{Backends, Step};

const FIRST_PORT: u16 = 50051;
/// The number of ports reserved for each process.
const PORTS: u32 = 100;

/// The server's protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// The peers of a client's connections.
pub(crate) enum Peers {
    /// A script for each connection, in memory.
    Scripts(Backends),
    /// The client's host, and a server on another host.
    Server(Host, Arc<Server>),
}

/// The process that serves every address.
pub(crate) struct Server {
    host: Host,
    protocol: Protocol,
    /// The remaining scripts of connections to each address.
    scripts: Vec<Unscheduled<VecDeque<Vec<Step>>>>,
    /// The pause after each accepted connection.
    accept_takes: Duration,
    /// The number of starts of its process: harness state, which orders nothing.
    begun: AtomicU32,
    listeners: Tasks,
    connections: Tasks,
    /// Each open socket holds a clone.
    sockets: Arc<()>,
}

impl Server {
    /// Listens at every address before it returns.
    pub(crate) fn start(host: Host, protocol: Protocol, backends: Backends, accept_takes: Duration) -> Arc<Server> {
        let server = Arc::new(Server {
            host,
            protocol,
            scripts: backends.into_iter().map(|scripts| Unscheduled::new(VecDeque::from(scripts))).collect(),
            accept_takes,
            begun: AtomicU32::new(0),
            listeners: Tasks::default(),
            connections: Tasks::default(),
            sockets: Arc::new(()),
        });
        server.listen();
        server
    }

    /// Starts the process, initially or after a crash of its host. First ends the tasks of the previous process.
    pub(crate) fn listen(self: &Arc<Self>) {
        self.hang_up();
        self.begun.fetch_add(1, Ordering::SeqCst);
        for address in 0..self.scripts.len() {
            let at = self.address(address as u32);
            let bound = self.host.spawn("bind", TcpListener::bind(at)).join();
            let Some(Ok(listener)) = bound else { lastref::bug!("another socket has the port of {at}") };
            let accepting = accept(Arc::clone(self), listener, address);
            self.listeners.push(self.host.spawn(&format!("accept.{address}"), accepting));
        }
    }

    /// The script of the next connection to an address.
    fn script(&self, address: usize) -> Vec<Step> {
        let next = self.scripts.get(address).and_then(|scripts| scripts.lock().pop_front());
        next.unwrap_or_else(|| vec![Step::Settings])
    }

    /// The number of open accepted sockets.
    pub(crate) fn sockets(&self) -> usize {
        Arc::strong_count(&self.sockets) - 1
    }

    /// The socket address of a plan's address. Each process has its own ports, since connections of the previous
    /// process may still hold theirs in the kernel.
    pub(crate) fn address(&self, address: u32) -> SocketAddr {
        let before = self.begun.load(Ordering::SeqCst).saturating_sub(1);
        self.host.address(FIRST_PORT + (PORTS * before + address) as u16)
    }

    /// Ends the process: closes its listeners and its sockets.
    pub(crate) fn hang_up(&self) {
        self.listeners.end();
        self.connections.end();
    }
}

async fn accept(server: Arc<Server>, listener: TcpListener, address: usize) {
    while let Ok((stream, peer)) = listener.accept().await {
        sometimes("a backend has two sockets of one client", server.sockets() > 0);
        let (socket, script, port) = (Arc::clone(&server.sockets), server.script(address), peer.port());
        server.connections.push(match server.protocol {
            Protocol::Http1 => server.host.spawn(&format!("http1.{port}"), http1::serve(stream, socket, script)),
            Protocol::Http2 => server.host.spawn(&format!("h2.{port}"), http2::serve(stream, socket, script)),
        });
        if !server.accept_takes.is_zero() {
            sleep(server.accept_takes).await;
        }
    }
}
