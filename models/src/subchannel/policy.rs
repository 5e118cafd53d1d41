//! `LoadBalancingPolicy`: which of the two, and what both are asked for.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::client_channel::ClientChannel;
use super::exec_ctx::ExecCtx;
use super::pick_first::PickFirst;
use super::pool::SubchannelKey;
use super::round_robin::RoundRobin;
use super::state::State;
use super::subchannel_list::Place;

/// A policy's name in a service config.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PolicyName {
    /// `pick_first`.
    PickFirst,
    /// `round_robin`.
    RoundRobin,
}

/// A policy. Everything happens in the channel's WorkSerializer.
#[derive(Debug)]
pub(super) enum Policy {
    PickFirst(PickFirst),
    RoundRobin(RoundRobin),
}

impl Policy {
    pub(super) fn new(name: PolicyName) -> Policy {
        match name {
            PolicyName::PickFirst => Policy::PickFirst(PickFirst::default()),
            PolicyName::RoundRobin => Policy::RoundRobin(RoundRobin::default()),
        }
    }

    /// `UpdateLocked`.
    pub(super) fn update(&mut self, chand: &Arc<ClientChannel>, exec_ctx: &mut ExecCtx, addresses: Vec<SubchannelKey>) {
        match self {
            Policy::PickFirst(policy) => policy.update(chand, exec_ctx, addresses),
            Policy::RoundRobin(policy) => policy.update(chand, exec_ctx, &addresses),
        }
    }

    /// `ProcessConnectivityChangeLocked`.
    pub(super) fn on_change(&mut self, chand: &Arc<ClientChannel>, exec_ctx: &mut ExecCtx, place: Place, state: State) {
        match self {
            Policy::PickFirst(policy) => policy.on_change(chand, exec_ctx, place, state),
            Policy::RoundRobin(policy) => policy.on_change(chand, exec_ctx, place, state),
        }
    }

    /// `ExitIdleLocked`. round_robin is never idle.
    pub(super) fn exit_idle(&mut self, chand: &Arc<ClientChannel>, exec_ctx: &mut ExecCtx) {
        if let Policy::PickFirst(policy) = self {
            policy.exit_idle(chand, exec_ctx);
        }
    }

    /// `ResetBackoffLocked`.
    pub(super) fn reset_backoff(&self, exec_ctx: &mut ExecCtx) {
        match self {
            Policy::PickFirst(policy) => policy.reset_backoff(exec_ctx),
            Policy::RoundRobin(policy) => policy.reset_backoff(exec_ctx),
        }
    }

    /// `ShutdownLocked`.
    pub(super) fn shutdown(&mut self, exec_ctx: &mut ExecCtx) {
        match self {
            Policy::PickFirst(policy) => policy.shutdown(exec_ctx),
            Policy::RoundRobin(policy) => policy.shutdown(exec_ctx),
        }
    }

    /// What must hold when nothing is on its way.
    pub(super) fn check_at_rest(&self) {
        if let Policy::PickFirst(policy) = self {
            policy.check_at_rest();
        }
    }
}
