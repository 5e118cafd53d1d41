//! The states of a `req0_ctx` and their transitions: a pure function, against which the model checks itself.
//!
//! Upstream has no variable for the state; it follows from `send_aio`, `recv_aio`, `req_msg`, `rep_msg` and
//! `conn_reset` (v1.10.1, req.c). The model computes the state from those fields before and after each event, and
//! compares the later state with this table's next state for the earlier one.
//!
//! ```text
//!            send               a pipe takes it          reply                 recv
//!  Idle ─────────► SendQueued ─────────────────► Sent ──────────► Replied ──────────► Idle
//!                       │ recv                     │ recv                             ▲
//!                       ▼                          ▼                       reply      │
//!             SendQueuedReceiving ───────────► Receiving ─────────────────────────────┘
//! ```

use std::fmt;

use lastref::ledger::Owner;

use super::errno::Errno;
use crate::kit::machine::{Symbol, machine};

machine! {
    a "req0_ctx"

    /// The state of a context.
    pub enum State {
        /// No request.
        Idle,
        /// The request waits for a pipe.
        SendQueued,
        /// The request waits for a pipe, and a receive waits for the reply already.
        SendQueuedReceiving,
        /// A pipe has the request; the context keeps a clone for sending it again.
        Sent,
        /// A pipe has the request, and a receive waits for the reply.
        Receiving,
        /// The reply waits for a receive.
        Replied,
        /// The pipe was lost with the request, and resending is disabled; the next receive fails with `NNG_ECONNRESET`.
        ConnReset,
        /// Torn down.
        Closed,
    }

    /// An event of a context.
    pub enum Event {
        /// `req0_ctx_send` takes a request.
        Send,
        /// `req0_ctx_send` is refused: no pipe is ready, and the aio cannot wait.
        SendRefused,
        /// `req0_run_send_queue` hands the request to a pipe, for the first time or again.
        PipeTakes,
        /// `req0_ctx_recv`.
        Recv,
        /// `req0_ctx_recv` would have to wait, but the aio cannot.
        RecvRefused,
        /// `req0_recv_cb` found the context by the reply's id.
        Reply,
        /// `req0_ctx_cancel_send`.
        CancelSend,
        /// `req0_ctx_cancel_recv`.
        CancelRecv,
        /// `req0_pipe_close`, if the context does not resend.
        PipeLost,
        /// `req0_pipe_close`, if the context resends.
        PipeLostRetry,
        /// `req0_retry_cb`: the resend time has passed.
        Resend,
        /// `req0_ctx_fini`.
        Fini,
    }
}

/// How the event ends an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ending {
    /// With success.
    Success,
    /// With this code.
    Code(Errno),
    /// With the code that the canceller chose.
    AsCancelled,
}

/// The effect of an event on a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step {
    /// The state after it.
    pub to: State,
    /// The result of the pending send, if the event ends it.
    pub send: Option<Ending>,
    /// The result of the pending or new receive, if the event ends it.
    pub recv: Option<Ending>,
}

impl State {
    /// Whether a send is pending.
    pub fn sending(self) -> bool {
        matches!(self, State::SendQueued | State::SendQueuedReceiving)
    }

    /// Whether a receive is pending.
    pub fn receiving(self) -> bool {
        matches!(self, State::SendQueuedReceiving | State::Receiving)
    }

    /// Whether a request is outstanding, so that its id is in `requests`.
    pub fn outstanding(self) -> bool {
        matches!(self, State::SendQueued | State::SendQueuedReceiving | State::Sent | State::Receiving)
    }
}

/// The effect of `event` on `state`.
///
/// # Errors
///
/// The state does not allow the event; the error names both and the actor.
pub fn next(state: State, event: Event, actor: Owner) -> Result<Step, Illegal> {
    use State::{Closed, ConnReset, Idle, Receiving, Replied, SendQueued, SendQueuedReceiving, Sent};
    let stay = Step { to: state, send: None, recv: None };
    let illegal = Err(illegal(state, event, actor));
    // The step of an event that ends all pending operations with one result.
    let all =
        |to, ending| Step { to, send: state.sending().then_some(ending), recv: state.receiving().then_some(ending) };
    let received = |to, ending| Step { to, recv: Some(ending), ..stay };
    let canceled = Ending::Code(Errno::Canceled);
    Ok(match (event, state) {
        // A cancel function that was taken before the context was closed, and runs before it is freed.
        (Event::CancelSend | Event::CancelRecv, Closed) => stay,
        (_, Closed) => return illegal,
        (Event::Send, _) => all(SendQueued, canceled),
        (Event::SendRefused, _) => all(Idle, canceled),
        (Event::PipeTakes, SendQueued) => Step { to: Sent, send: Some(Ending::Success), recv: None },
        (Event::PipeTakes, SendQueuedReceiving) => Step { to: Receiving, send: Some(Ending::Success), recv: None },
        (Event::PipeTakes, Sent | Receiving) => stay,
        (Event::PipeTakes, Idle | Replied | ConnReset) => return illegal,
        (Event::Recv, SendQueued) => Step { to: SendQueuedReceiving, ..stay },
        (Event::Recv, Sent) => Step { to: Receiving, ..stay },
        (Event::Recv, Replied) => received(Idle, Ending::Success),
        (Event::Recv, ConnReset) => received(Idle, Ending::Code(Errno::ConnReset)),
        // The pending receive stays; the new one is refused.
        (Event::Recv, Idle | Receiving | SendQueuedReceiving) => received(state, Ending::Code(Errno::State)),
        (Event::RecvRefused, SendQueued | Sent) => received(state, Ending::AsCancelled),
        (Event::RecvRefused, _) => return illegal,
        (Event::Reply, Sent) => Step { to: Replied, ..stay },
        (Event::Reply, Receiving) => received(Idle, Ending::Success),
        // The request was not sent yet, so this reply answers another request, and is dropped.
        (Event::Reply, SendQueued | SendQueuedReceiving) => stay,
        (Event::Reply, Idle | Replied | ConnReset) => return illegal,
        // Deviates: see `req_ctx::cancel_send` for a receive that is pending meanwhile.
        (Event::CancelSend, SendQueued) => Step { to: Idle, send: Some(Ending::AsCancelled), recv: None },
        (Event::CancelSend, SendQueuedReceiving) => {
            Step { to: Idle, send: Some(Ending::AsCancelled), recv: Some(canceled) }
        }
        (Event::CancelRecv, Receiving) => received(Idle, Ending::AsCancelled),
        (Event::CancelRecv, SendQueuedReceiving) => {
            Step { to: Idle, send: Some(canceled), recv: Some(Ending::AsCancelled) }
        }
        // The operation ended before its cancel function ran.
        (Event::CancelSend | Event::CancelRecv, _) => stay,
        (Event::PipeLost, Receiving) => received(Idle, Ending::Code(Errno::ConnReset)),
        // A context stays on its pipe's list after the reply, so the loss of the pipe also discards a reply that no
        // receive has taken.
        (Event::PipeLost, Idle | Sent | Replied | ConnReset) => Step { to: ConnReset, ..stay },
        (Event::PipeLostRetry, Idle | Sent | Receiving | Replied | ConnReset) => stay,
        (Event::PipeLost | Event::PipeLostRetry, SendQueued | SendQueuedReceiving) => return illegal,
        (Event::Resend, SendQueued | SendQueuedReceiving | Sent | Receiving) => stay,
        (Event::Resend, Idle | Replied | ConnReset) => return illegal,
        (Event::Fini, _) => all(Closed, Ending::Code(Errno::Closed)),
    })
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<20}", self.to.name())?;
        for (operation, ending) in [("send", self.send), ("recv", self.recv)] {
            match ending {
                None => {}
                Some(Ending::Success) => write!(f, " {operation} ends with 0")?,
                Some(Ending::Code(errno)) => write!(f, " {operation} ends with {errno}")?,
                Some(Ending::AsCancelled) => write!(f, " {operation} ends with the canceller's code")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::machine::reached;

    #[test]
    fn every_state_is_reached_from_idle() {
        assert_eq!(reached(State::Idle, |state, event, actor| Some(next(state, event, actor).ok()?.to)), State::ALL);
    }

    #[test]
    fn a_pending_operation_ends_where_the_state_stops_having_one() {
        let rows = State::ALL.iter().flat_map(|&state| Event::ALL.iter().map(move |&event| (state, event)));
        for (state, event) in rows {
            let Ok(step) = next(state, event, Owner::new("test", 0)) else { continue };
            // A send that replaces another ends the older one and is pending itself.
            if state.sending() && (!step.to.sending() || event == Event::Send) {
                assert!(step.send.is_some(), "{state:?} {event:?}");
            }
            if state.receiving() && !step.to.receiving() {
                assert!(step.recv.is_some(), "{state:?} {event:?}");
            }
            if !state.sending() {
                assert_eq!(step.send, None, "{state:?} {event:?}");
            }
        }
    }
}
