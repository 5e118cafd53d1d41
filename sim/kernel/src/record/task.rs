//! The recorded data of a task.

use std::panic::Location;

use super::name::Name;
use super::op::{ObjectId, TaskKey};

/// The recorded data of one task.
#[derive(Clone, Debug)]
pub struct TaskInfo {
    /// Its position in the tree of spawns.
    pub key: TaskKey,
    /// Its name.
    pub name: Name,
    /// Whether the spawner has named it; otherwise it has a default name.
    pub is_named: bool,
    /// The host that it belongs to.
    pub host: Option<&'static str>,
    /// The object by which it is parked and unparked, as threads are; [`ObjectId::NONE`] if it has none.
    pub parker: ObjectId,
    /// The source line of its last operation.
    pub(super) at: Option<&'static Location<'static>>,
    pub(super) children: u32,
    pub(super) draws: u32,
    pub(super) notifications: u32,
    /// Nesting depth of the futures that it polls.
    pub(super) polls: u32,
}

impl TaskInfo {
    pub(super) fn new(key: TaskKey, name: Name, is_named: bool) -> TaskInfo {
        TaskInfo {
            key,
            name,
            is_named,
            host: None,
            parker: ObjectId::NONE,
            at: None,
            children: 0,
            draws: 0,
            notifications: 0,
            polls: 0,
        }
    }
}
