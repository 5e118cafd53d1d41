//! The alarm: one task of the run that sleeps on behalf of all timers of futures.
//!
//! A timer belongs to a waker, not to the task that polled it last: when it expires, that task may have ended, or may
//! wait for a lock. A separate task therefore sleeps until the earliest deadline and wakes the wakers.
//!
//! The alarm is not part of the component. The run ends without it, and a deadlock report does not list it. Its key is
//! a constant, not the key of a child: the schedule decides which task starts it, and that must not shift the draws of
//! another task. Its clock starts empty, so that it does not order accesses to plain memory.

use std::panic::Location;

use crate::kernel::Kernel;
use crate::record::{ObjectId, TaskId};
use crate::state::{Alarm, State};

impl Kernel {
    /// Starts the alarm's task. Not a scheduling point.
    pub fn start_alarm(&'static self, body: impl FnOnce() + 'static, location: &'static Location<'static>) {
        {
            let mut state = self.state.borrow_mut();
            if state.halted {
                return;
            }
            let (id, key) = state.log.alarm_started();
            state.add_task(id, key, None);
            state.alarm = Alarm { task: id, ..Alarm::ABSENT };
            state.unfinished -= 1;
        }
        self.start(0, body, location);
    }

    /// Sets the time at which the alarm wakes. Not a scheduling point.
    pub fn set_alarm(&self, deadline_ns: Option<u64>) {
        self.state.borrow_mut().set_alarm(deadline_ns);
    }

    /// Suspends the alarm's task until `deadline_ns`. Returns false if the alarm must end.
    pub fn await_alarm(&self, deadline_ns: Option<u64>, location: &'static Location<'static>) -> bool {
        {
            let mut state = self.state.borrow_mut();
            if state.halted || !state.alarm.is_started() || state.alarm.is_closing {
                return false;
            }
            let me = state.log.task;
            state.make_blocked(me);
            state.alarm.awaits = true;
            state.set_alarm(deadline_ns);
        }
        self.block_current(ObjectId::NONE, location);
        let mut state = self.state.borrow_mut();
        state.alarm.awaits = false;
        state.me().timed_out = false;
        state.alarm.is_started() && !state.alarm.is_closing
    }
}

impl State {
    fn set_alarm(&mut self, deadline_ns: Option<u64>) {
        let Alarm { task, awaits, .. } = self.alarm;
        // Otherwise the alarm reads the earliest deadline before it sleeps again.
        if awaits && !self.is_ready(task) {
            self.unsleep(task);
            if let Some(deadline_ns) = deadline_ns {
                self.put_to_sleep(task, deadline_ns);
            }
        }
    }

    /// Wakes the alarm so that it ends. Called once every other task has ended.
    pub(crate) fn close_alarm(&mut self) {
        let Alarm { task, is_closing, awaits } = self.alarm;
        if !self.alarm.is_started() || is_closing {
            return;
        }
        self.alarm.is_closing = true;
        if awaits && !self.is_ready(task) {
            self.unsleep(task);
            self.make_ready(task);
        }
    }

    pub(crate) fn is_alarm(&self, task: TaskId) -> bool {
        self.alarm.task == task
    }
}
