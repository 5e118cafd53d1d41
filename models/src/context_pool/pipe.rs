//! `nni_pipe`: the socket's part of a connection.
//!
//! Upstream (v1.10.1, core/pipe.c). The first thread that notices a failure closes the pipe, once. The close only
//! begins the teardown: the protocol's part, then the transport's, then the reaper's. The reaper waits for threads that
//! are still starting the pipe (`p_ref`), stops the aios, removes the pipe from its socket, and frees it:
//!
//! ```text
//! nni_pipe_close: p_closed ─► pipe_close (protocol) ─► p_close (transport) ─► reap
//! pipe_destroy:   p_ref 0 ─► pipe_stop ─► p_stop ─► nni_pipe_remove ─► pipe_fini ─► p_fini ─► free
//! ```
//!
//! Left out: pipe events and their callbacks, statistics; dialers and listeners (a scenario connects explicitly, and
//! reconnects after a reset, as a dialer would).

use std::sync::{Arc, Weak};

use lastref::ledger::{Owner, Resource};
use lastref::property::sometimes;
use lastref::sync::atomic::{AtomicBool, Ordering};
use lastref::sync::{Condvar, Mutex};

use super::aio::Aio;
use super::library::Nng;
use super::reap::Reaper;
use super::socket::Socket;
use super::transport::TranPipe;

/// `nni_proto_pipe_ops`: the protocol's part of a pipe.
pub(super) trait ProtoPipe: Send + Sync {
    /// `pipe_start`.
    fn start(&self);
    /// `pipe_close`.
    fn close(&self);
    /// `pipe_stop`: waits for the pipe's aios.
    fn stop(&self);
    /// `pipe_fini`: frees them.
    fn fini(&self);
}

/// The state that both protocols' pipes have: the pipe, an aio for each direction, and the memory that the callbacks
/// use.
pub(super) struct PipeEnd {
    pipe: Weak<Pipe>,
    pub(super) memory: Resource,
    pub(super) owner: Owner,
    pub(super) aio_send: Arc<Aio>,
    pub(super) aio_recv: Arc<Aio>,
}

impl PipeEnd {
    /// Creates the state for `part`, whose methods are the callbacks of the aios.
    pub(super) fn init<P: Send + Sync + 'static>(
        nng: &Nng,
        part: &Weak<P>,
        (pipe, memory, owner): (&Weak<Pipe>, Resource, Owner),
        [send_cb, recv_cb]: [fn(&P); 2],
    ) -> PipeEnd {
        let aio = |cb| Aio::of(nng, part, (memory, owner), cb);
        PipeEnd { pipe: Weak::clone(pipe), memory, owner, aio_send: aio(send_cb), aio_recv: aio(recv_cb) }
    }

    /// `nni_pipe_send` on `aio_send`.
    pub(super) fn send(&self) {
        if let Some(pipe) = self.pipe.upgrade() {
            pipe.tran.send(&self.aio_send);
        }
    }

    /// `nni_pipe_recv` on `aio_recv`.
    pub(super) fn recv(&self) {
        if let Some(pipe) = self.pipe.upgrade() {
            pipe.tran.recv(&self.aio_recv);
        }
    }

    /// `nni_pipe_close`.
    pub(super) fn close(&self) {
        if let Some(pipe) = self.pipe.upgrade() {
            pipe.close();
        }
    }
}

/// `nni_pipe`. Upstream allocates it in one piece with the protocol's part, so that both are one resource here.
pub(super) struct Pipe {
    pub(super) p_id: u32,
    pub(super) memory: Resource,
    pub(super) owner: Owner,
    pub(super) tran: Arc<dyn TranPipe>,
    p_closed: AtomicBool,
    p_ref: Mutex<References>,
    p_cv: Condvar,
    proto: Arc<dyn ProtoPipe>,
    sock: Weak<Socket>,
    reaper: Arc<Reaper>,
}

/// `p_ref`, and whether `pipes` still finds the pipe by its id.
struct References {
    count: u32,
    found: bool,
}

impl Pipe {
    /// `pipe_create`: with one reference, for the thread that starts it.
    pub(super) fn create(
        sock: &Arc<Socket>,
        p_id: u32,
        tran: Arc<dyn TranPipe>,
        proto: impl FnOnce(&Weak<Pipe>, Resource, Owner) -> Arc<dyn ProtoPipe>,
    ) -> Arc<Pipe> {
        let owner = Owner::new(sock.pipe_class(), p_id);
        let memory = Resource::acquire(sock.pipe_class(), owner);
        Arc::new_cyclic(|pipe| Pipe {
            p_id,
            memory,
            owner,
            tran,
            p_closed: AtomicBool::named("p_closed", false),
            p_ref: Mutex::named("p_ref", References { count: 1, found: true }),
            p_cv: Condvar::named("p_cv"),
            proto: proto(pipe, memory, owner),
            sock: Arc::downgrade(sock),
            reaper: Arc::clone(&sock.nng.reaper),
        })
    }

    /// `nni_dialer_add_pipe`, `nni_listener_add_pipe`: once the socket lists the pipe.
    pub(super) fn start(&self) {
        // upstream: nni_pipe_is_closed, checked before pipe_start and not again.
        if !self.p_closed.load(Ordering::Acquire) {
            self.proto.start();
        }
        self.rele();
    }

    /// `nni_pipe_find`: adds a reference, unless the pipe is being destroyed.
    pub(super) fn find(&self) -> bool {
        let mut p_ref = self.p_ref.lock();
        p_ref.count += u32::from(p_ref.found);
        p_ref.found
    }

    /// `nni_pipe_rele`.
    pub(super) fn rele(&self) {
        let mut p_ref = self.p_ref.lock();
        p_ref.count -= 1;
        if p_ref.count == 0 {
            self.p_cv.notify_all();
        }
    }

    /// `nni_pipe_close`.
    pub(super) fn close(self: &Arc<Self>) {
        self.memory.touch(self.owner);
        if self.p_closed.swap(true, Ordering::AcqRel) {
            return;
        }
        self.proto.close();
        self.tran.close();
        let pipe = Arc::clone(self);
        self.reaper.reap(move || pipe.destroy());
    }

    /// `pipe_destroy`, on the reaper.
    fn destroy(&self) {
        self.memory.touch(self.owner);
        let mut p_ref = self.p_ref.lock();
        p_ref.found = false;
        while p_ref.count > 0 {
            sometimes("the reaper waits for a pipe that is being started", true);
            p_ref = self.p_cv.wait(p_ref);
        }
        drop(p_ref);
        self.proto.stop();
        self.tran.stop();
        if let Some(sock) = self.sock.upgrade() {
            sock.remove_pipe(self.p_id);
        }
        self.proto.fini();
        self.tran.fini();
        self.memory.release(self.owner);
    }
}
