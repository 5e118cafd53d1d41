//! `std::sync::mpsc`, written anew: real std's channels keep state per OS thread, which all tasks of a run would share.
//!
//! The semantics are std's: messages arrive in the order of sending, and a channel of capacity 0 is a rendezvous. When
//! the receiver is dropped, queued messages are dropped, and a waiting sender gets its message back.
#![expect(missing_docs, clippy::missing_errors_doc, reason = "the names and their contracts are std's")]

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::marker::PhantomData;
use std::panic::{Location, RefUnwindSafe};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lastref_kernel::record::OpKind;

pub use std::sync::mpsc::{RecvError, RecvTimeoutError, SendError, TryRecvError, TrySendError};

use crate::run::current;
use crate::sync::operate;

/// The state that both ends share. The lock and the condition variables are real std's, since only whole operations of
/// the channel are scheduling points.
struct Channel<T> {
    queue: Mutex<Queue<T>>,
    /// The receiver waits on this for a message.
    filled: Condvar,
    /// Senders wait on this for space, or for the receiver to take a message.
    taken: Condvar,
}

struct Queue<T> {
    /// Each message with its number.
    messages: VecDeque<(u64, T)>,
    /// `None` if the channel is unbounded.
    capacity: Option<usize>,
    senders: usize,
    has_receiver: bool,
    receiver_waits: bool,
    sent: u64,
}

/// How long an operation may wait.
#[derive(Clone, Copy)]
enum Patience {
    Forever,
    Until(Instant),
    None,
}

impl<T> Channel<T> {
    fn new(capacity: Option<usize>) -> Arc<Channel<T>> {
        let queue = Queue {
            messages: VecDeque::new(),
            capacity,
            senders: 1,
            has_receiver: true,
            receiver_waits: false,
            sent: 0,
        };
        Arc::new(Channel { queue: Mutex::new(queue), filled: Condvar::new(), taken: Condvar::new() })
    }

    fn queue(&self) -> MutexGuard<'_, Queue<T>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_taken<'a>(&self, queue: MutexGuard<'a, Queue<T>>) -> MutexGuard<'a, Queue<T>> {
        self.taken.wait(queue).unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, message: T) -> Result<(), SendError<T>> {
        let mut queue = self.queue();
        loop {
            if !queue.has_receiver {
                return Err(SendError(message));
            }
            // A rendezvous channel accepts each message at once, and its sender waits below.
            if queue.capacity.is_none_or(|capacity| capacity == 0 || queue.messages.len() < capacity) {
                break;
            }
            queue = self.wait_taken(queue);
        }
        let number = queue.push(message);
        self.filled.notify_one();
        while queue.capacity == Some(0) && queue.has(number) {
            if !queue.has_receiver {
                return queue.remove(number).map_or(Ok(()), |message| Err(SendError(message)));
            }
            queue = self.wait_taken(queue);
        }
        Ok(())
    }

    fn try_send(&self, message: T) -> Result<(), TrySendError<T>> {
        let mut queue = self.queue();
        if !queue.has_receiver {
            return Err(TrySendError::Disconnected(message));
        }
        let has_room = match queue.capacity {
            None => true,
            Some(0) => queue.receiver_waits && queue.messages.is_empty(),
            Some(capacity) => queue.messages.len() < capacity,
        };
        if !has_room {
            return Err(TrySendError::Full(message));
        }
        queue.push(message);
        self.filled.notify_one();
        Ok(())
    }

    fn receive(&self, patience: Patience) -> Result<T, RecvTimeoutError> {
        let mut queue = self.queue();
        loop {
            if let Some((_, message)) = queue.messages.pop_front() {
                if queue.capacity.is_some() {
                    self.taken.notify_all();
                }
                return Ok(message);
            }
            if queue.senders == 0 {
                return Err(RecvTimeoutError::Disconnected);
            }
            let left = match patience {
                Patience::Forever => None,
                Patience::None => return Err(RecvTimeoutError::Timeout),
                Patience::Until(deadline) => {
                    #[expect(clippy::disallowed_methods, reason = "inside a run this clock is the virtual one")]
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Err(RecvTimeoutError::Timeout);
                    }
                    Some(left)
                }
            };
            queue.receiver_waits = true;
            queue = match left {
                None => self.filled.wait(queue).unwrap_or_else(PoisonError::into_inner),
                Some(left) => self.filled.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0,
            };
            queue.receiver_waits = false;
        }
    }

    fn add_sender(&self) {
        self.queue().senders += 1;
    }

    fn remove_sender(&self) {
        let mut queue = self.queue();
        queue.senders -= 1;
        if queue.senders == 0 {
            self.filled.notify_one();
        }
    }

    fn remove_receiver(&self) {
        let mut queue = self.queue();
        queue.has_receiver = false;
        // The waiting senders of a rendezvous channel take their messages back.
        let dropped = if queue.capacity == Some(0) { VecDeque::new() } else { std::mem::take(&mut queue.messages) };
        self.taken.notify_all();
        drop(queue);
        // Dropped without the lock: a message may hold an end of this channel.
        drop(dropped);
    }
}

/// An operation that does not wait. If it fails it changes nothing, and the kernel must see that: a loop that repeats
/// it only waits for another task.
#[inline]
fn attempt<T, R, E>(
    channel: &Channel<T>,
    location: &'static Location<'static>,
    operation: impl FnOnce() -> Result<R, E>,
) -> Result<R, E> {
    let result = operate(OpKind::Rmw, channel, "Channel", location, operation);
    if result.is_ok()
        && let Some(run) = current()
    {
        run.host(|| run.kernel.has_changed());
    }
    result
}

impl<T> Queue<T> {
    fn push(&mut self, message: T) -> u64 {
        self.sent += 1;
        self.messages.push_back((self.sent, message));
        self.sent
    }

    fn has(&self, number: u64) -> bool {
        self.messages.iter().any(|(other, _)| *other == number)
    }

    fn remove(&mut self, number: u64) -> Option<T> {
        let place = self.messages.iter().position(|(other, _)| *other == number)?;
        self.messages.remove(place).map(|(_, message)| message)
    }
}

pub struct Sender<T>(Arc<Channel<T>>);

pub struct SyncSender<T>(Arc<Channel<T>>);

/// Not `Sync`, like std's.
pub struct Receiver<T>(Arc<Channel<T>>, PhantomData<Cell<()>>);

// As for std's receiver: the marker that makes it `!Sync` does not affect unwind safety.
impl<T> RefUnwindSafe for Receiver<T> {}

pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let channel = Channel::new(None);
    (Sender(Arc::clone(&channel)), Receiver(channel, PhantomData))
}

pub fn sync_channel<T>(bound: usize) -> (SyncSender<T>, Receiver<T>) {
    let channel = Channel::new(Some(bound));
    (SyncSender(Arc::clone(&channel)), Receiver(channel, PhantomData))
}

macro_rules! sender {
    ($name:ident) => {
        impl<T> $name<T> {
            #[track_caller]
            pub fn send(&self, message: T) -> Result<(), SendError<T>> {
                let channel = &*self.0;
                operate(OpKind::Transfer, channel, "Channel", Location::caller(), || channel.send(message))
            }
        }

        impl<T> Clone for $name<T> {
            fn clone(&self) -> Self {
                self.0.add_sender();
                $name(Arc::clone(&self.0))
            }
        }

        impl<T> Drop for $name<T> {
            #[track_caller]
            fn drop(&mut self) {
                let channel = &*self.0;
                operate(OpKind::Release, channel, "Channel", Location::caller(), || channel.remove_sender());
            }
        }

        impl<T> fmt::Debug for $name<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    };
}

sender!(Sender);
sender!(SyncSender);

impl<T> SyncSender<T> {
    #[track_caller]
    pub fn try_send(&self, message: T) -> Result<(), TrySendError<T>> {
        let channel = &*self.0;
        attempt(channel, Location::caller(), || channel.try_send(message))
    }
}

impl<T> Receiver<T> {
    #[track_caller]
    fn receive(&self, patience: Patience) -> Result<T, RecvTimeoutError> {
        let channel = &*self.0;
        operate(OpKind::Use, channel, "Channel", Location::caller(), || channel.receive(patience))
    }

    #[track_caller]
    pub fn recv(&self) -> Result<T, RecvError> {
        self.receive(Patience::Forever).map_err(|_| RecvError)
    }

    #[track_caller]
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        let channel = &*self.0;
        let received = attempt(channel, Location::caller(), || channel.receive(Patience::None));
        received.map_err(|error| match error {
            RecvTimeoutError::Timeout => TryRecvError::Empty,
            RecvTimeoutError::Disconnected => TryRecvError::Disconnected,
        })
    }

    #[track_caller]
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        #[expect(clippy::disallowed_methods, reason = "inside a run this clock is the virtual one")]
        let deadline = Instant::now().checked_add(timeout);
        // A deadline beyond the range of the clock never comes.
        self.receive(deadline.map_or(Patience::Forever, Patience::Until))
    }

    pub fn iter(&self) -> Iter<'_, T> {
        Iter(self)
    }

    pub fn try_iter(&self) -> TryIter<'_, T> {
        TryIter(self)
    }
}

impl<T> Drop for Receiver<T> {
    #[track_caller]
    fn drop(&mut self) {
        let channel = &*self.0;
        operate(OpKind::Release, channel, "Channel", Location::caller(), || channel.remove_receiver());
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}

#[derive(Debug)]
pub struct Iter<'a, T: 'a>(&'a Receiver<T>);

#[derive(Debug)]
pub struct TryIter<'a, T: 'a>(&'a Receiver<T>);

#[derive(Debug)]
pub struct IntoIter<T>(Receiver<T>);

impl<T> Iterator for Iter<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.0.recv().ok()
    }
}

impl<T> Iterator for TryIter<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.0.try_recv().ok()
    }
}

impl<T> Iterator for IntoIter<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.0.recv().ok()
    }
}

impl<'a, T> IntoIterator for &'a Receiver<T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

impl<T> IntoIterator for Receiver<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;

    fn into_iter(self) -> IntoIter<T> {
        IntoIter(self)
    }
}
