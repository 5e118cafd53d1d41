//! Tasks: spawn, join, yield, and sleep in virtual time.

use std::io;
use std::panic::Location;

use crate::fiber::Turned;
use crate::kernel::Kernel;
use crate::record::{Item, ObjectId, Op, OpKind, TaskId};
use crate::task::Need;

/// The error for a task that was not started, since there is no memory for its stack.
#[derive(Debug)]
pub struct NoStack<F> {
    /// The system's reason.
    pub error: io::Error,
    /// The body that did not run.
    pub body: F,
}

/// The end of a turn of a task that was started by [`Kernel::spawn_turns`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The task has ended.
    Ends,
    /// The task waits for the permit of this parker.
    Waits(ObjectId),
}

impl Kernel {
    /// Starts a task, with its parker. A scheduling point, except within a poll: a poll may hold std locks, which its
    /// executor takes around a spawn, and a switch would leave them held by a suspended task.
    ///
    /// # Panics
    /// If the system has no memory for the stack of the task.
    pub fn spawn(
        &'static self,
        name: Option<&str>,
        body: impl FnOnce() + 'static,
        location: &'static Location<'static>,
    ) -> TaskId {
        match self.spawn_on(name, 0, body, location) {
            Ok(task) => task,
            Err(NoStack { error, .. }) => panic!("the stack of a task cannot be allocated: {error}"),
        }
    }

    /// Like [`Kernel::spawn`], with a stack of at least this size. Another source of coroutines ignores the size.
    ///
    /// # Errors
    /// If the system has no memory for the stack. The scheduling point has then passed, and there is no task.
    pub fn spawn_on<F: FnOnce() + 'static>(
        &'static self,
        name: Option<&str>,
        stack_bytes: usize,
        body: F,
        location: &'static Location<'static>,
    ) -> Result<TaskId, NoStack<F>> {
        self.announce_spawn(location);
        // After the scheduling point: until the task is started, no other can take the stack.
        if self.coroutines.get().is_none()
            && let Err(error) = self.fibers.reserve(stack_bytes)
        {
            return Err(NoStack { error, body });
        }
        let (id, is_over) = self.add_child(name);
        if !is_over {
            self.start(stack_bytes, body, location);
        }
        Ok(id)
    }

    /// Like [`Kernel::spawn`], for a task that waits only between its turns, as the task of a future does: it has a
    /// stack during a turn, and none while it waits. Each call of `turn` executes one turn. `turn` must catch its own
    /// panics.
    pub fn spawn_turns(
        &'static self,
        name: Option<&str>,
        turn: impl FnMut() -> Turn + 'static,
        location: &'static Location<'static>,
    ) -> TaskId {
        self.announce_spawn(location);
        let (id, is_over) = self.add_child(name);
        if !is_over {
            self.start_turns(id, turn, location);
        }
        id
    }

    /// Announces a spawn.
    fn announce_spawn(&self, location: &'static Location<'static>) {
        let op = Op { kind: OpKind::Spawn, object: ObjectId::NONE, location };
        let is_polling = self.log(|log| {
            let is_polling = log.is_polling();
            if is_polling {
                log.operated(op);
            }
            is_polling
        });
        if !is_polling {
            self.point(op);
        }
    }

    /// Adds a task. Returns it, and whether the run is over.
    fn add_child(&self, name: Option<&str>) -> (TaskId, bool) {
        let mut state = self.state.borrow_mut();
        let (id, key) = state.log.spawned(name);
        state.objects.add();
        state.log.tasks[id.index()].parker = state.log.add_object("park");
        if !state.halted {
            let parent = state.log.task;
            state.add_task(id, key, Some(parent));
        }
        (id, state.halted)
    }

    fn start_turns(
        &'static self,
        id: TaskId,
        mut turn: impl FnMut() -> Turn + 'static,
        location: &'static Location<'static>,
    ) {
        let coroutines = self.coroutines.get();
        if let Some(other) = coroutines {
            let task = move || {
                self.log(|log| log.record(Item::Began, location));
                while let Turn::Waits(parker) = turn() {
                    self.park(parker, OpKind::Wait, None, location);
                }
                self.finish(location);
            };
            return other.spawn(Box::new(task), location);
        }
        let (mut has_begun, mut parked) = (false, None);
        let mut turns = move || {
            if !std::mem::replace(&mut has_begun, true) {
                self.log(|log| log.record(Item::Began, location));
            }
            if let Some(parker) = parked.take() {
                self.unparked(parker);
            }
            while let Turn::Waits(parker) = turn() {
                if self.parks(parker, OpKind::Wait, None, location) == Some(false) {
                    self.rests(parker, location);
                    parked = Some(parker);
                    return true;
                }
            }
            self.finish(location);
            false
        };
        let turns = move || {
            let mut rests = false;
            let next = self.after(|| rests = turns());
            Turned { rests, next }
        };
        self.fibers.start_resting(id, Box::new(turns));
    }

    /// Creates the coroutine of the newest task.
    pub(crate) fn start(
        &'static self,
        stack_bytes: usize,
        body: impl FnOnce() + 'static,
        location: &'static Location<'static>,
    ) {
        let coroutines = self.coroutines.get();
        let task = move || {
            self.log(|log| log.record(Item::Began, location));
            body();
            self.finish(location);
        };
        match coroutines {
            None => self.fibers.start(stack_bytes, move || self.after(task)),
            Some(other) => other.spawn(Box::new(task), location),
        }
    }

    /// Ends the current task.
    pub(crate) fn finish(&self, location: &'static Location<'static>) {
        let mut state = self.state.borrow_mut();
        state.log.record(Item::Ended, location);
        state.finish_current();
    }

    /// Waits until the task has finished. Its operations happen before the return.
    pub fn join(&self, task: TaskId, location: &'static Location<'static>) {
        let op = Op { kind: OpKind::Join, object: ObjectId::NONE, location };
        self.enter(op, Need::End(task), |state| {
            if state.clocks.are_kept() {
                state.clocks.join(state.log.task, task);
            }
        });
    }

    /// Whether the task has finished. Not a scheduling point.
    pub fn is_finished(&self, task: TaskId) -> bool {
        let state = self.state.borrow();
        state.halted || state.is_finished(task)
    }

    /// Orders the operations of a finished task before the next ones of the current task, as the drop of the last
    /// reference to the task's result does. Not a scheduling point.
    pub fn observe_end(&self, task: TaskId) {
        let state = &mut *self.state.borrow_mut();
        if state.clocks.are_kept() && !state.halted && state.is_finished(task) {
            state.clocks.join(state.log.task, task);
        }
    }

    /// Lets other tasks run first.
    pub fn yield_now(&self, location: &'static Location<'static>) {
        self.state.borrow_mut().yields();
        self.point(Op { kind: OpKind::Yield, object: ObjectId::NONE, location });
    }

    /// Makes the next scheduling point of the current task one of [`Kernel::yield_now`]. Not a scheduling point.
    pub fn yields(&self) {
        self.state.borrow_mut().yields();
    }

    /// Sleeps for this long in virtual time.
    pub fn sleep(&self, duration_ns: u64, location: &'static Location<'static>) {
        // A destructor does not sleep while a panic unwinds its task: no other task could run meanwhile.
        if self.is_unwinding() {
            return;
        }
        let op = Op { kind: OpKind::Sleep, object: ObjectId::NONE, location };
        let asleep = self.enter(op, Need::Nothing, |state| {
            state.sleep_until(state.log.now_ns.saturating_add(duration_ns));
        });
        if asleep.is_none() {
            return;
        }
        self.block_current(ObjectId::NONE, location);
        let mut state = self.state.borrow_mut();
        state.me().timed_out = false;
        state.log.record(Item::TimedOut, location);
    }

    /// Virtual time in nanoseconds.
    pub fn now_ns(&self) -> u64 {
        self.state.borrow().log.now_ns
    }

    /// Records that the current task has changed something since its last operation, so it does not spin. For an
    /// operation whose effect is known only after its announcement by [`Kernel::point`].
    pub fn has_changed(&self) {
        self.state.borrow_mut().changed();
    }

    /// The time in nanoseconds to the earliest deadline of a sleeping task.
    pub fn next_deadline_in_ns(&self) -> Option<u64> {
        self.state.borrow().next_deadline_in_ns()
    }

    /// Lets virtual time pass, as it does while a task computes. A task whose deadline is reached becomes ready. Not a
    /// scheduling point.
    pub fn pass_time(&self, duration_ns: u64) {
        let mut state = self.state.borrow_mut();
        state.log.now_ns = state.log.now_ns.saturating_add(duration_ns);
        while let Some((task, deadline_ns)) = state.due_sleeper() {
            state.wake_sleeper(task, deadline_ns);
        }
    }

    /// Limits the timer slack to `slack_ns` from here on, until the returned bound is passed to
    /// [`Kernel::restore_slack`].
    pub fn bound_slack(&self, slack_ns: u64) -> u64 {
        self.state.borrow_mut().bound_slack(slack_ns)
    }

    /// Restores the bound that [`Kernel::bound_slack`] returned.
    pub fn restore_slack(&self, slack_ns: u64) {
        self.state.borrow_mut().restore_slack(slack_ns);
    }
}
