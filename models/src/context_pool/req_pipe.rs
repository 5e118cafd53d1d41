//! `req0_pipe`: a req socket's part of a pipe (v1.10.1, req.c).
//!
//! One aio sends; the other always has a receive pending. The id in a reply's first word identifies its context. The
//! reply is dropped if the context is closed, is sending another request, or already has a reply.

use std::sync::{Arc, Weak};

use lastref::ledger::{Owner, Resource};
use lastref::property::sometimes;

use super::aio::Completions;
use super::errno::Errno;
use super::library::Nng;
use super::message::Message;
use super::pipe::{Pipe, PipeEnd, ProtoPipe};
use super::req::{PipeState, Req0, Req0Sock};
use super::req_state::Event;
use super::variant::Variant;

/// `req0_pipe`.
pub(super) struct Req0Pipe {
    req: Arc<Req0Sock>,
    this: Weak<Req0Pipe>,
    p_id: u32,
    pub(super) end: PipeEnd,
}

impl Req0Pipe {
    /// `req0_pipe_init`.
    pub(super) fn init(
        nng: &Nng,
        req: &Arc<Req0Sock>,
        p_id: u32,
        parts: (&Weak<Pipe>, Resource, Owner),
    ) -> Arc<Req0Pipe> {
        Arc::new_cyclic(|this| Req0Pipe {
            req: Arc::clone(req),
            this: Weak::clone(this),
            p_id,
            end: PipeEnd::init(nng, this, parts, [Req0Pipe::send_cb, Req0Pipe::recv_cb]),
        })
    }

    /// Clones the request for this pipe and gives it to the transport.
    pub(super) fn send(&self, msg: &Message) {
        self.end.memory.touch(self.end.owner);
        self.end.aio_send.put_msg(msg.clone_for(self.end.aio_send.owner));
        self.end.send();
    }

    /// `req0_send_cb`.
    fn send_cb(&self) {
        if self.end.aio_send.result().is_err() {
            self.end.aio_send.free_msg();
            return self.end.close();
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
        if self.end.aio_recv.result().is_err() {
            return self.end.close();
        }
        let Some(msg) = self.end.aio_recv.take_msg(self.end.owner) else { return };
        let Some(id) = msg.trim_u32(self.end.owner) else {
            sometimes("a malformed reply closes its pipe", true);
            msg.free(self.end.owner);
            return self.end.close();
        };
        let mut s = self.req.lock();
        // The next receive starts before this reply is processed. It is refused if the pipe was closed.
        self.end.recv();
        let Some(&index) = s.requests.get(&id) else {
            sometimes("a reply finds no request", true);
            drop(s);
            return msg.free(self.end.owner);
        };
        let event = s.event(index, Event::Reply, self.end.owner);
        if s.ctxs[index].send_aio.is_some() || s.ctxs[index].rep_msg.is_some() {
            s.arrived(index, event);
            drop(s);
            return msg.free(self.end.owner);
        }
        s.send_queue.retain(|&queued| queued != index);
        s.requests.remove(&id);
        let ctx = &mut s.ctxs[index];
        ctx.request_id = 0;
        ctx.free_req_msg();
        let waiting = ctx.recv_aio.take();
        match waiting {
            None => {
                msg.pass(self.end.owner, ctx.owner);
                ctx.rep_msg = Some(msg);
                s.arrived(index, event);
            }
            Some(aio) => {
                s.arrived(index, event);
                aio.detach();
                drop(s);
                aio.set_msg(self.end.owner, msg);
                aio.finish_sync(Ok(()));
            }
        }
    }

    /// Handles the loss of the pipe that had a context's request: queues the request again if it may be resent, or
    /// fails it.
    fn lose(&self, s: &mut Req0, index: usize) {
        if s.ctxs[index].retry.is_none() {
            let event = s.event(index, Event::PipeLost, self.end.owner);
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
        let event = s.event(index, Event::PipeLostRetry, self.end.owner);
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
        // Deviates: upstream does not check. A pipe that was closed after the decision to start it is already on
        // stop_pipes, and nni_list_append panics on a node that is on a list.
        if s.pipes.contains_key(&self.p_id) && self.req.variant != Variant::PipeStartedAfterClose {
            sometimes("a pipe is closed before it is started", true);
            return;
        }
        s.pipes.entry(self.p_id).or_insert(PipeState { pipe, contexts: Vec::new(), closed: false });
        s.ready_pipes.push(self.p_id);
        s.check_pipe(self.p_id);
        self.req.run_send_queue(&mut s, None);
        drop(s);
        self.end.recv();
    }

    /// `req0_pipe_close`.
    fn close(&self) {
        self.end.aio_recv.close();
        self.end.aio_send.close();
        let mut s = self.req.lock();
        s.ready_pipes.retain(|&listed| listed != self.p_id);
        s.busy_pipes.retain(|&listed| listed != self.p_id);
        s.stop_pipes.push(self.p_id);
        s.check_pipe(self.p_id);
        if let Some(pipe) = self.this.upgrade() {
            s.pipes.entry(self.p_id).or_insert(PipeState { pipe, contexts: Vec::new(), closed: true }).closed = true;
        }
        // Looks up the first context each time: a resend can put a context on another pipe's list.
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
        self.end.aio_recv.stop();
        self.end.aio_send.stop();
        let mut s = self.req.lock();
        s.stop_pipes.retain(|&listed| listed != self.p_id);
        s.pipes.remove(&self.p_id);
    }

    /// `req0_pipe_fini`.
    fn fini(&self) {
        // Deviates: upstream frees the aio with its message. Here no message is left: a send that was refused because
        // its aio was closed has freed its message, and the message of a successful receive has been taken.
        self.end.aio_recv.free();
        self.end.aio_send.free();
    }
}
