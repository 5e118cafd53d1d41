//! `SubchannelWrapper`: one channel's handle on a Subchannel, for its policy and its pickers.
//!
//! Upstream (client_channel.cc, as #34321 left it). Strong refs are the policy's, the pickers' and the watchers'. Calls
//! release pickers outside the WorkSerializer, and with a picker possibly the last strong ref. But the WorkSerializer
//! guards the channel's list of wrappers (`subchannel_wrappers_`). So `Orphan` schedules the cleanup in the
//! WorkSerializer, with a weak ref. The destructor must not need the WorkSerializer: `Unref` itself holds a weak ref
//! across `Orphan`, so the last weak ref may be released, and the destructor run, outside the WorkSerializer.

use std::sync::Arc;

use lastref::cell::RaceCell;
use lastref::ledger::Owner;
use lastref::property::always;

use crate::subchannel::channel::client_channel::ClientChannel;
use crate::subchannel::channel::subchannel_list::SubchannelPosition;
use crate::subchannel::channel::watcher_wrapper::WatcherWrapper;
use crate::subchannel::iomgr::exec_ctx::ExecCtx;
use crate::subchannel::ref_count::DualRefCounted;
use crate::subchannel::subchannel::Subchannel;
use crate::subchannel::subchannel::pool::SubchannelKey;
use crate::subchannel::variant::Variant;

/// `SubchannelWrapper`.
pub(crate) struct SubchannelWrapper {
    refs: DualRefCounted,
    pub(crate) number: u32,
    pub(crate) chand: Arc<ClientChannel>,
    pub(crate) subchannel: Arc<Subchannel>,
    /// `watcher_map_`: here at most one watcher. Guarded by the WorkSerializer.
    watcher_map: RaceCell<Option<Arc<WatcherWrapper>>>,
}

impl SubchannelWrapper {
    /// `ClientChannelControlHelper::CreateSubchannel`, in the WorkSerializer. The initial strong ref belongs to the
    /// policy's list.
    pub(crate) fn create(
        chand: &Arc<ClientChannel>,
        exec_ctx: &mut ExecCtx,
        key: SubchannelKey,
    ) -> Arc<SubchannelWrapper> {
        let number = chand.grpc.number();
        let keepalive_time = chand.keepalive_time();
        let holder = Owner::new("SubchannelWrapper", number);
        let subchannel = Subchannel::create(&chand.grpc, exec_ctx, key, keepalive_time, holder);
        if let Some(keepalive_time) = keepalive_time {
            subchannel.throttle_keepalive_time(keepalive_time);
        }
        chand.reference(holder);
        let wrapper = Arc::new(SubchannelWrapper {
            refs: DualRefCounted::new("SubchannelWrapper", Owner::new("SubchannelList", number)),
            number,
            chand: Arc::clone(chand),
            subchannel,
            watcher_map: RaceCell::named("watcher_map_", None),
        });
        chand.subchannel_wrappers.with_mut(|wrappers| wrappers.push(Arc::clone(&wrapper)));
        wrapper
    }

    #[track_caller]
    pub(crate) fn strong_ref(&self, holder: Owner) {
        self.refs.strong_ref(holder);
    }

    /// `Unref`.
    #[track_caller]
    pub(crate) fn unref(self: &Arc<Self>, exec_ctx: &mut ExecCtx, holder: Owner) {
        self.refs.unref(holder, exec_ctx, |exec_ctx| self.orphan(exec_ctx), |exec_ctx| self.delete(exec_ctx));
    }

    /// `Orphan`.
    fn orphan(self: &Arc<Self>, exec_ctx: &mut ExecCtx) {
        let cleanup = Owner::new("subchannel map cleanup", self.number);
        self.refs.weak_ref(cleanup);
        let wrapper = Arc::clone(self);
        self.chand.work_serializer.run(exec_ctx, move |exec_ctx| {
            // upstream: #34307 had this in the destructor
            if wrapper.chand.grpc.variant != Variant::OrphanWeakrefInline {
                wrapper.leave_channel();
            }
            wrapper.refs.weak_unref(cleanup, || wrapper.delete(exec_ctx));
        });
    }

    fn leave_channel(self: &Arc<Self>) {
        let left = self.chand.subchannel_wrappers.with_mut(|wrappers| {
            let before = wrappers.len();
            wrappers.retain(|wrapper| !Arc::ptr_eq(wrapper, self));
            before - wrappers.len()
        });
        always("a SubchannelWrapper is known to its channel until it leaves", left == 1);
    }

    /// The destructor.
    fn delete(self: &Arc<Self>, exec_ctx: &mut ExecCtx) {
        if self.chand.grpc.variant == Variant::OrphanWeakrefInline {
            self.leave_channel();
        }
        let holder = Owner::new("SubchannelWrapper", self.number);
        self.chand.unref(holder);
        self.subchannel.unref(exec_ctx, holder);
    }

    /// `WatchConnectivityState`, in the WorkSerializer.
    pub(crate) fn watch_connectivity_state(self: &Arc<Self>, exec_ctx: &mut ExecCtx, place: SubchannelPosition) {
        let watcher = WatcherWrapper::new(self, place);
        let before = self.watcher_map.with_mut(|map| map.replace(Arc::clone(&watcher)));
        always("a policy watches a subchannel once", before.is_none());
        self.subchannel.watch_connectivity_state(exec_ctx, watcher);
    }

    /// `CancelConnectivityStateWatch`, in the WorkSerializer.
    pub(crate) fn cancel_connectivity_state_watch(&self, exec_ctx: &mut ExecCtx) {
        let Some(watcher) = self.watcher_map.with_mut(Option::take) else { return };
        let listed = self.subchannel.cancel_connectivity_state_watch(&watcher);
        always("a watch is cancelled once", listed.is_some());
        watcher.unref(exec_ctx, "watcher_list");
    }

    #[track_caller]
    pub(crate) fn touch(&self, by: Owner) {
        self.refs.touch(by);
    }
}
