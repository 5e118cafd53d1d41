//! `RoundRobin`: connects to every address, and sends calls to the READY ones in turn.
//!
//! Upstream (1.53.0, round_robin.cc). The policy requests a connection to every subchannel that is IDLE. A new list is
//! pending while the present one has a READY subchannel, until the new one has a READY subchannel too, with every state
//! known, or all of its subchannels have failed. The policy releases subchannels only with their whole list. A
//! subchannel that has failed counts as failed until it is READY again.

use std::sync::Arc;

use lastref::property::{always, sometimes};

use crate::subchannel::channel::client_channel::ClientChannel;
use crate::subchannel::channel::picker::Picker;
use crate::subchannel::channel::policy::Policy;
use crate::subchannel::channel::subchannel_list::{SubchannelList, SubchannelLists, SubchannelPosition};
use crate::subchannel::iomgr::exec_ctx::ExecCtx;
use crate::subchannel::subchannel::pool::SubchannelKey;
use crate::subchannel::subchannel::state::State;

/// `RoundRobin`.
#[derive(Default)]
pub(crate) struct RoundRobin {
    lists: SubchannelLists,
}

/// `num_ready_`, `num_connecting_`, `num_transient_failure_`.
fn count(list: &SubchannelList, state: State) -> usize {
    list.subchannels.iter().filter(|data| data.logical == Some(state)).count()
}

impl Policy for RoundRobin {
    fn lists(&mut self) -> &mut SubchannelLists {
        &mut self.lists
    }

    fn update(&mut self, chand: &Arc<ClientChannel>, exec_ctx: &mut ExecCtx, addresses: Vec<SubchannelKey>) {
        let list = SubchannelList::new(chand, exec_ctx, &addresses);
        let is_empty = list.subchannels.is_empty();
        if let Some(replaced) = self.lists.pending.replace(list) {
            replaced.shutdown(exec_ctx);
        }
        if is_empty || self.lists.present.is_none() {
            self.lists.promote_pending(exec_ctx);
        }
        if is_empty {
            chand.update_state(exec_ctx, State::TransientFailure, Picker::transient_failure(chand));
        }
    }

    fn on_change(
        &mut self,
        chand: &Arc<ClientChannel>,
        exec_ctx: &mut ExecCtx,
        place: SubchannelPosition,
        state: State,
    ) {
        let Some(list) = self.lists.find(place.list) else { return };
        let Some(before) = list.note_change(place.index, state) else { return };
        always("no Subchannel reports SHUTDOWN", state != State::Shutdown);
        if before.is_some() && matches!(state, State::TransientFailure | State::Idle) {
            chand.request_reresolution();
        }
        if state == State::Idle {
            list.request_connection(exec_ctx, place.index);
        }
        // upstream: round_robin.cc UpdateLogicalConnectivityStateLocked
        if let Some(data) = list.subchannels.get_mut(place.index) {
            let failed = data.logical == Some(State::TransientFailure);
            if !(failed && matches!(state, State::Idle | State::Connecting)) {
                data.logical = Some(if state == State::Idle { State::Connecting } else { state });
            }
        }
        self.maybe_update_connectivity_state(chand, exec_ctx, place.list);
    }
}

impl RoundRobin {
    /// `MaybeUpdateRoundRobinConnectivityStateLocked`.
    fn maybe_update_connectivity_state(&mut self, chand: &Arc<ClientChannel>, exec_ctx: &mut ExecCtx, id: u32) {
        let present_ready = self.lists.present.as_ref().map_or(0, |list| count(list, State::Ready));
        let promote = self.lists.pending.as_ref().filter(|list| list.id == id).is_some_and(|list| {
            let (ready, failed) = (count(list, State::Ready), count(list, State::TransientFailure));
            present_ready == 0 || (ready > 0 && list.all_seen_initial_state()) || failed == list.subchannels.len()
        });
        if promote {
            sometimes("round_robin takes a list that was pending", true);
            self.lists.promote_pending(exec_ctx);
        }
        let Some(list) = self.lists.present.as_ref().filter(|list| list.id == id) else { return };
        if count(list, State::Ready) > 0 {
            let ready = list.subchannels.iter().filter(|data| data.logical == Some(State::Ready));
            let ready = ready.filter_map(|data| data.subchannel.clone()).collect();
            chand.update_state(exec_ctx, State::Ready, Picker::subchannels(chand, ready));
        } else if count(list, State::Connecting) > 0 {
            chand.update_state(exec_ctx, State::Connecting, Picker::queue(chand));
        } else if count(list, State::TransientFailure) == list.subchannels.len() {
            chand.update_state(exec_ctx, State::TransientFailure, Picker::transient_failure(chand));
        }
    }
}
