//! `nni_ctx`: the core's part of a context, and the functions that an application calls on it.
//!
//! Upstream (v1.10.1, core/socket.c and nng.c). The global `sock_lk` guards everything here. `ctx_ids` finds a context
//! unless it is being destroyed; `c_ref` counts the calls that use it, *not* the operations pending on it; `c_closed`
//! rejects new calls. The thread that drops the last reference of a closed context destroys it:
//!
//! ```text
//! nng_ctx_open:   c_ref 1 ─► listed ─► (socket closing? refused) ─► c_ref 0, alive
//! nng_ctx_send:   find: c_ref + 1 ─► protocol ─► rele: c_ref - 1
//! nng_ctx_close:  find: c_ref + 1 ─► c_closed ─► rele ─► at 0: off ctx_ids ─► ctx_fini ─► off s_ctxs ─► free
//! ```
//!
//! `nng_ctx_close` returns when the pending operations are finished, not when their callbacks have run.

use std::sync::Arc;

use lastref::ledger::{Owner, Resource};
use lastref::property::{always, sometimes};
use lastref::time::Duration;

use super::aio::{Aio, Timeout};
use super::cancel::Pins;
use super::errno::{Errno, Outcome};
use super::library::Nng;
use super::message::Message;
use super::req::CtxIndex;
use super::socket::{Protocol, Socket};
use super::variant::Variant;
use crate::kit::harness::impl_debug;

/// `nni_ctx`. Upstream allocates it in one piece with the protocol's part, so that both are one resource here.
pub(super) struct Context {
    pub(super) c_id: u32,
    pub(super) sock: Arc<Socket>,
    memory: Resource,
    owner: Owner,
    data: CtxIndex,
    pins: Option<Arc<Pins>>,
}

impl Context {
    /// The allocation in `nni_ctx_open`, and `ctx_init`, with `sock_lk` held.
    pub(super) fn create(sock: &Arc<Socket>, c_id: u32) -> Arc<Context> {
        let owner = Owner::new(sock.ctx_class(), c_id);
        let memory = Resource::acquire(sock.ctx_class(), owner);
        // Deviates: see `cancel`.
        let pins = (sock.nng.variant != Variant::CancelFnDerefsFreedCtx).then(Pins::new);
        let data = match &sock.protocol {
            Protocol::Req(req) => req.ctx_init(c_id, memory, pins.clone()),
            Protocol::Rep(rep) => rep.ctx_init(c_id, memory, pins.clone()),
        };
        Arc::new(Context { c_id, sock: Arc::clone(sock), memory, owner, data, pins })
    }

    /// `nni_ctx_destroy`.
    pub(super) fn destroy(&self) {
        match &self.sock.protocol {
            Protocol::Req(req) => req.ctx_fini(self.data),
            Protocol::Rep(rep) => rep.ctx_fini(self.data),
        }
        if let Some(pins) = &self.pins {
            pins.wait();
        }
        self.memory.release(self.owner);
    }

    /// `nni_ctx_rele`.
    pub(super) fn rele(&self) {
        let nng = &self.sock.nng;
        let mut tables = nng.sock_lk.lock();
        let Some(entry) = tables.ctx_ids.get_mut(&self.c_id) else { return };
        entry.c_ref -= 1;
        if entry.c_ref > 0 || !entry.c_closed {
            return;
        }
        tables.ctx_ids.remove(&self.c_id);
        // Deviates: upstream takes the context off its socket's list here and then destroys it with no lock held, so
        // that nng_close, which waits for that list, can free the socket while ctx_fini locks the socket's mutex.
        if nng.variant == Variant::CtxLeavesListBeforeFini {
            self.sock.forget_ctx(&mut tables, self.c_id);
            drop(tables);
            self.destroy();
            return;
        }
        drop(tables);
        self.destroy();
        self.sock.forget_ctx(&mut nng.sock_lk.lock(), self.c_id);
    }
}

/// A `nng_ctx`: the id of a context that may no longer exist.
#[derive(Clone)]
pub struct Ctx {
    nng: Arc<Nng>,
    id: u32,
}

impl Ctx {
    /// `nng_ctx_open`.
    ///
    /// # Errors
    ///
    /// `NNG_ECLOSED` if the socket is closed or closing.
    pub fn open(sock: &Arc<Socket>) -> Result<Ctx, Errno> {
        sock.find()?;
        let opened = Ctx::open_on(sock);
        sock.rele();
        opened
    }

    /// `nni_ctx_open`, and the release that follows it.
    fn open_on(sock: &Arc<Socket>) -> Result<Ctx, Errno> {
        let nng = &sock.nng;
        let mut tables = nng.sock_lk.lock();
        if sock.is_closed(&tables) {
            return Err(Errno::Closed);
        }
        let ctx = tables.insert(|c_id| Context::create(sock, c_id));
        sock.list_ctx(&mut tables, ctx.c_id);
        drop(tables);
        if sock.is_closing() {
            sometimes("a context is refused because its socket is closing", true);
            // Deviates: upstream only releases. The context is not closed, so it stays on the list. No caller has its
            // id to close it, so nng_close waits forever.
            if nng.variant != Variant::RefusedCtxStaysListed
                && let Some(entry) = nng.sock_lk.lock().ctx_ids.get_mut(&ctx.c_id)
            {
                entry.c_closed = true;
            }
            ctx.rele();
            return Err(Errno::Closed);
        }
        ctx.rele();
        Ok(Ctx { nng: Arc::clone(nng), id: ctx.c_id })
    }

    /// `nni_ctx_find`.
    fn find(&self, closing: bool) -> Result<Arc<Context>, Errno> {
        let mut guard = self.nng.sock_lk.lock();
        let tables = &mut *guard;
        let Some(entry) = tables.ctx_ids.get_mut(&self.id) else { return Err(Errno::Closed) };
        let sock_closed = tables.socks.get(entry.ctx.sock.number as usize).is_none_or(|sock| sock.s_closed);
        if entry.c_closed || (sock_closed && !closing) {
            return Err(Errno::Closed);
        }
        entry.c_ref += 1;
        Ok(Arc::clone(&entry.ctx))
    }

    /// `nng_ctx_close`.
    ///
    /// # Errors
    ///
    /// `NNG_ECLOSED` if it is closed already.
    pub fn close(&self) -> Outcome {
        let ctx = self.find(true)?;
        if let Some(entry) = self.nng.sock_lk.lock().ctx_ids.get_mut(&self.id) {
            entry.c_closed = true;
        }
        ctx.rele();
        Ok(())
    }

    /// `nng_ctx_set_ms` of `NNG_OPT_REQ_RESENDTIME`; `None` disables resending.
    ///
    /// # Errors
    ///
    /// `NNG_ECLOSED` if it is closed, `NNG_ENOTSUP` if it is not a req context.
    pub fn set_resend_time(&self, time: Option<Duration>) -> Outcome {
        let ctx = self.find(false)?;
        let set = match &ctx.sock.protocol {
            Protocol::Req(req) => {
                req.ctx_set_resend_time(ctx.data, time);
                Ok(())
            }
            Protocol::Rep(_) => Err(Errno::NotSup),
        };
        ctx.rele();
        set
    }

    /// `nng_ctx_send`: sends the message on the aio. On success the library owns it; on failure it is on the aio again.
    pub fn send(&self, aio: &Arc<Aio>) {
        if aio.peek_msg().is_none() {
            if aio.begin().is_ok() {
                aio.finish(Err(Errno::Inval));
            }
            return;
        }
        self.operate(aio, |ctx| match &ctx.sock.protocol {
            Protocol::Req(req) => req.ctx_send(ctx.data, aio),
            Protocol::Rep(rep) => rep.ctx_send(ctx.data, aio),
        });
    }

    /// `nng_ctx_recv`: on success the message is on the aio, and the callback must take it.
    pub fn recv(&self, aio: &Arc<Aio>) {
        self.operate(aio, |ctx| match &ctx.sock.protocol {
            Protocol::Req(req) => req.ctx_recv(ctx.data, aio),
            Protocol::Rep(rep) => rep.ctx_recv(ctx.data, aio),
        });
    }

    fn operate(&self, aio: &Arc<Aio>, operation: impl FnOnce(&Context)) {
        match self.find(false) {
            Ok(ctx) => {
                operation(&ctx);
                ctx.rele();
            }
            Err(rv) => {
                if aio.begin().is_ok() {
                    aio.finish(Err(rv));
                }
            }
        }
    }

    /// `nng_ctx_sendmsg`: sends and waits. On failure `caller` owns the message again.
    ///
    /// # Errors
    ///
    /// The operation's result; `NNG_EAGAIN` for a timeout of zero.
    #[track_caller]
    pub fn sendmsg(&self, caller: Owner, msg: Message, timeout: Timeout) -> Result<(), (Errno, Message)> {
        let (result, returned) = self.wait_for(caller, timeout, |aio| {
            aio.set_msg(caller, msg.clone());
            self.send(aio);
        });
        result.map_err(|rv| (rv, returned.unwrap_or(msg)))
    }

    /// `nng_ctx_recvmsg`: receives and waits; `caller` then owns the message.
    ///
    /// # Errors
    ///
    /// The operation's result; `NNG_EAGAIN` for a timeout of zero.
    #[track_caller]
    pub fn recvmsg(&self, caller: Owner, timeout: Timeout) -> Result<Message, Errno> {
        let (result, msg) = self.wait_for(caller, timeout, |aio| self.recv(aio));
        result?;
        always("a receive that succeeds has a message", msg.is_some());
        msg.ok_or(Errno::State)
    }

    /// Starts an operation and waits for its end. Returns its result, and the message that is then on the aio.
    fn wait_for(&self, caller: Owner, timeout: Timeout, start: impl FnOnce(&Arc<Aio>)) -> (Outcome, Option<Message>) {
        let aio = Aio::alloc(&self.nng, None);
        aio.set_timeout(timeout);
        start(&aio);
        aio.wait();
        let (result, msg) = (aio.result(), aio.take_msg(caller));
        aio.free();
        // A call with a timeout of zero returns NNG_EAGAIN in place of NNG_ETIMEDOUT.
        let is_again = result == Err(Errno::TimedOut) && timeout == Timeout::Zero;
        (if is_again { Err(Errno::Again) } else { result }, msg)
    }
}

impl_debug!(Ctx { id });
