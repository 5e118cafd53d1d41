//! `ConnectedSubchannel`: a published transport, and the channel stack that owns it.
//!
//! Upstream (1.53.0, subchannel.cc, connected_channel.cc). Refs: the Subchannel's while this transport makes it READY,
//! each call's, and a short one during a pick. The release of the last ref destroys the channel stack, which calls
//! `grpc_transport_destroy`. So a GOAWAY or a close only releases the Subchannel's ref, and calls keep the transport
//! alive.

use std::sync::Arc;

use lastref::ledger::Owner;
use lastref::property::sometimes;

use crate::subchannel::iomgr::exec_ctx::ExecCtx;
use crate::subchannel::library::Grpc;
use crate::subchannel::ref_count::RefCount;
use crate::subchannel::transport::Transport;

/// `ConnectedSubchannel`.
pub(crate) struct ConnectedSubchannel {
    refs: RefCount,
    channel_stack: RefCount,
    pub(crate) number: u32,
    pub(crate) transport: Arc<Transport>,
}

impl ConnectedSubchannel {
    /// Builds the channel stack, which takes ownership of the transport.
    pub(crate) fn new(grpc: &Grpc, transport: Arc<Transport>) -> Arc<ConnectedSubchannel> {
        let number = grpc.number();
        let channel_stack = RefCount::new("grpc_channel_stack", Owner::new("ConnectedSubchannel", number));
        let refs = RefCount::new("ConnectedSubchannel", Owner::new("Subchannel", number));
        Arc::new(ConnectedSubchannel { refs, channel_stack, number, transport })
    }

    #[track_caller]
    pub(crate) fn reference(&self, holder: Owner) {
        self.refs.reference(holder);
    }

    #[track_caller]
    pub(crate) fn unref(&self, exec_ctx: &mut ExecCtx, holder: Owner) {
        self.refs.unref(holder, || {
            let is_call = holder != Owner::new("Subchannel", self.number);
            sometimes("a call is the last to let go of a connection", is_call);
            let stack = Owner::new("ConnectedSubchannel", self.number);
            self.channel_stack.unref(stack, || self.transport.destroy(exec_ctx));
        });
    }

    /// Releases the Subchannel's ref.
    pub(crate) fn reset(&self, exec_ctx: &mut ExecCtx) {
        self.unref(exec_ctx, Owner::new("Subchannel", self.number));
    }
}
