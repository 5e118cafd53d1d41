//! Channels with many senders and one receiver, like those of [`std::sync::mpsc`].
//!
//! They are built on the facade's own lock and condition variable, so that every engine explores the same operations.
//! One deviation: `try_send` on a channel of bound 0 fails even while a receiver waits.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
pub use std::sync::mpsc::{RecvError, RecvTimeoutError, SendError, TryRecvError, TrySendError};
use std::time::Duration;

use super::{Condvar, Mutex, MutexGuard};
use crate::time::Instant;

struct Channel<T> {
    state: Mutex<State<T>>,
    /// Ends that were dropped while a panic unwound their task and another task held the lock: see [`Channel::leave`].
    senders_gone: AtomicUsize,
    receiver_gone: AtomicBool,
    filled: Condvar,
    drained: Condvar,
}

struct State<T> {
    queue: VecDeque<T>,
    /// The capacity of the queue; `None` if there is no bound.
    bound: Option<usize>,
    senders: usize,
    receiving: bool,
    /// Number of values that the receiver has taken: a rendezvous send waits until its own value is taken.
    taken: u64,
    sent: u64,
}

#[track_caller]
fn open<T>(bound: Option<usize>) -> Arc<Channel<T>> {
    let state = State { queue: VecDeque::new(), bound, senders: 1, receiving: true, taken: 0, sent: 0 };
    Arc::new(Channel {
        state: Mutex::named("channel", state),
        senders_gone: AtomicUsize::new(0),
        receiver_gone: AtomicBool::new(false),
        filled: Condvar::named("channel.filled"),
        drained: Condvar::named("channel.drained"),
    })
}

/// A channel whose sends never wait.
#[track_caller]
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let channel = open(None);
    (Sender(Handle(Arc::clone(&channel))), Receiver(channel))
}

/// A channel with a capacity of `bound` values; a send waits for free capacity. With a bound of 0 it waits until the
/// receiver has taken its value.
#[track_caller]
pub fn sync_channel<T>(bound: usize) -> (SyncSender<T>, Receiver<T>) {
    let channel = open(Some(bound));
    (SyncSender(Handle(Arc::clone(&channel))), Receiver(channel))
}

impl<T> Channel<T> {
    fn has_senders(&self, state: &State<T>) -> bool {
        state.senders > self.senders_gone.load(Ordering::Relaxed)
    }

    fn is_receiving(&self, state: &State<T>) -> bool {
        state.receiving && !self.receiver_gone.load(Ordering::Relaxed)
    }

    /// Drops an end. If a panic unwinds this task, the other end must still be notified, since the panic may be caught;
    /// but an unwinding task cannot wait for the lock. If another task holds the lock, `late` counts the end outside
    /// the lock, and wakes a waiting task.
    #[track_caller]
    fn leave(&self, at_once: impl FnOnce(MutexGuard<'_, State<T>>), late: impl FnOnce()) {
        // On real threads the task can wait: the holder of the lock continues meanwhile.
        if !std::thread::panicking() || self.state.is_std() {
            return at_once(self.state.lock());
        }
        match self.state.try_lock() {
            Some(state) => at_once(state),
            None => late(),
        }
    }
}

struct Handle<T>(Arc<Channel<T>>);

impl<T> Handle<T> {
    #[track_caller]
    fn send(&self, value: T) -> Result<(), SendError<T>> {
        let channel = &self.0;
        let mut state = channel.state.lock();
        if let Some(bound) = state.bound {
            while channel.is_receiving(&state) && state.queue.len() >= bound.max(1) {
                state = channel.drained.wait(state);
            }
        }
        if !channel.is_receiving(&state) {
            return Err(SendError(value));
        }
        state.queue.push_back(value);
        state.sent += 1;
        let mine = state.sent;
        channel.filled.notify_one();
        if state.bound == Some(0) {
            while channel.is_receiving(&state) && state.taken < mine {
                state = channel.drained.wait(state);
            }
            if state.taken < mine {
                // The receiver was dropped before it took the value. Later sends waited, so the last value in the queue
                // is this one.
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
    #[track_caller]
    fn drop(&mut self) {
        let channel = &self.0;
        let at_once = |mut state: MutexGuard<'_, State<T>>| {
            state.senders -= 1;
            if !channel.has_senders(&state) {
                channel.filled.notify_all();
            }
        };
        channel.leave(at_once, || {
            channel.senders_gone.fetch_add(1, Ordering::Relaxed);
            channel.filled.notify_late();
        });
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

    /// Sends `value` if there is room. A channel of bound 0 never has room.
    ///
    /// # Errors
    /// The value, if there is no room or the receiver is gone.
    #[track_caller]
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        let channel = &self.0.0;
        let mut state = channel.state.lock();
        if !channel.is_receiving(&state) {
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
            if !self.0.has_senders(&state) {
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
            if !self.0.has_senders(&state) {
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
    /// `Empty` if the channel is empty, and `Disconnected` if in addition every sender was dropped.
    #[track_caller]
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        let mut state = self.0.state.lock();
        match self.take(&mut state) {
            Some(value) => Ok(value),
            None if !self.0.has_senders(&state) => Err(TryRecvError::Disconnected),
            None => Err(TryRecvError::Empty),
        }
    }

    fn take(&self, state: &mut State<T>) -> Option<T> {
        let value = state.queue.pop_front()?;
        state.taken += 1;
        match state.bound {
            None => {}
            // Each rendezvous waits for its own value.
            Some(0) => self.0.drained.notify_all(),
            // There is space for one value, so one sender is woken. A sender that finds the space taken waits again.
            Some(_) => self.0.drained.notify_one(),
        }
        Some(value)
    }
}

impl<T> Drop for Receiver<T> {
    #[track_caller]
    fn drop(&mut self) {
        let channel = &self.0;
        let at_once = |mut state: MutexGuard<'_, State<T>>| {
            state.receiving = false;
            if state.bound.is_some() {
                channel.drained.notify_all();
            }
            if state.bound != Some(0) {
                // The remaining values are dropped now, and outside the lock: their destructors may use this channel.
                let left = std::mem::take(&mut state.queue);
                drop(state);
                drop(left);
            }
        };
        channel.leave(at_once, || {
            channel.receiver_gone.store(true, Ordering::Relaxed);
            channel.drained.notify_late();
        });
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
