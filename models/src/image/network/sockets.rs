//! The driver's sockets: for each connection the unread received frames and the unsent frames. A task of the host
//! carries both (`kit::stream`).
//!
//! A connection ends after an idle timeout, when it fails, or after its FIN: with the last frame that the publisher
//! waits for, or after a short timeout. The driver checks both timeouts when it receives.
//!
//! Deviates (inferred): upstream has one UDP socket per channel, without connections. Here a publisher's frames arrive
//! over a connection, which may be lost in the middle of a frame; this loses frames, but ends no image.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::task::{Context, Waker};

use lastref::net::{Host, TcpListener};
use lastref::property::sometimes;
use lastref::time::{Duration, Instant};

use super::frame::{Asks, Frame, Kind};
use crate::kit::harness::{Tasks, Unscheduled};
use crate::kit::stream::{Buffers, Stage, carry_accepted};

/// Idle timeout of a connection: longer than any pause between heartbeats on a working link.
const SILENCE: Duration = Duration::from_millis(400);
/// Time for which the receiver still answers after the publisher's FIN: its image may still send status messages.
const AFTER_FIN: Duration = Duration::from_millis(60);
/// Maximum number of unsent frames of a connection; a further one is lost, as a datagram would be.
const UNSENT_MAX: usize = 16;

/// The number of a connection.
pub(super) type Endpoint = usize;

/// The sockets.
#[derive(Debug)]
pub(super) struct Sockets {
    host: Host,
    connections: Unscheduled<Vec<Arc<Connection>>>,
    tasks: Tasks,
}

#[derive(Debug)]
struct Connection(Unscheduled<State>);

#[derive(Debug)]
struct State {
    arrived: VecDeque<Frame>,
    unsent: VecDeque<Frame>,
    /// The time at which its last bytes arrived.
    heard: Instant,
    /// The received bytes end within a frame.
    is_within_frame: bool,
    has_heard_fin: bool,
    is_over: bool,
    waker: Option<Waker>,
}

impl Sockets {
    /// Accepts publishers from now on.
    pub(super) fn open(host: Host, listener: TcpListener) -> Arc<Sockets> {
        let (connections, tasks) = (Unscheduled::default(), Tasks::default());
        let sockets = Arc::new(Sockets { host, connections, tasks });
        sockets.tasks.push(host.spawn("accept", Arc::clone(&sockets).accept(listener)));
        sockets
    }

    /// Takes the frames that have arrived, and ends connections whose timeout has passed.
    pub(super) fn receive(&self, now: Instant) -> Vec<(Endpoint, Frame)> {
        let connections = self.connections.lock();
        let arrived = connections.iter().enumerate().flat_map(|(number, connection)| {
            let mut state = connection.0.lock();
            let silence = now.saturating_duration_since(state.heard);
            if !state.is_over && silence > if state.has_heard_fin { AFTER_FIN } else { SILENCE } {
                sometimes("a receiver closes a silent connection", !state.has_heard_fin);
                state.end();
            }
            state.arrived.drain(..).map(move |frame| (number, frame)).collect::<Vec<_>>()
        });
        arrived.collect()
    }

    /// Queues a frame on the connection, unless it has ended.
    pub(super) fn send(&self, endpoint: Endpoint, frame: Frame) {
        if let Some(connection) = self.connections.lock().get(endpoint) {
            connection.0.lock().push(frame);
        }
    }

    /// Closes all connections, and waits for their tasks.
    pub(super) fn close(&self) {
        self.tasks.end();
    }

    async fn accept(self: Arc<Self>, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            let connection = Arc::new(Connection(Unscheduled::new(State::new(Instant::now()))));
            let number = self.connections.lock().len();
            self.connections.lock().push(Arc::clone(&connection));
            self.tasks.push(self.host.spawn(&format!("connection.{number}"), carry_accepted(connection, stream)));
        }
    }
}

impl State {
    fn new(heard: Instant) -> State {
        let (arrived, unsent) = (VecDeque::new(), VecDeque::new());
        State { arrived, unsent, heard, is_within_frame: false, has_heard_fin: false, is_over: false, waker: None }
    }

    fn push(&mut self, frame: Frame) {
        if !self.is_over && self.unsent.len() < UNSENT_MAX {
            self.unsent.push_back(frame);
            self.wake();
        }
    }

    /// Ends the connection after the frames that are already queued.
    fn end(&mut self) {
        self.is_over = true;
        self.wake();
    }

    fn wake(&mut self) {
        self.waker.take().into_iter().for_each(Waker::wake);
    }
}

impl Buffers for Connection {
    type Reader = Vec<u8>;

    fn stage(&self, context: &Context<'_>) -> Stage {
        let mut state = self.0.lock();
        state.waker = Some(context.waker().clone());
        if state.is_over { Stage::Closed } else { Stage::Open }
    }

    fn is_closed(&self) -> bool {
        self.0.lock().is_over
    }

    fn take(&self, bytes: &mut Vec<u8>) -> bool {
        let mut state = self.0.lock();
        while let Some(frame) = state.unsent.pop_front() {
            bytes.extend(frame.encode());
            // After its FIN a publisher waits only for the status message with EOS.
            state.is_over |= state.has_heard_fin && matches!(frame.kind, Kind::StatusMessage { asks: Asks::Leave, .. });
        }
        state.is_over
    }

    fn received(&self, unread: &mut Vec<u8>, bytes: &[u8]) {
        unread.extend_from_slice(bytes);
        let mut state = self.0.lock();
        state.heard = Instant::now();
        while let Some((length, frame)) = Frame::decode(unread) {
            unread.drain(..length);
            state.arrived.extend(frame);
        }
        state.is_within_frame = !unread.is_empty();
    }

    fn fin(&self) {
        let mut state = self.0.lock();
        sometimes("a connection ends in the middle of a frame", state.is_within_frame);
        (state.has_heard_fin, state.heard) = (true, Instant::now());
    }

    fn fail(&self, error: io::ErrorKind) {
        sometimes("a receiver's connection is reset", error == io::ErrorKind::ConnectionReset);
        self.0.lock().end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nak(length: i32) -> Frame {
        Frame { session_id: 0, term_id: 0, term_offset: 0, kind: Kind::Nak { length } }
    }

    #[test]
    fn a_frame_that_finds_the_send_queue_full_is_lost() {
        lastref::Check::new("queue").schedules(1).run(|| {
            let mut state = State::new(Instant::now());
            let frames: Vec<Frame> = (0..).map(nak).take(UNSENT_MAX + 1).collect();
            frames.iter().for_each(|frame| state.push(*frame));
            assert_eq!(state.unsent, &frames[..UNSENT_MAX]);
            state.unsent.clear();
            state.end();
            state.push(nak(0));
            assert!(state.unsent.is_empty(), "the connection is over");
        });
    }
}
