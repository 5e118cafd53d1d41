//! Words on which tasks wait, as threads wait on a futex: a task sleeps while the word holds the value that it
//! expects, and another task wakes some of those that sleep.
//!
//! The caller owns the word. The kernel keeps the waiting tasks, and compares through the caller's function once the
//! task is scheduled, so that no wake-up is lost between the comparison and the wait.

use super::condvar::Waited;
use crate::kernel::Kernel;
use crate::record::{Item, ObjectId, Op, TaskId};
use crate::seed::Choice;
use crate::state::State;
use crate::task::Need;

impl Kernel {
    /// Waits on the word until it is woken, or until `deadline_ns` of virtual time. Returns `None`, without a wait, if
    /// the word no longer holds the expected value (`holds` returns false). Reports name the object of `op`, since a
    /// lock may have several words.
    pub fn wait_on_word(
        &self,
        word: ObjectId,
        op: Op,
        deadline_ns: Option<u64>,
        holds: impl FnOnce() -> bool,
    ) -> Option<Waited> {
        let waits = self.enter(op, Need::Nothing, |state| {
            if !holds() {
                return false;
            }
            let me = state.log.task;
            state.objects.word(word).waiters.push(me);
            state.me().timed_out = false;
            match deadline_ns {
                Some(deadline_ns) => state.sleep_until(deadline_ns),
                None => state.make_blocked(me),
            }
            true
        });
        match waits {
            None => return Some(Waited::Over),
            Some(false) => return None,
            Some(true) => self.block_current(op.object, op.location),
        }
        let mut state = self.state.borrow_mut();
        let me = state.log.task;
        if !std::mem::take(&mut state.me().timed_out) {
            return Some(Waited::Notified);
        }
        state.objects.word(word).waiters.retain(|waiter| *waiter != me);
        state.log.record(Item::TimedOut, op.location);
        Some(Waited::TimedOut)
    }

    /// Whether a task waits on the word. Not a scheduling point.
    pub fn has_waiters(&self, word: ObjectId) -> bool {
        !self.state.borrow_mut().objects.word(word).waiters.is_empty()
    }

    /// Wakes at most `most` tasks that wait on the word, each drawn at random, since a futex promises no
    /// order. Returns their number.
    pub fn wake_word(&self, word: ObjectId, op: Op, most: u32) -> u32 {
        let woken = self.enter(op, Need::Nothing, |state| {
            let mut woken = 0;
            while woken < most {
                // Each wake-up is counted, even without a choice: the schedule decides how many waiters there are.
                let (task, nth) = state.log.notifies();
                let seed = state.log.seed;
                let waiters = &mut state.objects.word(word).waiters;
                if waiters.is_empty() {
                    break;
                }
                let chosen = Choice::Waiter { task: task.0, nth }.below(seed, waiters.len() as u64) as usize;
                let waiter = waiters.remove(chosen);
                state.end_wait(waiter);
                woken += 1;
            }
            woken
        });
        woken.unwrap_or(0)
    }
}

impl State {
    /// Makes a task ready that was removed from the waiters of a word.
    pub(crate) fn end_wait(&mut self, waiter: TaskId) {
        self.unsleep(waiter);
        // Its deadline may have passed meanwhile. It has received a wake-up, so it must not report a timeout.
        self.tasks[waiter.index()].timed_out = false;
        self.make_ready(waiter);
    }
}
