//! Keepalive: periodic pings; the transport is closed if one is not answered in time.
//!
//! Upstream (1.53.0, chttp2_transport.cc).
//!
//! ```text
//!  DISABLED    WAITING ──timer, a stream is open──► PINGING ──watchdog──► DYING, closed
//!                 ▲                                    │
//!                 └──────────── answered ──────────────┘
//! ```
//!
//! Each timer holds a ref. The timer's callback releases it, or a cancel that comes in time; after a late cancel, the
//! callback does. Closing the transport fails the ping, which releases the ping's own ref.

use std::sync::Arc;

use lastref::property::sometimes;
use lastref::time::Duration;

use crate::kit::http2::ClientFrame;
use crate::subchannel::iomgr::TaskHandle;
use crate::subchannel::iomgr::exec_ctx::ExecCtx;
use crate::subchannel::status::{Error, Outcome};
use crate::subchannel::transport::{Locked, Transport};

/// `keepalive_timeout`.
const TIMEOUT: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KeepaliveState {
    Disabled,
    Waiting,
    Pinging,
    Dying,
}

/// A transport's keepalive. Guarded by its combiner.
#[derive(Debug)]
pub(crate) struct Keepalive {
    state: KeepaliveState,
    time: Option<Duration>,
    ping_timer: Option<TaskHandle>,
    watchdog_timer: Option<TaskHandle>,
    ping_in_flight: bool,
}

impl Keepalive {
    pub(crate) fn new(time: Option<Duration>) -> Keepalive {
        let state = if time.is_some() { KeepaliveState::Waiting } else { KeepaliveState::Disabled };
        Keepalive { state, time, ping_timer: None, watchdog_timer: None, ping_in_flight: false }
    }

    /// Doubles the keepalive time, after the server sent ENHANCE_YOUR_CALM.
    pub(crate) fn double(&mut self) -> Option<Duration> {
        self.time = self.time.map(|time| 2 * time);
        self.time
    }
}

impl Transport {
    pub(crate) fn start_keepalive(self: &Arc<Self>, locked: &mut Locked) {
        if locked.keepalive.state == KeepaliveState::Waiting && locked.closed_with_error.is_none() {
            self.arm(locked);
        }
    }

    fn arm(self: &Arc<Self>, locked: &mut Locked) {
        let Some(time) = locked.keepalive.time else { return };
        self.reference("init keepalive ping");
        let t = Arc::clone(self);
        locked.keepalive.ping_timer = Some(self.grpc.iomgr.run_after(time, move |exec_ctx| {
            t.run(exec_ctx, "init keepalive ping", |t, locked, exec_ctx| {
                t.init_keepalive_ping_locked(locked, exec_ctx)
            });
        }));
    }

    fn init_keepalive_ping_locked(self: &Arc<Self>, locked: &mut Locked, exec_ctx: &mut ExecCtx) {
        locked.keepalive.ping_timer = None;
        if locked.closed_with_error.is_some() {
            sometimes("a keepalive timer is on its way while its transport is closed", true);
            locked.keepalive.state = KeepaliveState::Dying;
        } else if locked.stream_map.is_empty() {
            self.arm(locked);
        } else {
            locked.keepalive.state = KeepaliveState::Pinging;
            locked.keepalive.ping_in_flight = true;
            self.reference("keepalive ping end");
            locked.qbuf.push_back(ClientFrame::Ping);
            self.initiate_write(locked, exec_ctx);
        }
        self.unref(exec_ctx, "init keepalive ping");
    }

    /// `start_keepalive_ping_locked`: the write of the ping begins.
    pub(crate) fn start_keepalive_ping_locked(self: &Arc<Self>, locked: &mut Locked) {
        if !locked.keepalive.ping_in_flight {
            return;
        }
        self.reference("keepalive watchdog");
        let t = Arc::clone(self);
        locked.keepalive.watchdog_timer = Some(self.grpc.iomgr.run_after(TIMEOUT, move |exec_ctx| {
            t.run(exec_ctx, "keepalive watchdog", |t, locked, exec_ctx| t.watchdog_fired_locked(locked, exec_ctx));
        }));
    }

    /// After each read: the time until the next ping starts again.
    pub(crate) fn maybe_reset_keepalive_ping_timer_locked(
        self: &Arc<Self>,
        locked: &mut Locked,
        exec_ctx: &mut ExecCtx,
    ) {
        let is_waiting = locked.keepalive.state == KeepaliveState::Waiting;
        if is_waiting && locked.keepalive.ping_timer.take_if(|timer| self.grpc.iomgr.cancel(*timer)).is_some() {
            self.arm(locked);
            self.unref(exec_ctx, "init keepalive ping");
        }
    }

    fn watchdog_fired_locked(self: &Arc<Self>, locked: &mut Locked, exec_ctx: &mut ExecCtx) {
        locked.keepalive.watchdog_timer = None;
        if locked.keepalive.state == KeepaliveState::Pinging && locked.closed_with_error.is_none() {
            sometimes("a keepalive ping is not answered", true);
            locked.keepalive.state = KeepaliveState::Dying;
            self.close_transport_locked(locked, exec_ctx, Error::KeepaliveTimeout);
        }
        self.unref(exec_ctx, "keepalive watchdog");
    }

    /// Ends the ping: it was answered, or its transport is being closed.
    pub(crate) fn finish_keepalive_ping_locked(
        self: &Arc<Self>,
        locked: &mut Locked,
        exec_ctx: &mut ExecCtx,
        result: Outcome,
    ) {
        if !std::mem::take(&mut locked.keepalive.ping_in_flight) {
            return;
        }
        if locked.keepalive.state == KeepaliveState::Pinging && result.is_ok() {
            locked.keepalive.state = KeepaliveState::Waiting;
            self.cancel_watchdog(locked, exec_ctx);
            self.arm(locked);
        }
        self.unref(exec_ctx, "keepalive ping end");
    }

    /// `cancel_pings`.
    pub(crate) fn cancel_pings(self: &Arc<Self>, locked: &mut Locked, exec_ctx: &mut ExecCtx) {
        self.finish_keepalive_ping_locked(locked, exec_ctx, Err(Error::TransportClosed));
    }

    fn cancel_watchdog(self: &Arc<Self>, locked: &mut Locked, exec_ctx: &mut ExecCtx) {
        if locked.keepalive.watchdog_timer.take().is_some_and(|timer| self.grpc.iomgr.cancel(timer)) {
            self.unref(exec_ctx, "keepalive watchdog");
        }
    }

    /// The part of `close_transport_locked` that cancels keepalive's timers.
    pub(crate) fn cancel_keepalive(self: &Arc<Self>, locked: &mut Locked, exec_ctx: &mut ExecCtx) {
        if locked.keepalive.ping_timer.take().is_some_and(|timer| self.grpc.iomgr.cancel(timer)) {
            self.unref(exec_ctx, "init keepalive ping");
        }
        self.cancel_watchdog(locked, exec_ctx);
    }
}
