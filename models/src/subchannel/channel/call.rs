//! A call: picks a connection, starts on its transport, and ends once.
//!
//! Upstream (client_channel.cc `LoadBalancedCall`, subchannel.cc `SubchannelCall`). A pick that finds no connection is
//! queued until the picker changes. After the pick the call holds a ref to the ConnectedSubchannel, and its stream a
//! ref to the transport, even if the Subchannel is destroyed. Deviates: each call runs on a thread, which blocks where
//! upstream returns.

use std::sync::Arc;

use lastref::ledger::{Owner, Tag};
use lastref::property::sometimes;
use lastref::time::{Duration, Instant, sleep};
use lastref::trace::transition;
use serde::{Deserialize, Serialize};

use crate::subchannel::channel::client_channel::ClientChannel;
use crate::subchannel::channel::picker::PickResult;
use crate::subchannel::iomgr::exec_ctx::ExecCtx;
use crate::subchannel::plan::PAUSE_MS;
use crate::subchannel::status::Status;
use crate::subchannel::subchannel::connected_subchannel::ConnectedSubchannel;
use crate::subchannel::transport::stream::Stream;

lastref::plans! {
    /// When a call starts, and how it ends if its server does not end it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Call {
        /// It waits for its server.
        Wait,
        /// It starts this many milliseconds later, and then waits.
        After(ms: u64 where PAUSE_MS),
        /// Its deadline is this many milliseconds away.
        Deadline(ms: u64 where PAUSE_MS),
        /// It is cancelled right after its start.
        Cancel,
    }
}

impl ClientChannel {
    /// Makes a call and waits for its end.
    pub fn call(self: &Arc<Self>, call: Call, tag: Tag) -> Status {
        let deadline = match call {
            Call::Deadline(ms) => Some(Instant::now() + Duration::from_millis(ms)),
            Call::Wait | Call::After(_) | Call::Cancel => None,
        };
        if let Call::After(ms) = call {
            sleep(Duration::from_millis(ms));
        }
        let number = self.grpc.number();
        let owner = Owner::new("call", number);
        self.reference(owner);
        let status = match self.pick_subchannel(owner, deadline) {
            Ok(connected) => perform(&connected, number, call, deadline, tag),
            Err(status) => status,
        };
        transition("call", number, "begun", status.into());
        sometimes("a call is answered", status == Status::Ok);
        sometimes("a call fails", status == Status::Unavailable);
        self.unref(owner);
        status
    }

    /// `PickSubchannel`. Takes a ref to the connection for the call.
    fn pick_subchannel(
        self: &Arc<Self>,
        call: Owner,
        deadline: Option<Instant>,
    ) -> Result<Arc<ConnectedSubchannel>, Status> {
        loop {
            let present = self.present_picker(call);
            if present.disconnected {
                return Err(Status::Unavailable);
            }
            let picked = present.picker.map_or(PickResult::Queue, |picker| {
                ExecCtx::scope(|exec_ctx| {
                    let picked = picker.pick(self, exec_ctx, call);
                    // upstream: #34307. Runs outside the WorkSerializer, and may release the picker's last ref.
                    picker.unref(exec_ctx, call);
                    picked
                })
            });
            match picked {
                PickResult::Complete(connected) => return Ok(connected),
                PickResult::Fail => return Err(Status::Unavailable),
                PickResult::Queue if self.wait_for_picker(present.updates, deadline) => {}
                PickResult::Queue => return Err(Status::DeadlineExceeded),
            }
        }
    }
}

/// Runs the call on its transport, to its end.
fn perform(
    connected: &Arc<ConnectedSubchannel>,
    number: u32,
    call: Call,
    deadline: Option<Instant>,
    tag: Tag,
) -> Status {
    let transport = &connected.transport;
    let stream = Stream::new(number, tag);
    transport.init_stream(&stream);
    ExecCtx::scope(|exec_ctx| transport.perform_stream_op(exec_ctx, &stream));
    let ended = if call == Call::Cancel { None } else { stream.wait(deadline) };
    let status = ended.or_else(|| {
        let status = if call == Call::Cancel { Status::Cancelled } else { Status::DeadlineExceeded };
        ExecCtx::scope(|exec_ctx| transport.cancel_stream(exec_ctx, &stream, status));
        stream.wait(None)
    });
    ExecCtx::scope(|exec_ctx| {
        transport.destroy_stream(exec_ctx, &stream);
        connected.unref(exec_ctx, Owner::new("call", number));
    });
    status.unwrap_or(Status::Unavailable)
}
