//! `ClientChannel`: a policy, in the control plane, and a picker, in the data plane.
//!
//! Upstream (client_channel.cc of 1.53.0, picks and SubchannelWrapper as #34321 left them). The WorkSerializer guards
//! the control plane: resolver results, the policy, the list of SubchannelWrappers, the keepalive time. `lb_mu_` guards
//! the data plane: the present picker. The channel stack is reference-counted: the application, each SubchannelWrapper
//! and each call hold a ref.
//!
//! Left out: the resolver itself (a scenario passes results to [`ClientChannel::update`]), service configs, retries,
//! the channel's own connectivity state and idleness timer.

use std::sync::Arc;

use lastref::cell::RaceCell;
use lastref::ledger::Owner;
use lastref::note;
use lastref::property::{always, sometimes};
use lastref::sync::{Condvar, Mutex};
use lastref::time::{Duration, Instant};
use lastref::trace::transition;

use crate::kit::harness::{impl_debug, wait_until};
use crate::kit::machine::Symbol;
use crate::subchannel::application::moments::ChannelAct;
use crate::subchannel::channel::picker::Picker;
use crate::subchannel::channel::policy::{Policy, PolicyName};
use crate::subchannel::channel::subchannel_list::SubchannelPosition;
use crate::subchannel::channel::subchannel_wrapper::SubchannelWrapper;
use crate::subchannel::iomgr::combiner::Guarded;
use crate::subchannel::iomgr::exec_ctx::ExecCtx;
use crate::subchannel::iomgr::work_serializer::WorkSerializer;
use crate::subchannel::library::Grpc;
use crate::subchannel::ref_count::RefCount;
use crate::subchannel::subchannel::pool::SubchannelKey;
use crate::subchannel::subchannel::state::State;

/// `ClientChannel`.
pub struct ClientChannel {
    pub(crate) grpc: Arc<Grpc>,
    pub(crate) number: u32,
    owning_stack: RefCount,
    destroyed: Mutex<bool>,
    destroyed_cv: Condvar,
    pub(crate) work_serializer: WorkSerializer,
    control: Guarded<Control>,
    /// Guarded by the WorkSerializer.
    pub(crate) subchannel_wrappers: RaceCell<Vec<Arc<SubchannelWrapper>>>,
    /// Guarded by the WorkSerializer.
    keepalive_time: RaceCell<Option<Duration>>,
    lb_mu: Mutex<DataPlane>,
    picker_changed: Condvar,
}

/// The state that the WorkSerializer guards, except for fields that other objects access directly.
struct Control {
    lb_policy: Option<Box<dyn Policy>>,
    state: State,
}

/// The state that `lb_mu_` guards.
#[derive(Clone)]
pub(crate) struct DataPlane {
    pub(crate) picker: Option<Arc<Picker>>,
    pub(crate) updates: u64,
    pub(crate) disconnected: bool,
}

impl ClientChannel {
    /// Opens a channel with this policy, without addresses.
    pub fn open(grpc: &Arc<Grpc>, policy: PolicyName, keepalive_time: Option<Duration>) -> Arc<ClientChannel> {
        let number = grpc.number();
        Arc::new(ClientChannel {
            grpc: Arc::clone(grpc),
            number,
            owning_stack: RefCount::new("grpc_channel", Owner::new("grpc_channel", number)),
            destroyed: Mutex::named("grpc_channel", false),
            destroyed_cv: Condvar::named("grpc_channel"),
            work_serializer: WorkSerializer::new(),
            control: Guarded::named("ClientChannel", Control { lb_policy: Some(policy.create()), state: State::Idle }),
            subchannel_wrappers: RaceCell::named("subchannel_wrappers_", Vec::new()),
            keepalive_time: RaceCell::named("keepalive_time_", keepalive_time),
            lb_mu: Mutex::named("lb_mu_", DataPlane { picker: None, updates: 0, disconnected: false }),
            picker_changed: Condvar::named("lb_mu_"),
        })
    }

    #[track_caller]
    pub(crate) fn reference(&self, holder: Owner) {
        self.owning_stack.reference(holder);
    }

    #[track_caller]
    pub(crate) fn unref(&self, holder: Owner) {
        self.owning_stack.unref(holder, || {
            let left = self.subchannel_wrappers.with(Vec::len);
            always("a channel is destroyed after its SubchannelWrappers", left == 0);
            *self.destroyed.lock() = true;
            self.destroyed_cv.notify_all();
        });
    }

    /// Adds a stub for calls: the channel stack lives until [`ClientChannel::drop_stub`], even after the channel is
    /// destroyed.
    pub fn create_stub(&self, number: u32) {
        self.reference(Owner::new("stub", number));
    }

    /// Drops a stub.
    pub fn drop_stub(&self, number: u32) {
        self.unref(Owner::new("stub", number));
    }

    /// Runs `job` with the policy in the WorkSerializer, unless the policy is shut down.
    fn with_policy(
        self: &Arc<Self>,
        exec_ctx: &mut ExecCtx,
        job: impl FnOnce(&mut dyn Policy, &Arc<ClientChannel>, &mut ExecCtx) + Send + 'static,
    ) {
        let chand = Arc::clone(self);
        let holder = Owner::new("WorkSerializer", self.grpc.number());
        self.reference(holder);
        self.work_serializer.run(exec_ctx, move |exec_ctx| {
            chand.control.with(|control| {
                if let Some(policy) = &mut control.lb_policy {
                    job(&mut **policy, &chand, exec_ctx);
                }
            });
            chand.unref(holder);
        });
    }

    /// A resolver result: `OnResolverResultChangedLocked`, down to the policy's `UpdateLocked`.
    pub fn update(self: &Arc<Self>, exec_ctx: &mut ExecCtx, addresses: Vec<SubchannelKey>) {
        self.with_policy(exec_ctx, |policy, chand, exec_ctx| {
            chand.meets(|key| ChannelAct::update(&addresses, key));
            policy.update(chand, exec_ctx, addresses);
        });
    }

    /// `grpc_channel_reset_connect_backoff`.
    pub fn reset_connect_backoff(self: &Arc<Self>, exec_ctx: &mut ExecCtx) {
        self.with_policy(exec_ctx, |policy, _, exec_ctx| policy.reset_backoff(exec_ctx));
    }

    /// `ExitIdleLocked`, from a pick.
    pub(crate) fn exit_idle(self: &Arc<Self>, exec_ctx: &mut ExecCtx) {
        self.with_policy(exec_ctx, |policy, chand, exec_ctx| policy.exit_idle(chand, exec_ctx));
    }

    /// Passes a subchannel's new state to the policy. In the WorkSerializer.
    pub(crate) fn on_subchannel_change(
        self: &Arc<Self>,
        exec_ctx: &mut ExecCtx,
        place: SubchannelPosition,
        state: State,
    ) {
        self.control.with(|control| {
            if let Some(policy) = &mut control.lb_policy {
                policy.on_change(self, exec_ctx, place, state);
            }
        });
    }

    /// `keepalive_time_`. In the WorkSerializer.
    pub(crate) fn keepalive_time(&self) -> Option<Duration> {
        self.keepalive_time.get()
    }

    /// Raises the keepalive time of all subchannels of the channel: a server sent ENHANCE_YOUR_CALM to one of its
    /// transports. In the WorkSerializer.
    pub(crate) fn throttle_keepalive_time(&self, keepalive_time: Duration) {
        if self.keepalive_time.get().is_none_or(|time| time >= keepalive_time) {
            return;
        }
        note!("ClientChannel#{}: throttling keepalive time to {} s", self.number, keepalive_time.as_secs());
        sometimes("ENHANCE_YOUR_CALM doubles the channel's keepalive time", true);
        self.keepalive_time.set(Some(keepalive_time));
        let wrappers = self.subchannel_wrappers.with(Vec::clone);
        wrappers.iter().for_each(|wrapper| wrapper.subchannel.throttle_keepalive_time(keepalive_time));
    }

    /// `ClientChannelControlHelper::UpdateState`. The picker's first ref is the channel's.
    pub(crate) fn update_state(&self, exec_ctx: &mut ExecCtx, state: State, picker: Arc<Picker>) {
        note!("ClientChannel#{}: {}", self.number, state.name());
        self.replace_picker(exec_ctx, Some(picker));
    }

    fn replace_picker(&self, exec_ctx: &mut ExecCtx, picker: Option<Arc<Picker>>) {
        let mut data_plane = self.lb_mu.lock();
        data_plane.updates += 1;
        data_plane.disconnected |= picker.is_none();
        let before = std::mem::replace(&mut data_plane.picker, picker);
        self.picker_changed.notify_all();
        drop(data_plane);
        // After the lock is released, since the last ref to a picker also releases its subchannels.
        if let Some(before) = before {
            before.unref(exec_ctx, Owner::new("ClientChannel", self.number));
        }
    }

    /// `RequestReresolution`: only noted. The resolver is left out; a scenario delivers results at any time.
    pub(crate) fn request_reresolution(&self) {
        note!("ClientChannel#{}: RequestReresolution", self.number);
    }

    /// The present picker, with a ref for `call`.
    pub(crate) fn present_picker(&self, call: Owner) -> DataPlane {
        let data_plane = self.lb_mu.lock();
        if let Some(picker) = &data_plane.picker {
            picker.reference(call);
        }
        data_plane.clone()
    }

    /// Waits until the number of picker updates is no longer `updates`. False if the deadline passes first.
    pub(crate) fn wait_for_picker(&self, updates: u64, deadline: Option<Instant>) -> bool {
        let mut data_plane = self.lb_mu.lock();
        while data_plane.updates == updates {
            let Ok(notified) = wait_until(&self.picker_changed, data_plane, deadline) else { return false };
            data_plane = notified;
        }
        true
    }

    /// `grpc_channel_destroy`: disconnects, and releases the application's ref.
    pub fn destroy(self: &Arc<Self>, exec_ctx: &mut ExecCtx) {
        let chand = Arc::clone(self);
        let holder = Owner::new("WorkSerializer", self.grpc.number());
        self.reference(holder);
        self.work_serializer.run(exec_ctx, move |exec_ctx| {
            // upstream: client_channel.cc DestroyResolverAndLbPolicyLocked
            chand.meets(|_| Some(ChannelAct::Close));
            chand.control.with(|control| {
                transition("ClientChannel", chand.number, control.state.name(), State::Shutdown.name());
                control.state = State::Shutdown;
                if let Some(mut policy) = control.lb_policy.take() {
                    policy.shutdown(exec_ctx);
                }
                chand.replace_picker(exec_ctx, None);
            });
            chand.unref(holder);
        });
        self.unref(Owner::new("grpc_channel", self.number));
    }

    /// Waits until the last ref to the channel stack is gone.
    pub fn wait_destroyed(&self) {
        drop(self.destroyed_cv.wait_while(self.destroyed.lock(), |destroyed| !*destroyed));
    }

    /// Reports the stage of each connection attempt of the channel at an act of the application. In the WorkSerializer.
    fn meets(&self, doing: impl Fn(SubchannelKey) -> Option<ChannelAct>) {
        self.subchannel_wrappers.with(|wrappers| {
            for subchannel in wrappers.iter().map(|wrapper| &wrapper.subchannel) {
                if let Some(doing) = doing(subchannel.key) {
                    doing.finds(subchannel.stage());
                }
            }
        });
    }

    /// Checks that hold at quiescence.
    pub(crate) fn check_at_rest(&self) {
        self.control.with(|control| control.lb_policy.as_ref().map(|policy| policy.check_at_rest()));
    }
}

impl_debug!(ClientChannel { number });
