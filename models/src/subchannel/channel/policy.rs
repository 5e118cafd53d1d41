//! `LoadBalancingPolicy`: the common interface of pick_first and round_robin.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::subchannel::channel::client_channel::ClientChannel;
use crate::subchannel::channel::pick_first::PickFirst;
use crate::subchannel::channel::round_robin::RoundRobin;
use crate::subchannel::channel::subchannel_list::SubchannelPosition;
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

/// A policy. All of its functions run in the channel's WorkSerializer.
#[derive(Debug)]
pub(crate) enum Policy {
    PickFirst(PickFirst),
    RoundRobin(RoundRobin),
}

impl Policy {
    pub(crate) fn new(name: PolicyName) -> Policy {
        match name {
            PolicyName::PickFirst => Policy::PickFirst(PickFirst::default()),
            PolicyName::RoundRobin => Policy::RoundRobin(RoundRobin::default()),
        }
    }

    /// `UpdateLocked`.
    pub(crate) fn update(&mut self, chand: &Arc<ClientChannel>, exec_ctx: &mut ExecCtx, addresses: Vec<SubchannelKey>) {
        match self {
            Policy::PickFirst(policy) => policy.update(chand, exec_ctx, addresses),
            Policy::RoundRobin(policy) => policy.update(chand, exec_ctx, &addresses),
        }
    }

    /// `ProcessConnectivityChangeLocked`.
    pub(crate) fn on_change(
        &mut self,
        chand: &Arc<ClientChannel>,
        exec_ctx: &mut ExecCtx,
        place: SubchannelPosition,
        state: State,
    ) {
        match self {
            Policy::PickFirst(policy) => policy.on_change(chand, exec_ctx, place, state),
            Policy::RoundRobin(policy) => policy.on_change(chand, exec_ctx, place, state),
        }
    }

    /// `ExitIdleLocked`. round_robin is never idle.
    pub(crate) fn exit_idle(&mut self, chand: &Arc<ClientChannel>, exec_ctx: &mut ExecCtx) {
        if let Policy::PickFirst(policy) = self {
            policy.exit_idle(chand, exec_ctx);
        }
    }

    /// `ResetBackoffLocked`.
    pub(crate) fn reset_backoff(&self, exec_ctx: &mut ExecCtx) {
        match self {
            Policy::PickFirst(policy) => policy.reset_backoff(exec_ctx),
            Policy::RoundRobin(policy) => policy.reset_backoff(exec_ctx),
        }
    }

    /// `ShutdownLocked`.
    pub(crate) fn shutdown(&mut self, exec_ctx: &mut ExecCtx) {
        match self {
            Policy::PickFirst(policy) => policy.shutdown(exec_ctx),
            Policy::RoundRobin(policy) => policy.shutdown(exec_ctx),
        }
    }

    /// Checks that hold at quiescence.
    pub(crate) fn check_at_rest(&self) {
        if let Policy::PickFirst(policy) = self {
            policy.check_at_rest();
        }
    }
}
