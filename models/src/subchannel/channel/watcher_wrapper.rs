//! `WatcherWrapper`: reports a Subchannel's state to a channel.
//!
//! Upstream (1.53.0, client_channel.cc; subchannel.cc `AsyncWatcherNotifierLocked`). The Subchannel, with its lock
//! held, queues the change and schedules a closure; the closure hops into the channel's WorkSerializer; there the
//! oldest change is taken off the queue and handed to the policy. The wrapper keeps the SubchannelWrapper, and so the
//! Subchannel, alive until the last of these is done. A change that was on its way when the watch was cancelled is
//! dropped by the policy.

use std::collections::VecDeque;
use std::sync::Arc;

use lastref::ledger::Owner;
use lastref::property::always;
use lastref::sync::Mutex;

use crate::kit::harness::impl_debug;
use crate::subchannel::channel::subchannel_list::Place;
use crate::subchannel::channel::subchannel_wrapper::SubchannelWrapper;
use crate::subchannel::iomgr::exec_ctx::ExecCtx;
use crate::subchannel::ref_count::RefCount;
use crate::subchannel::transport::tracker::Change;

/// `SubchannelWrapper::WatcherWrapper`. Refs: the Subchannel's list, each notification on its way.
pub(crate) struct WatcherWrapper {
    refs: RefCount,
    number: u32,
    parent: Arc<SubchannelWrapper>,
    place: Place,
    connectivity_state_queue: Mutex<VecDeque<Change>>,
}

impl WatcherWrapper {
    /// A watcher for the policy's subchannel at `place`; the ref that it is born with is for the Subchannel's list.
    pub(crate) fn new(parent: &Arc<SubchannelWrapper>, place: Place) -> Arc<WatcherWrapper> {
        let number = parent.chand.grpc.number();
        parent.strong_ref(Owner::new("WatcherWrapper", number));
        Arc::new(WatcherWrapper {
            refs: RefCount::new("WatcherWrapper", Owner::new("watcher_list", number)),
            number,
            parent: Arc::clone(parent),
            place,
            connectivity_state_queue: Mutex::named("connectivity_state_queue_", VecDeque::new()),
        })
    }

    #[track_caller]
    fn unref(&self, exec_ctx: &mut ExecCtx, reason: &'static str) {
        self.refs.unref(Owner::new(reason, self.number), || {
            self.parent.unref(exec_ctx, Owner::new("WatcherWrapper", self.number));
        });
    }

    /// The watch is cancelled.
    pub(crate) fn release(&self, exec_ctx: &mut ExecCtx) {
        self.unref(exec_ctx, "watcher_list");
    }

    /// `AsyncWatcherNotifierLocked`: to be called with the Subchannel's lock held.
    pub(crate) fn notify(self: &Arc<Self>, exec_ctx: &mut ExecCtx, change: Change) {
        self.connectivity_state_queue.lock().push_back(change);
        self.refs.reference(Owner::new("notifier", self.number));
        let watcher = Arc::clone(self);
        exec_ctx.run(move |exec_ctx| {
            watcher.on_connectivity_state_change(exec_ctx);
            watcher.unref(exec_ctx, "notifier");
        });
    }

    /// `OnConnectivityStateChange`.
    fn on_connectivity_state_change(self: &Arc<Self>, exec_ctx: &mut ExecCtx) {
        self.refs.reference(Owner::new("apply_update", self.number));
        let watcher = Arc::clone(self);
        self.parent.chand.work_serializer.run(exec_ctx, move |exec_ctx| {
            watcher.apply_update_in_control_plane_work_serializer(exec_ctx);
            watcher.unref(exec_ctx, "apply_update");
        });
    }

    fn apply_update_in_control_plane_work_serializer(&self, exec_ctx: &mut ExecCtx) {
        let change = self.connectivity_state_queue.lock().pop_front();
        always("each notification of a state has its state", change.is_some());
        let Some(change) = change else { return };
        let chand = &self.parent.chand;
        if let Some(keepalive_time) = change.keepalive_throttling {
            chand.throttle_keepalive_time(keepalive_time);
        }
        chand.on_subchannel_change(exec_ctx, self.place, change.state);
    }
}

impl_debug!(WatcherWrapper { number });
