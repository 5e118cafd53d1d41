//! The kernel of the scheduled engines: tasks, their states (ready, sleeping, blocked), and the scheduling decision.
//!
//! It uses coroutines below and a [`Strategy`] above, and does not depend on a kind of either. It chooses the next
//! task before it requests a switch: if the current task continues, there is no switch.
//!
//! A task whose announced operation cannot proceed (a lock that is held) is not ready and is never offered to the
//! strategy; it becomes ready as soon as the operation can proceed. No step is spent on a failed attempt.

use std::panic::Location;

use smallvec::SmallVec;

use super::alarm::Alarm;
use super::clock::Clock;
use super::execution::{Begin, Coroutines, Ended};
use super::objects::{Mode, Objects};
use super::tasks::TaskSet;
use crate::engine::blocked::{self, Awaits, Blocked};
use crate::engine::spin::Spin;
use crate::op::{ObjectId, Op, TaskId, TaskKey};
use crate::run::{Record, Run};
use crate::strategy::{Asleep, Forced, Strategy, Switch, View};
use crate::violation::{Violation, ViolationKind};
use crate::void::Void;

/// What a task needs before its announced operation can proceed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    Nothing,
    /// The lock, in this mode.
    Lock(ObjectId, Mode),
    /// The other task's end.
    End(TaskId),
}

/// The outcome of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Task(TaskId),
    /// Every task has finished.
    Finished,
    /// The run ends here.
    Halt,
}

/// Whether the current task continues by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Go {
    Stay,
    Switch,
    /// The run has ended: nothing is scheduled any more, every operation succeeds at once.
    Over,
    /// The task cannot continue, and no other task can run.
    Stuck,
}

/// How many steps a task has made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TaskTurns {
    pub(crate) key: TaskKey,
    pub(crate) parent: Option<TaskId>,
    pub(crate) turns: u32,
}

#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) key: TaskKey,
    parent: Option<TaskId>,
    is_finished: bool,
    pub(crate) turn: u32,
    pub(crate) op: Option<Op>,
    pub(super) spin: Spin,
    /// What the announced operation needs.
    need: Need,
    pub(super) clock: Clock,
    /// Clocks that relaxed loads have seen, for an acquire fence to join.
    pub(super) seen: Clock,
    /// The clock of a release fence, for later relaxed stores.
    pub(super) fenced: Option<Clock>,
    /// The condition variable it waits on, and whether a timed wait ran out.
    pub(super) waits_on: Option<ObjectId>,
    pub(super) timed_out: bool,
    joiners: SmallVec<[TaskId; 2]>,
}

#[derive(Clone, Copy, Debug)]
struct Sleeper {
    deadline_ns: u64,
    order: u32,
    task: TaskId,
}

impl Sleeper {
    fn asleep(self) -> Asleep {
        Asleep { task: self.task, deadline_ns: self.deadline_ns }
    }
}

/// The bounds of one run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) steps_max: u32,
    pub(crate) drift_ns: u64,
}

/// One run: its tasks and objects, and its results so far. An OS thread keeps one object and reuses it for each run.
#[derive(Debug)]
pub(super) struct Kernel {
    /// The results of the run. Its step, task and time are those of the kernel's last decision.
    pub(super) run: Run,
    pub(super) tasks: Vec<Task>,
    ready: TaskSet,
    sleepers: Vec<Sleeper>,
    slept: u32,
    /// The total time by which sleepers that overtook ready tasks have advanced the clock.
    early_ns: u64,
    pub(super) objects: Objects,
    /// Whether a plain cell has been used, which reads the happens-before clocks. Events before the first access
    /// cannot order two accesses, so no clock is kept until then.
    pub(super) tracks: bool,
    pub(super) current: TaskId,
    pub(super) pending: Option<Next>,
    pub(super) strategy: Box<dyn Strategy>,
    /// The strategy also wants to see steps without a choice.
    watches: bool,
    pub(super) coroutines: Coroutines,
    pub(super) steps: u32,
    /// Decisions among more than one candidate.
    pub(super) choices: u32,
    pub(super) now_ns: u64,
    pub(super) halted: bool,
    yielding: bool,
    /// Tasks that have not finished; the alarm is not counted.
    pub(super) unfinished: u32,
    pub(super) alarm: Option<Alarm>,
    pub(super) bounds: Bounds,
    /// The forced switches of this run, if it is recorded.
    pub(super) switches: Option<Vec<Switch>>,
}

impl Kernel {
    /// Before its first run.
    pub(super) fn idle() -> Kernel {
        Kernel {
            run: Run::new(0, Record::Hash, None, None),
            tasks: Vec::new(),
            ready: TaskSet::default(),
            sleepers: Vec::new(),
            slept: 0,
            early_ns: 0,
            objects: Objects::default(),
            tracks: false,
            current: TaskId::MAIN,
            pending: None,
            strategy: Box::new(Forced::new(&[])),
            watches: false,
            coroutines: Coroutines::Fiber,
            steps: 0,
            choices: 0,
            now_ns: 0,
            halted: true,
            yielding: false,
            unfinished: 0,
            alarm: None,
            bounds: Bounds { steps_max: 0, drift_ns: 0 },
            switches: None,
        }
    }

    /// Begins a run. It reuses the allocations of the previous run.
    pub(super) fn begin(&mut self, setup: Begin) {
        let Begin { seed, strategy, bounds, record, watched, coroutines } = setup;
        self.run.begin(seed, record, Some(&watched));
        self.tasks.clear();
        self.ready.clear();
        self.sleepers.clear();
        self.objects.clear();
        (self.slept, self.early_ns, self.now_ns) = (0, 0, 0);
        (self.steps, self.choices, self.unfinished) = (0, 0, 0);
        (self.tracks, self.halted, self.yielding) = (false, false, false);
        (self.current, self.pending, self.alarm) = (TaskId::MAIN, None, None);
        self.watches = strategy.watches();
        (self.strategy, self.coroutines, self.bounds) = (strategy, coroutines, bounds);
        self.switches = (record != Record::Hash).then(Vec::new);
        self.add_task(TaskId::MAIN, TaskKey::MAIN, None);
    }

    /// The outcome of the run.
    pub(super) fn end(&mut self) -> Ended {
        let switches = self.switches.take();
        let tasks = if switches.is_some() { self.turns() } else { Vec::new() };
        let outcome = self.run.finish(!self.halted);
        // Values of the component are not kept until the next run.
        self.halted = true;
        Ended { outcome, switches: switches.unwrap_or_default(), tasks, choices: self.choices }
    }

    /// Gives back what was allocated for runs: its OS thread makes no more.
    pub(super) fn free(&mut self) {
        (self.tasks, self.sleepers, self.objects) = (Vec::new(), Vec::new(), Objects::default());
        self.run.free();
    }

    /// A new task, ready to start. Its parent's earlier operations happened before it; the alarm has no parent.
    pub(super) fn add_task(&mut self, id: TaskId, key: TaskKey, parent: Option<TaskId>) {
        assert_eq!(id.index(), self.tasks.len(), "invariant: tasks are numbered in the order of creation");
        let mut clock = Clock::default();
        if self.tracks {
            if let Some(parent) = parent {
                let parents = &mut self.tasks[parent.index()].clock;
                clock = parents.clone();
                parents.tick(parent);
            }
            clock.tick(id);
        }
        self.tasks.push(Task {
            key,
            parent,
            is_finished: false,
            turn: 0,
            op: None,
            spin: Spin::default(),
            need: Need::Nothing,
            clock,
            seen: Clock::default(),
            fenced: None,
            waits_on: None,
            timed_out: false,
            joiners: SmallVec::new(),
        });
        self.unfinished += 1;
        self.make_ready(id);
    }

    /// Enables the clocks.
    #[cold]
    pub(super) fn track(&mut self) {
        self.tracks = true;
        for (task, id) in self.tasks.iter_mut().zip(0..) {
            task.clock.tick(TaskId(id));
        }
    }

    pub(super) fn turns(&self) -> Vec<TaskTurns> {
        self.tasks.iter().map(|task| TaskTurns { key: task.key, parent: task.parent, turns: task.turn }).collect()
    }

    pub(super) fn me(&mut self) -> &mut Task {
        &mut self.tasks[self.current.index()]
    }

    pub(super) fn make_ready(&mut self, id: TaskId) {
        self.ready.insert(id);
    }

    pub(super) fn make_blocked(&mut self, id: TaskId) {
        self.ready.remove(id);
    }

    pub(super) fn is_ready(&self, id: TaskId) -> bool {
        self.ready.contains(id)
    }

    pub(super) fn is_finished(&self, id: TaskId) -> bool {
        self.tasks[id.index()].is_finished
    }

    /// The current task announces `op`; the decision is taken.
    pub(super) fn arrive(&mut self, op: Op, need: Need) -> Go {
        if self.halted {
            return Go::Over;
        }
        let me = self.current;
        let task = &mut self.tasks[me.index()];
        let spins = task.spin.announce(op);
        task.op = Some(op);
        task.need = need;
        self.yielding |= spins;
        if need != Need::Nothing && !self.available(need) {
            self.make_blocked(me);
        }
        let go = self.go();
        if go == Go::Switch && need != Need::Nothing {
            self.enlist(me, need);
        }
        go
    }

    /// The current task performs `op` while a panic unwinds it: without a decision.
    pub(super) fn pass(&mut self, op: Op, need: Need) -> Go {
        if self.halted {
            return Go::Over;
        }
        let me = self.me();
        (me.op, me.need) = (Some(op), need);
        if self.available(need) { Go::Stay } else { Go::Stuck }
    }

    /// Takes a decision, and returns whether the current task continues.
    pub(super) fn go(&mut self) -> Go {
        let me = self.current;
        match self.decide() {
            Next::Task(task) if task == me => Go::Stay,
            next => {
                self.pending = Some(next);
                Go::Switch
            }
        }
    }

    fn available(&self, need: Need) -> bool {
        match need {
            Need::Nothing => true,
            Need::Lock(object, mode) => self.objects.get(object).admits(mode),
            Need::End(task) => self.is_finished(task),
        }
    }

    /// Records what the task waits for, so that a change of it makes the task ready, or no longer ready.
    fn enlist(&mut self, task: TaskId, need: Need) {
        match need {
            Need::Nothing => {}
            Need::Lock(object, mode) => self.contend(task, object, mode),
            Need::End(other) => {
                if !self.available(need) {
                    self.tasks[other.index()].joiners.push(task);
                }
            }
        }
    }

    /// Adds the task to the lock's contenders; it is ready exactly while the lock would admit it.
    pub(super) fn contend(&mut self, task: TaskId, object: ObjectId, mode: Mode) {
        let lock = self.objects.lock(object);
        lock.contenders(mode).insert(task);
        if lock.admits(mode) {
            self.ready.insert(task);
        } else {
            self.ready.remove(task);
        }
    }

    /// Makes each contender of a lock ready or not, by the lock's present state.
    pub(super) fn refresh(&mut self, object: ObjectId) {
        let lock = self.objects.lock(object);
        for mode in [Mode::Exclusive, Mode::Shared] {
            let admits = lock.admits(mode);
            let contenders = lock.contenders(mode);
            if admits {
                self.ready.add_all(contenders);
            } else {
                self.ready.remove_all(contenders);
            }
        }
    }

    /// Puts the current task to sleep until `deadline_ns`; it is blocked until chosen as a sleeper or woken.
    pub(super) fn sleep_until(&mut self, deadline_ns: u64) {
        let me = self.current;
        self.make_blocked(me);
        self.put_to_sleep(me, deadline_ns);
    }

    /// A blocked task sleeps until `deadline_ns`.
    pub(super) fn put_to_sleep(&mut self, task: TaskId, deadline_ns: u64) {
        self.slept += 1;
        self.sleepers.push(Sleeper { deadline_ns, order: self.slept, task });
    }

    /// The sleeper is woken before its deadline.
    pub(super) fn unsleep(&mut self, task: TaskId) {
        self.sleepers.retain(|sleeper| sleeper.task != task);
    }

    pub(super) fn yields(&mut self) {
        self.yielding = true;
    }

    /// The current task has ended.
    pub(super) fn finish_current(&mut self) {
        let me = self.current;
        self.make_blocked(me);
        self.unfinished -= u32::from(!self.is_alarm(me));
        let task = &mut self.tasks[me.index()];
        task.is_finished = true;
        for joiner in std::mem::take(&mut task.joiners) {
            self.make_ready(joiner);
        }
    }

    /// Takes the next decision.
    pub(super) fn decide(&mut self) -> Next {
        if self.halted {
            return Next::Halt;
        }
        if self.unfinished == 0 {
            self.close_alarm();
        }
        let yielding = std::mem::take(&mut self.yielding);
        let sleeper = if self.sleepers.is_empty() { None } else { self.eligible_sleeper() };
        let ready = self.ready.len();
        if ready == 0 && sleeper.is_none() {
            return self.nothing_can_run();
        }
        self.steps += 1;
        if self.steps > self.bounds.steps_max {
            return self.halt(self.stalled());
        }
        let count = ready + usize::from(sleeper.is_some());
        self.choices += u32::from(count > 1);
        let from = &self.tasks[self.current.index()];
        let (from_key, from_turn) = (from.key, from.turn);
        // Without a choice, only a strategy that counts steps is called.
        let place = if count == 1 && !self.watches {
            0
        } else {
            let view = View {
                ready: &self.ready,
                ready_count: ready,
                tasks: &self.tasks,
                asleep: sleeper.map(Sleeper::asleep),
                current: self.current,
                current_key: from_key,
                current_turn: from_turn,
                yielding,
            };
            let place = self.strategy.choose(&view);
            if place >= count {
                let (strategy, most) = (&self.strategy, count - 1);
                let text = format!("the strategy {strategy:?} chose candidate {place}, and the last is {most}");
                return self.give_up(Void::Harness(text));
            }
            if let Some(switches) = &mut self.switches
                && place != view.unforced()
            {
                switches.push(Switch { from: from_key, turn: from_turn, to: view.candidate(place).key });
            }
            place
        };
        self.tasks[self.current.index()].turn += 1;
        let chosen = match (self.ready.nth(place), sleeper) {
            (Some(task), _) => task,
            (None, Some(sleeper)) => {
                self.current = sleeper.task;
                self.wake_sleeper(sleeper.task, sleeper.deadline_ns);
                sleeper.task
            }
            (None, None) => unreachable!("invariant: the place is one of a candidate"),
        };
        self.current = chosen;
        Next::Task(chosen)
    }

    /// The sleeper with the earliest deadline, if it may run now: when no task is ready, or within the run's drift. The
    /// drift is a budget of the run and not of each step: otherwise a timer that re-arms could starve a task forever.
    fn eligible_sleeper(&self) -> Option<Sleeper> {
        let sleeper = self.sleepers.iter().min_by_key(|sleeper| (sleeper.deadline_ns, sleeper.order)).copied()?;
        let ahead_ns = sleeper.deadline_ns.saturating_sub(self.now_ns);
        let lasts = self.early_ns.saturating_add(ahead_ns) <= self.bounds.drift_ns;
        (self.ready.is_empty() || lasts).then_some(sleeper)
    }

    fn wake_sleeper(&mut self, id: TaskId, deadline_ns: u64) {
        if !self.ready.is_empty() {
            self.early_ns = self.early_ns.saturating_add(deadline_ns.saturating_sub(self.now_ns));
        }
        self.now_ns = self.now_ns.max(deadline_ns);
        self.unsleep(id);
        let task = &mut self.tasks[id.index()];
        task.timed_out = true;
        if let Some(condvar) = task.waits_on.take() {
            self.objects.condvar(condvar).waiters.retain(|(waiter, _)| *waiter != id);
        }
        self.make_ready(id);
    }

    fn nothing_can_run(&mut self) -> Next {
        if self.unfinished == 0 {
            return Next::Finished;
        }
        let violation = self.deadlocked();
        self.halt(violation)
    }

    /// Limits the further drift to this bound; returns the previous bound.
    pub(super) fn bound_drift(&mut self, drift_ns: u64) -> u64 {
        let bound = self.early_ns.saturating_add(drift_ns).min(self.bounds.drift_ns);
        std::mem::replace(&mut self.bounds.drift_ns, bound)
    }

    pub(super) fn give_up(&mut self, void: Void) -> Next {
        self.run.step = self.steps;
        self.run.note_void(void);
        self.halted = true;
        Next::Halt
    }

    pub(super) fn halt(&mut self, violation: Violation) -> Next {
        self.run.step = self.steps;
        self.run.note_violation(violation);
        self.halted = true;
        Next::Halt
    }

    fn deadlocked(&self) -> Violation {
        let is_left = |task: &Task, id: u32| !task.is_finished && !self.is_alarm(TaskId(id));
        let left = self.tasks.iter().zip(0..).filter(|(task, id)| is_left(task, *id));
        let blocked: Vec<Blocked> = left
            .map(|(task, id)| Blocked { task: TaskId(id), op: task.op, awaits: self.awaits(task, TaskId(id)) })
            .collect();
        blocked::deadlock(&self.run, &blocked)
    }

    fn awaits(&self, task: &Task, id: TaskId) -> Awaits {
        let holders = |object: ObjectId| self.objects.get(object).holders();
        match task.need {
            _ if task.op.is_none() => Awaits::Start,
            Need::End(other) => Awaits::End(other),
            Need::Lock(object, _) => Awaits::Lock(holders(object)),
            Need::Nothing => {
                // A wait: either the notifier has made the task a contender for its mutex, or it was not notified.
                let mutex = self.objects.iter().find(|(_, object)| object.is_wanted_by(id));
                mutex.map_or(Awaits::Notification, |(mutex, object)| Awaits::LockAgain(mutex, object.holders()))
            }
        }
    }

    fn stalled(&self) -> Violation {
        let location: Option<&'static Location<'static>> = self.tasks[self.current.index()].op.map(|op| op.location);
        let message = format!("the run has not ended after {} steps", self.bounds.steps_max);
        // The drift is over a second: a timer has overtaken ready tasks again and again.
        let overtaken = self.early_ns >= 1_000_000_000;
        let (cause, knob) = if overtaken {
            let cause = "a timer that re-arms: its sleeps overtook tasks that were ready";
            (cause, "Limits::drift, how far they may in all of a run: a few of its periods")
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
