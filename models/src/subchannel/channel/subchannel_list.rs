//! `SubchannelList`: a policy's subchannels for one resolver result.
//!
//! Upstream (1.53.0, subchannel_list.h). All subchannels of a list are watched from its creation. A subchannel is shut
//! down alone or with its list: its watch is cancelled, then its ref is released. A change that arrives later is
//! dropped.

use std::sync::Arc;

use lastref::ledger::Owner;

use crate::subchannel::channel::client_channel::ClientChannel;
use crate::subchannel::channel::subchannel_wrapper::SubchannelWrapper;
use crate::subchannel::iomgr::exec_ctx::ExecCtx;
use crate::subchannel::subchannel::pool::SubchannelKey;
use crate::subchannel::subchannel::state::State;

/// The position of a subchannel: its list, and its index there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SubchannelPosition {
    pub(crate) list: u32,
    pub(crate) index: usize,
}

/// `SubchannelData`.
pub(crate) struct SubchannelData {
    /// `None` after its shutdown.
    pub(crate) subchannel: Option<Arc<SubchannelWrapper>>,
    /// `connectivity_state_`: `None` before the first notification.
    pub(crate) state: Option<State>,
    /// round_robin's `logical_connectivity_state_`.
    pub(crate) logical: Option<State>,
    /// True if its connection attempt failed during its turn. For checks.
    pub(crate) has_failed: bool,
}

impl SubchannelData {
    fn shutdown(&mut self, exec_ctx: &mut ExecCtx) {
        if let Some(subchannel) = self.subchannel.take() {
            subchannel.cancel_connectivity_state_watch(exec_ctx);
            subchannel.unref(exec_ctx, Owner::new("SubchannelList", subchannel.number));
        }
    }

    pub(crate) fn request_connection(&self, exec_ctx: &mut ExecCtx) {
        if let Some(subchannel) = &self.subchannel {
            subchannel.subchannel.request_connection(exec_ctx);
        }
    }
}

/// `SubchannelList`.
pub(crate) struct SubchannelList {
    pub(crate) id: u32,
    pub(crate) subchannels: Vec<SubchannelData>,
    /// pick_first's `attempting_index_`.
    pub(crate) attempting_index: usize,
    /// pick_first's `in_transient_failure_`.
    pub(crate) in_transient_failure: bool,
}

impl SubchannelList {
    /// Creates the subchannels, then watches them.
    pub(crate) fn new(
        chand: &Arc<ClientChannel>,
        exec_ctx: &mut ExecCtx,
        addresses: &[SubchannelKey],
    ) -> SubchannelList {
        let id = chand.grpc.number();
        let subchannels: Vec<SubchannelData> = addresses
            .iter()
            .map(|key| {
                let subchannel = Some(SubchannelWrapper::create(chand, exec_ctx, *key));
                SubchannelData { subchannel, state: None, logical: None, has_failed: false }
            })
            .collect();
        // upstream: subchannel_list.h StartWatchingLocked
        for (index, data) in subchannels.iter().enumerate() {
            if let Some(subchannel) = &data.subchannel {
                subchannel.watch_connectivity_state(exec_ctx, SubchannelPosition { list: id, index });
            }
        }
        SubchannelList { id, subchannels, attempting_index: 0, in_transient_failure: false }
    }

    /// Stores the new state of a subchannel. Returns the previous one, or `None` if the subchannel is shut down.
    pub(crate) fn note_change(&mut self, index: usize, state: State) -> Option<Option<State>> {
        let data = self.subchannels.get_mut(index)?;
        data.subchannel.is_some().then(|| data.state.replace(state))
    }

    /// `AllSubchannelsSeenInitialState`.
    pub(crate) fn all_seen_initial_state(&self) -> bool {
        self.subchannels.iter().all(|data| data.state.is_some())
    }

    pub(crate) fn request_connection(&self, exec_ctx: &mut ExecCtx, index: usize) {
        if let Some(data) = self.subchannels.get(index) {
            data.request_connection(exec_ctx);
        }
    }

    pub(crate) fn reset_backoff(&self, exec_ctx: &mut ExecCtx) {
        for subchannel in self.subchannels.iter().filter_map(|data| data.subchannel.as_ref()) {
            subchannel.subchannel.reset_backoff(exec_ctx);
        }
    }

    /// Shuts down all subchannels except `kept`.
    pub(crate) fn shutdown_others(&mut self, exec_ctx: &mut ExecCtx, kept: usize) {
        let others = self.subchannels.iter_mut().enumerate().filter(|(index, _)| *index != kept);
        others.for_each(|(_, data)| data.shutdown(exec_ctx));
    }

    /// `ShutdownLocked`.
    pub(crate) fn shutdown(mut self, exec_ctx: &mut ExecCtx) {
        self.subchannels.iter_mut().for_each(|data| data.shutdown(exec_ctx));
    }
}

/// The lists of a policy.
#[derive(Default)]
pub(crate) struct SubchannelLists {
    /// `subchannel_list_`.
    pub(crate) present: Option<SubchannelList>,
    /// `latest_pending_subchannel_list_`.
    pub(crate) pending: Option<SubchannelList>,
}

impl SubchannelLists {
    /// Replaces the present list with the pending one, or with none, and shuts the old list down.
    pub(crate) fn promote_pending(&mut self, exec_ctx: &mut ExecCtx) {
        if let Some(before) = std::mem::replace(&mut self.present, self.pending.take()) {
            before.shutdown(exec_ctx);
        }
    }

    /// The list with this number.
    pub(crate) fn find(&mut self, id: u32) -> Option<&mut SubchannelList> {
        [&mut self.present, &mut self.pending].into_iter().flatten().find(|list| list.id == id)
    }
}
