//! The interface of a run: its setup, the outcomes of a decision, and its results.

use std::any::Any;
use std::fmt;

use crate::record::{Keep, ObjectId, RunNumber, TaskId, Void};
use crate::strategy::{Strategy, Switch};
use crate::task::TaskTurns;

/// The setup of one run.
pub struct Setup {
    /// The number of the run in its process.
    pub number: RunNumber,
    /// The seed of the run.
    pub seed: u64,
    /// Chooses the tasks.
    pub strategy: Box<dyn Strategy>,
    /// The bounds of the run.
    pub bounds: Bounds,
    /// How much of the run is kept.
    pub keep: Keep,
    /// Size of each task's stack in bytes.
    pub stack_bytes: usize,
    /// The caller's treatment of panics.
    pub panics: Panics,
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup").field("seed", &self.seed).field("strategy", &self.strategy).finish_non_exhaustive()
    }
}

/// The caller's treatment of panics that a task cannot report by itself.
#[derive(Clone, Copy, Debug)]
pub struct Panics {
    /// Describes a panic of the kernel or of the strategy.
    pub bug_of: fn(&(dyn Any + Send)) -> Void,
    /// Ends the process when a destructor would have to wait while a panic unwinds its task, which is impossible. The
    /// argument completes "a destructor ...".
    pub stuck: fn(&str) -> !,
}

/// The scheduling results of a run. Its record is in the kernel's [log](crate::Kernel::log).
#[derive(Debug, Default)]
pub struct Ended {
    /// Every task has finished.
    pub is_quiescent: bool,
    /// The forced switches of a recorded run; empty if only its hash is kept.
    pub switches: Vec<Switch>,
    /// The tasks of a recorded run, in the order of creation.
    pub tasks: Vec<TaskTurns>,
    /// Decisions among more than one candidate.
    pub choices: u32,
}

/// The bounds of one run.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Decisions after which the run counts as stalled.
    pub steps_max: u32,
    /// The total time in nanoseconds by which sleepers that overtake ready tasks may advance the clock.
    pub slack_ns: u64,
}

/// The outcome of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// This task runs.
    Task(TaskId),
    /// Every task has finished.
    Finished,
    /// The run ends here.
    Halt,
}

/// Access to the panic count of this OS thread.
#[derive(Clone, Copy, Debug)]
pub struct PanicCount {
    /// Returns the count, and sets it to that of a thread that does not panic.
    pub take: fn() -> [usize; 2],
    /// Sets the count.
    pub set: fn([usize; 2]),
}

/// A wait in real time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RealWait {
    /// An event has ended it.
    pub has_event: bool,
    /// The virtual time in nanoseconds that passes with it: at most the time to the next deadline, and 0 without one.
    pub duration_ns: u64,
}

/// The caller's function that waits for events outside the run.
#[derive(Clone, Copy)]
pub struct Outside {
    /// The word on which tasks wait for such events; see [`crate::Kernel::wait_on_word`].
    pub word: ObjectId,
    /// Called when no task is ready, with the time in nanoseconds to the next deadline of a sleeping task. Waits in
    /// real time. If an event has occurred, the tasks that wait on the word check again. It must not call the kernel.
    pub wait: fn(Option<u64>) -> RealWait,
}

impl fmt::Debug for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outside").field("word", &self.word).finish_non_exhaustive()
    }
}
