//! One TCP connection in the client's kernel: the unread data of both directions, FIN, RST, and the waiting tasks.
//!
//! The client's end is a nonblocking descriptor, which reports edges to its poller, as epoll does. `shutdown(2)` sends
//! FIN and leaves the descriptor open. Bytes that arrived before a FIN are read before it. Bytes that arrived before an
//! RST are lost in memory; on the network they are read first, as on Linux. A write must wait if the buffer is full,
//! and fails if the peer is closed. The server's end is one of two:
//!
//! ```text
//!  tcp ── write ──► to_server ──► receive ──► a script's thread (`serve`), which blocks
//!  tcp ◄── read ─── to_client ◄─── send ◄──────────┘
//!               poller ◄── edge ────┘
//!
//!  tcp ── write ──► to_server ──► take ────► a task (`kit::stream`) ──► TcpStream ═══ network
//!  tcp ◄── read ─── to_client ◄─ received ◄──────────┘
//! ```
//!
//! Left out: partial frames in a buffer.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::task::{Context, Waker};

use lastref::random;
use lastref::sync::{Condvar, Mutex, MutexGuard};

use crate::kit::http2::{ClientFrame, Decoder, ServerFrame, encode};
use crate::kit::server::Peers;
use crate::kit::server::memory::ServerEnd;
use crate::kit::stream::{Buffers, Stage};
use crate::subchannel::iomgr::fd::GrpcFd;
use crate::subchannel::iomgr::{BOTH, Edge, Iomgr, READABLE, WRITABLE};
use crate::subchannel::status::{Error, Outcome};

/// The result of a client's read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// Some of the frames that have arrived.
    Frames(Vec<ServerFrame>),
    /// `EAGAIN`.
    WouldBlock,
    /// The server's FIN, or an error.
    Failed(Error),
}

/// The result of a client's write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// The frame is in the send buffer.
    Done,
    /// `EAGAIN`.
    WouldBlock,
    /// The peer is closed, or the connection has failed.
    Failed(Error),
}

/// The state of the server's task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Server {
    /// It is working or sleeping, or has not started.
    #[default]
    Busy,
    /// It waits for a frame.
    Waits,
    /// It does nothing until the connection is over.
    Stalls,
    /// It has ended, or never existed.
    Gone,
    /// The server is on the network; a carrier task transfers the bytes.
    Carried,
}

#[derive(Default)]
struct Wire {
    connected: Option<Outcome>,
    to_client: VecDeque<ServerFrame>,
    to_server: VecDeque<ClientFrame>,
    server_fin: bool,
    client_fin: bool,
    client_closed: bool,
    /// Both directions have failed.
    error: Option<Error>,
    /// Every write fails from now on.
    broken_pipe: bool,
    /// A write found the buffer full, and waits for room.
    blocked: bool,
    /// The server's end stops. The client's descriptor stays open if the client has not closed it.
    hang_up: bool,
    server: Server,
    watcher: Option<Arc<GrpcFd>>,
    /// The waker of the carrier task, if it waits.
    carrier: Option<Waker>,
}

impl Wire {
    fn wake(&mut self) {
        if let Some(carrier) = self.carrier.take() {
            carrier.wake();
        }
    }

    /// True if the server has no reason to continue.
    fn is_over(&self) -> bool {
        self.hang_up || self.client_fin || self.error.is_some()
    }
}

/// A connection.
pub(crate) struct Connection {
    wire: Mutex<Wire>,
    /// Wakes the thread of a script.
    changed: Condvar,
    is_carried: bool,
    room: usize,
    iomgr: Arc<Iomgr>,
}

impl Connection {
    /// A connection attempt to one of the peers. `room` is the send buffer size in client frames.
    pub(crate) fn new(iomgr: &Arc<Iomgr>, room: u32, peers: &Peers) -> Arc<Connection> {
        let is_carried = matches!(peers, Peers::Server(..));
        let server = if is_carried { Server::Carried } else { Server::Busy };
        Arc::new(Connection {
            wire: Mutex::named("connection", Wire { server, ..Wire::default() }),
            changed: Condvar::named("connection"),
            is_carried,
            room: room as usize,
            iomgr: Arc::clone(iomgr),
        })
    }

    fn notify(&self) {
        if !self.is_carried {
            self.changed.notify_all();
        }
    }

    /// Releases the lock, then reports the edge to the poller. By then the wrapper may belong to another connection.
    fn report(&self, wire: MutexGuard<'_, Wire>, edge: Edge) {
        let watcher = wire.watcher.clone();
        self.notify();
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

    /// The server's kernel does not answer: no host has the address.
    pub(crate) fn ignore(&self) {
        self.wire.lock().server = Server::Gone;
    }

    /// Blocks the server until it must end or the connection is over.
    pub(crate) fn stall(&self) {
        let mut wire = self.wire.lock();
        while !wire.is_over() {
            wire = self.rest(wire, Server::Stalls);
        }
    }

    /// Blocks the server in the given state, and lets callers of `Iomgr::at_rest` check again.
    fn rest<'a>(&'a self, mut wire: MutexGuard<'a, Wire>, server: Server) -> MutexGuard<'a, Wire> {
        wire.server = server;
        // The loop's lock comes before this one, so this one is released before the loop is notified.
        drop(wire);
        self.iomgr.look_again();
        let mut wire = self.wire.lock();
        let frames = server == Server::Waits && !wire.to_server.is_empty();
        if !frames && !wire.is_over() {
            wire = self.changed.wait(wire);
        }
        wire.server = Server::Busy;
        wire
    }

    /// The server sends RST.
    pub(crate) fn rst(&self) {
        let mut wire = self.wire.lock();
        wire.error = Some(Error::ConnectionReset);
        wire.to_client.clear();
        wire.to_server.clear();
        self.report(wire, BOTH);
    }

    /// The server's process ends: it sends FIN, and every later write of the client fails.
    pub(crate) fn gone(&self) {
        let mut wire = self.wire.lock();
        wire.server_fin = true;
        wire.broken_pipe = true;
        wire.server = Server::Gone;
        self.report(wire, BOTH);
        self.iomgr.look_again();
    }

    /// True if the server's task must end.
    pub(crate) fn is_hanging_up(&self) -> bool {
        self.wire.lock().hang_up
    }
}

impl ServerEnd for Connection {
    /// The server sends a frame, which is dropped if the connection is broken.
    fn send(&self, frame: ServerFrame) {
        let mut wire = self.wire.lock();
        if wire.error.is_none() && !wire.server_fin && !wire.client_closed {
            wire.to_client.push_back(frame);
            self.report(wire, READABLE);
        }
    }

    /// Waits for the client's next frame. `None` if no frame can come, or if the server must end.
    fn receive(&self) -> Option<ClientFrame> {
        let mut wire = self.wire.lock();
        loop {
            if wire.hang_up || wire.error.is_some() {
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
}

impl Connection {
    /// `epoll_ctl(EPOLL_CTL_ADD)`.
    pub(crate) fn watch(&self, wrapper: &Arc<GrpcFd>) {
        self.wire.lock().watcher = Some(Arc::clone(wrapper));
    }

    /// `SO_ERROR`, once the descriptor is writable; `None` while the connection is being established.
    pub(crate) fn connected(&self) -> Option<Outcome> {
        self.wire.lock().connected
    }

    /// `recvmsg`.
    pub(crate) fn read(&self) -> Read {
        let mut wire = self.wire.lock();
        if wire.to_client.is_empty() {
            return match wire.error {
                Some(error) => Read::Failed(error),
                None if wire.server_fin => Read::Failed(Error::SocketClosed),
                None => Read::WouldBlock,
            };
        }
        // TCP does not preserve the bounds of writes: a read may return any number of the frames that have arrived.
        let most = 1 + random::below(wire.to_client.len() as u64) as usize;
        Read::Frames(wire.to_client.drain(..most).collect())
    }

    /// `sendmsg`.
    pub(crate) fn write(&self, frame: ClientFrame) -> Written {
        let mut wire = self.wire.lock();
        if let Some(error) = wire.error {
            return Written::Failed(error);
        }
        if wire.broken_pipe || wire.client_fin {
            return Written::Failed(Error::BrokenPipe);
        }
        if wire.to_server.len() >= self.room {
            wire.blocked = true;
            return Written::WouldBlock;
        }
        wire.to_server.push_back(frame);
        wire.wake();
        self.notify();
        Written::Done
    }

    /// `shutdown(2)`.
    pub(crate) fn shutdown(&self) {
        let mut wire = self.wire.lock();
        wire.client_fin = true;
        wire.wake();
        drop(wire);
        self.notify();
    }

    /// `close(2)`.
    pub(crate) fn close(&self) {
        let mut wire = self.wire.lock();
        wire.client_fin = true;
        wire.client_closed = true;
        wire.watcher = None;
        wire.wake();
        self.notify();
    }

    /// True if the connection does not change unless the client acts.
    pub(crate) fn is_idle(&self) -> bool {
        let wire = self.wire.lock();
        match wire.server {
            Server::Busy => false,
            Server::Waits => wire.to_server.is_empty() && !wire.client_fin,
            Server::Stalls => !wire.client_fin,
            Server::Gone => true,
            // Not idle before the attempt ends, or after a close: the carrier task may not have been polled since.
            Server::Carried if wire.hang_up => true,
            Server::Carried => !wire.client_closed && wire.connected.is_some() && wire.to_server.is_empty(),
        }
    }

    /// Ends the server's script or the carrier task of this connection.
    pub(crate) fn hang_up(&self) {
        let mut wire = self.wire.lock();
        wire.hang_up = true;
        wire.wake();
        drop(wire);
        self.notify();
    }
}

/// Upstream's error for an error of the simulated network.
fn cause(error: io::ErrorKind) -> Error {
    match error {
        io::ErrorKind::ConnectionRefused => Error::ConnectionRefused,
        io::ErrorKind::ConnectionReset => Error::ConnectionReset,
        io::ErrorKind::TimedOut => Error::TimedOut,
        io::ErrorKind::BrokenPipe | io::ErrorKind::NotConnected => Error::BrokenPipe,
        other => lastref::bug!("a socket failed with {other}, an error that the network does not simulate"),
    }
}

impl Buffers for Connection {
    type Reader = Decoder;

    fn stage(&self, context: &Context<'_>) -> Stage {
        let mut wire = self.wire.lock();
        wire.carrier = Some(context.waker().clone());
        match (wire.hang_up, wire.client_closed) {
            (true, _) => Stage::Over,
            (false, true) => Stage::Closed,
            (false, false) => Stage::Open,
        }
    }

    fn is_closed(&self) -> bool {
        self.wire.lock().client_closed
    }

    fn connected(self: &Arc<Self>, result: Result<(), io::ErrorKind>) {
        self.answer(result.map_err(cause));
    }

    fn take(&self, bytes: &mut Vec<u8>) -> bool {
        let mut wire = self.wire.lock();
        let is_last = wire.client_fin;
        wire.to_server.drain(..).for_each(|frame| encode(frame, bytes));
        if std::mem::take(&mut wire.blocked) {
            self.report(wire, WRITABLE);
        }
        is_last
    }

    fn received(&self, decoder: &mut Decoder, bytes: &[u8]) {
        let frames = decoder.decode(bytes);
        if !frames.is_empty() {
            let mut wire = self.wire.lock();
            wire.to_client.extend(frames);
            self.report(wire, READABLE);
        }
    }

    /// Also called for the FIN of a script, which continues to read.
    fn fin(&self) {
        let mut wire = self.wire.lock();
        if wire.error.is_none() && !wire.server_fin {
            wire.server_fin = true;
            self.report(wire, READABLE);
        }
    }

    fn fail(&self, error: io::ErrorKind) {
        let error = cause(error);
        let mut wire = self.wire.lock();
        wire.broken_pipe = true;
        wire.to_server.clear();
        if error != Error::BrokenPipe {
            wire.error.get_or_insert(error);
        }
        self.report(wire, BOTH);
    }

    fn end(&self) {
        self.wire.lock().server = Server::Gone;
    }
}
