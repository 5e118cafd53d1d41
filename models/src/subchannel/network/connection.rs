//! One TCP connection, as the kernel has it: what either end has sent and the other not read, FIN, RST, and who waits.
//!
//! The client's end is a descriptor and reports edges to the poller that watches it; the server's end is used by one
//! task (see `backend`), which blocks. Facts that matter here: `shutdown(2)` sends FIN and leaves the descriptor open;
//! bytes that came before a FIN are read before it, those that came before an RST are lost; a write finds a full buffer
//! and has to wait, or finds the other end gone and fails.

use std::collections::VecDeque;
use std::sync::Arc;

use lastref::random;
use lastref::sync::{Condvar, Mutex, MutexGuard};

use crate::kit::harness::impl_debug;
use crate::kit::http2::{ClientFrame, ServerFrame};
use crate::subchannel::iomgr::fd::GrpcFd;
use crate::subchannel::iomgr::{BOTH, Edge, Iomgr, READABLE, WRITABLE};
use crate::subchannel::network::socket::{Read, Socket, Written};
use crate::subchannel::status::{Error, Outcome};

/// What the server's task does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Server {
    /// It works, or sleeps, or has not begun.
    #[default]
    Busy,
    /// It waits for a frame.
    Waits,
    /// It does nothing until the client goes.
    Stalls,
    /// It has ended, or was never there.
    Gone,
}

#[derive(Debug, Default)]
struct Wire {
    connected: Option<Outcome>,
    to_client: VecDeque<ServerFrame>,
    to_server: VecDeque<ClientFrame>,
    server_fin: bool,
    server_gone: bool,
    client_fin: bool,
    client_closed: bool,
    reset: bool,
    /// A write found the buffer full and has to be told of room.
    blocked: bool,
    /// The server is to come to an end.
    hang_up: bool,
    server: Server,
    watcher: Option<Arc<GrpcFd>>,
}

/// A connection.
pub(crate) struct Connection {
    wire: Mutex<Wire>,
    changed: Condvar,
    room: usize,
    iomgr: Arc<Iomgr>,
}

impl Connection {
    /// A connection that is being made. So many frames of the client's fit into it.
    pub(crate) fn new(iomgr: &Arc<Iomgr>, room: u32) -> Arc<Connection> {
        Arc::new(Connection {
            wire: Mutex::named("connection", Wire::default()),
            changed: Condvar::named("connection"),
            room: room as usize,
            iomgr: Arc::clone(iomgr),
        })
    }

    /// Gives the lock up and reports the edge to the poller, which may by then watch something else by the same
    /// wrapper.
    fn report(&self, wire: MutexGuard<'_, Wire>, edge: Edge) {
        let watcher = wire.watcher.clone();
        self.changed.notify_all();
        drop(wire);
        if let Some(watcher) = watcher {
            self.iomgr.report(watcher, edge);
        }
    }

    /// The server's kernel answers: accepted, or refused.
    pub(crate) fn answer(&self, result: Outcome) {
        let mut wire = self.wire.lock();
        wire.connected = Some(result);
        if result.is_err() {
            wire.server = Server::Gone;
        }
        self.report(wire, WRITABLE);
    }

    /// The server's kernel says nothing: nobody is there.
    pub(crate) fn ignore(&self) {
        self.wire.lock().server = Server::Gone;
    }

    /// The server sends a frame; nothing happens to it if the connection is broken.
    pub(crate) fn send(&self, frame: ServerFrame) {
        let mut wire = self.wire.lock();
        if !wire.reset && !wire.server_fin && !wire.client_closed {
            wire.to_client.push_back(frame);
            self.report(wire, READABLE);
        }
    }

    /// The server waits for a frame of the client's. Nothing if there is none and will be none, or if the server is to
    /// end.
    pub(crate) fn receive(&self) -> Option<ClientFrame> {
        let mut wire = self.wire.lock();
        loop {
            if wire.hang_up || wire.reset {
                return None;
            }
            if let Some(frame) = wire.to_server.pop_front() {
                if std::mem::take(&mut wire.blocked) {
                    self.report(wire, WRITABLE);
                }
                return Some(frame);
            }
            if wire.client_fin {
                return None;
            }
            wire = self.rest(wire, Server::Waits);
        }
    }

    /// The server does nothing until it is to end or the client is gone.
    pub(crate) fn stall(&self) {
        let mut wire = self.wire.lock();
        while !wire.hang_up && !wire.client_fin && !wire.reset {
            wire = self.rest(wire, Server::Stalls);
        }
    }

    /// Waits, and lets it be known.
    fn rest<'a>(&'a self, mut wire: MutexGuard<'a, Wire>, server: Server) -> MutexGuard<'a, Wire> {
        wire.server = server;
        // The loop's lock comes before this one: who waits for rest is told without it.
        drop(wire);
        self.iomgr.look_again();
        let mut wire = self.wire.lock();
        let frames = server == Server::Waits && !wire.to_server.is_empty();
        if !frames && !wire.hang_up && !wire.client_fin && !wire.reset {
            wire = self.changed.wait(wire);
        }
        wire.server = Server::Busy;
        wire
    }

    /// The server sends FIN, and goes on reading.
    pub(crate) fn fin(&self) {
        let mut wire = self.wire.lock();
        if !wire.reset && !wire.server_fin {
            wire.server_fin = true;
            self.report(wire, READABLE);
        }
    }

    /// The server sends RST.
    pub(crate) fn rst(&self) {
        let mut wire = self.wire.lock();
        wire.reset = true;
        wire.to_client.clear();
        wire.to_server.clear();
        self.report(wire, BOTH);
    }

    /// The server's process ends: FIN, and whatever the client writes from now on fails.
    pub(crate) fn gone(&self) {
        let mut wire = self.wire.lock();
        wire.server_fin = true;
        wire.server_gone = true;
        wire.server = Server::Gone;
        self.report(wire, BOTH);
        self.iomgr.look_again();
    }

    /// Whether the server's task is to end.
    pub(crate) fn is_hanging_up(&self) -> bool {
        self.wire.lock().hang_up
    }
}

impl Socket for Connection {
    fn watch(&self, wrapper: &Arc<GrpcFd>) {
        self.wire.lock().watcher = Some(Arc::clone(wrapper));
    }

    fn connected(&self) -> Option<Outcome> {
        self.wire.lock().connected
    }

    fn read(&self) -> Read {
        let mut wire = self.wire.lock();
        if wire.reset {
            return Read::Failed(Error::ConnectionReset);
        }
        if wire.to_client.is_empty() {
            return if wire.server_fin { Read::Failed(Error::SocketClosed) } else { Read::WouldBlock };
        }
        // TCP has no frames: a read may give any part of what has come.
        let most = 1 + random::below(wire.to_client.len() as u64) as usize;
        Read::Frames(wire.to_client.drain(..most).collect())
    }

    fn write(&self, frame: ClientFrame) -> Written {
        let mut wire = self.wire.lock();
        if wire.reset {
            return Written::Failed(Error::ConnectionReset);
        }
        if wire.server_gone || wire.client_fin {
            return Written::Failed(Error::BrokenPipe);
        }
        if wire.to_server.len() >= self.room {
            wire.blocked = true;
            return Written::WouldBlock;
        }
        wire.to_server.push_back(frame);
        self.changed.notify_all();
        Written::Done
    }

    fn shutdown(&self) {
        self.wire.lock().client_fin = true;
        self.changed.notify_all();
    }

    fn close(&self) {
        let mut wire = self.wire.lock();
        wire.client_fin = true;
        wire.client_closed = true;
        wire.watcher = None;
        self.changed.notify_all();
    }

    fn is_idle(&self) -> bool {
        let wire = self.wire.lock();
        match wire.server {
            Server::Busy => false,
            Server::Waits => wire.to_server.is_empty() && !wire.client_fin,
            Server::Stalls => !wire.client_fin,
            Server::Gone => true,
        }
    }

    fn hang_up(&self) {
        self.wire.lock().hang_up = true;
        self.changed.notify_all();
    }
}

impl_debug!(Connection {});
