//! The alarm: one task of the run that sleeps on behalf of all timers of futures.
//!
//! A timer belongs to a waker, not to the task that polled it last: when it expires, that task may have ended, or may
//! wait for a lock. A separate task therefore sleeps until the earliest deadline and wakes the wakers.
//!
//! The alarm is not part of the component. The run ends without it, and a deadlock report does not list it. Its key is
//! a constant and not that of a child of its starter: the schedule decides which task starts it, which must not shift
//! another task's draws. Its clock starts empty, so that it does not order accesses to plain memory.

use std::panic::Location;

use super::kernel::Kernel;
use super::{give_way, start, with};
use crate::op::{ObjectId, TaskId};

#[derive(Debug)]
pub(super) struct Alarm {
    pub(super) task: TaskId,
    /// Every other task has finished, so the alarm must end.
    pub(super) is_closing: bool,
}

/// Starts the alarm's task. Not a scheduling point.
pub(crate) fn start_alarm(body: Box<dyn FnOnce()>, location: &'static Location<'static>) {
    let is_over = with(|kernel| {
        if kernel.halted {
            return true;
        }
        let (id, key) = kernel.run.alarm_started();
        kernel.add_task(id, key, None);
        kernel.alarm = Some(Alarm { task: id, is_closing: false });
        kernel.unfinished -= 1;
        false
    });
    if !is_over {
        start(body, location);
    }
}

/// Sets the time at which the alarm wakes.
pub(crate) fn set_alarm(deadline_ns: Option<u64>) {
    with(|kernel| kernel.set_alarm(deadline_ns));
}

/// The alarm's task waits for that time. False: it must end.
pub(crate) fn await_alarm(deadline_ns: Option<u64>, location: &'static Location<'static>) -> bool {
    let is_closing = with(|kernel| {
        let is_closing = kernel.halted || kernel.alarm.as_ref().is_none_or(|alarm| alarm.is_closing);
        if !is_closing {
            let me = kernel.current;
            kernel.make_blocked(me);
            kernel.set_alarm(deadline_ns);
        }
        is_closing
    });
    if is_closing {
        return false;
    }
    give_way(ObjectId::NONE, location);
    with(|kernel| {
        kernel.me().timed_out = false;
        kernel.alarm.as_ref().is_some_and(|alarm| !alarm.is_closing)
    })
}

impl Kernel {
    fn set_alarm(&mut self, deadline_ns: Option<u64>) {
        let Some(task) = self.alarm.as_ref().map(|alarm| alarm.task) else { return };
        // An alarm that is ready asks for the earliest deadline before it sleeps again.
        if !self.is_ready(task) && !self.is_finished(task) {
            self.unsleep(task);
            if let Some(deadline_ns) = deadline_ns {
                self.put_to_sleep(task, deadline_ns);
            }
        }
    }

    /// Lets the alarm end once every other task has.
    pub(super) fn close_alarm(&mut self) {
        let Some(alarm) = self.alarm.as_mut().filter(|alarm| !alarm.is_closing) else { return };
        alarm.is_closing = true;
        let task = alarm.task;
        if !self.is_ready(task) && !self.is_finished(task) {
            self.unsleep(task);
            self.make_ready(task);
        }
    }

    pub(super) fn is_alarm(&self, task: TaskId) -> bool {
        self.alarm.as_ref().is_some_and(|alarm| alarm.task == task)
    }
}
