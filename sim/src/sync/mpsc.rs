//! Channels with many senders and one receiver, as [`std::sync::mpsc`].
//!
//! They are built on the facade's own lock and condition variable, so that every engine explores the same operations. One
//! deviation: `try_send` on a channel of bound 0 fails even while a receiver waits.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
pub use std::sync::mpsc::{RecvError, RecvTimeoutError, SendError, TryRecvError, TrySendError};
use std::time::Duration;

use super::{Condvar, Mutex};
use crate::engine::{self, Arm};
use crate::time::Instant;

/// A task that panics ends its run: nobody is left to be told that this end of a channel is gone, and the lock may be held
/// by a task that is not going to run again.
fn ends_with_the_run() -> bool {
    std::thread::panicking() && engine::arm() != Arm::Std
}

struct Channel<T> {
    state: Mutex<State<T>>,
    filled: Condvar,
    drained: Condvar,
}

struct State<T> {
    queue: VecDeque<T>,
    /// Most that the queue holds; `None` if there is no bound.
    bound: Option<usize>,
    senders: usize,
    receiving: bool,
    /// How many values the receiver has taken: a rendezvous waits for its own.
    taken: u64,
    sent: u64,
}

fn open<T>(bound: Option<usize>) -> Arc<Channel<T>> {
    let state = State { queue: VecDeque::new(), bound, senders: 1, receiving: true, taken: 0, sent: 0 };
    Arc::new(Channel {
        state: Mutex::named("channel", state),
        filled: Condvar::named("channel.filled"),
        drained: Condvar::named("channel.drained"),
    })
}

/// A channel whose sends never wait.
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let channel = open(None);
    (Sender(Handle(Arc::clone(&channel))), Receiver(channel))
}

/// A channel that holds at most `bound` values; a send waits for room. With a bound of 0 it waits until its value has
/// been taken.
pub fn sync_channel<T>(bound: usize) -> (SyncSender<T>, Receiver<T>) {
    let channel = open(Some(bound));
    (SyncSender(Handle(Arc::clone(&channel))), Receiver(channel))
}

struct Handle<T>(Arc<Channel<T>>);

impl<T> Handle<T> {
    #[track_caller]
    fn send(&self, value: T) -> Result<(), SendError<T>> {
        let channel = &self.0;
        let mut state = channel.state.lock();
        if let Some(bound) = state.bound {
            while state.receiving && state.queue.len() >= bound.max(1) {
                state = channel.drained.wait(state);
            }
        }
        if !state.receiving {
            return Err(SendError(value));
        }
        state.queue.push_back(value);
        state.sent += 1;
        let mine = state.sent;
        channel.filled.notify_one();
        if state.bound == Some(0) {
            while state.receiving && state.taken < mine {
                state = channel.drained.wait(state);
            }
            if state.taken < mine {
                // The receiver went without taking it: the value that is left is this one, as later sends waited.
                return state.queue.pop_back().map_or(Ok(()), |value| Err(SendError(value)));
            }
        }
        Ok(())
    }
}

impl<T> Clone for Handle<T> {
    fn clone(&self) -> Handle<T> {
        self.0.state.lock().senders += 1;
        Handle(Arc::clone(&self.0))
    }
}

impl<T> Drop for Handle<T> {
    fn drop(&mut self) {
        if ends_with_the_run() {
            return;
        }
        let mut state = self.0.state.lock();
        state.senders -= 1;
        if state.senders == 0 {
            self.0.filled.notify_all();
        }
    }
}

/// The sending end of a channel without bound.
pub struct Sender<T>(Handle<T>);

/// The sending end of a channel with a bound.
pub struct SyncSender<T>(Handle<T>);

/// The receiving end.
pub struct Receiver<T>(Arc<Channel<T>>);

impl<T> Sender<T> {
    /// Sends `value`.
    ///
    /// # Errors
    /// The value, if the receiver is gone.
    #[track_caller]
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.0.send(value)
    }
}

impl<T> SyncSender<T> {
    /// Sends `value` once there is room.
    ///
    /// # Errors
    /// The value, if the receiver is gone.
    #[track_caller]
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.0.send(value)
    }

    /// Sends `value` if there is room. A channel of bound 0 never has.
    ///
    /// # Errors
    /// The value, if there is no room or the receiver is gone.
    #[track_caller]
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        let channel = &self.0.0;
        let mut state = channel.state.lock();
        if !state.receiving {
            return Err(TrySendError::Disconnected(value));
        }
        if state.bound.is_some_and(|bound| state.queue.len() >= bound) {
            return Err(TrySendError::Full(value));
        }
        state.queue.push_back(value);
        state.sent += 1;
        channel.filled.notify_one();
        Ok(())
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        Sender(self.0.clone())
    }
}

impl<T> Clone for SyncSender<T> {
    fn clone(&self) -> SyncSender<T> {
        SyncSender(self.0.clone())
    }
}

impl<T> Receiver<T> {
    /// Waits for a value.
    ///
    /// # Errors
    /// The channel is empty and every sender is gone.
    #[track_caller]
    pub fn recv(&self) -> Result<T, RecvError> {
        let mut state = self.0.state.lock();
        loop {
            if let Some(value) = self.take(&mut state) {
                return Ok(value);
            }
            if state.senders == 0 {
                return Err(RecvError);
            }
            state = self.0.filled.wait(state);
        }
    }

    /// Waits for a value for at most `timeout` of virtual time.
    ///
    /// # Errors
    /// The time is over, or the channel is empty and every sender is gone.
    #[track_caller]
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        let deadline = Instant::now() + timeout;
        let mut state = self.0.state.lock();
        loop {
            if let Some(value) = self.take(&mut state) {
                return Ok(value);
            }
            if state.senders == 0 {
                return Err(RecvTimeoutError::Disconnected);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(RecvTimeoutError::Timeout);
            }
            state = self.0.filled.wait_timeout(state, left).0;
        }
    }

    /// Takes a value if there is one.
    ///
    /// # Errors
    /// The channel is empty, with senders left or without.
    #[track_caller]
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        let mut state = self.0.state.lock();
        match self.take(&mut state) {
            Some(value) => Ok(value),
            None if state.senders == 0 => Err(TryRecvError::Disconnected),
            None => Err(TryRecvError::Empty),
        }
    }

    fn take(&self, state: &mut State<T>) -> Option<T> {
        let value = state.queue.pop_front()?;
        state.taken += 1;
        if state.bound.is_some() {
            self.0.drained.notify_all();
        }
        Some(value)
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        if ends_with_the_run() {
            return;
        }
        let mut state = self.0.state.lock();
        state.receiving = false;
        if state.bound.is_some() {
            self.0.drained.notify_all();
        }
        if state.bound != Some(0) {
            // Values that nobody will take go now, and outside the lock, since their destructors may be anything.
            let left = std::mem::take(&mut state.queue);
            drop(state);
            drop(left);
        }
    }
}

macro_rules! opaque_debug {
    ($($name:ident),+) => {
        $(
            impl<T> fmt::Debug for $name<T> {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.debug_struct(stringify!($name)).finish_non_exhaustive()
                }
            }
        )+
    };
}

opaque_debug!(Sender, SyncSender, Receiver);
