//! `WatcherWrapper`: reports a Subchannel's state to a channel.
//!
//! Upstream (1.53.0, client_channel.cc; subchannel.cc `AsyncWatcherNotifierLocked`). The Subchannel, with its lock
//! held, queues the change and schedules a closure; the closure enters the channel's WorkSerializer, takes the oldest
//! change off the queue and passes it to the policy. The wrapper keeps the SubchannelWrapper, and so the Subchannel,
//! alive until the last change is handled. The policy drops a change that was in flight when the watch was cancelled.

use std::collections::VecDeque;
use std::sync::Arc;

use lastref::ledger::Owner;
use lastref::property::always;
use lastref::sync::Mutex;

use crate::subchannel::channel::subchannel_list::SubchannelPosition;
use crate::subchannel::channel::subchannel_wrapper::SubchannelWrapper;
use crate::subchannel::iomgr::exec_ctx::ExecCtx;
use crate::subchannel::ref_count::RefCount;
use crate::subchannel::transport::tracker::Change;

/// `SubchannelWrapper::WatcherWrapper`. Refs: the Subchannel's list, each pending notification.
pub(crate) struct WatcherWrapper {
    refs: RefCount,
    number: u32,
    parent: Arc<SubchannelWrapper>,
    place: SubchannelPosition,
    connectivity_state_queue: Mutex<VecDeque<Change>>,
}

impl WatcherWrapper {
    /// A watcher for the policy's subchannel at `place`; its initial ref belongs to the Subchannel's list.
    pub(crate) fn new(parent: &Arc<SubchannelWrapper>, place: SubchannelPosition) -> Arc<WatcherWrapper> {
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
    pub(crate) fn unref(&self, exec_ctx: &mut ExecCtx, reason: &'static str) {
        self.refs.unref(Owner::new(reason, self.number), || {
            self.parent.unref(exec_ctx, Owner::new("WatcherWrapper", self.number));
        });
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
        always("each notification finds its state change in the queue", change.is_some());
        let Some(change) = change else { return };
        let chand = &self.parent.chand;
        if let Some(keepalive_time) = change.keepalive_throttling {
            chand.throttle_keepalive_time(keepalive_time);
        }
        chand.on_subchannel_change(exec_ctx, self.place, change.state);
    }
}
