//! `Chttp2Connector`: from an address to a transport that has received SETTINGS.
//!
//! Upstream (1.53.0, chttp2_connector.cc). `Connect` starts a handshake. `OnHandshakeDone` makes the transport, puts it
//! into the caller's `Result`, and waits for SETTINGS and for a timer; each of the two calls `MaybeNotify`. The caller
//! is notified when *both* have called it, so neither callback runs after the notification.
//!
//! ```text
//!  Connect ──► handshake ──► transport, in the Result ──► SETTINGS ─┬─► notify
//!                  ▲                     ▲                timer ────┘
//!                  │ Shutdown reaches    │ Shutdown does not
//! ```
//!
//! `Shutdown` sets a flag and shuts the handshake down. Between the end of the handshake and the notification, no
//! handshake is left to shut down, and no code reads the flag: the caller must destroy a transport created in that
//! window when it is notified. The bug #32071 is in that window.

use std::sync::Arc;

use lastref::cell::RaceCell;
use lastref::ledger::Owner;
use lastref::property::{always, sometimes};
use lastref::sync::Mutex;
use lastref::time::{Duration, Instant};

use crate::subchannel::application::moments::{Progress, Stage};
use crate::subchannel::iomgr::TaskHandle;
use crate::subchannel::iomgr::exec_ctx::ExecCtx;
use crate::subchannel::iomgr::lockfree_event::Closure;
use crate::subchannel::library::Grpc;
use crate::subchannel::ref_count::RefCount;
use crate::subchannel::status::{Error, Outcome};
use crate::subchannel::subchannel::handshake::HandshakeManager;
use crate::subchannel::transport::Transport;
use crate::subchannel::transport::tcp::Tcp;

/// `SubchannelConnector::Result`: a field of the Subchannel that the connector writes. Only the order of `Connect`, the
/// writes and the notification guards it.
pub(crate) struct ConnectResult {
    transport: RaceCell<Option<Arc<Transport>>>,
    /// The stage of the attempt that writes to it.
    pub(crate) progress: Progress,
}

impl ConnectResult {
    pub(crate) fn new() -> Arc<ConnectResult> {
        Arc::new(ConnectResult {
            transport: RaceCell::named("connecting_result_", None),
            progress: Progress::default(),
        })
    }

    /// `Result::Reset`: destroys the transport that it owns.
    pub(crate) fn reset(&self, exec_ctx: &mut ExecCtx) {
        if let Some(transport) = self.take() {
            transport.destroy(exec_ctx);
        }
    }

    /// Takes the transport out; the caller owns it from now on.
    pub(crate) fn take(&self) -> Option<Arc<Transport>> {
        self.transport.with_mut(Option::take)
    }

    /// For checks.
    pub(crate) fn has_transport(&self) -> bool {
        self.transport.with(Option::is_some)
    }

    fn set(&self, transport: Arc<Transport>) {
        let before = self.transport.with_mut(|place| place.replace(transport));
        always("a connection attempt makes one transport", before.is_none());
    }
}

/// `SubchannelConnector::Args`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Args {
    pub(crate) address: u32,
    pub(crate) deadline: Instant,
    pub(crate) keepalive_time: Option<Duration>,
}

/// `Chttp2Connector`. Refs: its owner's, and one for each pending callback.
pub(crate) struct Chttp2Connector {
    refs: RefCount,
    number: u32,
    grpc: Arc<Grpc>,
    mu: Mutex<Attempt>,
}

#[derive(Default)]
struct Attempt {
    shutdown: bool,
    args: Option<Args>,
    result: Option<Arc<ConnectResult>>,
    notify: Option<Closure>,
    handshake_mgr: Option<Arc<HandshakeManager>>,
    timer_handle: Option<TaskHandle>,
    notify_error: Option<Outcome>,
}

impl Attempt {
    fn reset_result(&self, exec_ctx: &mut ExecCtx) {
        if let Some(result) = &self.result {
            result.reset(exec_ctx);
        }
    }

    fn is_now(&self, stage: Stage) {
        if let Some(result) = &self.result {
            result.progress.is_now(stage);
        }
    }

    /// `NullThenSchedClosure`.
    fn null_then_sched_closure(&mut self, exec_ctx: &mut ExecCtx, result: Outcome) {
        self.is_now(Stage::Notify);
        let notify = self.notify.take();
        always("a connection attempt notifies once", notify.is_some());
        if let Some(notify) = notify {
            exec_ctx.run(move |exec_ctx| notify(exec_ctx, result));
        }
    }

    /// `MaybeNotify`.
    fn maybe_notify(&mut self, exec_ctx: &mut ExecCtx, result: Outcome) {
        self.is_now(Stage::Notify);
        match self.notify_error.take() {
            Some(first) => self.null_then_sched_closure(exec_ctx, first),
            None => self.notify_error = Some(result),
        }
    }
}

impl Chttp2Connector {
    pub(crate) fn new(grpc: &Arc<Grpc>) -> Arc<Chttp2Connector> {
        let number = grpc.number();
        Arc::new(Chttp2Connector {
            refs: RefCount::new("Chttp2Connector", Owner::new("Subchannel", number)),
            number,
            grpc: Arc::clone(grpc),
            mu: Mutex::named("Chttp2Connector.mu_", Attempt::default()),
        })
    }

    fn owner(&self, reason: &'static str) -> Owner {
        Owner::new(reason, self.number)
    }

    /// `Connect`: `notify` is called once, when `result` is final.
    pub(crate) fn connect(
        self: &Arc<Self>,
        exec_ctx: &mut ExecCtx,
        args: Args,
        result: &Arc<ConnectResult>,
        notify: Closure,
    ) {
        self.refs.touch(self.owner("Connect"));
        let handshake_mgr = HandshakeManager::new(&self.grpc);
        let mut attempt = self.mu.lock();
        always("a connector makes one connection at a time", attempt.notify.is_none());
        attempt.args = Some(args);
        attempt.result = Some(Arc::clone(result));
        attempt.is_now(Stage::Handshake);
        attempt.notify = Some(notify);
        attempt.handshake_mgr = Some(Arc::clone(&handshake_mgr));
        drop(attempt);
        self.refs.reference(self.owner("OnHandshakeDone"));
        let connector = Arc::clone(self);
        let deadline = args.deadline.saturating_duration_since(Instant::now());
        let done = move |exec_ctx: &mut ExecCtx, result| connector.on_handshake_done(exec_ctx, result);
        handshake_mgr.do_handshake(exec_ctx, args.address, deadline, Box::new(done));
    }

    /// `OnHandshakeDone`.
    fn on_handshake_done(self: &Arc<Self>, exec_ctx: &mut ExecCtx, result: Result<Arc<Tcp>, Error>) {
        self.refs.touch(self.owner("OnHandshakeDone"));
        let mut attempt = self.mu.lock();
        match (result, attempt.shutdown) {
            (Err(error), _) => {
                attempt.reset_result(exec_ctx);
                attempt.null_then_sched_closure(exec_ctx, Err(error));
            }
            (Ok(endpoint), true) => {
                sometimes("a handshake succeeds after its connector was shut down", true);
                endpoint.shutdown(exec_ctx, Error::ConnectorShutdown);
                endpoint.destroy(exec_ctx);
                attempt.reset_result(exec_ctx);
                attempt.null_then_sched_closure(exec_ctx, Err(Error::ConnectorShutdown));
            }
            (Ok(endpoint), false) => self.start_transport(&mut attempt, exec_ctx, endpoint),
        }
        if let Some(handshake_mgr) = attempt.handshake_mgr.take() {
            handshake_mgr.unref();
        }
        drop(attempt);
        self.refs.unref(self.owner("OnHandshakeDone"), || ());
    }

    fn start_transport(self: &Arc<Self>, attempt: &mut Attempt, exec_ctx: &mut ExecCtx, endpoint: Arc<Tcp>) {
        let Some(args) = attempt.args else { return };
        let transport = Transport::create(&self.grpc, exec_ctx, endpoint, args.keepalive_time);
        if let Some(result) = &attempt.result {
            result.set(Arc::clone(&transport));
        }
        attempt.is_now(Stage::Settings);
        self.refs.reference(self.owner("OnReceiveSettings"));
        let connector = Arc::clone(self);
        let on_receive_settings =
            move |exec_ctx: &mut ExecCtx, result: Outcome| connector.on_receive_settings(exec_ctx, result);
        transport.start_reading(exec_ctx, Box::new(on_receive_settings));
        self.refs.reference(self.owner("OnTimeout"));
        let connector = Arc::clone(self);
        let left = args.deadline.saturating_duration_since(Instant::now());
        attempt.timer_handle = Some(self.grpc.iomgr.run_after(left, move |exec_ctx| connector.on_timeout(exec_ctx)));
    }

    /// `OnReceiveSettings`: SETTINGS have arrived, or the transport was closed before.
    fn on_receive_settings(&self, exec_ctx: &mut ExecCtx, result: Outcome) {
        self.refs.touch(self.owner("OnReceiveSettings"));
        let mut attempt = self.mu.lock();
        sometimes("SETTINGS come after the connector was shut down", attempt.shutdown && result.is_ok());
        if attempt.notify_error.is_none() {
            if result.is_err() {
                sometimes("a connection breaks before SETTINGS", true);
                attempt.reset_result(exec_ctx);
            }
            attempt.maybe_notify(exec_ctx, result);
            if let Some(timer) = attempt.timer_handle.take()
                && self.grpc.iomgr.cancel(timer)
            {
                // The timer's callback will not run, so its call of `MaybeNotify` is here.
                attempt.maybe_notify(exec_ctx, Ok(()));
                self.refs.unref(self.owner("OnTimeout"), || ());
            }
        } else {
            // OnTimeout was first.
            attempt.maybe_notify(exec_ctx, Ok(()));
        }
        drop(attempt);
        self.refs.unref(self.owner("OnReceiveSettings"), || ());
    }

    /// `OnTimeout`.
    fn on_timeout(&self, exec_ctx: &mut ExecCtx) {
        self.refs.touch(self.owner("OnTimeout"));
        let mut attempt = self.mu.lock();
        attempt.timer_handle = None;
        if attempt.notify_error.is_none() {
            sometimes("SETTINGS do not come in time", true);
            attempt.reset_result(exec_ctx);
            attempt.maybe_notify(exec_ctx, Err(Error::TimedOut));
        } else {
            sometimes("the SETTINGS timer is on its way when SETTINGS come", true);
            attempt.maybe_notify(exec_ctx, Ok(()));
        }
        drop(attempt);
        self.refs.unref(self.owner("OnTimeout"), || ());
    }

    /// `Orphan`: calls `Shutdown`, then releases its owner's ref.
    pub(crate) fn orphan(&self, exec_ctx: &mut ExecCtx) {
        let mut attempt = self.mu.lock();
        attempt.shutdown = true;
        sometimes("a connector is shut down between handshake and SETTINGS", attempt.timer_handle.is_some());
        if let Some(handshake_mgr) = &attempt.handshake_mgr {
            handshake_mgr.shutdown(exec_ctx, Error::ConnectorShutdown);
        }
        drop(attempt);
        self.refs.unref(self.owner("Subchannel"), || ());
    }
}
