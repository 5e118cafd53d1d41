//! `req0_pipe`: a req socket's part of a pipe (v1.10.1, req.c).
//!
//! One aio sends, one receives all the time. A reply is matched to its context by the id in its first word; the context
//! may be closed, sending something else, or answered already, and then the reply is dropped.

use std::sync::{Arc, Weak};

use lastref::ledger::{Owner, Resource};
use lastref::property::sometimes;

use super::aio::{Aio, Completions};
use super::errno::Errno;
use super::library::Nng;
use super::message::Message;
use super::pipe::{Pipe, ProtoPipe};
use super::req::{PipeState, Req0, Req0Sock};
use super::req_state::Event;
use super::variant::Variant;

/// `req0_pipe`.
pub(super) struct Req0Pipe {
    req: Arc<Req0Sock>,
    pipe: Weak<Pipe>,
    this: Weak<Req0Pipe>,
    p_id: u32,
    memory: Resource,
    owner: Owner,
    aio_send: Arc<Aio>,
    aio_recv: Arc<Aio>,
}

impl Req0Pipe {
    /// `req0_pipe_init`.
    pub(super) fn init(
        nng: &Nng,
        req: &Arc<Req0Sock>,
        p_id: u32,
        (pipe, memory, owner): (&Weak<Pipe>, Resource, Owner),
    ) -> Arc<Req0Pipe> {
        Arc::new_cyclic(|this: &Weak<Req0Pipe>| {
            let aio = |cb| Aio::of(nng, this, (memory, owner), cb);
            Req0Pipe {
                req: Arc::clone(req),
                pipe: Weak::clone(pipe),
                this: Weak::clone(this),
                p_id,
                memory,
                owner,
                aio_send: aio(Req0Pipe::send_cb),
                aio_recv: aio(Req0Pipe::recv_cb),
            }
        })
    }

    /// Clones the request for this pipe and gives it to the transport.
    pub(super) fn send(&self, msg: &Message) {
        self.memory.touch(self.owner);
        self.aio_send.put_msg(msg.clone_for(self.aio_send.owner));
        if let Some(pipe) = self.pipe.upgrade() {
            pipe.tran.send(&self.aio_send);
        }
    }

    /// `nni_pipe_recv` on `aio_recv`.
    fn recv(&self) {
        if let Some(pipe) = self.pipe.upgrade() {
            pipe.tran.recv(&self.aio_recv);
        }
    }

    /// `nni_pipe_close`.
    fn close_pipe(&self) {
        if let Some(pipe) = self.pipe.upgrade() {
            pipe.close();
        }
    }

    /// `req0_send_cb`.
    fn send_cb(&self) {
        if self.aio_send.result().is_err() {
            self.aio_send.free_msg();
            return self.close_pipe();
        }
        let mut sent_list = Completions::default();
        let mut s = self.req.lock();
        if s.closed || s.pipes.get(&self.p_id).is_none_or(|pipe| pipe.closed) {
            return;
        }
        s.busy_pipes.retain(|&listed| listed != self.p_id);
        s.ready_pipes.push(self.p_id);
        s.check_pipe(self.p_id);
        self.req.run_send_queue(&mut s, Some(&mut sent_list));
        drop(s);
        sent_list.run();
    }

    /// `req0_recv_cb`.
    fn recv_cb(&self) {
        if self.aio_recv.result().is_err() {
            return self.close_pipe();
        }
        let Some(msg) = self.aio_recv.take_msg(self.owner) else { return };
        let Some(id) = msg.trim_u32(self.owner) else {
            sometimes("a malformed reply closes its pipe", true);
            msg.free(self.owner);
            return self.close_pipe();
        };
        let mut s = self.req.lock();
        // The next receive is under way while this one is looked at. If the pipe was closed, it is refused.
        self.recv();
        let Some(&index) = s.requests.get(&id) else {
            sometimes("a reply finds no request", true);
            drop(s);
            return msg.free(self.owner);
        };
        let event = s.event(index, Event::Reply, self.owner);
        if s.ctxs[index].send_aio.is_some() || s.ctxs[index].rep_msg.is_some() {
            s.arrived(index, event);
            drop(s);
            return msg.free(self.owner);
        }
        s.send_queue.retain(|&queued| queued != index);
        s.requests.remove(&id);
        let ctx = &mut s.ctxs[index];
        ctx.request_id = 0;
        ctx.free_req_msg();
        let waiting = ctx.recv_aio.take();
        match waiting {
            None => {
                msg.pass(self.owner, ctx.owner);
                ctx.rep_msg = Some(msg);
                s.arrived(index, event);
            }
            Some(aio) => {
                s.arrived(index, event);
                aio.detach();
                drop(s);
                aio.set_msg(self.owner, msg);
                aio.finish_sync(Ok(()));
            }
        }
    }

    /// A context whose request this pipe had: sent again, or told that it is lost.
    fn lose(&self, s: &mut Req0, index: usize) {
        if s.ctxs[index].retry.is_none() {
            let event = s.event(index, Event::PipeLost, self.owner);
            let waiting = s.ctxs[index].recv_aio.take();
            let told = waiting.is_some();
            if let Some(aio) = waiting {
                aio.finish(Err(Errno::ConnReset));
            }
            self.req.reset(s, index);
            s.ctxs[index].conn_reset = !told;
            s.arrived(index, event);
            return;
        }
        let event = s.event(index, Event::PipeLostRetry, self.owner);
        let again = s.ctxs[index].req_msg.is_some();
        if again {
            s.ctxs[index].put_off_retry();
            if !s.send_queue.contains(&index) {
                s.send_queue.push(index);
            }
        }
        s.arrived(index, event);
        if again {
            sometimes("a request is sent again because its pipe was lost", true);
            self.req.run_send_queue(s, None);
        }
    }
}

impl ProtoPipe for Req0Pipe {
    /// `req0_pipe_start`.
    fn start(&self) {
        let mut s = self.req.lock();
        let Some(pipe) = self.this.upgrade() else { return };
        // Deviates: upstream does not ask. A pipe that was closed since its start was decided on is on stop_pipes
        // already, and nni_list_append panics on a node that is on a list.
        if s.pipes.contains_key(&self.p_id) && self.req.variant != Variant::PipeStartedAfterClose {
            sometimes("a pipe is closed before it is started", true);
            return;
        }
        s.pipes.entry(self.p_id).or_insert(PipeState { pipe, contexts: Vec::new(), closed: false });
        s.ready_pipes.push(self.p_id);
        s.check_pipe(self.p_id);
        self.req.run_send_queue(&mut s, None);
        drop(s);
        self.recv();
    }

    /// `req0_pipe_close`.
    fn close(&self) {
        self.aio_recv.close();
        self.aio_send.close();
        let mut s = self.req.lock();
        s.ready_pipes.retain(|&listed| listed != self.p_id);
        s.busy_pipes.retain(|&listed| listed != self.p_id);
        s.stop_pipes.push(self.p_id);
        s.check_pipe(self.p_id);
        if let Some(pipe) = self.this.upgrade() {
            s.pipes.entry(self.p_id).or_insert(PipeState { pipe, contexts: Vec::new(), closed: true }).closed = true;
        }
        // Looked up anew each time: sending again can put a context on another pipe's list.
        while let Some(index) = s.pipes.get_mut(&self.p_id).and_then(|pipe| {
            let first = pipe.contexts.first().copied();
            pipe.contexts.retain(|&listed| Some(listed) != first);
            first
        }) {
            self.lose(&mut s, index);
        }
    }

    /// `req0_pipe_stop`.
    fn stop(&self) {
        self.aio_recv.stop();
        self.aio_send.stop();
        let mut s = self.req.lock();
        s.stop_pipes.retain(|&listed| listed != self.p_id);
        s.pipes.remove(&self.p_id);
    }

    /// `req0_pipe_fini`.
    fn fini(&self) {
        // Deviates: upstream frees the aio with whatever is on it. A send that was refused because the aio was closed
        // has freed its message, and a receive that ended well has been taken; nothing is left to free.
        self.aio_recv.free();
        self.aio_send.free();
    }
}
