//! `nni_tcp_conn`: a stream of bytes, and the poller that moves them.
//!
//! Upstream (v1.10.1, platform/posix/posix_tcpconn.c): an aio for reading and one for writing wait on the connection
//! until the poller, under `mtx`, has transferred as many bytes as the socket has or accepts; a partial transfer ends
//! the operation too.
//! A FIN ends a read with `NNG_ECONNSHUT`; an error ends both operations.
//!
//! ```text
//! send, recv: begin ─► schedule ─► waits ──poll: write, read──► finish, with this many bytes
//! close:      waiting aios finish with NNG_ECLOSED ─► the poller drops the socket
//! free:       close ─► wait for the poller ─► free
//! ```
//!
//! Here each connection has a poller task, which owns the socket; upstream has one thread for all of them. The bytes of
//! a message are read when the socket is ready for them. If a message is freed while its write is queued, the ledger
//! therefore reports the use here, where upstream's system call would fail with EFAULT.
//!
//! Left out: transfers on the submitting thread, which upstream tries before it uses the poller.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use lastref::ledger::{Owner, Resource};
use lastref::net::{Host, TcpStream};
use lastref::property::sometimes;
use lastref::sync::{Condvar, Mutex, MutexGuard};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::wire;
use crate::context_pool::aio::Aio;
use crate::context_pool::cancel::Cancel;
use crate::context_pool::errno::Errno;
use crate::context_pool::message::Message;

/// The unwritten rest of a message: `nni_iov`.
#[derive(Clone, Debug)]
pub(super) struct Iov {
    pub(super) msg: Message,
    /// The number of its bytes that are written.
    pub(super) from: usize,
}

impl Iov {
    /// Its bytes, read from the message.
    #[track_caller]
    fn octets(&self, by: Owner) -> Vec<u8> {
        wire::message(&self.msg.wire(by)).split_off(self.from)
    }
}

/// `nni_tcp_conn`.
pub(super) struct Conn {
    memory: Resource,
    owner: Owner,
    mtx: Mutex<State>,
    gone: Condvar,
}

/// The state that `mtx` guards. At most one aio waits for each direction: the transport uses one each.
#[derive(Default)]
struct State {
    readq: Option<(Arc<Aio>, usize)>,
    writeq: Option<(Arc<Aio>, Iov)>,
    /// The bytes of the last read, and the count of the last write.
    read: Vec<u8>,
    written: usize,
    failed: bool,
    closed: bool,
    is_gone: bool,
    poller: Option<Waker>,
}

impl State {
    /// Finishes the waiting aios with this error.
    fn fail(&mut self, rv: Errno) {
        let waiting = [self.readq.take().map(|(aio, _)| aio), self.writeq.take().map(|(aio, _)| aio)];
        waiting.into_iter().flatten().for_each(|aio| aio.finish(Err(rv)));
    }

    fn wake(&mut self) {
        if let Some(poller) = self.poller.take() {
            poller.wake();
        }
    }
}

impl Conn {
    /// A connection with its poller, on this host.
    pub(super) fn new(host: Host, number: u32, stream: TcpStream) -> Arc<Conn> {
        let owner = Owner::new("nni_tcp_conn", number);
        let conn = Arc::new(Conn {
            memory: Resource::acquire("nni_tcp_conn", owner),
            owner,
            mtx: Mutex::named("tcp_conn.mtx", State::default()),
            gone: Condvar::named("tcp_conn.gone"),
        });
        host.spawn(&format!("poll.{number}"), Arc::clone(&conn).poll(stream));
        conn
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.memory.touch(self.owner);
        self.mtx.lock()
    }

    /// `tcp_send`.
    pub(super) fn send(self: &Arc<Self>, aio: &Arc<Aio>, iov: Iov) {
        self.submit(aio, |state| state.writeq = Some((Arc::clone(aio), iov)));
    }

    /// `tcp_recv`: up to this many bytes.
    pub(super) fn recv(self: &Arc<Self>, aio: &Arc<Aio>, most: usize) {
        self.submit(aio, |state| state.readq = Some((Arc::clone(aio), most)));
    }

    fn submit(self: &Arc<Self>, aio: &Arc<Aio>, queue: impl FnOnce(&mut State)) {
        if aio.begin().is_err() {
            return;
        }
        let mut state = self.lock();
        if let Err(rv) = aio.schedule(self.canceller()) {
            drop(state);
            return aio.finish(Err(rv));
        }
        queue(&mut state);
        if state.failed {
            return state.fail(Errno::ConnShut);
        }
        state.wake();
    }

    /// `tcp_cancel`.
    fn canceller(self: &Arc<Self>) -> Cancel {
        let conn = Arc::clone(self);
        Cancel::new(move |aio, rv| {
            let mut state = conn.lock();
            let is_read = state.readq.take_if(|(listed, _)| Arc::ptr_eq(listed, aio)).is_some();
            let is_write = state.writeq.take_if(|(listed, _)| Arc::ptr_eq(listed, aio)).is_some();
            if is_read || is_write {
                aio.finish(rv);
            }
        })
    }

    /// The bytes of the last read; in upstream they are in the caller's buffer.
    pub(super) fn take_read(&self) -> Vec<u8> {
        std::mem::take(&mut self.lock().read)
    }

    /// `nni_aio_count` of the last write.
    pub(super) fn take_written(&self) -> usize {
        std::mem::take(&mut self.lock().written)
    }

    /// `tcp_close`.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        if !std::mem::replace(&mut state.closed, true) {
            state.fail(Errno::Closed);
            state.wake();
        }
    }

    /// `tcp_fini`: returns once the poller no longer uses the connection.
    pub(super) fn free(&self) {
        self.close();
        drop(self.gone.wait_while(self.lock(), |state| !state.is_gone));
        self.memory.release(self.owner);
    }

    /// The poller: calls `tcp_cb` whenever the socket is ready or an aio is queued.
    async fn poll(self: Arc<Self>, mut stream: TcpStream) {
        poll_fn(|context| self.turn(&mut stream, context)).await;
        drop(stream);
        let mut state = self.lock();
        state.is_gone = true;
        self.gone.notify_all();
    }

    fn turn(&self, stream: &mut TcpStream, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        state.poller = Some(context.waker().clone());
        if state.closed {
            return Poll::Ready(());
        }
        let read = doread(&mut state, stream, context);
        let written = read.and_then(|()| self.dowrite(&mut state, stream, context));
        if written.is_err() && !state.failed {
            // upstream: tcp_error, by which both directions end whatever the error was.
            sometimes("a connection breaks under a pipe", true);
            state.failed = true;
            state.fail(Errno::ConnShut);
        }
        Poll::Pending
    }

    /// `tcp_dowrite`.
    fn dowrite(&self, state: &mut State, stream: &mut TcpStream, context: &mut Context<'_>) -> io::Result<()> {
        let Some((_, iov)) = &state.writeq else { return Ok(()) };
        let octets = iov.octets(self.owner);
        let Poll::Ready(written) = Pin::new(stream).poll_write(context, &octets) else { return Ok(()) };
        state.written = written?;
        sometimes("a message is written in parts", state.written < octets.len());
        if let Some((aio, _)) = state.writeq.take() {
            aio.finish(Ok(()));
        }
        Ok(())
    }
}

/// `tcp_doread`.
fn doread(state: &mut State, stream: &mut TcpStream, context: &mut Context<'_>) -> io::Result<()> {
    let Some((_, most)) = &state.readq else { return Ok(()) };
    let mut octets = vec![0; *most];
    let mut buffer = ReadBuf::new(&mut octets);
    let Poll::Ready(read) = Pin::new(stream).poll_read(context, &mut buffer) else { return Ok(()) };
    read?;
    let read = buffer.filled().to_vec();
    let Some((aio, _)) = state.readq.take() else { return Ok(()) };
    if read.is_empty() {
        sometimes("a peer closes its end of a connection", true);
        aio.finish(Err(Errno::ConnShut));
    } else {
        state.read = read;
        aio.finish(Ok(()));
    }
    Ok(())
}
