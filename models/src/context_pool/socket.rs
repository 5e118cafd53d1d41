//! `nni_sock`: contexts and pipes of one protocol, and the order in which they are closed.
//!
//! Upstream (v1.10.1, core/socket.c). `s_mx` guards the pipes and `s_closing`; `sock_lk` guards the rest (see
//! `library`).
//!
//! ```text
//! nni_sock_shutdown: s_closing ─► listeners and dialers closed, and with them their pipes
//!                    ─► each context closed, destroyed if unused ─► wait for s_ctxs
//!                    ─► each pipe that is left closed ─► wait for s_pipes ─► sock_close
//! nni_sock_close:    shutdown ─► s_closed ─► wait for s_ref and s_ctxs ─► sock_fini ─► free
//! ```
//!
//! The pipes are closed before the contexts. If resending is disabled, a request that is outstanding at the close
//! therefore ends with `NNG_ECONNRESET`, not with `NNG_ECLOSED`; otherwise it is sent again on the next pipe.
//!
//! Left out: most options, the upper queues (neither protocol uses them), dialers and listeners. A rep socket's pipes
//! are those of one listener, and each pipe of a req socket is one dialer's.

use std::sync::Arc;

use lastref::ledger::{Owner, Resource};
use lastref::property::{always, sometimes};
use lastref::sync::{Condvar, Mutex};
use lastref::time::Duration;

use super::context::Context;
use super::errno::{Errno, Outcome};
use super::library::{Nng, SocketEntry, Tables};
use super::pipe::{Pipe, ProtoPipe};
use super::rep::{Rep0Pipe, Rep0Sock};
use super::req::Req0Sock;
use super::req_pipe::Req0Pipe;
use super::transport::{Link, Script, TranPipe};
use crate::kit::harness::impl_debug;

/// The protocol's part of a socket.
pub(super) enum Protocol {
    Req(Arc<Req0Sock>),
    Rep(Arc<Rep0Sock>),
}

/// `nni_sock`. Upstream allocates it in one piece with the protocol's part, so that both are one resource here.
pub struct Socket {
    pub(super) nng: Arc<Nng>,
    pub(super) number: u32,
    pub(super) protocol: Protocol,
    s_mx: Mutex<Pipes>,
    s_cv: Condvar,
    s_close_cv: Condvar,
}

/// The state that `s_mx` guards.
#[derive(Default)]
struct Pipes {
    s_closing: bool,
    s_pipes: Vec<Arc<Pipe>>,
    next_pipe: u32,
}

impl Socket {
    /// `nni_sock_open`.
    pub(super) fn open(nng: &Arc<Nng>, protocol: impl FnOnce(u32) -> Protocol) -> Arc<Socket> {
        let mut tables = nng.sock_lk.lock();
        let number = tables.socks.len() as u32;
        tables.socks.push(SocketEntry::default());
        drop(tables);
        Arc::new(Socket {
            nng: Arc::clone(nng),
            number,
            protocol: protocol(number),
            s_mx: Mutex::named("s_mx", Pipes { next_pipe: 1000 * number, ..Pipes::default() }),
            s_cv: Condvar::named("s_cv"),
            s_close_cv: Condvar::named("s_close_cv"),
        })
    }

    /// Connects a req socket with a rep socket; each direction has room for `capacity` messages.
    ///
    /// # Errors
    ///
    /// `NNG_ECLOSED` if one of them is closing; the other one then gets a connection that is closed at once.
    pub fn connect(req: &Arc<Socket>, rep: &Arc<Socket>, capacity: u32) -> Result<Link, Errno> {
        req.find()?;
        let connected = rep.find().and_then(|()| {
            let (link, near, far) = Link::pair(&req.nng, req.next_pipe(), capacity as usize);
            let accepted = rep.add_pipe(Arc::new(far));
            rep.rele();
            req.add_pipe(Arc::new(near)).and(accepted)?;
            Ok(link)
        });
        req.rele();
        connected
    }

    /// Connects a req socket to a scripted peer.
    ///
    /// # Errors
    ///
    /// `NNG_ECLOSED` if the socket is closing.
    pub fn connect_script(req: &Arc<Socket>, script: Script) -> Result<Link, Errno> {
        req.find()?;
        let (link, near) = Link::scripted(&req.nng, req.next_pipe(), script);
        let added = req.add_pipe(Arc::new(near));
        req.rele();
        added.map(|()| link)
    }

    pub(super) fn next_pipe(&self) -> u32 {
        let mut pipes = self.s_mx.lock();
        pipes.next_pipe += 1;
        pipes.next_pipe
    }

    /// `nni_dialer_add_pipe`, `nni_listener_add_pipe`.
    pub(super) fn add_pipe(self: &Arc<Self>, end: Arc<dyn TranPipe>) -> Outcome {
        self.memory().touch(Owner::new("dialer", self.number));
        let mut pipes = self.s_mx.lock();
        if pipes.s_closing {
            drop(pipes);
            end.close();
            end.fini();
            return Err(Errno::Closed);
        }
        pipes.next_pipe += 1;
        let p_id = pipes.next_pipe;
        let pipe = Pipe::create(self, p_id, end, |pipe, memory, owner| -> Arc<dyn ProtoPipe> {
            match &self.protocol {
                Protocol::Req(req) => Req0Pipe::init(&self.nng, req, p_id, (pipe, memory, owner)),
                Protocol::Rep(rep) => Rep0Pipe::init(&self.nng, rep, p_id, (pipe, memory, owner)),
            }
        });
        pipes.s_pipes.push(Arc::clone(&pipe));
        drop(pipes);
        pipe.start();
        Ok(())
    }

    /// `nng_socket_set_ms` of `NNG_OPT_REQ_RESENDTIME`, for contexts opened after the call; `None` disables resending.
    ///
    /// # Errors
    ///
    /// `NNG_ECLOSED` if the socket is closed, `NNG_ENOTSUP` if it is not a req socket.
    pub fn set_resend_time(&self, time: Option<Duration>) -> Outcome {
        self.find()?;
        let set = match &self.protocol {
            Protocol::Req(req) => {
                req.set_resend_time(time);
                Ok(())
            }
            Protocol::Rep(_) => Err(Errno::NotSup),
        };
        self.rele();
        set
    }

    /// `nng_pipe_close` on every pipe of the socket.
    pub fn close_pipes(&self) {
        let pipes = self.s_mx.lock().s_pipes.clone();
        for pipe in pipes.iter().filter(|pipe| pipe.find()) {
            pipe.close();
            pipe.rele();
        }
    }

    /// Waits until the socket has no pipes and its former pipes are freed. A real application cannot wait for this
    /// state, since `NNG_PIPE_EV_REM_POST` comes a little earlier, but it can reach it by chance.
    pub fn wait_without_pipes(&self) {
        drop(self.s_cv.wait_while(self.s_mx.lock(), |pipes| !pipes.s_pipes.is_empty()));
        self.nng.reaper.drain();
    }

    /// `nni_pipe_remove`.
    pub(super) fn remove_pipe(&self, p_id: u32) {
        self.memory().touch(Owner::new("nni_pipe", p_id));
        let mut pipes = self.s_mx.lock();
        pipes.s_pipes.retain(|pipe| pipe.p_id != p_id);
        self.s_cv.notify_all();
    }

    /// `nni_sock_shutdown`.
    fn shutdown(&self) -> Outcome {
        let mut pipes = self.s_mx.lock();
        if std::mem::replace(&mut pipes.s_closing, true) {
            return Err(Errno::Closed);
        }
        drop(pipes);
        self.shutdown_endpoints();
        self.shutdown_contexts();
        let mut pipes = self.s_mx.lock();
        pipes.s_pipes.iter().for_each(Pipe::close);
        while !pipes.s_pipes.is_empty() {
            if self.nng.reaper.threaded {
                pipes = self.s_cv.wait(pipes);
            } else {
                // Without a reaper thread, this thread reaps.
                drop(pipes);
                self.nng.reaper.reap_next();
                pipes = self.s_mx.lock();
            }
        }
        if let Protocol::Req(req) = &self.protocol {
            req.close();
        }
        self.s_cv.notify_all();
        Ok(())
    }

    /// `nni_listener_close` and `nni_dialer_close`. An endpoint closes its pipes with `s_mx` held.
    fn shutdown_endpoints(&self) {
        let mut pipes = self.s_mx.lock();
        match &self.protocol {
            Protocol::Rep(_) => pipes.s_pipes.iter().for_each(Pipe::close),
            Protocol::Req(_) => {
                let ids: Vec<u32> = pipes.s_pipes.iter().map(|pipe| pipe.p_id).collect();
                for id in ids {
                    pipes.s_pipes.iter().filter(|pipe| pipe.p_id == id).for_each(Pipe::close);
                    // The lock is released between two dialers: the next pipe may be removed and freed meanwhile.
                    drop(pipes);
                    pipes = self.s_mx.lock();
                }
            }
        }
    }

    fn shutdown_contexts(&self) {
        let mut tables = self.nng.sock_lk.lock();
        for c_id in self.entry(&mut tables).s_ctxs.clone() {
            // A context that is listed but not found is being destroyed by the thread that closed it.
            let Some(entry) = tables.ctx_ids.get_mut(&c_id) else { continue };
            entry.c_closed = true;
            if entry.c_ref == 0 {
                let ctx: Arc<Context> = Arc::clone(&entry.ctx);
                tables.ctx_ids.remove(&c_id);
                self.entry(&mut tables).s_ctxs.retain(|&listed| listed != c_id);
                ctx.destroy();
            }
        }
        while !self.entry(&mut tables).s_ctxs.is_empty() {
            sometimes("a socket waits for a context that is being closed", true);
            tables = self.s_close_cv.wait(tables);
        }
    }

    /// `nng_close`.
    ///
    /// # Errors
    ///
    /// `NNG_ECLOSED` if it is closed already.
    pub fn close(&self) -> Outcome {
        self.find()?;
        // Another thread may shut the socket down at the same time; only one of the two gets past s_closed.
        let _ = self.shutdown();
        let mut tables = self.nng.sock_lk.lock();
        if std::mem::replace(&mut self.entry(&mut tables).s_closed, true) {
            drop(tables);
            self.rele();
            return Ok(());
        }
        while self.entry(&mut tables).s_ref > 1 || !self.entry(&mut tables).s_ctxs.is_empty() {
            tables = self.s_close_cv.wait(tables);
        }
        drop(tables);
        always("nni_sock has no pipe when it is freed", self.s_mx.lock().s_pipes.is_empty());
        match &self.protocol {
            Protocol::Req(req) => req.fini(),
            Protocol::Rep(rep) => rep.fini(),
        }
        Ok(())
    }

    /// `nni_sock_find`: adds a reference, unless the socket is closed.
    pub(super) fn find(&self) -> Outcome {
        let mut tables = self.nng.sock_lk.lock();
        let entry = self.entry(&mut tables);
        if entry.s_closed {
            return Err(Errno::Closed);
        }
        entry.s_ref += 1;
        Ok(())
    }

    /// `nni_sock_rele`.
    pub(super) fn rele(&self) {
        self.memory().touch(Owner::new("reference", self.number));
        let mut tables = self.nng.sock_lk.lock();
        let entry = self.entry(&mut tables);
        entry.s_ref -= 1;
        if entry.s_closed && entry.s_ref < 2 {
            self.s_close_cv.notify_all();
        }
    }

    pub(super) fn is_closed(&self, tables: &Tables) -> bool {
        tables.socks.get(self.number as usize).is_none_or(|entry| entry.s_closed)
    }

    pub(super) fn is_closing(&self) -> bool {
        self.memory().touch(Owner::new("reference", self.number));
        self.s_mx.lock().s_closing
    }

    pub(super) fn list_ctx(&self, tables: &mut Tables, c_id: u32) {
        self.entry(tables).s_ctxs.push(c_id);
    }

    /// Removes a context from the list for which the socket's close waits.
    pub(super) fn forget_ctx(&self, tables: &mut Tables, c_id: u32) {
        self.entry(tables).s_ctxs.retain(|&listed| listed != c_id);
        self.s_close_cv.notify_all();
    }

    fn entry<'a>(&self, tables: &'a mut Tables) -> &'a mut SocketEntry {
        // invariant: `open` made the entry, and entries are never removed.
        &mut tables.socks[self.number as usize]
    }

    fn memory(&self) -> Resource {
        match &self.protocol {
            Protocol::Req(req) => req.memory,
            Protocol::Rep(rep) => rep.memory,
        }
    }

    pub(super) fn ctx_class(&self) -> &'static str {
        match &self.protocol {
            Protocol::Req(_) => "req0_ctx",
            Protocol::Rep(_) => "rep0_ctx",
        }
    }

    pub(super) fn pipe_class(&self) -> &'static str {
        match &self.protocol {
            Protocol::Req(_) => "req0_pipe",
            Protocol::Rep(_) => "rep0_pipe",
        }
    }
}

impl_debug!(Socket { number });
