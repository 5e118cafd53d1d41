//! The text of a deadlock: each remaining task, what it waits for, and the task that would have to act.
//!
//! Both engines that find deadlocks use this text. The kernel knows what its tasks wait for. loom does not report it,
//! so the facade records before each blocking call what the task is about to wait for.

use crate::record::{Log, ObjectId, Op, TaskId, Violation, ViolationKind};

/// What a task needs before it can continue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Awaits {
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
pub struct Blocked {
    /// The task.
    pub task: TaskId,
    /// The operation in which it waits.
    pub op: Option<Op>,
    /// What it waits for.
    pub awaits: Awaits,
}

/// The finding: none of these tasks can continue.
pub fn deadlock(log: &Log, blocked: &[Blocked]) -> Violation {
    let names: Vec<&str> = blocked.iter().map(|blocked| log.task_name(blocked.task)).collect();
    let verb = if names.len() == 1 { "is" } else { "are" };
    let message = format!("no task can go on: {} {verb} blocked", names.join(", "));
    let violation = Violation::of_run(ViolationKind::Deadlock, message);
    blocked.iter().zip(names).fold(violation, |violation, (blocked, name)| violation.fact(name, describe(log, blocked)))
}

fn describe(log: &Log, blocked: &Blocked) -> String {
    let at = blocked.op.map(|op| format!(", at {}:{}", op.location.file(), op.location.line()));
    wait_of(log, blocked) + &at.unwrap_or_default()
}

/// The task's operation, and what it waits for, without its source line.
pub(crate) fn wait_of(log: &Log, blocked: &Blocked) -> String {
    let Some(op) = blocked.op else { return "has not started".to_owned() };
    let object = if op.object == ObjectId::NONE { String::new() } else { format!(" {}", log.label(op.object)) };
    let awaits = match &blocked.awaits {
        Awaits::Start => String::new(),
        Awaits::Lock(holders) => held_by(log, holders),
        Awaits::LockAgain(mutex, holders) => {
            format!(", notified, needs {}{}", log.label(*mutex), held_by(log, holders))
        }
        Awaits::Notification => ", not notified".to_owned(),
        Awaits::End(task) => format!(" {}", log.task_name(*task)),
    };
    format!("{}{object}{awaits}", op.kind)
}

fn held_by(log: &Log, holders: &[TaskId]) -> String {
    if holders.is_empty() {
        return String::new();
    }
    let names: Vec<&str> = holders.iter().map(|holder| log.task_name(*holder)).collect();
    format!(", held by {}", names.join(", "))
}
