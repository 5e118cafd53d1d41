//! The handshake: makes a connection, and returns an endpoint or an error.
//!
//! Upstream (1.53.0, handshaker.cc with tcp_connect_handshaker.cc and tcp_client_posix.cc). The handshake creates an
//! fd; a write closure waits for the connection, and a timer for the deadline. The deadline and `Shutdown` only shut
//! the fd down. In every case the write closure ends the handshake, exactly once: it turns the fd into an endpoint, or
//! orphans it. TLS is left out.

use std::sync::Arc;

use lastref::ledger::Owner;
use lastref::property::{always, sometimes};
use lastref::sync::Mutex;
use lastref::time::Duration;

use crate::subchannel::iomgr::TaskHandle;
use crate::subchannel::iomgr::exec_ctx::ExecCtx;
use crate::subchannel::iomgr::fd::Fd;
use crate::subchannel::library::Grpc;
use crate::subchannel::ref_count::RefCount;
use crate::subchannel::status::{Error, Outcome};
use crate::subchannel::transport::tcp::Tcp;

/// The callback at the end of a handshake.
pub(crate) type OnHandshakeDone = Box<dyn FnOnce(&mut ExecCtx, Result<Arc<Tcp>, Error>) + Send>;

/// `HandshakeManager`. Refs: the connector's, the write closure's, the deadline timer's.
pub(crate) struct HandshakeManager {
    refs: RefCount,
    number: u32,
    grpc: Arc<Grpc>,
    mu: Mutex<Handshake>,
}

#[derive(Default)]
struct Handshake {
    fd: Option<Fd>,
    on_handshake_done: Option<OnHandshakeDone>,
    deadline_timer: Option<TaskHandle>,
    /// The reason of the shutdown, if any.
    shutdown: Option<Error>,
}

impl HandshakeManager {
    pub(crate) fn new(grpc: &Arc<Grpc>) -> Arc<HandshakeManager> {
        let number = grpc.number();
        Arc::new(HandshakeManager {
            refs: RefCount::new("HandshakeManager", Owner::new("Chttp2Connector", number)),
            number,
            grpc: Arc::clone(grpc),
            mu: Mutex::named("HandshakeManager.mu_", Handshake::default()),
        })
    }

    fn owner(&self, reason: &'static str) -> Owner {
        Owner::new(reason, self.number)
    }

    /// `DoHandshake`.
    pub(crate) fn do_handshake(
        self: &Arc<Self>,
        exec_ctx: &mut ExecCtx,
        address: u32,
        deadline: Duration,
        done: OnHandshakeDone,
    ) {
        let mut handshake = self.mu.lock();
        let fd = self.grpc.network.connect(address);
        handshake.fd = Some(fd.clone());
        handshake.on_handshake_done = Some(done);
        self.refs.reference(self.owner("deadline"));
        let timed = Arc::clone(self);
        handshake.deadline_timer = Some(self.grpc.iomgr.run_after(deadline, move |exec_ctx| {
            timed.shutdown(exec_ctx, Error::TimedOut);
            timed.refs.unref(timed.owner("deadline"), || ());
        }));
        self.refs.reference(self.owner("on_writable"));
        self.wait_writable(exec_ctx, &fd);
    }

    fn wait_writable(self: &Arc<Self>, exec_ctx: &mut ExecCtx, fd: &Fd) {
        let waiting = Arc::clone(self);
        fd.notify_on_write(exec_ctx, Box::new(move |exec_ctx, result| waiting.on_writable(exec_ctx, result)));
    }

    /// `on_writable` of tcp_client_posix.cc.
    fn on_writable(self: &Arc<Self>, exec_ctx: &mut ExecCtx, result: Outcome) {
        let mut handshake = self.mu.lock();
        let Some(fd) = handshake.fd.take() else {
            return always("a handshake has its fd until it is writable", false);
        };
        let result = match (result, fd.socket.connected()) {
            (Err(error), connected) => {
                let late = handshake.shutdown == Some(Error::TimedOut) && connected.is_none();
                sometimes("a connection is not made in time", late);
                Err(handshake.shutdown.unwrap_or(error))
            }
            (Ok(()), Some(connected)) => connected,
            (Ok(()), None) => {
                // A late poller has set the wrapper ready for an event of its previous fd.
                sometimes("an fd is set ready by an event of its wrapper's previous fd", true);
                handshake.fd = Some(fd.clone());
                drop(handshake);
                return self.wait_writable(exec_ctx, &fd);
            }
        };
        if handshake.deadline_timer.take().is_some_and(|timer| self.grpc.iomgr.cancel(timer)) {
            self.refs.unref(self.owner("deadline"), || ());
        }
        let done = handshake.on_handshake_done.take();
        drop(handshake);
        let result = match result {
            Ok(()) => Ok(Tcp::create(fd)),
            Err(error) => {
                fd.orphan(exec_ctx);
                Err(error)
            }
        };
        if let Some(done) = done {
            done(exec_ctx, result);
        }
        self.refs.unref(self.owner("on_writable"), || ());
    }

    /// `Shutdown`.
    pub(crate) fn shutdown(&self, exec_ctx: &mut ExecCtx, why: Error) {
        self.refs.touch(self.owner("Shutdown"));
        let mut handshake = self.mu.lock();
        if handshake.shutdown.is_none() {
            handshake.shutdown = Some(why);
            if let Some(fd) = &handshake.fd {
                sometimes("a handshake is shut down before its connection is made", true);
                fd.shutdown(exec_ctx, why);
            }
        }
    }

    /// The connector releases its ref.
    #[track_caller]
    pub(crate) fn unref(&self) {
        self.refs.unref(self.owner("Chttp2Connector"), || ());
    }
}
