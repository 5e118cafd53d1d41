//! The kernel of the scheduled engines: tasks, who is ready, who sleeps, what blocks whom, and the decision.
//!
//! It needs coroutines from below and a [`Strategy`] from above, and knows neither kind. It decides
//! before it asks for a switch, so that a step by which the same task goes on costs no switch at all.
//!
//! A task whose announced operation cannot go on (a lock that is held) is not ready and is never offered to the
//! strategy; it becomes ready again the moment the operation could go on. So no step is spent on a vain attempt.

use std::panic::Location;

use smallvec::SmallVec;

use super::alarm::Alarm;
use super::clock::Clock;
use super::execution::Coroutines;
use super::objects::{Mode, ObjectState};
use crate::engine::blocked::{self, Awaits, Blocked};
use crate::engine::spin::Spin;
use crate::op::{ObjectId, Op, TaskId, TaskKey};
use crate::run;
use crate::strategy::{Candidate, Strategy, Switch, View};
use crate::violation::{Violation, ViolationKind};
use crate::void::Void;

/// What a task needs before its announced operation can go on.
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

/// Whether the current task goes on by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Go {
    Stay,
    Switch,
    /// The run has ended: nothing is scheduled any more, everything succeeds at once.
    Over,
    /// It cannot go on, and no other task can be let run.
    Stuck,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Ready,
    Blocked,
    Finished,
}

/// How much a task has run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TaskTurns {
    pub(crate) key: TaskKey,
    pub(crate) parent: Option<TaskId>,
    pub(crate) turns: u32,
}

#[derive(Debug)]
pub(super) struct Task {
    key: TaskKey,
    parent: Option<TaskId>,
    pub(super) status: Status,
    turn: u32,
    op: Option<Op>,
    pub(super) spin: Spin,
    /// What the announced operation needs.
    need: Need,
    pub(super) clock: Clock,
    /// What an acquire fence would join: the clocks that relaxed loads have seen.
    pub(super) seen: Clock,
    /// What a release fence lends to later relaxed stores.
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

/// The bounds of one run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) steps_max: u32,
    pub(crate) drift_ns: u64,
}

#[derive(Debug)]
pub(super) struct Kernel {
    pub(super) tasks: Vec<Task>,
    ready: Vec<Candidate>,
    offered: Vec<Candidate>,
    sleepers: Vec<Sleeper>,
    slept: u32,
    /// By how much sleepers that overtook ready tasks have advanced the clock.
    early_ns: u64,
    pub(super) objects: Vec<ObjectState>,
    pub(super) current: TaskId,
    pub(super) pending: Option<Next>,
    pub(super) strategy: Box<dyn Strategy>,
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
    pub(super) fn new(strategy: Box<dyn Strategy>, bounds: Bounds, record: bool) -> Kernel {
        let mut kernel = Kernel {
            tasks: Vec::with_capacity(8),
            ready: Vec::with_capacity(8),
            offered: Vec::with_capacity(8),
            sleepers: Vec::new(),
            slept: 0,
            early_ns: 0,
            objects: Vec::with_capacity(64),
            current: TaskId::MAIN,
            pending: None,
            strategy,
            coroutines: Coroutines::Fiber,
            steps: 0,
            choices: 0,
            now_ns: 0,
            halted: false,
            yielding: false,
            unfinished: 0,
            alarm: None,
            bounds,
            switches: record.then(Vec::new),
        };
        kernel.add_task(TaskId::MAIN, TaskKey::MAIN, None, Clock::default());
        kernel
    }

    /// A new task, ready to start.
    pub(super) fn add_task(&mut self, id: TaskId, key: TaskKey, parent: Option<TaskId>, mut clock: Clock) {
        assert_eq!(id.index(), self.tasks.len(), "invariant: tasks are numbered in the order of creation");
        clock.tick(id);
        self.tasks.push(Task {
            key,
            parent,
            status: Status::Blocked,
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

    pub(super) fn turns(&self) -> Vec<TaskTurns> {
        self.tasks.iter().map(|task| TaskTurns { key: task.key, parent: task.parent, turns: task.turn }).collect()
    }

    pub(super) fn me(&mut self) -> &mut Task {
        &mut self.tasks[self.current.index()]
    }

    fn place(&self, task: TaskId) -> Result<usize, usize> {
        self.ready.binary_search_by_key(&task, |candidate| candidate.task)
    }

    pub(super) fn make_ready(&mut self, id: TaskId) {
        let task = &mut self.tasks[id.index()];
        task.status = Status::Ready;
        let candidate = Candidate { task: id, key: task.key, op: task.op, turn: task.turn, deadline_ns: None };
        if let Err(place) = self.place(id) {
            self.ready.insert(place, candidate);
        }
    }

    pub(super) fn make_blocked(&mut self, id: TaskId) {
        self.tasks[id.index()].status = Status::Blocked;
        if let Ok(place) = self.place(id) {
            self.ready.remove(place);
        }
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
        let turn = task.turn;
        self.yielding |= spins;
        if self.available(need) {
            if let Ok(place) = self.place(me) {
                let candidate = &mut self.ready[place];
                candidate.op = Some(op);
                candidate.turn = turn;
            }
        } else {
            self.make_blocked(me);
        }
        let go = self.go();
        if go == Go::Switch {
            self.enlist(me, need);
        }
        go
    }

    /// The current task does `op` while a panic unwinds it: without a decision.
    pub(super) fn pass(&mut self, op: Op, need: Need) -> Go {
        if self.halted {
            return Go::Over;
        }
        let me = self.me();
        (me.op, me.need) = (Some(op), need);
        if self.available(need) { Go::Stay } else { Go::Stuck }
    }

    /// Decides, and says whether the current task goes on.
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
            Need::Lock(object, mode) => self.objects[object.0 as usize].admits(mode),
            Need::End(task) => self.tasks[task.index()].status == Status::Finished,
        }
    }

    /// Notes what the task waits for, so that it is made ready, or no longer ready, when that changes.
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

    /// Puts the task among those that want the lock; it is ready exactly while the lock would admit it.
    pub(super) fn contend(&mut self, task: TaskId, object: ObjectId, mode: Mode) {
        let lock = self.objects[object.0 as usize].lock();
        lock.contenders.push((task, mode));
        self.refresh(object);
    }

    /// Makes each contender of a lock ready or not, as the lock now stands.
    pub(super) fn refresh(&mut self, object: ObjectId) {
        let contenders = self.objects[object.0 as usize].lock().contenders.clone();
        for (task, mode) in contenders {
            let admitted = self.objects[object.0 as usize].admits(mode);
            match (admitted, self.tasks[task.index()].status) {
                (true, Status::Blocked) => self.make_ready(task),
                (false, Status::Ready) => self.make_blocked(task),
                _ => {}
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

    /// The sleeper is woken before its time.
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
        task.status = Status::Finished;
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
        let sleeper = self.eligible_sleeper();
        if self.ready.is_empty() && sleeper.is_none() {
            return self.nothing_can_run();
        }
        self.steps += 1;
        if self.steps > self.bounds.steps_max {
            return self.halt(self.stalled());
        }
        let candidates = match sleeper {
            None => &self.ready,
            Some(sleeper) => {
                self.offered.clone_from(&self.ready);
                let task = &self.tasks[sleeper.task.index()];
                self.offered.push(Candidate {
                    task: sleeper.task,
                    key: task.key,
                    op: task.op,
                    turn: task.turn,
                    deadline_ns: Some(sleeper.deadline_ns),
                });
                &self.offered
            }
        };
        self.choices += u32::from(candidates.len() > 1);
        let from = &self.tasks[self.current.index()];
        let view = View { candidates, current: self.current, current_key: from.key, current_turn: from.turn, yielding };
        let place = self.strategy.choose(&view);
        let Some(chosen) = candidates.get(place).copied() else {
            let (strategy, most) = (&self.strategy, candidates.len() - 1);
            let text = format!("the strategy {strategy:?} chose candidate {place}, and the last is {most}");
            return self.give_up(Void::Harness(text));
        };
        if let Some(switches) = &mut self.switches
            && place != view.unforced()
        {
            switches.push(Switch { from: from.key, turn: from.turn, to: chosen.key });
        }
        self.tasks[self.current.index()].turn += 1;
        self.current = chosen.task;
        if let Some(deadline_ns) = chosen.deadline_ns {
            self.wake_sleeper(chosen.task, deadline_ns);
        }
        Next::Task(chosen.task)
    }

    /// The sleeper with the earliest deadline, if it may go now: when nothing is ready, or while the run's drift lasts.
    /// The drift is a budget of the run and not of each step: a timer that re-arms could else starve a task for ever.
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
            self.objects[condvar.0 as usize].waiters().retain(|(waiter, _)| *waiter != id);
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

    /// Sleepers overtake ready tasks by no more than this from here on; the bound that was there before.
    pub(super) fn bound_drift(&mut self, drift_ns: u64) -> u64 {
        let bound = self.early_ns.saturating_add(drift_ns).min(self.bounds.drift_ns);
        std::mem::replace(&mut self.bounds.drift_ns, bound)
    }

    pub(super) fn give_up(&mut self, void: Void) -> Next {
        run::with(|run| {
            run.step = self.steps;
            run.note_void(void);
        });
        self.halted = true;
        Next::Halt
    }

    pub(super) fn halt(&mut self, violation: Violation) -> Next {
        run::with(|run| {
            run.step = self.steps;
            run.note_violation(violation);
        });
        self.halted = true;
        Next::Halt
    }

    fn deadlocked(&self) -> Violation {
        let is_left = |task: &Task, id: u32| task.status != Status::Finished && !self.is_alarm(TaskId(id));
        let left = self.tasks.iter().zip(0..).filter(|(task, id)| is_left(task, *id));
        let blocked: Vec<Blocked> = left
            .map(|(task, id)| Blocked { task: TaskId(id), op: task.op, awaits: self.awaits(task, TaskId(id)) })
            .collect();
        match run::with(|run| blocked::deadlock(run, &blocked)) {
            Some(violation) => violation,
            None => unreachable!("invariant: the kernel decides inside a run"),
        }
    }

    fn awaits(&self, task: &Task, id: TaskId) -> Awaits {
        let holders = |object: ObjectId| self.objects.get(object.0 as usize).map(ObjectState::holders);
        match task.need {
            _ if task.op.is_none() => Awaits::Start,
            Need::End(other) => Awaits::End(other),
            Need::Lock(object, _) => Awaits::Lock(holders(object).unwrap_or_default()),
            Need::Nothing => {
                // A wait: the notifier has made the task a contender for its mutex, or none has come.
                let mutex = self.objects.iter().zip(0..).find(|(object, _)| object.is_wanted_by(id));
                let again = |(object, number): (&ObjectState, u32)| (ObjectId(number), object.holders());
                mutex.map(again).map_or(Awaits::Notification, |(mutex, holders)| Awaits::LockAgain(mutex, holders))
            }
        }
    }

    fn stalled(&self) -> Violation {
        let location: Option<&'static Location<'static>> = self.tasks[self.current.index()].op.map(|op| op.location);
        let message = format!("the run is not done after {} steps", self.bounds.steps_max);
        // A second ahead of what was ready: somebody's timer has overtaken the others again and again.
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
