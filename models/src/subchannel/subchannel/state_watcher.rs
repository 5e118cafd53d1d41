//! `ConnectedSubchannelStateWatcher`: reports a transport's state to its Subchannel.
//!
//! Upstream (1.53.0, subchannel.cc). It holds a weak ref to the Subchannel and lives as long as the transport's tracker
//! or a pending notification refers to it.

use std::sync::Arc;

use lastref::ledger::Owner;

use crate::subchannel::iomgr::exec_ctx::ExecCtx;
use crate::subchannel::ref_count::RefCount;
use crate::subchannel::subchannel::Subchannel;
use crate::subchannel::subchannel::connected_subchannel::ConnectedSubchannel;
use crate::subchannel::transport::tracker::{Change, Watcher};

/// `ConnectedSubchannelStateWatcher`.
pub(crate) struct ConnectedSubchannelStateWatcher {
    refs: RefCount,
    subchannel: Arc<Subchannel>,
    /// The number of the watched ConnectedSubchannel. Deviates: upstream's watcher does not store it.
    watched: u32,
}

impl ConnectedSubchannelStateWatcher {
    /// Takes over the weak ref "state_watcher". The caller gets the watcher's initial ref.
    pub(crate) fn new(
        subchannel: &Arc<Subchannel>,
        connected: &ConnectedSubchannel,
    ) -> Arc<ConnectedSubchannelStateWatcher> {
        let watched = connected.number;
        let refs = RefCount::new("ConnectedSubchannelStateWatcher", Owner::new("state_watcher", watched));
        Arc::new(ConnectedSubchannelStateWatcher { refs, subchannel: Arc::clone(subchannel), watched })
    }

    fn owner(&self) -> Owner {
        Owner::new("state_watcher", self.watched)
    }
}

impl Watcher for ConnectedSubchannelStateWatcher {
    fn reference(&self) {
        self.refs.reference(self.owner());
    }

    fn unref(&self, _: &mut ExecCtx) {
        self.refs.unref(self.owner(), || self.subchannel.weak_unref("state_watcher"));
    }

    fn on_connectivity_state_change(&self, exec_ctx: &mut ExecCtx, change: Change) {
        self.subchannel.on_transport_state_change(exec_ctx, self.watched, change);
    }
}
