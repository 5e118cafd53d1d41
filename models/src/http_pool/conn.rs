//! A client's connection, with the queue of its dispatcher.
//!
//! Upstream (hyper 1.x, client/dispatch.rs and proto/h1/dispatch.rs; proto/h2/client.rs). A request goes to the
//! dispatcher through a channel, with a oneshot for its answer. The dispatcher writes the request and reads the answer.
//! If the connection ends, a request that is still in the channel is returned with its message; one that was written
//! fails. The channel counts its senders: without any, the connection ends after its last request.
//!
//! Here the dispatcher is the carrier of the bytes: the thread of a script in memory, or a task on the network. It
//! calls the methods under *The dispatcher's side*. Lock order: the pool, a connection, a mailbox.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::task::{Context, Waker};

use lastref::ledger::{Counted, Owner, Resource, Tag};
use lastref::net::End;
use lastref::property::{always, sometimes};
use lastref::sync::{Condvar, Mutex};
use serde::{Deserialize, Serialize};

use super::mailbox::{ConnectEnd, Failure, Mailbox, RequestEvent};
use super::pool::{Connecting, Pool};
use super::state::{Event, State, next};
use super::variant::Variant;
use crate::kit::http2::{ClientFrame, Decoder, ServerFrame, encode};
use crate::kit::stream::{Buffers, Stage};
use crate::kit::{http1, machine};

/// `Ver`: how many requests a connection carries at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ver {
    /// One: HTTP/1.1. Upstream's `Auto`, without ALPN.
    Http1,
    /// Many: HTTP/2 by prior knowledge.
    Http2,
}

/// A request that was given to a connection.
#[derive(Debug)]
struct Exchange {
    stream: u32,
    tag: Tag,
    to: Arc<Mailbox>,
}

/// The attempt to connect.
#[derive(Debug)]
struct Attempt {
    connecting: Connecting,
    /// The request that waits for it; `None` if the connection goes to the pool.
    to: Option<Arc<Mailbox>>,
}

#[derive(Debug)]
struct Inner {
    state: State,
    attempt: Option<Attempt>,
    /// Senders of the dispatcher's channel.
    senders: u32,
    /// Frames that are not written yet, including requests.
    unsent: VecDeque<ClientFrame>,
    /// Requests without an answer, in order.
    open: Vec<Exchange>,
    next_stream: u32,
    /// An answer without a request; only the variant that leaves it in the socket's buffer keeps it.
    unread: Option<Tag>,
    /// Tells the dispatcher to end, and to leave an open connection open.
    hang_up: bool,
    carrier: Option<Waker>,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Conn {
    pub(super) number: u32,
    pub(super) ver: Ver,
    variant: Variant,
    socket: Resource,
    senders: Counted,
    mu: Mutex<Inner>,
    changed: Condvar,
}

/// One sender of a connection's channel: `PoolClient`. It must be [released](Handle::release) or passed on; one that is
/// dropped is a leak, which the ledger reports.
#[derive(Debug)]
pub(super) struct Handle {
    pub(super) conn: Arc<Conn>,
    holder: Owner,
}

impl Handle {
    /// `Poolable::is_open`.
    pub(super) fn is_open(&self) -> bool {
        let state = self.conn.mu.lock().state;
        match self.conn.ver {
            Ver::Http1 => state == State::Idle,
            Ver::Http2 => matches!(state, State::Idle | State::Busy),
        }
    }

    /// `Poolable::can_share`.
    pub(super) fn can_share(&self) -> bool {
        self.conn.ver == Ver::Http2
    }

    /// `Reservation::Shared`: one more sender.
    #[track_caller]
    pub(super) fn share(&self, holder: Owner) -> Handle {
        self.conn.senders.retain(holder);
        self.conn.mu.lock().senders += 1;
        Handle { conn: Arc::clone(&self.conn), holder }
    }

    #[track_caller]
    pub(super) fn pass(self, to: Owner) -> Handle {
        self.conn.senders.pass(self.holder, to);
        Handle { holder: to, ..self }
    }

    /// Drops the sender.
    #[track_caller]
    pub(super) fn release(self) {
        let mut inner = self.conn.mu.lock();
        inner.senders -= 1;
        self.conn.settle(&mut inner);
        drop(inner);
        self.conn.senders.release(self.holder);
    }
}

impl Conn {
    /// An attempt to connect, for this request.
    pub(super) fn new(variant: Variant, number: u32, connecting: Connecting, to: &Arc<Mailbox>) -> Arc<Conn> {
        let (ver, owner) = (connecting.ver, Owner::new("connection", number));
        let attempt = Some(Attempt { connecting, to: Some(Arc::clone(to)) });
        let inner = Inner {
            state: State::Connecting,
            attempt,
            senders: 1,
            unsent: VecDeque::new(),
            open: Vec::new(),
            next_stream: 1,
            unread: None,
            hang_up: false,
            carrier: None,
        };
        Arc::new(Conn {
            number,
            ver,
            variant,
            senders: Counted::acquire("SendRequest", owner),
            socket: Resource::acquire("socket", owner),
            mu: Mutex::named("connection", inner),
            changed: Condvar::named("connection"),
        })
    }

    fn owner(&self) -> Owner {
        Owner::new("connection", self.number)
    }

    fn handle(self: &Arc<Self>) -> Handle {
        Handle { conn: Arc::clone(self), holder: self.owner() }
    }

    fn happens(&self, inner: &mut Inner, event: Event) {
        let next = next(inner.state, event, self.owner());
        machine::happens(&mut inner.state, self.number, next);
    }

    fn wake(&self, inner: &mut Inner) {
        self.changed.notify_all();
        if let Some(carrier) = inner.carrier.take() {
            carrier.wake();
        }
    }

    fn close(&self, inner: &mut Inner) {
        if inner.state != State::Closed {
            self.happens(inner, Event::Close);
            self.socket.release(self.owner());
            self.wake(inner);
        }
    }

    /// Closes the connection if nothing will use it any more.
    fn settle(&self, inner: &mut Inner) {
        if !inner.open.is_empty() {
            return;
        }
        if inner.state == State::Busy {
            self.happens(inner, Event::Complete);
        }
        // Deviates: Go closes it after its last stream, and leaves one that was idle to its idle timer or to the
        // server.
        let drains = inner.state == State::Draining;
        // upstream: golang/go#39752, `closeOnIdle` in ClientConn.forgetStreamID before the fix
        let is_forgotten = drains && self.variant == Variant::GoawayForgetsConnection;
        sometimes("a connection has drained", drains);
        if (drains || inner.senders == 0 && inner.state == State::Idle) && !is_forgotten {
            self.close(inner);
        }
    }

    // The client's side.

    /// `try_send_request`.
    ///
    /// # Errors
    /// [`Failure::Unsent`] if the connection takes no more requests.
    pub(super) fn try_send(&self, tag: Tag, to: &Arc<Mailbox>) -> Result<(), Failure> {
        let mut inner = self.mu.lock();
        if !matches!(inner.state, State::Idle | State::Busy) {
            return Err(Failure::Unsent);
        }
        let is_free = self.ver == Ver::Http2 || inner.state == State::Idle;
        always("an HTTP/1 connection has one request at a time", is_free);
        self.happens(&mut inner, Event::Send);
        let stream = inner.next_stream;
        inner.next_stream += 2;
        inner.unsent.push_back(ClientFrame::Request { stream, tag });
        inner.open.push(Exchange { stream, tag, to: Arc::clone(to) });
        self.wake(&mut inner);
        Ok(())
    }

    /// Cancels a request: its future is dropped. No effect if the request has ended.
    pub(super) fn cancel(&self, tag: Tag) {
        let mut inner = self.mu.lock();
        let Some(place) = inner.open.iter().position(|exchange| exchange.tag == tag) else { return };
        let stream = inner.open.remove(place).stream;
        let is_unsent = inner.is_unsent(stream);
        inner.unsent.retain(|frame| !matches!(frame, ClientFrame::Request { stream: queued, .. } if *queued == stream));
        sometimes("a request is cancelled before it is sent", is_unsent);
        sometimes("a request is cancelled between send and answer", !is_unsent);
        match self.ver {
            // upstream: redis/redis-py#2624. hyper's dispatcher finds the receiver of the answer gone, and closes.
            Ver::Http1 if self.variant != Variant::CancelReturnsDirty => self.close(&mut inner),
            Ver::Http1 => {}
            Ver::Http2 if is_unsent => {}
            Ver::Http2 => {
                inner.unsent.push_back(ClientFrame::RstStream { stream });
                self.wake(&mut inner);
            }
        }
        self.settle(&mut inner);
    }

    /// Continues the connect for the pool: its request has got another connection.
    pub(super) fn continue_in_background(self: &Arc<Self>, mailbox: &Mailbox) {
        let mut inner = self.mu.lock();
        if let Some(attempt) = &mut inner.attempt {
            sometimes("a connect continues for the pool", true);
            attempt.to = None;
            return;
        }
        drop(inner);
        for news in mailbox.take_rest() {
            if let RequestEvent::Connected(connecting, handle) = news {
                Pool::put_new(connecting, handle);
            }
        }
    }

    /// Drops the connect, with its request or at the end of the client.
    pub(super) fn abandon(self: &Arc<Self>) {
        let mut inner = self.mu.lock();
        let Some(Attempt { connecting, .. }) = inner.attempt.take() else { return };
        self.close(&mut inner);
        drop(inner);
        connecting.end(ConnectEnd::Cancelled);
        self.handle().release();
    }

    /// Ends the script at the end of a run; the connection stays as it is.
    pub(super) fn hang_up(&self) {
        let mut inner = self.mu.lock();
        inner.hang_up = true;
        self.wake(&mut inner);
    }

    // The dispatcher's side.

    /// Handles the success of the attempt.
    pub(super) fn established(self: &Arc<Self>) {
        let mut inner = self.mu.lock();
        let Some(Attempt { connecting, to }) = inner.attempt.take() else { return };
        self.happens(&mut inner, Event::Connected);
        if self.ver == Ver::Http2 {
            inner.unsent.push_back(ClientFrame::Preface);
            self.wake(&mut inner);
        }
        match to {
            // Under the lock, so that a cancelled request finds either the attempt or this message.
            Some(to) => to.push(RequestEvent::Connected(connecting, self.handle())),
            None => {
                drop(inner);
                Pool::put_new(connecting, self.handle());
            }
        }
    }

    /// Handles the failure of the attempt.
    pub(super) fn refused(self: &Arc<Self>) {
        let mut inner = self.mu.lock();
        let Some(Attempt { connecting, to }) = inner.attempt.take() else { return };
        self.happens(&mut inner, Event::ConnectFailed);
        self.socket.release(self.owner());
        // Under the lock, as in `established`.
        to.iter().for_each(|to| to.push(RequestEvent::ConnectFailed));
        drop(inner);
        connecting.end(ConnectEnd::Failed);
        self.handle().release();
    }

    /// Waits for the next frame; returns `None` if there will be no more.
    pub(super) fn receive(&self) -> Option<ClientFrame> {
        let mut inner = self.mu.lock();
        loop {
            if let Some(frame) = self.written(&mut inner) {
                return Some(frame);
            }
            if inner.hang_up || inner.state == State::Closed {
                return None;
            }
            inner = self.changed.wait(inner);
        }
    }

    /// Waits until the connection is closed.
    pub(super) fn wait_closed(&self) {
        let is_open = |inner: &mut Inner| !inner.hang_up && inner.state != State::Closed;
        drop(self.changed.wait_while(self.mu.lock(), is_open));
    }

    fn written(&self, inner: &mut Inner) -> Option<ClientFrame> {
        let frame = inner.unsent.pop_front()?;
        // In the variant, the next request reads the answer of the cancelled one.
        if let (ClientFrame::Request { .. }, Some(payload)) = (frame, inner.unread.take()) {
            self.answered(inner, 0, payload);
        }
        Some(frame)
    }

    /// Handles a frame from the peer.
    pub(super) fn arrived(&self, frame: ServerFrame) {
        let mut inner = self.mu.lock();
        if inner.state == State::Closed {
            return;
        }
        match frame {
            ServerFrame::Response { stream, payload } => self.answered(&mut inner, stream, payload),
            ServerFrame::RstStream { stream } => {
                self.fail_open(&mut inner, Failure::Incomplete, |exchange| exchange.stream == stream);
                self.settle(&mut inner);
            }
            ServerFrame::Goaway { last_stream, .. } => self.goaway(&mut inner, last_stream),
            ServerFrame::Settings => inner.unsent.push_back(ClientFrame::SettingsAck),
            ServerFrame::Ping { opaque } => inner.unsent.push_back(ClientFrame::PingAck { opaque }),
            ServerFrame::PingAck => {}
        }
        self.wake(&mut inner);
    }

    fn answered(&self, inner: &mut Inner, stream: u32, payload: Tag) {
        let place = match self.ver {
            Ver::Http1 => Some(0).filter(|_| !inner.open.is_empty()),
            Ver::Http2 => inner.open.iter().position(|exchange| exchange.stream == stream),
        };
        match place {
            Some(place) => {
                let exchange = inner.open.remove(place);
                self.settle(inner);
                exchange.to.push(RequestEvent::Answer(payload));
            }
            None if self.ver == Ver::Http2 => sometimes("an answer finds its stream cancelled", true),
            None if self.variant == Variant::CancelReturnsDirty => inner.unread = Some(payload),
            // upstream: Conn::require_empty_read
            None => self.close(inner),
        }
    }

    fn goaway(&self, inner: &mut Inner, last_stream: u32) {
        sometimes("GOAWAY comes to a connection with streams", !inner.open.is_empty());
        sometimes("GOAWAY comes to an idle connection", inner.open.is_empty());
        self.happens(inner, Event::Goaway);
        let is_above = |exchange: &Exchange| exchange.stream > last_stream;
        sometimes("GOAWAY ends a stream that the server has not seen", inner.open.iter().any(is_above));
        if self.variant != Variant::GoawayStrandsStreams {
            self.fail_open(inner, Failure::Unsent, is_above);
        }
        self.settle(inner);
    }

    /// Fails the selected requests.
    fn fail_open(&self, inner: &mut Inner, failure: Failure, which: impl Fn(&Exchange) -> bool) {
        let (failed, open) = std::mem::take(&mut inner.open).into_iter().partition(which);
        inner.open = open;
        let failed: Vec<Exchange> = failed;
        for Exchange { stream, to, .. } in failed {
            let failure = if inner.is_unsent(stream) { Failure::Unsent } else { failure };
            to.push(RequestEvent::Failed(failure));
        }
    }
}

/// Decodes the server's bytes, according to the connection's version.
#[derive(Debug, Default)]
pub(super) struct Reader {
    http1: Vec<u8>,
    http2: Decoder,
}

impl Buffers for Conn {
    type Reader = Reader;

    fn stage(&self, context: &Context<'_>) -> Stage {
        let mut inner = self.mu.lock();
        inner.carrier = Some(context.waker().clone());
        match (inner.hang_up, inner.state) {
            (true, _) => Stage::Over,
            (false, State::Closed) => Stage::Closed,
            (false, _) => Stage::Open,
        }
    }

    fn is_closed(&self) -> bool {
        self.mu.lock().state == State::Closed
    }

    fn connected(self: &Arc<Self>, result: Result<(), io::ErrorKind>) {
        match result {
            Ok(()) => self.established(),
            Err(_) => self.refused(),
        }
    }

    fn take(&self, bytes: &mut Vec<u8>) -> bool {
        let mut inner = self.mu.lock();
        while let Some(frame) = self.written(&mut inner) {
            match (self.ver, frame) {
                (Ver::Http1, ClientFrame::Request { tag, .. }) => bytes.extend(http1::request(tag)),
                (Ver::Http1, _) => {}
                (Ver::Http2, frame) => encode(frame, bytes),
            }
        }
        inner.state == State::Closed
    }

    fn received(&self, reader: &mut Reader, bytes: &[u8]) {
        let frames = match self.ver {
            Ver::Http1 => {
                reader.http1.extend_from_slice(bytes);
                let answers = std::iter::from_fn(|| http1::take(End::Server, &mut reader.http1));
                answers.map(|payload| ServerFrame::Response { stream: 0, payload }).collect()
            }
            Ver::Http2 => reader.http2.decode(bytes),
        };
        frames.into_iter().for_each(|frame| self.arrived(frame));
    }

    /// Also called for the FIN of a script.
    fn fin(&self) {
        let mut inner = self.mu.lock();
        if inner.state == State::Closed {
            return;
        }
        sometimes("the peer closes an idle connection", inner.open.is_empty());
        sometimes("the peer closes a connection with a request", !inner.open.is_empty());
        self.fail_open(&mut inner, Failure::Incomplete, |_| true);
        self.close(&mut inner);
    }

    fn fail(&self, _: io::ErrorKind) {
        self.fin();
    }
}

impl Inner {
    fn is_unsent(&self, stream: u32) -> bool {
        self.unsent
            .iter()
            .any(|frame| matches!(frame, ClientFrame::Request { stream: queued, .. } if *queued == stream))
    }
}

/// The pool's side, called with no connection's lock held.
impl Pool {
    /// Puts a new connection for which no request waits: `Pool::pooled`, and the drop of its result.
    fn put_new(connecting: Connecting, handle: Handle) {
        let (pool, key) = (Arc::clone(&connecting.pool), connecting.key);
        let handle = pool.pooled(connecting, handle, Owner::new("background", 0));
        pool.drop_pooled(key, handle);
    }
}
