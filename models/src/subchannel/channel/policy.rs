//! `LoadBalancingPolicy`: the common interface of pick_first and round_robin.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::subchannel::channel::client_channel::ClientChannel;
use crate::subchannel::channel::pick_first::PickFirst;
use crate::subchannel::channel::round_robin::RoundRobin;
use crate::subchannel::channel::subchannel_list::{SubchannelLists, SubchannelPosition};
use crate::subchannel::iomgr::exec_ctx::ExecCtx;
use crate::subchannel::subchannel::pool::SubchannelKey;
use crate::subchannel::subchannel::state::State;

/// A policy's name in a service config.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PolicyName {
    /// `pick_first`.
    PickFirst,
    /// `round_robin`.
    RoundRobin,
}

impl PolicyName {
    /// A policy of this name.
    pub(crate) fn create(self) -> Box<dyn Policy> {
        match self {
            PolicyName::PickFirst => Box::new(PickFirst::default()),
            PolicyName::RoundRobin => Box::new(RoundRobin::default()),
        }
    }
}

/// A policy. All of its functions run in the channel's WorkSerializer.
pub(crate) trait Policy: Send {
    fn lists(&mut self) -> &mut SubchannelLists;

    /// `UpdateLocked`.
    fn update(&mut self, chand: &Arc<ClientChannel>, exec_ctx: &mut ExecCtx, addresses: Vec<SubchannelKey>);

    /// `ProcessConnectivityChangeLocked`.
    fn on_change(
        &mut self,
        chand: &Arc<ClientChannel>,
        exec_ctx: &mut ExecCtx,
        place: SubchannelPosition,
        state: State,
    );

    /// `ExitIdleLocked`. round_robin is never idle.
    fn exit_idle(&mut self, _: &Arc<ClientChannel>, _: &mut ExecCtx) {}

    /// `ResetBackoffLocked`.
    fn reset_backoff(&mut self, exec_ctx: &mut ExecCtx) {
        let SubchannelLists { present, pending } = self.lists();
        [present, pending].into_iter().flatten().for_each(|list| list.reset_backoff(exec_ctx));
    }

    /// `ShutdownLocked`.
    fn shutdown(&mut self, exec_ctx: &mut ExecCtx) {
        let SubchannelLists { present, pending } = std::mem::take(self.lists());
        [present, pending].into_iter().flatten().for_each(|list| list.shutdown(exec_ctx));
    }

    /// Checks that hold at quiescence.
    fn check_at_rest(&self) {}
}
