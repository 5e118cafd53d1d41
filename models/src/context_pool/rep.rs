//! `rep0_sock` and `rep0_pipe`: the side that replies (v1.10.1, rep.c).
//!
//! A pipe receives one request at a time. If a context waits on `recvq`, it gets the request at once; otherwise the
//! message stays on the pipe's aio, and the pipe stays on `recvpipes` until a context receives. A pipe sends one reply
//! at a time; other contexts wait on its `sendq`.
//!
//! A closed pipe is removed from `recvpipes`, so that no receive finds it later. Its waiting replies finish with
//! success: their peer is gone, and no other peer is affected.
//!
//! Left out: pollable descriptors; the socket's own context. The hop limit is upstream's default of 8.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use lastref::ledger::{Owner, Resource};
use lastref::property::{always, sometimes};
use lastref::sync::{Mutex, MutexGuard};

use super::library::Nng;
use super::message::Message;
use super::pipe::{Pipe, PipeEnd, ProtoPipe};
use super::rep_ctx::Rep0Ctx;
use super::req::CtxIndex;
use super::variant::Variant;

/// The default of `NNG_OPT_MAXTTL`.
const TTL: usize = 8;

/// `rep0_sock`.
pub(super) struct Rep0Sock {
    pub(super) memory: Resource,
    pub(super) variant: Variant,
    owner: Owner,
    lk: Mutex<Rep0>,
}

/// The state that `lk` guards.
#[derive(Default)]
pub(super) struct Rep0 {
    pub(super) ctxs: Vec<Rep0Ctx>,
    /// `pipes`, the id map: pipes that a reply can still go to.
    pub(super) pipes: BTreeMap<u32, Arc<Rep0Pipe>>,
    pub(super) recvpipes: Vec<Arc<Rep0Pipe>>,
    pub(super) recvq: Vec<CtxIndex>,
    /// `busy`, `closed` and `sendq` of each pipe that was started or closed.
    pub(super) states: BTreeMap<u32, PipeState>,
}

/// The fields of one pipe that `lk` guards.
#[derive(Default)]
pub(super) struct PipeState {
    pub(super) busy: bool,
    closed: bool,
    pub(super) sendq: Vec<CtxIndex>,
}

impl Rep0Sock {
    /// `rep0_sock_init`.
    pub(super) fn init(nng: &Nng, number: u32) -> Arc<Rep0Sock> {
        let owner = Owner::new("rep0_sock", number);
        let memory = Resource::acquire("rep0_sock", owner);
        Arc::new(Rep0Sock { memory, variant: nng.variant, owner, lk: Mutex::named("rep0_sock.lk", Rep0::default()) })
    }

    /// Locks `lk`, which is a part of the socket's memory.
    pub(super) fn lock(&self) -> MutexGuard<'_, Rep0> {
        self.memory.touch(self.owner);
        self.lk.lock()
    }

    /// `rep0_sock_fini`.
    pub(super) fn fini(&self) {
        let s = self.lock();
        always("rep0_sock has no pipe when it is freed", s.pipes.is_empty());
        always("recvq is empty when its rep0_sock is freed", s.recvq.is_empty());
        drop(s);
        self.memory.release(self.owner);
    }
}

/// `rep0_pipe`.
pub(super) struct Rep0Pipe {
    rep: Arc<Rep0Sock>,
    pub(super) this: Weak<Rep0Pipe>,
    pub(super) id: u32,
    pub(super) end: PipeEnd,
}

impl Rep0Pipe {
    /// `rep0_pipe_init`.
    pub(super) fn init(
        nng: &Nng,
        rep: &Arc<Rep0Sock>,
        id: u32,
        parts: (&Weak<Pipe>, Resource, Owner),
    ) -> Arc<Rep0Pipe> {
        Arc::new_cyclic(|this| Rep0Pipe {
            rep: Arc::clone(rep),
            this: Weak::clone(this),
            id,
            end: PipeEnd::init(nng, this, parts, [Rep0Pipe::send_cb, Rep0Pipe::recv_cb]),
        })
    }

    /// `nni_pipe_send` of a message that `from` holds.
    #[track_caller]
    pub(super) fn send(&self, from: Owner, msg: Message) {
        self.end.aio_send.set_msg(from, msg);
        self.end.send();
    }

    /// `rep0_pipe_send_cb`.
    fn send_cb(&self) {
        if self.end.aio_send.result().is_err() {
            self.end.aio_send.free_msg();
            return self.end.close();
        }
        let mut s = self.rep.lock();
        let Some(state) = s.states.get_mut(&self.id) else { return };
        state.busy = false;
        let Some(index) = state.sendq.first().copied() else { return };
        state.sendq.remove(0);
        state.busy = true;
        sometimes("a reply waits for its pipe to be free", true);
        let ctx = &mut s.ctxs[index];
        ctx.memory.touch(self.end.owner);
        let queued_here = ctx.spipe.take().is_some_and(|pipe| std::ptr::eq(Arc::as_ptr(&pipe), self));
        always("a reply waits for the pipe on which its request arrived", queued_here);
        let Some(aio) = ctx.saio.take() else { return };
        if let Some(msg) = aio.take_msg(self.end.owner) {
            self.send(self.end.owner, msg);
        }
        aio.detach();
        drop(s);
        aio.finish_sync(Ok(()));
    }

    /// `rep0_pipe_recv_cb`. The message stays on `aio_recv` until a context takes it.
    fn recv_cb(&self) {
        if self.end.aio_recv.result().is_err() {
            return self.end.close();
        }
        let Some(msg) = self.end.aio_recv.peek_msg() else { return };
        for hops in 1.. {
            if hops > TTL {
                self.end.aio_recv.free_msg();
                return self.end.recv();
            }
            let Some(word) = msg.trim_u32(self.end.owner) else {
                // The peer sent a malformed message.
                self.end.aio_recv.free_msg();
                return self.end.close();
            };
            msg.header_append(self.end.owner, &[word]);
            if word & 0x8000_0000 != 0 {
                break;
            }
        }
        let mut s = self.rep.lock();
        if s.states.get(&self.id).is_none_or(|state| state.closed) {
            drop(s);
            return self.end.aio_recv.free_msg();
        }
        if s.recvq.is_empty() {
            sometimes("a request waits on its pipe for a receive", true);
            s.recvpipes.extend(self.this.upgrade());
            return;
        }
        let index = s.recvq.remove(0);
        s.ctxs[index].memory.touch(self.end.owner);
        let Some(aio) = s.ctxs[index].raio.take() else { return };
        let Some(msg) = self.end.aio_recv.take_msg(self.end.owner) else { return };
        self.end.recv();
        s.ctxs[index].take_request(self, &msg, self.end.owner);
        aio.detach();
        drop(s);
        aio.set_msg(self.end.owner, msg);
        aio.finish_sync(Ok(()));
    }
}

impl ProtoPipe for Rep0Pipe {
    /// `rep0_pipe_start`.
    fn start(&self) {
        let mut s = self.rep.lock();
        let Some(pipe) = self.this.upgrade() else { return };
        // Deviates: upstream does not check, and puts a pipe that was closed meanwhile into the map. That is harmless:
        // no request can arrive by it, so no reply looks for it.
        if s.states.entry(self.id).or_default().closed {
            return;
        }
        s.pipes.insert(self.id, pipe);
        drop(s);
        self.end.recv();
    }

    /// `rep0_pipe_close`.
    fn close(&self) {
        self.end.aio_send.close();
        self.end.aio_recv.close();
        let mut s = self.rep.lock();
        let state = s.states.entry(self.id).or_default();
        state.closed = true;
        let sendq = std::mem::take(&mut state.sendq);
        // upstream: 513f9d1b, for the same line in respond.c.
        if self.rep.variant != Variant::PipeCloseKeepsRecvpipes {
            s.recvpipes.retain(|pipe| pipe.id != self.id);
        }
        for index in sendq {
            s.ctxs[index].spipe = None;
            let Some(aio) = s.ctxs[index].saio.take() else { continue };
            sometimes("a pipe is closed while a reply waits for it", true);
            // Reported as sent, so that the loss of this peer is not an error for the socket's other peers.
            let msg = aio.take_msg(self.end.owner);
            aio.finish(Ok(()));
            msg.iter().for_each(|msg| msg.free(self.end.owner));
        }
        s.pipes.remove(&self.id);
    }

    /// `rep0_pipe_stop`.
    fn stop(&self) {
        self.end.aio_send.stop();
        self.end.aio_recv.stop();
    }

    /// `rep0_pipe_fini`.
    fn fini(&self) {
        self.end.aio_recv.free_msg();
        self.end.aio_send.free();
        self.end.aio_recv.free();
    }
}
