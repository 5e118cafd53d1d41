//! Operations: a task's action on an object, with its source line.
//!
//! A task announces each operation before it performs it. Strategies and deadlock reports read the announcement; the
//! trace records the operation when it is performed.

use std::fmt;
use std::panic::Location;

/// A task of one run, numbered in the order of creation; 0 is the body itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(pub u32);

impl TaskId {
    /// The body of the run.
    pub const MAIN: TaskId = TaskId(0);

    /// As an index.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Names a task by its position in the tree of spawns: the same task in another schedule of the same program has the
/// same key, though not always the same [`TaskId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct TaskKey(pub u64);

impl TaskKey {
    /// The task that sleeps for the timers of futures; it is not a child of the task that starts it.
    pub const ALARM: TaskKey = TaskKey(0x00a1_a480);
    /// The body of the run.
    pub const MAIN: TaskKey = TaskKey(0x6d61_696e);

    /// The key of this task's `nth` child.
    pub fn child(self, nth: u32) -> TaskKey {
        TaskKey(crate::seed::mix(self.0 ^ (u64::from(nth) << 17) ^ 1))
    }
}

/// An object of the facade, numbered in the order of creation within one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(pub u32);

impl ObjectId {
    /// An operation that concerns no object.
    pub const NONE: ObjectId = ObjectId(u32::MAX);
}

/// The kind of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum OpKind {
    /// The task's first step.
    Start,
    /// A mutex is locked.
    Lock,
    /// A mutex is locked if it is free.
    TryLock,
    /// A mutex is unlocked.
    Unlock,
    /// A read lock is taken.
    ReadLock,
    /// A write lock is taken.
    WriteLock,
    /// A read or write lock is released.
    RwUnlock,
    /// A condition variable is waited on.
    Wait,
    /// One waiter is woken.
    NotifyOne,
    /// All waiters are woken.
    NotifyAll,
    /// An atomic is read.
    Load,
    /// An atomic is written.
    Store,
    /// An atomic is read and written in one step.
    Rmw,
    /// A fence.
    Fence,
    /// A strong reference is added.
    ArcClone,
    /// A strong reference is dropped.
    ArcDrop,
    /// A weak reference is added.
    WeakClone,
    /// A weak reference is dropped.
    WeakDrop,
    /// A weak reference is upgraded to a strong one, if the value is alive.
    Upgrade,
    /// A plain cell is read.
    CellRead,
    /// A plain cell is written.
    CellWrite,
    /// A task is started.
    Spawn,
    /// The task waits for another task's end.
    Join,
    /// The task lets other tasks run first.
    Yield,
    /// The task sleeps until a moment of virtual time.
    Sleep,
    /// A resource of the ledger is used.
    Use,
    /// A resource of the ledger changes hands.
    Transfer,
    /// A resource of the ledger is released.
    Release,
    /// The task waits for its permit.
    Park,
    /// A task gets its permit.
    Unpark,
}

impl OpKind {
    const ALL: [OpKind; 30] = [
        OpKind::Start,
        OpKind::Lock,
        OpKind::TryLock,
        OpKind::Unlock,
        OpKind::ReadLock,
        OpKind::WriteLock,
        OpKind::RwUnlock,
        OpKind::Wait,
        OpKind::NotifyOne,
        OpKind::NotifyAll,
        OpKind::Load,
        OpKind::Store,
        OpKind::Rmw,
        OpKind::Fence,
        OpKind::ArcClone,
        OpKind::ArcDrop,
        OpKind::WeakClone,
        OpKind::WeakDrop,
        OpKind::Upgrade,
        OpKind::CellRead,
        OpKind::CellWrite,
        OpKind::Spawn,
        OpKind::Join,
        OpKind::Yield,
        OpKind::Sleep,
        OpKind::Use,
        OpKind::Transfer,
        OpKind::Release,
        OpKind::Park,
        OpKind::Unpark,
    ];

    /// The kind with this number, as `kind as u32` returns it.
    pub fn from_index(index: u32) -> Option<OpKind> {
        OpKind::ALL.into_iter().find(|kind| *kind as u32 == index)
    }

    /// Its name in tables and reports.
    pub fn word(self) -> &'static str {
        match self {
            OpKind::Start => "start",
            OpKind::Lock => "lock",
            OpKind::TryLock => "try_lock",
            OpKind::Unlock => "unlock",
            OpKind::ReadLock => "read_lock",
            OpKind::WriteLock => "write_lock",
            OpKind::RwUnlock => "rw_unlock",
            OpKind::Wait => "wait",
            OpKind::NotifyOne => "notify_one",
            OpKind::NotifyAll => "notify_all",
            OpKind::Load => "load",
            OpKind::Store => "store",
            OpKind::Rmw => "rmw",
            OpKind::Fence => "fence",
            OpKind::ArcClone => "arc_clone",
            OpKind::ArcDrop => "arc_drop",
            OpKind::WeakClone => "weak_clone",
            OpKind::WeakDrop => "weak_drop",
            OpKind::Upgrade => "upgrade",
            OpKind::CellRead => "cell_read",
            OpKind::CellWrite => "cell_write",
            OpKind::Spawn => "spawn",
            OpKind::Join => "join",
            OpKind::Yield => "yield",
            OpKind::Sleep => "sleep",
            OpKind::Use => "use",
            OpKind::Transfer => "transfer",
            OpKind::Release => "release",
            OpKind::Park => "park",
            OpKind::Unpark => "unpark",
        }
    }

    /// Whether the operation may change what other tasks see of its object. Two operations on one object commute if
    /// neither writes.
    pub fn writes(self) -> bool {
        !matches!(
            self,
            OpKind::Load | OpKind::CellRead | OpKind::Use | OpKind::ReadLock | OpKind::Start | OpKind::Yield
        )
    }
}

impl fmt::Display for OpKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// An announced operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Op {
    /// Its kind.
    pub kind: OpKind,
    /// Its object; [`ObjectId::NONE`] if it has none.
    pub object: ObjectId,
    /// Its source line in the component.
    pub location: &'static Location<'static>,
}

/// Whether the location is in `drop_in_place`, which `#[track_caller]` on a `Drop` reports as the caller.
#[inline]
pub fn is_glue(location: &Location<'_>) -> bool {
    let file = location.file();
    // One comparison of eight bytes excludes nearly every other file.
    file.as_bytes().last_chunk() == Some(b"r/mod.rs") && file.ends_with("core/src/ptr/mod.rs")
}
