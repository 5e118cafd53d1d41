//! `ConnectivityStateTracker`: a transport's state and its watchers.
//!
//! Upstream (1.53.0, connectivity_state.cc). A new watcher whose initial state differs from the present one is notified
//! at once; in SHUTDOWN it is not added. SHUTDOWN notifies all watchers and releases them. TRANSIENT_FAILURE notifies
//! all and keeps them, so that they are also notified of the later SHUTDOWN. Notifications are asynchronous: each is
//! queued in the ExecCtx, and holds a ref to its watcher until it has run.
//!
//! A transport is READY from its creation, becomes TRANSIENT_FAILURE by GOAWAY (upstream calls it a lie that means "do
//! not start anything new") and SHUTDOWN when it is closed.

use std::sync::Arc;

use lastref::note;
use lastref::property::always;
use lastref::time::Duration;
use lastref::trace::transition;

use crate::kit::machine::Symbol;
use crate::subchannel::iomgr::exec_ctx::ExecCtx;
use crate::subchannel::subchannel::state::State;

/// A notification to a watcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) state: State,
    /// The payload `kKeepaliveThrottlingKey` of the status: the doubled keepalive time, after a GOAWAY with
    /// ENHANCE_YOUR_CALM.
    pub(crate) keepalive_throttling: Option<Duration>,
}

/// `AsyncConnectivityStateWatcherInterface`.
pub(crate) trait Watcher: Send + Sync {
    fn reference(&self);
    fn unref(&self, exec_ctx: &mut ExecCtx);
    fn on_connectivity_state_change(&self, exec_ctx: &mut ExecCtx, change: Change);
}

/// The tracker of a transport. Guarded by the transport's combiner.
pub(crate) struct ConnectivityStateTracker {
    transport: u32,
    state: State,
    watchers: Vec<Arc<dyn Watcher>>,
}

impl ConnectivityStateTracker {
    pub(crate) fn new(transport: u32) -> ConnectivityStateTracker {
        ConnectivityStateTracker { transport, state: State::Ready, watchers: Vec::new() }
    }

    pub(crate) fn state(&self) -> State {
        self.state
    }

    pub(crate) fn is_watched(&self) -> bool {
        !self.watchers.is_empty()
    }

    /// `AddWatcher`: takes over a ref to the watcher.
    pub(crate) fn add_watcher(&mut self, exec_ctx: &mut ExecCtx, initial: State, watcher: Arc<dyn Watcher>) {
        note!("ConnectivityStateTracker client_transport#{}: AddWatcher", self.transport);
        if initial != self.state {
            notify(exec_ctx, &watcher, Change { state: self.state, keepalive_throttling: None });
        }
        if self.state == State::Shutdown {
            watcher.unref(exec_ctx);
        } else {
            self.watchers.push(watcher);
        }
    }

    /// `SetState`.
    pub(crate) fn set_state(&mut self, exec_ctx: &mut ExecCtx, change: Change) {
        if self.state == change.state {
            return;
        }
        always("SHUTDOWN of a transport is final", self.state != State::Shutdown);
        transition("client_transport", self.transport, self.state.name(), change.state.name());
        self.state = change.state;
        self.watchers.iter().for_each(|watcher| notify(exec_ctx, watcher, change));
        if change.state == State::Shutdown {
            for watcher in std::mem::take(&mut self.watchers) {
                watcher.unref(exec_ctx);
            }
        }
    }
}

/// `AsyncConnectivityStateWatcherInterface::Notify`.
fn notify(exec_ctx: &mut ExecCtx, watcher: &Arc<dyn Watcher>, change: Change) {
    watcher.reference();
    let watcher = Arc::clone(watcher);
    exec_ctx.run(move |exec_ctx| {
        watcher.on_connectivity_state_change(exec_ctx, change);
        watcher.unref(exec_ctx);
    });
}
