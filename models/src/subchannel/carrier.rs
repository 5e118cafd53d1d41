//! A descriptor whose socket is one of the simulated network: what the client's kernel has for it.
//!
//! The library does not block on a descriptor: it reads and writes what the kernel has buffered, and is told of edges.
//! So there are buffers, and a task per socket (`carry`) that moves bytes between them and the network; what it changes
//! is reported to the poller.
//!
//! ```text
//!  tcp ── write ──► to_server ──► carry ──► bytes ──► TcpStream ═══ network
//!  tcp ◄── read ─── to_client ◄── carry ◄── bytes ◄─────────┘
//!               poller ◄── edge ────┘
//! ```
//!
//! Left out: a frame that is partly in the buffer. What came before an RST is read before the error, as Linux has it.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::task::{Context, Waker};

use lastref::random;
use lastref::sync::{Mutex, MutexGuard};

use super::fd::GrpcFd;
use super::iomgr::{BOTH, Edge, Iomgr, READABLE, WRITABLE};
use super::socket::{Read, Socket, Written};
use super::status::{Error, Outcome};
use crate::kit::http2::{ClientFrame, Decoder, ServerFrame, encode};
use crate::kit::stream::{self, Stage};

/// What the kernel has for a descriptor.
#[derive(Debug, Default)]
struct Buffers {
    connected: Option<Outcome>,
    to_client: VecDeque<ServerFrame>,
    to_server: VecDeque<ClientFrame>,
    server_fin: bool,
    /// Both directions have failed.
    error: Option<Error>,
    /// Nothing can be written any more.
    broken_pipe: bool,
    client_fin: bool,
    closed: bool,
    /// A write found the buffer full and has to be told of room.
    blocked: bool,
    /// The carrier is to end, and leave open what is open.
    hang_up: bool,
    /// The task has done all that it will.
    ended: bool,
    watcher: Option<Arc<GrpcFd>>,
    carrier: Option<Waker>,
}

impl Buffers {
    fn wake(&mut self) {
        if let Some(carrier) = self.carrier.take() {
            carrier.wake();
        }
    }
}

/// A descriptor's socket on the simulated network.
pub(super) struct Carrier {
    buffers: Mutex<Buffers>,
    room: usize,
    iomgr: Arc<Iomgr>,
}

impl Carrier {
    /// A socket that is being connected by [`carry`]. So many frames of the client's fit into its buffer.
    pub(super) fn new(iomgr: &Arc<Iomgr>, room: u32) -> Arc<Carrier> {
        Arc::new(Carrier {
            buffers: Mutex::named("socket", Buffers::default()),
            room: room as usize,
            iomgr: Arc::clone(iomgr),
        })
    }

    /// Gives the lock up and reports the edge to the poller.
    fn report(&self, buffers: MutexGuard<'_, Buffers>, edge: Edge) {
        let watcher = buffers.watcher.clone();
        drop(buffers);
        if let Some(watcher) = watcher {
            self.iomgr.report(watcher, edge);
        }
    }
}

/// What upstream calls it.
fn cause(error: io::ErrorKind) -> Error {
    match error {
        io::ErrorKind::ConnectionRefused => Error::ConnectionRefused,
        io::ErrorKind::ConnectionReset => Error::ConnectionReset,
        io::ErrorKind::TimedOut => Error::TimedOut,
        io::ErrorKind::BrokenPipe | io::ErrorKind::NotConnected => Error::BrokenPipe,
        other => lastref::bug!("a socket of the network failed by {other}, which it does not simulate"),
    }
}

impl stream::Buffers for Carrier {
    type Reader = Decoder;

    fn stage(&self, context: &Context<'_>) -> Stage {
        let mut buffers = self.buffers.lock();
        buffers.carrier = Some(context.waker().clone());
        match (buffers.hang_up, buffers.closed) {
            (true, _) => Stage::Over,
            (false, true) => Stage::Closed,
            (false, false) => Stage::Open,
        }
    }

    fn is_closed(&self) -> bool {
        self.buffers.lock().closed
    }

    fn connected(self: &Arc<Self>, result: Result<(), io::ErrorKind>) {
        let mut buffers = self.buffers.lock();
        buffers.connected = Some(result.map_err(cause));
        self.report(buffers, WRITABLE);
    }

    fn take(&self, octets: &mut Vec<u8>) -> bool {
        let mut buffers = self.buffers.lock();
        let is_last = buffers.client_fin;
        buffers.to_server.drain(..).for_each(|frame| encode(frame, octets));
        if std::mem::take(&mut buffers.blocked) {
            self.report(buffers, WRITABLE);
        }
        is_last
    }

    fn received(&self, decoder: &mut Decoder, bytes: &[u8]) {
        let frames = decoder.decode(bytes);
        if !frames.is_empty() {
            let mut buffers = self.buffers.lock();
            buffers.to_client.extend(frames);
            self.report(buffers, READABLE);
        }
    }

    fn fin(&self) {
        let mut buffers = self.buffers.lock();
        buffers.server_fin = true;
        self.report(buffers, READABLE);
    }

    fn fail(&self, error: io::ErrorKind) {
        let error = cause(error);
        let mut buffers = self.buffers.lock();
        buffers.broken_pipe = true;
        buffers.to_server.clear();
        if error != Error::BrokenPipe {
            buffers.error.get_or_insert(error);
        }
        self.report(buffers, BOTH);
    }

    fn end(&self) {
        self.buffers.lock().ended = true;
    }
}

impl Socket for Carrier {
    fn watch(&self, wrapper: &Arc<GrpcFd>) {
        self.buffers.lock().watcher = Some(Arc::clone(wrapper));
    }

    fn connected(&self) -> Option<Outcome> {
        self.buffers.lock().connected
    }

    fn read(&self) -> Read {
        let mut buffers = self.buffers.lock();
        if buffers.to_client.is_empty() {
            return match buffers.error {
                Some(error) => Read::Failed(error),
                None if buffers.server_fin => Read::Failed(Error::SocketClosed),
                None => Read::WouldBlock,
            };
        }
        // TCP has no frames: a read may give any part of what has come.
        let most = 1 + random::below(buffers.to_client.len() as u64) as usize;
        Read::Frames(buffers.to_client.drain(..most).collect())
    }

    fn write(&self, frame: ClientFrame) -> Written {
        let mut buffers = self.buffers.lock();
        if let Some(error) = buffers.error {
            return Written::Failed(error);
        }
        if buffers.broken_pipe || buffers.client_fin {
            return Written::Failed(Error::BrokenPipe);
        }
        if buffers.to_server.len() >= self.room {
            buffers.blocked = true;
            return Written::WouldBlock;
        }
        buffers.to_server.push_back(frame);
        buffers.wake();
        Written::Done
    }

    fn shutdown(&self) {
        let mut buffers = self.buffers.lock();
        buffers.client_fin = true;
        buffers.wake();
    }

    fn close(&self) {
        let mut buffers = self.buffers.lock();
        buffers.client_fin = true;
        buffers.closed = true;
        buffers.watcher = None;
        buffers.wake();
    }

    fn is_idle(&self) -> bool {
        let buffers = self.buffers.lock();
        // A task that was not polled yet since an attempt was begun, or since a close, has touched no socket.
        let is_settled = !buffers.closed && buffers.connected.is_some() && buffers.to_server.is_empty();
        buffers.hang_up || buffers.ended || is_settled
    }

    fn hang_up(&self) {
        let mut buffers = self.buffers.lock();
        buffers.hang_up = true;
        buffers.wake();
    }
}

impl fmt::Debug for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Carrier").finish_non_exhaustive()
    }
}
