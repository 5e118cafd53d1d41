//! `SubchannelPicker`: a policy's rule by which calls choose a subchannel.
//!
//! Upstream (lb_policy.h, pick_first.cc, round_robin.cc). A picker is reference-counted: the channel holds a ref to the
//! present one, and each call holds one during its pick. So a replaced picker lives until the last such call releases
//! it. Then the thread of that call also releases the picker's refs to the subchannels.

use std::sync::Arc;

use lastref::ledger::Owner;
use lastref::property::sometimes;
use lastref::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::subchannel::channel::client_channel::ClientChannel;
use crate::subchannel::channel::subchannel_wrapper::SubchannelWrapper;
use crate::subchannel::iomgr::exec_ctx::ExecCtx;
use crate::subchannel::ref_count::RefCount;
use crate::subchannel::subchannel::connected_subchannel::ConnectedSubchannel;

/// The result of a pick.
pub(crate) enum PickResult {
    /// A connection, with a ref for the call.
    Complete(Arc<ConnectedSubchannel>),
    /// The call picks again when the picker has changed.
    Queue,
    /// The call fails.
    Fail,
}

/// How a picker chooses.
pub(crate) enum Choice {
    /// `QueuePicker`: queues every pick. The first pick makes an idle policy connect.
    Queue { exit_idle_called: AtomicBool },
    /// `TransientFailurePicker`.
    TransientFailure,
    /// pick_first: always the same subchannel. round_robin: these subchannels in turn.
    Subchannels { subchannels: Vec<Arc<SubchannelWrapper>>, last_picked: AtomicUsize },
}

/// `SubchannelPicker`.
pub(crate) struct Picker {
    refs: RefCount,
    number: u32,
    choice: Choice,
}

impl Picker {
    fn new(chand: &ClientChannel, choice: Choice) -> Arc<Picker> {
        let number = chand.grpc.number();
        let refs = RefCount::new("SubchannelPicker", Owner::new("ClientChannel", chand.number));
        Arc::new(Picker { refs, number, choice })
    }

    pub(crate) fn queue(chand: &ClientChannel) -> Arc<Picker> {
        Picker::new(chand, Choice::Queue { exit_idle_called: AtomicBool::named("exit_idle_called_", false) })
    }

    pub(crate) fn transient_failure(chand: &ClientChannel) -> Arc<Picker> {
        Picker::new(chand, Choice::TransientFailure)
    }

    /// Chooses among these subchannels, and holds a strong ref to each.
    pub(crate) fn subchannels(chand: &ClientChannel, subchannels: Vec<Arc<SubchannelWrapper>>) -> Arc<Picker> {
        let last_picked = AtomicUsize::named("last_picked_index_", 0);
        let picker = Picker::new(chand, Choice::Subchannels { subchannels, last_picked });
        if let Choice::Subchannels { subchannels, .. } = &picker.choice {
            subchannels.iter().for_each(|subchannel| subchannel.strong_ref(picker.owner()));
        }
        picker
    }

    fn owner(&self) -> Owner {
        Owner::new("SubchannelPicker", self.number)
    }

    #[track_caller]
    pub(crate) fn reference(&self, holder: Owner) {
        self.refs.reference(holder);
    }

    #[track_caller]
    pub(crate) fn unref(&self, exec_ctx: &mut ExecCtx, holder: Owner) {
        self.refs.unref(holder, || {
            if let Choice::Subchannels { subchannels, .. } = &self.choice {
                subchannels.iter().for_each(|subchannel| subchannel.unref(exec_ctx, self.owner()));
            }
        });
    }

    /// `Pick`, for `call`.
    pub(crate) fn pick(&self, chand: &Arc<ClientChannel>, exec_ctx: &mut ExecCtx, call: Owner) -> PickResult {
        self.refs.touch(call);
        match &self.choice {
            Choice::TransientFailure => PickResult::Fail,
            Choice::Queue { exit_idle_called } => {
                if !exit_idle_called.swap(true, Ordering::AcqRel) {
                    let chand = Arc::clone(chand);
                    exec_ctx.run(move |exec_ctx| chand.exit_idle(exec_ctx));
                }
                PickResult::Queue
            }
            Choice::Subchannels { subchannels, last_picked } => {
                let index = last_picked.fetch_add(1, Ordering::Relaxed) % subchannels.len().max(1);
                let Some(subchannel) = subchannels.get(index) else { return PickResult::Queue };
                subchannel.touch(call);
                let connected = subchannel.subchannel.connected_subchannel(call);
                // The subchannel is no longer READY, but the policy does not know yet, or has not published a new
                // picker.
                sometimes("a picked subchannel has no connection any more", connected.is_none());
                connected.map_or(PickResult::Queue, PickResult::Complete)
            }
        }
    }
}
