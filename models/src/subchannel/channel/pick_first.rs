//! `PickFirst`: keeps one connection, to the first address that becomes READY.
//!
//! Upstream (1.53.0, pick_first.cc). While a subchannel of the present list is selected, a new list is pending
//! (`latest_pending_subchannel_list_`). It replaces the present list when one of its subchannels is READY or all have
//! failed. If no subchannel is selected, it does so at once.
//!
//! Within a list, the policy requests one connection after the other. It selects the first subchannel that is READY,
//! even if another channel requested that connection, and releases all others of the list, including one that is
//! connecting. When the selected one is no longer READY, the policy takes the pending list; without one, it drops its
//! list and is idle until the next pick.
//!
//! In the report of #38871, the leaked socket belongs to a subchannel that was released while it was connecting.
//! round_robin, which releases none, is not affected.

use std::sync::Arc;

use lastref::property::{always, sometimes};

use crate::subchannel::channel::client_channel::ClientChannel;
use crate::subchannel::channel::picker::Picker;
use crate::subchannel::channel::policy::Policy;
use crate::subchannel::channel::subchannel_list::{SubchannelList, SubchannelLists, SubchannelPosition};
use crate::subchannel::iomgr::exec_ctx::ExecCtx;
use crate::subchannel::subchannel::pool::SubchannelKey;
use crate::subchannel::subchannel::state::State;
use crate::subchannel::variant::Variant;

/// `PickFirst`.
#[derive(Default)]
pub(crate) struct PickFirst {
    latest_update_args: Vec<SubchannelKey>,
    lists: SubchannelLists,
    /// `selected_`: a position in the present list.
    selected: Option<SubchannelPosition>,
    idle: bool,
    keeps_unselected: bool,
    connects_first_address: bool,
    keeps_stale_selection: bool,
}

impl Policy for PickFirst {
    fn lists(&mut self) -> &mut SubchannelLists {
        &mut self.lists
    }

    fn update(&mut self, chand: &Arc<ClientChannel>, exec_ctx: &mut ExecCtx, addresses: Vec<SubchannelKey>) {
        self.keeps_unselected = chand.grpc.variant == Variant::UnselectedKept;
        self.connects_first_address = chand.grpc.variant == Variant::AttemptMovesPastUnseen;
        self.keeps_stale_selection = chand.grpc.variant == Variant::SelectedLeftBehind;
        self.latest_update_args = addresses;
        if !self.idle {
            self.attempt_to_connect_using_latest_update_args(chand, exec_ctx);
        }
    }

    fn exit_idle(&mut self, chand: &Arc<ClientChannel>, exec_ctx: &mut ExecCtx) {
        if std::mem::take(&mut self.idle) {
            self.attempt_to_connect_using_latest_update_args(chand, exec_ctx);
        }
    }

    fn on_change(
        &mut self,
        chand: &Arc<ClientChannel>,
        exec_ctx: &mut ExecCtx,
        place: SubchannelPosition,
        state: State,
    ) {
        self.process_connectivity_change(chand, exec_ctx, place, state);
        self.check_selected();
    }

    /// Checks that hold at quiescence.
    fn check_at_rest(&self) {
        let Some(list) = &self.lists.present else { return };
        let turn = list.subchannels.get(list.attempting_index);
        let waits = self.selected.is_some() || turn.is_none_or(|data| data.state != Some(State::Idle));
        always("pick_first requests a connection to the address whose turn it is", waits);
        let Some(selected) = self.selected else { return };
        let others = list.subchannels.iter().enumerate().filter(|(index, _)| *index != selected.index);
        let is_alone = others.into_iter().all(|(_, data)| data.subchannel.is_none());
        always("pick_first holds no subchannel that it did not select", is_alone);
    }
}

impl PickFirst {
    fn attempt_to_connect_using_latest_update_args(&mut self, chand: &Arc<ClientChannel>, exec_ctx: &mut ExecCtx) {
        // The new list is created before an old one is shut down, so that a subchannel in both keeps its connection.
        let list = SubchannelList::new(chand, exec_ctx, &self.latest_update_args);
        let is_empty = list.subchannels.is_empty();
        if let Some(replaced) = self.lists.pending.replace(list) {
            sometimes("a pending list is replaced by a newer one", true);
            replaced.shutdown(exec_ctx);
        }
        if is_empty {
            chand.update_state(exec_ctx, State::TransientFailure, Picker::transient_failure(chand));
            chand.request_reresolution();
        }
        if is_empty || self.selected.is_none() {
            self.promote_pending(exec_ctx);
        }
        self.check_selected();
    }

    /// Replaces the present list with the pending one, and clears the selection.
    fn promote_pending(&mut self, exec_ctx: &mut ExecCtx) {
        if !self.keeps_stale_selection {
            self.selected = None;
        }
        self.lists.promote_pending(exec_ctx);
    }

    fn is_current(&self, id: u32) -> bool {
        self.lists.present.as_ref().is_some_and(|list| list.id == id)
    }

    /// `ProcessConnectivityChangeLocked`.
    fn process_connectivity_change(
        &mut self,
        chand: &Arc<ClientChannel>,
        exec_ctx: &mut ExecCtx,
        place: SubchannelPosition,
        state: State,
    ) {
        let before = self.lists.find(place.list).and_then(|list| list.note_change(place.index, state));
        let Some(before) = before else {
            sometimes("a state comes for a subchannel that its policy has let go", true);
            return;
        };
        always("no Subchannel reports SHUTDOWN", state != State::Shutdown);
        if self.selected == Some(place) {
            return self.selected_failed(chand, exec_ctx);
        }
        if state == State::Ready {
            return self.process_unselected_ready(chand, exec_ctx, place);
        }
        let (is_current, connects_first_address) = (self.is_current(place.list), self.connects_first_address);
        let Some(list) = self.lists.find(place.list) else { return };
        if before.is_none() {
            // The attempts begin when the state of every subchannel is known, so that a READY one is not overlooked.
            // Deviates: upstream then requests a connection to the first subchannel. But that one may have been
            // connecting for another channel, and may have failed by now. Then the turn has passed to another
            // subchannel, whose connection was not requested because its state was unknown, and reports of the first
            // are ignored. The bug is not reported. Later versions act on no state until all are known.
            if list.all_seen_initial_state() {
                sometimes("an address fails before the states of all are known", list.attempting_index != 0);
                let turn = if connects_first_address { 0 } else { list.attempting_index };
                list.request_connection(exec_ctx, turn);
            }
            return;
        }
        if place.index != list.attempting_index {
            return;
        }
        match state {
            State::TransientFailure => self.attempt_failed(chand, exec_ctx, place),
            State::Idle => list.request_connection(exec_ctx, place.index),
            State::Connecting if is_current && !list.in_transient_failure => {
                chand.update_state(exec_ctx, State::Connecting, Picker::queue(chand));
            }
            State::Connecting | State::Ready | State::Shutdown => {}
        }
    }

    /// The selected subchannel is no longer READY: takes the pending list, or becomes idle.
    fn selected_failed(&mut self, chand: &Arc<ClientChannel>, exec_ctx: &mut ExecCtx) {
        if let Some(pending) = &self.lists.pending {
            sometimes("the selected subchannel fails while a list is pending", true);
            let failed = pending.in_transient_failure;
            self.promote_pending(exec_ctx);
            if failed {
                chand.update_state(exec_ctx, State::TransientFailure, Picker::transient_failure(chand));
            } else {
                chand.update_state(exec_ctx, State::Connecting, Picker::queue(chand));
            }
            return;
        }
        chand.request_reresolution();
        self.idle = true;
        self.promote_pending(exec_ctx);
        chand.update_state(exec_ctx, State::Idle, Picker::queue(chand));
    }

    /// The subchannel whose turn it was has failed; the turn passes to the next.
    fn attempt_failed(&mut self, chand: &Arc<ClientChannel>, exec_ctx: &mut ExecCtx, place: SubchannelPosition) {
        let Some(list) = self.lists.find(place.list) else { return };
        let next = (place.index + 1) % list.subchannels.len();
        list.attempting_index = next;
        if let Some(data) = list.subchannels.get_mut(place.index) {
            data.has_failed = true;
        }
        if next == 0 {
            let failed = list.subchannels.iter().all(|data| data.has_failed);
            always("pick_first fails when every address has failed", failed);
            sometimes("pick_first has tried every address", true);
            list.in_transient_failure = true;
            if !self.is_current(place.list) {
                sometimes("a connection is dropped for a list of which every address has failed", true);
                self.promote_pending(exec_ctx);
            }
            chand.request_reresolution();
            chand.update_state(exec_ctx, State::TransientFailure, Picker::transient_failure(chand));
        }
        let Some(list) = self.lists.find(place.list) else { return };
        if list.subchannels.get(next).is_some_and(|data| data.state == Some(State::Idle)) {
            list.request_connection(exec_ctx, next);
        }
    }

    /// `ProcessUnselectedReadyLocked`.
    fn process_unselected_ready(
        &mut self,
        chand: &Arc<ClientChannel>,
        exec_ctx: &mut ExecCtx,
        place: SubchannelPosition,
    ) {
        if !self.is_current(place.list) {
            self.promote_pending(exec_ctx);
        }
        self.selected = Some(place);
        let keeps_unselected = self.keeps_unselected;
        let Some(list) = &mut self.lists.present else { return };
        list.in_transient_failure = false;
        let selected = list.subchannels.get(place.index).and_then(|data| data.subchannel.clone());
        let picker = Picker::subchannels(chand, selected.into_iter().collect());
        chand.update_state(exec_ctx, State::Ready, picker);
        // upstream: #19357
        if !keeps_unselected {
            list.shutdown_others(exec_ctx, place.index);
        }
    }

    /// Checks an invariant after each event: upstream's `selected_` is a pointer into the present list, and dangles as
    /// soon as that list is replaced.
    fn check_selected(&self) {
        let Some(place) = self.selected else { return };
        let present = self.lists.present.as_ref().filter(|list| list.id == place.list);
        let data = present.and_then(|list| list.subchannels.get(place.index));
        let is_ready = data.is_some_and(|data| data.subchannel.is_some() && data.state == Some(State::Ready));
        always("pick_first selects a READY subchannel of its present list", is_ready);
    }
}
