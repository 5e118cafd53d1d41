//! `tcptran_pipe`: messages over a stream of bytes.
//!
//! Upstream (v1.10.1, sp/transport/tcp/tcp.c). A message is written after its length, in as many writes as necessary,
//! and stays on the protocol's aio until the last byte is written; then the callback of `txaio` frees it. To receive a
//! message, the pipe reads the length, allocates a message of that size, and reads its bytes.
//!
//! ```text
//! send: sendq ─► txaio: write ─► (bytes left? write again) ─► free the message ─► finish_sync
//! recv: recvq ─► rxaio: read the length ─► allocate ─► read the rest ─► finish_sync
//! ```
//!
//! The greeting is exchanged before there is a pipe (see `dialer`).

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use lastref::ledger::{Owner, Resource};
use lastref::property::sometimes;
use lastref::sync::{Mutex, MutexGuard};

use super::conn::{Conn, Iov};
use super::wire;
use crate::context_pool::aio::Aio;
use crate::context_pool::cancel::Cancel;
use crate::context_pool::errno::{Errno, Outcome};
use crate::context_pool::library::Nng;
use crate::context_pool::message::Message;
use crate::context_pool::transport::TranPipe;
use crate::context_pool::variant::Variant;

/// `tcptran_pipe`.
pub(super) struct TcpPipe {
    memory: Resource,
    owner: Owner,
    variant: Variant,
    this: Weak<TcpPipe>,
    mtx: Mutex<State>,
    txaio: Arc<Aio>,
    rxaio: Arc<Aio>,
    conn: Arc<Conn>,
    /// The dialer, notified when the pipe is removed from its socket.
    removed: Box<dyn Fn() + Send + Sync>,
}

/// The state that `mtx` guards.
#[derive(Default)]
struct State {
    sendq: VecDeque<Arc<Aio>>,
    recvq: VecDeque<Arc<Aio>>,
    tx: Option<Iov>,
    rx: Vec<u8>,
    rxmsg: Option<Message>,
    /// The number of bytes at which `rx` is complete.
    wanted: usize,
    closed: bool,
}

impl TcpPipe {
    /// A pipe over a connection whose ends have exchanged greetings.
    pub(super) fn new(
        nng: &Nng,
        number: u32,
        conn: Arc<Conn>,
        removed: impl Fn() + Send + Sync + 'static,
    ) -> Arc<TcpPipe> {
        let owner = Owner::new("tcptran_pipe", number);
        let memory = Resource::acquire("tcptran_pipe", owner);
        Arc::new_cyclic(|this: &Weak<TcpPipe>| {
            let aio = |cb| Aio::of(nng, this, (memory, owner), cb);
            TcpPipe {
                memory,
                owner,
                variant: nng.variant,
                this: Weak::clone(this),
                mtx: Mutex::named("tcptran_pipe.mtx", State::default()),
                txaio: aio(TcpPipe::send_cb),
                rxaio: aio(TcpPipe::recv_cb),
                conn,
                removed: Box::new(removed),
            }
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.memory.touch(self.owner);
        self.mtx.lock()
    }

    /// `tcptran_pipe_send_start`.
    fn send_start(&self, state: &mut State) {
        if state.closed {
            state.sendq.drain(..).for_each(|aio| aio.finish(Err(Errno::Closed)));
            return;
        }
        if let Some(msg) = state.sendq.front().and_then(|aio| aio.peek_msg()) {
            self.write(state, Iov { msg, from: 0 });
        }
    }

    fn write(&self, state: &mut State, iov: Iov) {
        state.tx = Some(iov.clone());
        self.conn.send(&self.txaio, iov);
    }

    /// `tcptran_pipe_send_cb`.
    fn send_cb(&self) {
        let mut state = self.lock();
        let Some(aio) = state.sendq.front().map(Arc::clone) else { return };
        let Some(mut iov) = state.tx.take() else { return };
        if let Err(rv) = self.txaio.result() {
            // The message is partly written, and its rest is lost. The protocol sees the error and closes the pipe.
            state.sendq.pop_front();
            drop(state);
            return aio.finish(Err(rv));
        }
        iov.from += self.conn.take_written();
        if iov.from < wire::HEADER + 4 * iov.msg.wire(self.owner).len() {
            // Deviates: upstream does not check here, though it does in tcptran_pipe_recv_cb. txaio is stopped by then,
            // so a write on it is refused without a callback, and the stop of the protocol's aio waits forever.
            if state.closed && self.variant != Variant::PartialSendMissesClose {
                sometimes("a pipe is closed between two parts of a message", true);
                state.sendq.pop_front();
                drop(state);
                return aio.finish(Err(Errno::Closed));
            }
            return self.write(&mut state, iov);
        }
        state.sendq.pop_front();
        self.send_start(&mut state);
        drop(state);
        aio.free_msg();
        aio.finish_sync(Ok(()));
    }

    /// `tcptran_pipe_recv_start`.
    fn recv_start(&self, state: &mut State) {
        if state.closed {
            state.recvq.drain(..).for_each(|aio| aio.finish(Err(Errno::Closed)));
        } else if !state.recvq.is_empty() {
            state.rx.clear();
            state.wanted = wire::HEADER;
            self.conn.recv(&self.rxaio, wire::HEADER);
        }
    }

    /// `tcptran_pipe_recv_cb`.
    fn recv_cb(&self) {
        let mut state = self.lock();
        let Some(aio) = state.recvq.front().map(Arc::clone) else { return };
        let got = match self.rxaio.result() {
            Ok(()) if state.closed => Err(Errno::Closed),
            result => result.and_then(|()| self.received(&mut state)),
        };
        let msg = match got {
            Ok(None) => return,
            Ok(Some(msg)) => msg,
            Err(rv) => {
                state.recvq.pop_front();
                let part = state.rxmsg.take();
                sometimes("a connection ends within a message", part.is_some());
                drop(state);
                part.iter().for_each(|msg| msg.free(self.owner));
                return aio.finish(Err(rv));
            }
        };
        state.recvq.pop_front();
        self.recv_start(&mut state);
        drop(state);
        aio.set_msg(self.owner, msg);
        aio.finish_sync(Ok(()));
    }

    /// Handles received bytes: returns the message that they complete, or starts the next read.
    fn received(&self, state: &mut State) -> Result<Option<Message>, Errno> {
        state.rx.extend(self.conn.take_read());
        if state.rx.len() < state.wanted {
            self.conn.recv(&self.rxaio, state.wanted - state.rx.len());
            return Ok(None);
        }
        if state.rxmsg.is_none() {
            let length = wire::length(&state.rx).unwrap_or_default();
            if length > wire::RECVMAXSZ {
                sometimes("a message is longer than its reader takes", true);
                return Err(Errno::MsgSize);
            }
            state.rx.clear();
            state.wanted = usize::try_from(length).unwrap_or(usize::MAX);
            state.rxmsg = Some(Message::alloc(self.owner, Vec::new()));
            if length > 0 {
                self.conn.recv(&self.rxaio, state.wanted);
                return Ok(None);
            }
        }
        let msg = state.rxmsg.take();
        if let Some(msg) = &msg {
            msg.fill(self.owner, wire::words(&state.rx));
        }
        Ok(msg)
    }

    /// `tcptran_pipe_send_cancel`, `tcptran_pipe_recv_cancel`: the operation in progress is aborted, and its callback
    /// finishes the aio.
    fn cancel(&self, aio: &Arc<Aio>, rv: Outcome, lane: Lane) {
        let mut state = self.lock();
        let place = (lane.queue)(&mut state).iter().position(|listed| Arc::ptr_eq(listed, aio));
        match (place, rv) {
            (None, _) => {}
            (Some(0), Err(rv)) => (lane.transfer)(self).abort(rv),
            (Some(place), rv) => {
                (lane.queue)(&mut state).remove(place);
                drop(state);
                aio.finish(rv);
            }
        }
    }

    /// `tcptran_pipe_send`, `tcptran_pipe_recv`, after `nni_aio_begin`.
    fn submit(&self, aio: &Arc<Aio>, lane: Lane) {
        let pipe = Weak::clone(&self.this);
        let cancel = Cancel::new(move |aio, rv| pipe.upgrade().iter().for_each(|pipe| pipe.cancel(aio, rv, lane)));
        let mut state = self.lock();
        if let Err(rv) = aio.schedule(cancel) {
            drop(state);
            return aio.finish(Err(rv));
        }
        let queue = (lane.queue)(&mut state);
        queue.push_back(Arc::clone(aio));
        if queue.len() == 1 {
            (lane.start)(self, &mut state);
        }
    }
}

/// One direction of a pipe.
#[derive(Clone, Copy)]
struct Lane {
    queue: fn(&mut State) -> &mut VecDeque<Arc<Aio>>,
    transfer: fn(&TcpPipe) -> &Arc<Aio>,
    start: fn(&TcpPipe, &mut State),
}

const SEND: Lane = Lane { queue: |state| &mut state.sendq, transfer: |pipe| &pipe.txaio, start: TcpPipe::send_start };
const RECV: Lane = Lane { queue: |state| &mut state.recvq, transfer: |pipe| &pipe.rxaio, start: TcpPipe::recv_start };

impl TranPipe for TcpPipe {
    fn send(&self, aio: &Arc<Aio>) {
        if aio.begin().is_err() {
            // There is no way to give the message back, so it is discarded.
            return aio.free_msg();
        }
        self.submit(aio, SEND);
    }

    fn recv(&self, aio: &Arc<Aio>) {
        if aio.begin().is_ok() {
            self.submit(aio, RECV);
        }
    }

    fn close(&self) {
        self.lock().closed = true;
        self.rxaio.close();
        self.txaio.close();
        self.conn.close();
    }

    fn stop(&self) {
        self.rxaio.stop();
        self.txaio.stop();
    }

    fn fini(&self) {
        self.stop();
        self.conn.free();
        self.rxaio.free();
        self.txaio.free();
        let part = self.lock().rxmsg.take();
        part.iter().for_each(|msg| msg.free(self.owner));
        self.memory.release(self.owner);
        (self.removed)();
    }
}
