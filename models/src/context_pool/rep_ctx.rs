//! `rep0_ctx`: receives a request and replies to it, once (v1.10.1, rep.c).
//!
//! ```text
//! Idle ──recv──► Receiving (raio, on recvq) ──request──► Received (btrace, pipe_id)
//!   ▲                                                        │ send: btrace is used up first
//!   └────── pipe took it, or is gone ◄── Replying (saio, on the pipe's sendq: the pipe is busy)
//! ```
//!
//! A reply goes to the pipe by which the request came. If that pipe is gone, the reply is freed and the send succeeds.
//! A send without a request fails with `NNG_ESTATE`; so does a second receive while one is pending.

use std::sync::{Arc, Weak};

use lastref::ledger::{Owner, Resource};
use lastref::property::{always, sometimes};

use super::aio::Aio;
use super::cancel::{Cancel, Pins};
use super::errno::{Errno, Outcome};
use super::message::Message;
use super::rep::{Rep0, Rep0Pipe, Rep0Sock};
use super::req::CtxIndex;

/// `rep0_ctx`. Every field is guarded by the socket's `lk`.
pub(super) struct Rep0Ctx {
    owner: Owner,
    pub(super) memory: Resource,
    pipe_id: u32,
    /// The pipe of the last request: only for the check of the reply's destination.
    came_by: Weak<Rep0Pipe>,
    /// The pipe on whose `sendq` the context is.
    pub(super) spipe: Option<Arc<Rep0Pipe>>,
    pub(super) saio: Option<Arc<Aio>>,
    pub(super) raio: Option<Arc<Aio>>,
    btrace: Vec<u32>,
    pins: Option<Arc<Pins>>,
}

/// `rep0_ctx_cancel_send` or `rep0_cancel_recv`.
type Canceller = fn(&Rep0Sock, CtxIndex, &Arc<Aio>, Outcome);

impl Rep0Ctx {
    /// Takes the request's header as the backtrace of the reply, and the pipe as the reply's destination.
    #[track_caller]
    pub(super) fn take_request(&mut self, pipe: &Rep0Pipe, msg: &Message, by: Owner) {
        self.btrace = msg.header(by);
        self.pipe_id = pipe.id;
        self.came_by = Weak::clone(&pipe.this);
        msg.header_clear(by);
    }
}

impl Rep0Sock {
    /// `rep0_ctx_init`.
    pub(super) fn ctx_init(&self, c_id: u32, memory: Resource, pins: Option<Arc<Pins>>) -> CtxIndex {
        let mut s = self.lock();
        let owner = Owner::new("rep0_ctx", c_id);
        s.ctxs.push(Rep0Ctx {
            owner,
            memory,
            pipe_id: 0,
            came_by: Weak::new(),
            spipe: None,
            saio: None,
            raio: None,
            btrace: Vec::new(),
            pins,
        });
        s.ctxs.len() - 1
    }

    /// `rep0_ctx_fini`. A waiting reply stays on its aio, and the caller frees it.
    pub(super) fn ctx_fini(&self, index: CtxIndex) {
        let mut s = self.lock();
        s.ctxs[index].memory.touch(s.ctxs[index].owner);
        if let Some(aio) = s.leave_sendq(index) {
            aio.finish(Err(Errno::Closed));
        }
        if let Some(aio) = s.ctxs[index].raio.take() {
            s.recvq.retain(|&queued| queued != index);
            aio.finish(Err(Errno::Closed));
        }
    }

    /// `rep0_ctx_send`.
    pub(super) fn ctx_send(self: &Arc<Self>, index: CtxIndex, aio: &Arc<Aio>) {
        let Some(msg) = aio.peek_msg() else { return };
        msg.header_clear(aio.owner);
        if aio.begin().is_err() {
            return;
        }
        let mut s = self.lock();
        let ctx = &mut s.ctxs[index];
        let owner = ctx.owner;
        ctx.memory.touch(owner);
        // One send per receive, however this send ends.
        let (btrace, p_id) = (std::mem::take(&mut ctx.btrace), std::mem::take(&mut ctx.pipe_id));
        if btrace.is_empty() {
            drop(s);
            return aio.finish(Err(Errno::State));
        }
        msg.header_append(owner, &btrace);
        let Some(pipe) = s.pipes.get(&p_id).map(Arc::clone) else {
            drop(s);
            sometimes("a reply to a pipe that is gone is reported as sent", true);
            let msg = aio.take_msg(owner);
            aio.finish(Ok(()));
            msg.iter().for_each(|msg| msg.free(owner));
            return;
        };
        // Compares the pipe itself, not its id: a reused id names another pipe.
        let came_by = std::ptr::eq(s.ctxs[index].came_by.as_ptr(), Arc::as_ptr(&pipe));
        always("a reply goes to the pipe on which its request arrived", came_by);
        pipe.end.memory.touch(owner);
        let busy = s.states.get_mut(&p_id).is_some_and(|state| std::mem::replace(&mut state.busy, true));
        if !busy {
            if let Some(msg) = aio.take_msg(owner) {
                pipe.send(owner, msg);
            }
            drop(s);
            return aio.finish(Ok(()));
        }
        if let Err(rv) = aio.schedule(self.canceller(&s.ctxs[index], index, Rep0Sock::cancel_send)) {
            drop(s);
            return aio.finish(Err(rv));
        }
        let ctx = &mut s.ctxs[index];
        always("a rep0_ctx has one reply pending", ctx.saio.is_none());
        ctx.saio = Some(Arc::clone(aio));
        ctx.spipe = Some(pipe);
        if let Some(state) = s.states.get_mut(&p_id) {
            state.sendq.push(index);
        }
    }

    /// `rep0_ctx_recv`.
    pub(super) fn ctx_recv(self: &Arc<Self>, index: CtxIndex, aio: &Arc<Aio>) {
        if aio.begin().is_err() {
            return;
        }
        let mut s = self.lock();
        let owner = s.ctxs[index].owner;
        s.ctxs[index].memory.touch(owner);
        let Some(pipe) = s.recvpipes.first().map(Arc::clone) else {
            let refused = aio.schedule(self.canceller(&s.ctxs[index], index, Rep0Sock::cancel_recv)).err();
            // upstream also checks raio after scheduling.
            if let Some(rv) = refused.or_else(|| s.ctxs[index].raio.is_some().then_some(Errno::State)) {
                drop(s);
                return aio.finish(Err(rv));
            }
            s.ctxs[index].raio = Some(Arc::clone(aio));
            s.recvq.push(index);
            return;
        };
        pipe.end.memory.touch(owner);
        let Some(msg) = pipe.end.aio_recv.take_msg(owner) else { return };
        s.recvpipes.remove(0);
        pipe.end.recv();
        s.ctxs[index].take_request(&pipe, &msg, owner);
        drop(s);
        aio.set_msg(owner, msg);
        aio.finish(Ok(()));
    }

    /// A cancel function with this context as its argument.
    fn canceller(self: &Arc<Self>, ctx: &Rep0Ctx, index: CtxIndex, function: Canceller) -> Cancel {
        Cancel::of_ctx(self, (ctx.memory, ctx.pins.clone()), index, function)
    }

    /// `rep0_ctx_cancel_send`.
    fn cancel_send(&self, index: CtxIndex, aio: &Arc<Aio>, rv: Outcome) {
        let mut s = self.lock();
        if s.ctxs[index].saio.as_ref().is_none_or(|saio| !Arc::ptr_eq(saio, aio)) {
            return;
        }
        s.leave_sendq(index);
        drop(s);
        if let Some(msg) = aio.peek_msg() {
            msg.header_clear(aio.owner);
        }
        aio.finish(rv);
    }

    /// `rep0_cancel_recv`.
    fn cancel_recv(&self, index: CtxIndex, aio: &Arc<Aio>, rv: Outcome) {
        let mut s = self.lock();
        if s.ctxs[index].raio.as_ref().is_some_and(|raio| Arc::ptr_eq(raio, aio)) {
            s.recvq.retain(|&queued| queued != index);
            s.ctxs[index].raio = None;
            aio.finish(rv);
        }
    }
}

impl Rep0 {
    /// Takes the pending reply of a context off its pipe's queue.
    fn leave_sendq(&mut self, index: CtxIndex) -> Option<Arc<Aio>> {
        let aio = self.ctxs[index].saio.take()?;
        if let Some(pipe) = self.ctxs[index].spipe.take() {
            // The list is in the pipe's memory: the pipe's close must take the context off it before the pipe is freed.
            pipe.end.memory.touch(self.ctxs[index].owner);
            if let Some(state) = self.states.get_mut(&pipe.id) {
                state.sendq.retain(|&queued| queued != index);
            }
        }
        Some(aio)
    }
}
