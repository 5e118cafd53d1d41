//! The fixed engine, and its defects.
//!
//! The model is nbio v1.5.12 with the body reader of 00a897c (pull request #502, v1.6.10), and with repairs of bugs
//! that are still open upstream. Each repair is marked `Deviates:` in the code, and a variant undoes it.

/// The defect, if any. Commits in upstream's history fixed the two after [`Variant::FdReuseNoLock`]; those from
/// [`Variant::ReadOverlapsClose`] on follow from the source and were not reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Variant {
    /// No defect.
    Fixed,
    /// `BodyReader.Close` puts the reader back into its pool, each time it is called (nbio #445, #453; v1.5.4 to
    /// v1.5.11).
    ClosePuts,
    /// A body that the handler has kept still points to the pooled reader after the request was released (derived).
    LateCloseRetainedBody,
    /// `Close` does not remove the buffers that it frees, and `Read` still reads them (nbio #502, before 00a897c).
    ReadAfterClose,
    /// `NewBodyReader` does not reset `closed`, which a late `Close` may have set in a pooled reader (v1.5.12 to
    /// v1.6.9).
    GetWithoutResetClosed,
    /// `OnComplete` drops a request whose connection is closed already, without releasing it (before 65aa2db, v1.2.16;
    /// for websocket messages before 84bf8b8, v1.5.6).
    ExecuteRefusedNoFree,
    /// The aligned allocator's `Append` does not free the buffer that it replaces (before 2cb6cc2).
    AppendNoFreeOld,
    /// `Conn.Read` takes no lock and does not check `closed` (nbio #189).
    FdReuseNoLock,
    /// `BodyReader.append` grows a buffer to its capacity and so exposes what was there before (v1.5.4 to v1.5.7).
    AppendGrowsToCap,
    /// The tail of the write cache is replaced by a larger buffer and not freed (before b836026).
    WriteTailNotFreed,
    /// A `Read` and a `Close` of one body are not serialised (all versions).
    ReadOverlapsClose,
    /// A handler that panics leaves its request and its response unreleased (all versions).
    HandlerPanicKeepsRequest,
    /// `OnComplete` releases the refused request, but not the response that it has made for it (all versions).
    RefusedKeepsResponse,
    /// An event that was fetched for a closed connection closes the next one with the same descriptor (all versions).
    StaleEventClosesNewConn,
    /// Stopping the engine does not wait for the listener, which may add a connection that is never closed (all
    /// versions).
    StopMissesAcceptedConn,
}

crate::variant::variants!("buffer_pool");
