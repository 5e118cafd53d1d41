//! The driver's sockets: what has arrived and was not read, what was sent and has not left, and the tasks that carry
//! it.
//!
//! | task | carries | ends |
//! | --- | --- | --- |
//! | `accept` | publishers' connections | when the driver ends |
//! | `reader.n` | frames that arrive | with the connection, or when it was silent for too long |
//! | `writer.n` | frames that the driver sends | after FIN: with the last that the publisher waits for, or soon |
//!
//! Deviates (inferred): upstream has one UDP socket per channel, which knows neither connections nor their ends. Here a
//! publisher's frames come over a connection, which may be lost in the midst of a frame; that loses datagrams, no
//! image.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, MutexGuard};
use std::task::{Poll, Waker};

use lastref::net::{Host, Task, TcpListener, TcpStream, sleep, timeout};
use lastref::property::sometimes;
use lastref::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};

use super::frame::{Asks, Frame};
use crate::kit::harness::Unscheduled;

/// Octets that are read at a time.
const READ: usize = 64;
/// How long a connection may say nothing: longer than any pause between heartbeats, on a link that works.
const SILENCE: Duration = Duration::from_millis(400);
/// How long the receiver answers a publisher that has said FIN: its image may have something to say yet.
const AFTER_FIN: Duration = Duration::from_millis(60);
/// How long a frame may wait for its socket to take it.
const PATIENCE: Duration = Duration::from_secs(1);
/// Frames that wait for their socket; one more is lost, as a datagram is.
const UNSENT_MAX: usize = 16;

/// A connection by its number.
pub(super) type Endpoint = usize;

/// The sockets.
#[derive(Debug)]
pub(super) struct Sockets {
    host: Host,
    state: Unscheduled<State>,
}

#[derive(Debug, Default)]
struct State {
    arrived: VecDeque<(Endpoint, Frame)>,
    outgoing: Vec<Arc<Outgoing>>,
    tasks: Vec<Task<()>>,
    is_closed: bool,
}

/// What one connection has to send.
#[derive(Debug, Default)]
struct Outgoing(Unscheduled<Unsent>);

#[derive(Debug, Default)]
struct Unsent {
    frames: VecDeque<Frame>,
    /// The publisher has said FIN: it waits for no more than leave to go.
    has_heard_fin: bool,
    is_over: bool,
    waker: Option<Waker>,
}

impl Sockets {
    /// Accepts publishers from now on.
    pub(super) fn open(host: Host, listener: TcpListener) -> Arc<Sockets> {
        let sockets = Arc::new(Sockets { host, state: Unscheduled::default() });
        let accepting = host.spawn("accept", Arc::clone(&sockets).accept(listener));
        sockets.state().tasks.push(accepting);
        sockets
    }

    /// Takes what has arrived.
    pub(super) fn receive(&self) -> VecDeque<(Endpoint, Frame)> {
        std::mem::take(&mut self.state().arrived)
    }

    /// Sends a frame: over the connection, if it still is one.
    pub(super) fn send(&self, endpoint: Endpoint, frame: Frame) {
        let outgoing = self.state().outgoing.get(endpoint).map(Arc::clone);
        if let Some(outgoing) = outgoing {
            outgoing.push(frame);
        }
    }

    /// Closes all of them, and waits for their tasks.
    pub(super) fn close(&self) {
        let (tasks, outgoing) = {
            let mut state = self.state();
            state.is_closed = true;
            (std::mem::take(&mut state.tasks), std::mem::take(&mut state.outgoing))
        };
        outgoing.iter().for_each(|outgoing| outgoing.end());
        tasks.iter().for_each(Task::abort);
        for task in tasks {
            task.join();
        }
    }

    async fn accept(self: Arc<Self>, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            let (read_half, write_half) = split(stream);
            let outgoing = Arc::new(Outgoing::default());
            let number = {
                let mut state = self.state();
                state.outgoing.push(Arc::clone(&outgoing));
                state.outgoing.len() - 1
            };
            let writing = write(Arc::clone(&outgoing), write_half);
            let reading = Arc::clone(&self).read(number, outgoing, read_half);
            let writer = self.host.spawn(&format!("writer.{number}"), writing);
            let reader = self.host.spawn(&format!("reader.{number}"), reading);
            let mut state = self.state();
            if state.is_closed {
                writer.abort();
                reader.abort();
                return;
            }
            state.tasks.extend([writer, reader]);
        }
    }

    async fn read(self: Arc<Self>, number: Endpoint, outgoing: Arc<Outgoing>, mut half: ReadHalf<TcpStream>) {
        let mut unread = Vec::new();
        let mut octets = [0; READ];
        loop {
            match timeout(SILENCE, half.read(&mut octets)).await {
                Ok(Ok(0)) => {
                    sometimes("a connection ends in the midst of a frame", !unread.is_empty());
                    outgoing.unsent().has_heard_fin = true;
                    sleep(AFTER_FIN).await;
                    break;
                }
                Ok(Ok(count)) => unread.extend_from_slice(&octets[..count]),
                Ok(Err(_)) => {
                    sometimes("a receiver's connection is reset", true);
                    break;
                }
                Err(_) => {
                    sometimes("a receiver gives a silent connection up", true);
                    break;
                }
            }
            while let Some((length, frame)) = Frame::decode(&unread) {
                unread.drain(..length);
                self.state().arrived.extend(frame.map(|frame| (number, frame)));
            }
        }
        outgoing.end();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl Outgoing {
    fn push(&self, frame: Frame) {
        let mut unsent = self.unsent();
        if !unsent.is_over && unsent.frames.len() < UNSENT_MAX {
            unsent.frames.push_back(frame);
            unsent.wake();
        }
    }

    /// Nothing is sent any more.
    fn end(&self) {
        let mut unsent = self.unsent();
        unsent.is_over = true;
        unsent.wake();
    }

    /// The next frame; none if there will not be any.
    async fn next(&self) -> Option<Frame> {
        poll_fn(|context| {
            let mut unsent = self.unsent();
            match unsent.frames.pop_front() {
                Some(frame) => Poll::Ready(Some(frame)),
                None if unsent.is_over => Poll::Ready(None),
                None => {
                    unsent.waker = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }

    fn unsent(&self) -> MutexGuard<'_, Unsent> {
        self.0.lock()
    }
}

impl Unsent {
    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

async fn write(outgoing: Arc<Outgoing>, mut half: WriteHalf<TcpStream>) {
    while let Some(frame) = outgoing.next().await {
        if !matches!(timeout(PATIENCE, half.write_all(&frame.encode())).await, Ok(Ok(()))) {
            sometimes("a receiver cannot answer", true);
            outgoing.end();
            return;
        }
        if matches!(frame, Frame::StatusMessage { asks: Asks::Leave, .. }) && outgoing.unsent().has_heard_fin {
            outgoing.end();
        }
    }
    // Fails if the connection is gone already, which is what is wanted.
    let _ = timeout(PATIENCE, half.shutdown()).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nak(length: i32) -> Frame {
        Frame::Nak { session_id: 0, term_id: 0, term_offset: 0, length }
    }

    #[test]
    fn a_frame_that_finds_the_send_queue_full_is_lost() {
        let outgoing = Outgoing::default();
        let frames: Vec<Frame> = (0..).map(nak).take(UNSENT_MAX + 1).collect();
        frames.iter().for_each(|frame| outgoing.push(*frame));
        assert_eq!(outgoing.unsent().frames, &frames[..UNSENT_MAX]);
        outgoing.unsent().frames.clear();
        outgoing.end();
        outgoing.push(nak(0));
        assert!(outgoing.unsent().frames.is_empty(), "the connection is over");
    }
}
