//! The text of a deadlock: each remaining task, what it waits for, and the task that would have to act.
//!
//! Both engines that find deadlocks use this text. The kernel knows what its tasks wait for. loom does not report it,
//! so the facade records before each blocking call what the task is about to wait for.

use crate::op::{ObjectId, Op, TaskId};
use crate::run::Run;
use crate::violation::{Violation, ViolationKind};

/// What a task needs before it can continue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Awaits {
    /// Its first step.
    Start,
    /// The lock that it requested, held by these tasks.
    Lock(Vec<TaskId>),
    /// A mutex that it released for a wait, held by these tasks; it has been notified.
    LockAgain(ObjectId, Vec<TaskId>),
    /// A notification.
    Notification,
    /// The end of another task.
    End(TaskId),
}

/// A task that cannot continue.
#[derive(Clone, Debug)]
pub(crate) struct Blocked {
    pub(crate) task: TaskId,
    /// The operation in which it waits.
    pub(crate) op: Option<Op>,
    pub(crate) awaits: Awaits,
}

/// The finding: none of these tasks can continue.
pub(crate) fn deadlock(run: &Run, blocked: &[Blocked]) -> Violation {
    let names: Vec<&str> = blocked.iter().map(|blocked| name(run, blocked.task)).collect();
    let verb = if names.len() == 1 { "is" } else { "are" };
    let message = format!("no task can go on: {} {verb} blocked", names.join(", "));
    let violation = Violation::of_run(ViolationKind::Deadlock, message);
    blocked.iter().zip(names).fold(violation, |violation, (blocked, name)| violation.fact(name, describe(run, blocked)))
}

fn describe(run: &Run, blocked: &Blocked) -> String {
    let Some(op) = blocked.op else { return "has not started".to_owned() };
    let object = if op.object == ObjectId::NONE { String::new() } else { format!(" {}", run.label(op.object)) };
    let awaits = match &blocked.awaits {
        Awaits::Start => String::new(),
        Awaits::Lock(holders) => held_by(run, holders),
        Awaits::LockAgain(mutex, holders) => {
            format!(", notified, needs {}{}", run.label(*mutex), held_by(run, holders))
        }
        Awaits::Notification => ", not notified".to_owned(),
        Awaits::End(task) => format!(" {}", name(run, *task)),
    };
    format!("{}{object}{awaits}, at {}:{}", op.kind, op.location.file(), op.location.line())
}

fn held_by(run: &Run, holders: &[TaskId]) -> String {
    if holders.is_empty() {
        return String::new();
    }
    let names: Vec<&str> = holders.iter().map(|holder| name(run, *holder)).collect();
    format!(", held by {}", names.join(", "))
}

fn name(run: &Run, task: TaskId) -> &str {
    run.tasks.get(task.index()).map_or("-", |task| task.name.text)
}
