//! The fixed library and application, and their defects.
//!
//! The model is NNG v1.10.1 with two later fixes, 784bfd66 (`nni_aio_stop` waits for an expiration) and 3ca7bcc0
//! (`a_abort` in place of `nni_task_abort`), and with repairs of bugs that are still open upstream. Each repair is
//! marked `Deviates:` in the code, and a variant undoes it.

/// The defect, if any. Variants up to [`Variant::PipeCloseKeepsRecvpipes`] were reported or follow from a report;
/// [`Variant::StaleReplyAccepted`] is planted; the others follow from the source of v1.10.1 and were not reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Variant {
    /// No defect.
    Fixed,
    /// The caller frees a message after a send that succeeded (nng #2111, #2140).
    FreeAfterSendOk,
    /// The caller does not free a message whose send failed: the inverse of [`Variant::FreeAfterSendOk`].
    NoFreeOnSendFail,
    /// The caller frees the callbacks' argument after `nng_ctx_close`, though callbacks may still run (nng #2111).
    CloseWithoutAioWait,
    /// `nni_aio_abort` between begin and schedule withdraws the task, which the provider finishes again (before
    /// 3ca7bcc0).
    DoubleFinishAbortWindow,
    /// Stopping an aio does not wait for an expiration in progress (before 784bfd66).
    StopIgnoresExpiring,
    /// Cancelling a receive frees the message of a send that is still queued (nng #1702, before fe692071).
    RecvCancelLeavesNullReqMsg,
    /// A closed pipe stays on the list of pipes with a request to receive (nng #1959, before 513f9d1b; there in
    /// respond.c).
    PipeCloseKeepsRecvpipes,
    /// A cancel function is called after its context was freed: an abort or an expiry takes it before the close, and
    /// calls it after the close.
    CancelFnDerefsFreedCtx,
    /// A new request keeps the id of the one that it replaces, so a late reply to the old request matches.
    StaleReplyAccepted,
    /// A detached aio that is not finished yet still has a cancel function with its context as the argument.
    DetachedAioKeepsCancelFn,
    /// An abort of an aio that is finished, but whose callback has not run yet, replaces its result (in 3ca7bcc0
    /// itself).
    AbortOverwritesResult,
    /// A late cancel function of a receive aborts the send of the next request (in fe692071 itself).
    StaleRecvCancelAbortsNewSend,
    /// Cancelling a queued send leaves a receive of the same request pending.
    SendCancelStrandsRecv,
    /// A context leaves its socket's list before its teardown, so the socket can be freed while the teardown still uses
    /// it.
    CtxLeavesListBeforeFini,
    /// A pipe that is closed just before its start is put on a second list of its socket.
    PipeStartedAfterClose,
    /// A context that is refused because its socket is closing stays on the socket's list, and the close waits for it.
    RefusedCtxStaysListed,
    /// A pipe that is closed between two parts of a message submits the next write, which is refused without a
    /// callback.
    PartialSendMissesClose,
}

crate::variant::variants!("context_pool");
