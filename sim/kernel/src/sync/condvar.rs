//! Condition variables.

use std::panic::Location;

use smallvec::SmallVec;

use crate::kernel::Kernel;
use crate::objects::Mode;
use crate::record::{Item, ObjectId, Op, OpKind, TaskId};
use crate::seed::Choice;
use crate::task::Need;

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// By a notification.
    Notified,
    /// By its timeout.
    TimedOut,
    /// The run is over.
    Over,
}

/// How many waiters a notification wakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notify {
    /// One.
    One,
    /// All.
    All,
}

impl Kernel {
    /// Releases the mutex, waits for a notification, for at most `timeout_ns` of virtual time, and takes the mutex
    /// again.
    pub fn wait(
        &self,
        condvar: ObjectId,
        mutex: ObjectId,
        timeout_ns: Option<u64>,
        location: &'static Location<'static>,
    ) -> Waited {
        let op = Op { kind: OpKind::Wait, object: condvar, location };
        let waits = self.enter(op, Need::Nothing, |state| {
            if std::mem::take(&mut state.objects.condvar(condvar).is_late) {
                return false;
            }
            let me = state.log.task;
            state.give(mutex);
            state.objects.condvar(condvar).waiters.push((me, mutex));
            let task = state.me();
            (task.waits_on, task.timed_out) = (Some(condvar), false);
            match timeout_ns {
                Some(timeout_ns) => state.sleep_until(state.log.now_ns.saturating_add(timeout_ns)),
                None => state.make_blocked(me),
            }
            true
        });
        match waits {
            None => return Waited::Over,
            Some(false) => return Waited::Notified,
            Some(true) => self.block_current(condvar, location),
        }
        let timed_out = {
            let mut state = self.state.borrow_mut();
            let timed_out = std::mem::take(&mut state.me().timed_out);
            if timed_out {
                state.log.record(Item::TimedOut, location);
            } else {
                // The notifier made this task a contender for the mutex, so it is free now.
                state.take(mutex, Mode::Exclusive);
            }
            timed_out
        };
        if timed_out {
            self.lock(mutex, Mode::Exclusive, OpKind::Lock, location);
            return Waited::TimedOut;
        }
        Waited::Notified
    }

    /// Wakes one waiter, drawn at random, or all.
    pub fn notify(&self, condvar: ObjectId, how: Notify, location: &'static Location<'static>) {
        let kind = match how {
            Notify::One => OpKind::NotifyOne,
            Notify::All => OpKind::NotifyAll,
        };
        self.enter(Op { kind, object: condvar, location }, Need::Nothing, |state| {
            // Each notification is counted, even without a choice: the schedule decides how many waiters there are.
            let (task, nth) = state.log.notifies();
            let waiters = &mut state.objects.condvar(condvar).waiters;
            let woken: SmallVec<[(TaskId, ObjectId); 4]> = match how {
                Notify::One if waiters.is_empty() => SmallVec::new(),
                Notify::One => {
                    // std does not specify which waiter wakes.
                    let choice = Choice::Waiter { task: task.0, nth };
                    let first = choice.below(state.log.seed, waiters.len() as u64) as usize;
                    SmallVec::from_slice(&[waiters.remove(first)])
                }
                Notify::All => std::mem::take(waiters),
            };
            for (task, mutex) in woken {
                state.unsleep(task);
                state.tasks[task.index()].waits_on = None;
                state.contend(task, mutex, Mode::Exclusive);
            }
        });
    }

    /// Notifies on behalf of an unwinding task that could not take the mutex. Wakes every present waiter, and makes the
    /// next wait return at once, so that the holder of the mutex does not miss the notification.
    pub fn notify_late(&self, condvar: ObjectId, location: &'static Location<'static>) {
        self.notify(condvar, Notify::All, location);
        self.state.borrow_mut().objects.condvar(condvar).is_late = true;
    }
}
