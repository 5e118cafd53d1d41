//! The chttp2 transport: one HTTP/2 connection, reference-counted.
//!
//! Upstream (1.53.0, chttp2_transport.cc). Everything except the reference count is guarded by the combiner. Refs, by
//! the reasons that upstream logs: "destroy" (the owner's), "reading_action" (while it reads), "writing" (while a write
//! is in progress), "stream" (each stream), "transport_op", and keepalive's three. The last one destroys the endpoint.
//!
//! A close ends every call, with a RST_STREAM each. While a write is in progress, also that of a RST_STREAM, the rest
//! of the close is deferred until that write ends. Then the transport reports SHUTDOWN, cancels its timers and shuts
//! the endpoint down, whose errors end reading and writing. Destroying a transport closes it and releases the owner's
//! ref. A GOAWAY closes nothing: streams above its last one end, no new stream begins, the transport reports
//! TRANSIENT_FAILURE, and it lives as long as a ref to it exists.
//!
//! Left out: flow control, priorities, CONTINUATION, stream limits and streams that wait for them, pings other than
//! keepalive's (such as BDP), memory reclaimers, the server's side.

pub(crate) mod keepalive;
pub(crate) mod stream;
pub(crate) mod tcp;
pub(crate) mod tracker;
pub mod write_state;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use lastref::ledger::{self, Owner};
use lastref::note;
use lastref::property::{Eventually, always, eventually, sometimes};
use lastref::time::Duration;

use crate::kit::http2::{ClientFrame, Goaway, ServerFrame};
use crate::kit::machine;
use crate::subchannel::application::moments::{End, Moment};
use crate::subchannel::iomgr::combiner::{Combiner, Guarded};
use crate::subchannel::iomgr::exec_ctx::ExecCtx;
use crate::subchannel::iomgr::lockfree_event::Closure;
use crate::subchannel::library::Grpc;
use crate::subchannel::ref_count::RefCount;
use crate::subchannel::status::{Error, Outcome, Status};
use crate::subchannel::subchannel::state::State;
use crate::subchannel::transport::keepalive::Keepalive;
use crate::subchannel::transport::stream::Stream;
use crate::subchannel::transport::tcp::Tcp;
use crate::subchannel::transport::tracker::{Change, ConnectivityStateTracker, Watcher};
use crate::subchannel::transport::write_state::{Event, State as WriteState, next};
use crate::subchannel::variant::Variant;

/// The state that the combiner guards.
pub(crate) struct Locked {
    write_state: WriteState,
    pub(crate) qbuf: VecDeque<ClientFrame>,
    pub(crate) closed_with_error: Option<Error>,
    close_transport_on_writes_finished: Option<(Error, Eventually)>,
    notify_on_receive_settings: Option<Closure>,
    state_tracker: ConnectivityStateTracker,
    pub(crate) stream_map: BTreeMap<u32, Arc<Stream>>,
    next_stream_id: u32,
    is_first_frame: bool,
    goaway: Option<Goaway>,
    /// Streams that a GOAWAY has ended, for checks.
    unseen: BTreeSet<u32>,
    pub(crate) keepalive: Keepalive,
}

impl Locked {
    fn meets(&self, end: End) {
        end.finds(Moment {
            is_first_frame: self.is_first_frame,
            is_watched: self.state_tracker.is_watched(),
            has_streams: !self.stream_map.is_empty(),
            is_writing: self.write_state != WriteState::Idle,
        });
    }
}

/// `grpc_chttp2_transport`.
pub(crate) struct Transport {
    refs: RefCount,
    pub(crate) number: u32,
    pub(crate) grpc: Arc<Grpc>,
    pub(crate) combiner: Arc<Combiner>,
    pub(crate) locked: Guarded<Locked>,
    ep: Arc<Tcp>,
}

impl Transport {
    /// `grpc_create_chttp2_transport`: takes the endpoint over, and begins to write the preface.
    pub(crate) fn create(
        grpc: &Arc<Grpc>,
        exec_ctx: &mut ExecCtx,
        ep: Arc<Tcp>,
        keepalive_time: Option<Duration>,
    ) -> Arc<Transport> {
        let number = ep.number();
        let locked = Locked {
            write_state: WriteState::Idle,
            qbuf: VecDeque::from([ClientFrame::Preface]),
            closed_with_error: None,
            close_transport_on_writes_finished: None,
            notify_on_receive_settings: None,
            state_tracker: ConnectivityStateTracker::new(number),
            stream_map: BTreeMap::new(),
            next_stream_id: 1,
            is_first_frame: true,
            goaway: None,
            unseen: BTreeSet::new(),
            keepalive: Keepalive::new(keepalive_time),
        };
        let t = Arc::new(Transport {
            refs: RefCount::new("grpc_chttp2_transport", Owner::new("destroy", number)),
            number,
            grpc: Arc::clone(grpc),
            combiner: Combiner::new(),
            locked: Guarded::named("grpc_chttp2_transport", locked),
            ep,
        });
        t.locked.with(|locked| t.initiate_write(locked, exec_ctx));
        // Deviates: upstream arms the first timer here, outside the combiner; it relies on the setup taking less than
        // the timer's 10 s.
        t.reference("init keepalive ping");
        t.run(exec_ctx, "init keepalive ping", |t, locked, exec_ctx| {
            t.start_keepalive(locked);
            t.unref(exec_ctx, "init keepalive ping");
        });
        t
    }

    #[track_caller]
    pub(crate) fn reference(&self, reason: &'static str) {
        self.refs.reference(Owner::new(reason, self.number));
    }

    #[track_caller]
    pub(crate) fn unref(&self, exec_ctx: &mut ExecCtx, reason: &'static str) {
        self.refs.unref(Owner::new(reason, self.number), || self.ep.destroy(exec_ctx));
    }

    /// `combiner->Run`, for a job that gets the guarded state.
    pub(crate) fn run(
        self: &Arc<Self>,
        exec_ctx: &mut ExecCtx,
        reason: &'static str,
        job: impl FnOnce(&Arc<Transport>, &mut Locked, &mut ExecCtx) + Send + 'static,
    ) {
        let t = Arc::clone(self);
        self.combiner.run(exec_ctx, move |exec_ctx| {
            t.refs.touch(Owner::new(reason, t.number));
            t.locked.with(|locked| job(&t, locked, exec_ctx));
        });
    }

    /// `grpc_chttp2_transport_start_reading`.
    pub(crate) fn start_reading(self: &Arc<Self>, exec_ctx: &mut ExecCtx, notify: Closure) {
        self.reference("reading_action");
        self.locked.with(|locked| locked.notify_on_receive_settings = Some(notify));
        self.run(exec_ctx, "reading_action", |t, _, exec_ctx| t.continue_read_action_locked(exec_ctx));
    }

    fn continue_read_action_locked(self: &Arc<Self>, exec_ctx: &mut ExecCtx) {
        let t = Arc::clone(self);
        let read_action = move |exec_ctx: &mut ExecCtx, result| {
            t.run(exec_ctx, "reading_action", |t, locked, exec_ctx| t.read_action_locked(locked, exec_ctx, result));
        };
        self.ep.read(exec_ctx, Box::new(read_action));
    }

    /// `read_action_locked`.
    fn read_action_locked(
        self: &Arc<Self>,
        locked: &mut Locked,
        exec_ctx: &mut ExecCtx,
        result: Result<Vec<ServerFrame>, Error>,
    ) {
        let error = match result {
            Err(error) => {
                note!("client_transport#{}: Endpoint read failed: {error}", self.number);
                if let Some(end) = End::of_read(error) {
                    locked.meets(end);
                }
                Some(error)
            }
            // upstream: chttp2_transport.cc read_action_locked. A closed transport parses no more frames.
            Ok(_) if locked.closed_with_error.is_some() => Some(Error::TransportClosed),
            Ok(frames) => {
                let parsed = frames.into_iter().try_for_each(|frame| self.parse(locked, exec_ctx, frame));
                parsed.err().or(locked.closed_with_error.map(|_| Error::TransportClosed))
            }
        };
        match error {
            None => {
                self.maybe_reset_keepalive_ping_timer_locked(locked, exec_ctx);
                self.continue_read_action_locked(exec_ctx);
            }
            Some(error) => {
                self.close_transport_locked(locked, exec_ctx, error);
                self.unref(exec_ctx, "reading_action");
            }
        }
    }

    fn parse(self: &Arc<Self>, locked: &mut Locked, exec_ctx: &mut ExecCtx, frame: ServerFrame) -> Outcome {
        if let ServerFrame::Goaway { code, .. } = frame {
            locked.meets(End::Goaway(code));
        }
        // upstream: parsing.cc init_frame_parser
        if locked.is_first_frame && frame != ServerFrame::Settings {
            return Err(Error::ExpectedSettings);
        }
        locked.is_first_frame = false;
        match frame {
            ServerFrame::Settings => {
                locked.qbuf.push_back(ClientFrame::SettingsAck);
                self.initiate_write(locked, exec_ctx);
                if let Some(notify) = locked.notify_on_receive_settings.take() {
                    exec_ctx.run(move |exec_ctx| notify(exec_ctx, Ok(())));
                }
            }
            ServerFrame::Response { stream, payload } => match locked.stream_map.remove(&stream) {
                Some(stream) => {
                    ledger::deliver(payload, stream.tag);
                    stream.finish(Status::Ok);
                }
                None => {
                    always("a server answers no stream that its GOAWAY has ended", !locked.unseen.contains(&stream));
                    sometimes("a response comes for a stream that was cancelled", true);
                }
            },
            ServerFrame::Goaway { last_stream, code } => self.goaway_locked(locked, exec_ctx, last_stream, code),
            ServerFrame::PingAck => self.finish_keepalive_ping_locked(locked, exec_ctx, Ok(())),
            ServerFrame::Ping { opaque } => {
                // upstream: frame_ping.cc grpc_chttp2_add_ping_ack
                locked.qbuf.push_back(ClientFrame::PingAck { opaque });
                self.initiate_write(locked, exec_ctx);
            }
            ServerFrame::RstStream { stream } => {
                // upstream: frame_rst_stream.cc grpc_chttp2_rst_stream_parser_parse
                if let Some(stream) = locked.stream_map.remove(&stream) {
                    stream.finish(Status::Unavailable);
                }
            }
        }
        Ok(())
    }

    /// `grpc_chttp2_add_incoming_goaway`.
    fn goaway_locked(self: &Arc<Self>, locked: &mut Locked, exec_ctx: &mut ExecCtx, last_stream: u32, code: Goaway) {
        locked.goaway = Some(code);
        let unseen = locked.stream_map.split_off(&(last_stream + 1));
        sometimes("a GOAWAY ends a stream that the server has not seen", !unseen.is_empty());
        locked.unseen.extend(unseen.keys());
        for (id, stream) in unseen {
            stream.finish(Status::Unavailable);
            locked.qbuf.push_back(ClientFrame::RstStream { stream: id });
            self.initiate_write(locked, exec_ctx);
        }
        let throttled = match code {
            Goaway::NoError => None,
            Goaway::TooManyPings => locked.keepalive.double(),
        };
        let change = Change { state: State::TransientFailure, keepalive_throttling: throttled };
        locked.state_tracker.set_state(exec_ctx, change);
    }

    /// `grpc_transport_perform_op` with `start_connectivity_watch`: takes over a ref to the watcher.
    pub(crate) fn start_connectivity_watch(self: &Arc<Self>, exec_ctx: &mut ExecCtx, watcher: Arc<dyn Watcher>) {
        self.reference("transport_op");
        self.run(exec_ctx, "transport_op", move |t, locked, exec_ctx| {
            locked.state_tracker.add_watcher(exec_ctx, State::Ready, watcher);
            t.unref(exec_ctx, "transport_op");
        });
    }

    /// `init_stream`.
    #[track_caller]
    pub(crate) fn init_stream(&self, stream: &Stream) {
        self.refs.reference(Owner::new("stream", stream.number));
    }

    /// `perform_stream_op`: begins the call.
    pub(crate) fn perform_stream_op(self: &Arc<Self>, exec_ctx: &mut ExecCtx, stream: &Arc<Stream>) {
        let stream = Arc::clone(stream);
        self.run(exec_ctx, "stream", move |t, locked, exec_ctx| {
            if locked.closed_with_error.is_some() || locked.goaway.is_some() {
                sometimes("a call is begun on a transport that is closed or draining", true);
                return stream.finish(Status::Unavailable);
            }
            let id = locked.next_stream_id;
            locked.next_stream_id += 2;
            locked.qbuf.push_back(ClientFrame::Request { stream: id, tag: stream.tag });
            locked.stream_map.insert(id, stream);
            t.initiate_write(locked, exec_ctx);
        });
    }

    /// `grpc_chttp2_cancel_stream`. Nothing happens if the call has ended.
    pub(crate) fn cancel_stream(self: &Arc<Self>, exec_ctx: &mut ExecCtx, stream: &Arc<Stream>, status: Status) {
        let stream = Arc::clone(stream);
        self.run(exec_ctx, "stream", move |t, locked, exec_ctx| {
            let id = locked.stream_map.iter().find(|(_, open)| open.number == stream.number).map(|(id, _)| *id);
            let Some(id) = id else {
                sometimes("a call ends by itself while it is being cancelled", stream.is_finished());
                return;
            };
            locked.stream_map.remove(&id);
            stream.finish(status);
            if locked.closed_with_error.is_none() {
                locked.qbuf.push_back(ClientFrame::RstStream { stream: id });
                t.initiate_write(locked, exec_ctx);
            }
        });
    }

    /// `destroy_stream`.
    pub(crate) fn destroy_stream(self: &Arc<Self>, exec_ctx: &mut ExecCtx, stream: &Arc<Stream>) {
        let number = stream.number;
        self.run(exec_ctx, "stream", move |t, _, exec_ctx| {
            t.refs.unref(Owner::new("stream", number), || t.ep.destroy(exec_ctx));
        });
    }

    /// `grpc_transport_destroy`: closes the transport and releases the owner's ref.
    pub(crate) fn destroy(self: &Arc<Self>, exec_ctx: &mut ExecCtx) {
        self.run(exec_ctx, "destroy", |t, locked, exec_ctx| {
            // upstream: chttp2_transport.cc destroy_transport_locked
            t.close_transport_locked(locked, exec_ctx, Error::TransportDestroyed);
            t.unref(exec_ctx, "destroy");
        });
    }

    /// `close_transport_locked`.
    pub(crate) fn close_transport_locked(self: &Arc<Self>, locked: &mut Locked, exec_ctx: &mut ExecCtx, error: Error) {
        // upstream: chttp2_transport.cc end_all_the_calls. Its RST_STREAMs are a write, which defers the close.
        for (id, stream) in std::mem::take(&mut locked.stream_map) {
            stream.finish(Status::Unavailable);
            if locked.closed_with_error.is_none() {
                locked.qbuf.push_back(ClientFrame::RstStream { stream: id });
                self.initiate_write(locked, exec_ctx);
            }
        }
        self.cancel_pings(locked, exec_ctx);
        if locked.closed_with_error.is_none() {
            if locked.write_state != WriteState::Idle {
                sometimes("a close is put off because a write is in progress", true);
                let closed = || eventually("a deferred close is carried out when the write ends");
                let (_, closed) = locked.close_transport_on_writes_finished.take().unwrap_or_else(|| (error, closed()));
                locked.close_transport_on_writes_finished = Some((Error::DelayedClose, closed));
                return;
            }
            locked.closed_with_error = Some(error);
            locked.state_tracker.set_state(exec_ctx, Change { state: State::Shutdown, keepalive_throttling: None });
            self.cancel_keepalive(locked, exec_ctx);
            locked.qbuf.clear();
            self.ep.shutdown(exec_ctx, error);
        }
        if let Some(notify) = locked.notify_on_receive_settings.take() {
            exec_ctx.run(move |exec_ctx| notify(exec_ctx, Err(error)));
        }
    }

    /// `set_write_state`, to the next state after `event`.
    fn set_write_state(self: &Arc<Self>, locked: &mut Locked, exec_ctx: &mut ExecCtx, event: Event) {
        let next = next(locked.write_state, event, Owner::new("transport", self.number));
        machine::happens(&mut locked.write_state, self.number, next);
        if locked.write_state == WriteState::Idle
            && let Some((error, closed)) = locked.close_transport_on_writes_finished.take()
            && self.grpc.variant != Variant::DeferredCloseLost
        {
            // upstream: chttp2_transport.cc set_write_state
            self.close_transport_locked(locked, exec_ctx, error);
            closed.reached();
        }
    }

    /// `grpc_chttp2_initiate_write`.
    pub(crate) fn initiate_write(self: &Arc<Self>, locked: &mut Locked, exec_ctx: &mut ExecCtx) {
        let was_idle = locked.write_state == WriteState::Idle;
        self.set_write_state(locked, exec_ctx, Event::Initiate);
        if was_idle {
            self.reference("writing");
            self.run(exec_ctx, "writing", |t, locked, exec_ctx| t.write_action_begin_locked(locked, exec_ctx));
        }
    }

    fn write_action_begin_locked(self: &Arc<Self>, locked: &mut Locked, exec_ctx: &mut ExecCtx) {
        if locked.closed_with_error.is_some() || locked.qbuf.is_empty() {
            self.set_write_state(locked, exec_ctx, Event::Nothing);
            return self.unref(exec_ctx, "writing");
        }
        self.set_write_state(locked, exec_ctx, Event::Begin);
        let outbuf = std::mem::take(&mut locked.qbuf);
        if outbuf.contains(&ClientFrame::Ping) {
            self.start_keepalive_ping_locked(locked);
        }
        let t = Arc::clone(self);
        let write_action_end = move |exec_ctx: &mut ExecCtx, result: Outcome| {
            t.run(exec_ctx, "writing", move |t, locked, exec_ctx| t.write_action_end_locked(locked, exec_ctx, result));
        };
        self.ep.write(exec_ctx, outbuf, Box::new(write_action_end));
    }

    fn write_action_end_locked(self: &Arc<Self>, locked: &mut Locked, exec_ctx: &mut ExecCtx, result: Outcome) {
        if let Err(error) = result {
            self.close_transport_locked(locked, exec_ctx, error);
        }
        let has_more = locked.write_state == WriteState::WritingWithMore;
        self.set_write_state(locked, exec_ctx, Event::End);
        if has_more {
            self.reference("writing");
            self.run(exec_ctx, "writing", |t, locked, exec_ctx| t.write_action_begin_locked(locked, exec_ctx));
        }
        self.unref(exec_ctx, "writing");
    }

    /// The tracker's state, and true if it has a watcher. For checks at quiescence.
    pub(crate) fn inspect(&self) -> Option<(State, bool)> {
        self.locked.with(|locked| (locked.state_tracker.state(), locked.state_tracker.is_watched()))
    }
}
