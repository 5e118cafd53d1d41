//! The findings that the scheduler reports: tasks that wait forever, and runs that do not end.

use std::panic::Location;

use crate::blocked::{self, Awaits, Blocked};
use crate::record::{ObjectId, TaskId, Violation, ViolationKind};
use crate::state::State;
use crate::task::{Need, Task};

impl State {
    pub(crate) fn deadlocked(&self) -> Violation {
        let is_left = |task: &Task, id: u32| !task.is_finished && !self.is_alarm(TaskId(id));
        let left = self.tasks.iter().zip(0..).filter(|(task, id)| is_left(task, *id));
        let blocked: Vec<Blocked> = left
            .map(|(task, id)| Blocked { task: TaskId(id), op: task.op, awaits: self.awaits(task, TaskId(id)) })
            .collect();
        blocked::deadlock(&self.log, &blocked)
    }

    pub(crate) fn awaits(&self, task: &Task, id: TaskId) -> Awaits {
        let holders = |object: ObjectId| self.objects.holders(object);
        match task.need {
            _ if task.op.is_none() => Awaits::Start,
            Need::End(other) => Awaits::End(other),
            Need::Lock(object, _) => Awaits::Lock(holders(object)),
            Need::Nothing => {
                // A wait: either the notifier has made the task a contender for its mutex, or it was not notified.
                let mutex = self.objects.wanted_by(id);
                mutex.map_or(Awaits::Notification, |mutex| Awaits::LockAgain(mutex, holders(mutex)))
            }
        }
    }

    pub(crate) fn stalled(&self) -> Violation {
        let location: Option<&'static Location<'static>> = self.tasks[self.log.task.index()].op.map(|op| op.location);
        let message = format!("the run has not ended after {} steps", self.bounds.steps_max);
        // The slack used is over a second: a timer has overtaken ready tasks again and again.
        let overtaken = self.early_ns >= 1_000_000_000;
        let (cause, knob) = if overtaken {
            let cause = "a timer that re-arms: its sleeps overtook tasks that were ready";
            (cause, "Limits::timer_slack, the total by which they may overtake in a run: set it to a few periods")
        } else {
            let cause = "a loop that waits for another task without yielding, or more work than the limit allows";
            (cause, "Limits::steps_max")
        };
        let violation = Violation::of_run(ViolationKind::Stall, message).fact("usual cause", cause).fact("knob", knob);
        match location {
            Some(at) => violation.fact("last at", format!("{}:{}", at.file(), at.line())),
            None => violation,
        }
    }
}
