//! The fixed library and application, and the lines that were wrong.
//!
//! The model is NNG v1.10.1 with two later fixes, 784bfd66 (`nni_aio_stop` waits for an expiration) and 3ca7bcc0
//! (`a_abort` in place of `nni_task_abort`), and with repairs of what is still open upstream; each repair is marked
//! `Deviates:` where it stands and has a variant that takes it back.

/// The defect, if any. Variants up to [`Variant::StaleReplyAccepted`] were reported upstream or follow from a report;
/// those after it are derived from the source of v1.10.1, and not reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Variant {
    /// No defect.
    Fixed,
    /// The caller frees a message after a send that succeeded (nng #2111, #2140).
    FreeAfterSendOk,
    /// The caller forgets a message whose send failed: the inverse of [`Variant::FreeAfterSendOk`].
    NoFreeOnSendFail,
    /// The caller takes `nng_ctx_close` for the end of the callbacks and frees their argument (nng #2111).
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
    /// A cancel function is called after its context was freed: taken by an abort or expiry before the close, called
    /// after.
    CancelFnDerefsFreedCtx,
    /// A new request keeps the id of the one that it replaces, so a late reply to the old request matches.
    StaleReplyAccepted,
    /// An aio that its context has let go of, but that is not finished yet, keeps the context as its cancel argument.
    DetachedAioKeepsCancelFn,
    /// An abort of an aio that is finished, but whose callback has not run yet, replaces its result (in 3ca7bcc0
    /// itself).
    AbortOverwritesResult,
    /// A receive's cancel function that comes late aborts the send of the request after it (in fe692071 itself).
    StaleRecvCancelAbortsNewSend,
    /// Cancelling a queued send leaves a receive of the same request pending.
    SendCancelStrandsRecv,
    /// A context leaves its socket's list before its teardown, so that the socket can be freed underneath it.
    CtxLeavesListBeforeFini,
    /// A pipe that is closed while it is about to be started is put on a second list of its socket.
    PipeStartedAfterClose,
    /// A context that is refused because its socket is closing stays on the socket's list, and the close waits for it.
    RefusedCtxStaysListed,
    /// A pipe that is closed between two parts of a message submits the next write, which is refused without a
    /// callback.
    PartialSendMissesClose,
}

impl crate::Variant for Variant {
    const COMPONENT: &'static str = "context_pool";
}
