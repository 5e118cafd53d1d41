//! The state of a run: tasks that are ready, asleep or blocked, and the choice of the next one.
//!
//! A task whose announced operation cannot proceed, such as a lock that is held, is not ready and is never offered to
//! the strategy; it becomes ready as soon as the operation can proceed. No step is spent on a failed attempt.

use std::any::Any;
use std::fmt;

use crate::clock::Clocks;
use crate::objects::{Mode, Objects};
use crate::record::{Keep, Log, ObjectId, Op, TaskId, TaskKey, Violation, Void};
use crate::run::{Bounds, Ended, Next, Outside, Panics, Setup};
use crate::stall::Activity;
use crate::strategy::{Asleep, Forced, Strategy, Switch, View};
use crate::task::{Need, Task};
use crate::tasks::TaskSet;

/// The effect of a decision on the current task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Permission {
    Stay,
    Switch(Next),
    /// The run has ended: nothing is scheduled any more, every operation succeeds at once.
    Over,
    /// The task cannot continue, and no other task can run.
    Stuck,
}

#[derive(Clone, Copy, Debug)]
struct Sleeper {
    deadline_ns: u64,
    task: TaskId,
}

impl Sleeper {
    fn asleep(self) -> Asleep {
        Asleep { task: self.task, deadline_ns: self.deadline_ns }
    }
}

/// The run's alarm; see `alarm`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Alarm {
    /// The task of [`Alarm::ABSENT`] before the alarm starts. Not an `Option`: the compiler may compare the task before
    /// it tests for `Some`, which valgrind would report.
    pub(crate) task: TaskId,
    /// Every other task has finished, so the alarm must end.
    pub(crate) is_closing: bool,
    /// It waits for its next deadline, and not for a lock that a waker takes.
    pub(crate) awaits: bool,
}

impl Alarm {
    /// No alarm has started.
    pub(crate) const ABSENT: Alarm = Alarm { task: TaskId(u32::MAX), is_closing: false, awaits: false };

    pub(crate) fn is_started(self) -> bool {
        self.task != Alarm::ABSENT.task
    }
}

/// One run. An OS thread keeps one object and reuses it for each run.
pub(crate) struct State {
    /// Its task, step and time are those of the last decision.
    pub(crate) log: Log,
    pub(crate) tasks: Vec<Task>,
    pub(crate) ready: TaskSet,
    /// By descending deadline. Of equal deadlines, the first to sleep is the last in the list.
    sleepers: Vec<Sleeper>,
    /// The total time by which sleepers that overtook ready tasks have advanced the clock.
    pub(crate) early_ns: u64,
    pub(crate) objects: Objects,
    pub(crate) clocks: Clocks,
    /// The body of the first task, until another source of coroutines takes it.
    pub(crate) main: Option<Box<dyn FnOnce()>>,
    pub(crate) pending: Option<Next>,
    strategy: Box<dyn Strategy>,
    /// The strategy is also called at steps with one candidate.
    watches: bool,
    pub(crate) panics: Panics,
    /// Decisions among more than one candidate.
    choices: u32,
    pub(crate) halted: bool,
    yielding: bool,
    /// Tasks that have not finished; the alarm is not counted.
    pub(crate) unfinished: u32,
    pub(crate) alarm: Alarm,
    pub(crate) bounds: Bounds,
    /// The run ends with its first task; see `leftover`.
    pub(crate) ends_with_main: bool,
    /// The forced switches of this run, if it is recorded.
    switches: Option<Vec<Switch>>,
    pub(crate) outside: Option<Outside>,
    pub(crate) activity: Activity,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("log", &self.log).field("ready", &self.ready).finish_non_exhaustive()
    }
}

/// The treatment of panics outside any run, where none is expected.
const NO_RUN: Panics = {
    fn bug_of(_: &(dyn Any + Send)) -> Void {
        Void::Harness("a panic outside any run".to_owned())
    }
    fn stuck(what: &str) -> ! {
        unreachable!("invariant: outside any run no destructor {what}")
    }
    Panics { bug_of, stuck }
};

impl State {
    /// The state before the first run.
    pub(crate) fn idle(log: Log) -> State {
        State {
            log,
            tasks: Vec::new(),
            ready: TaskSet::default(),
            sleepers: Vec::new(),
            early_ns: 0,
            objects: Objects::default(),
            clocks: Clocks::default(),
            main: None,
            pending: None,
            strategy: Box::new(Forced::new(&[])),
            watches: false,
            panics: NO_RUN,
            choices: 0,
            halted: true,
            yielding: false,
            unfinished: 0,
            alarm: Alarm::ABSENT,
            bounds: Bounds { steps_max: 0, slack_ns: 0 },
            ends_with_main: false,
            switches: None,
            outside: None,
            activity: Activity::default(),
        }
    }

    /// Begins a run. It reuses the allocations of the previous run.
    pub(crate) fn begin(&mut self, setup: Setup) {
        let Setup { number, seed, strategy, bounds, keep, panics, stack_bytes: _ } = setup;
        self.log.begin(number, seed, keep);
        self.tasks.clear();
        self.ready.clear();
        self.sleepers.clear();
        self.objects.clear();
        self.clocks.clear();
        (self.early_ns, self.choices, self.unfinished) = (0, 0, 0);
        (self.halted, self.yielding, self.ends_with_main) = (false, false, false);
        (self.pending, self.alarm, self.activity) = (None, Alarm::ABSENT, Activity::default());
        self.watches = strategy.watches();
        (self.strategy, self.bounds, self.panics) = (strategy, bounds, panics);
        self.switches = (keep != Keep::Hash).then(Vec::new);
        self.add_task(TaskId::MAIN, TaskKey::MAIN, None);
    }

    /// The scheduling results of the run.
    pub(crate) fn end(&mut self) -> Ended {
        let switches = self.switches.take();
        let tasks = if switches.is_some() { self.tasks.iter().map(Task::turns).collect() } else { Vec::new() };
        let is_quiescent = !std::mem::replace(&mut self.halted, true);
        self.panics = NO_RUN;
        Ended { is_quiescent, switches: switches.unwrap_or_default(), tasks, choices: self.choices }
    }

    /// Frees the memory that runs have allocated.
    pub(crate) fn free(&mut self) {
        (self.tasks, self.sleepers) = (Vec::new(), Vec::new());
        (self.objects, self.clocks) = (Objects::default(), Clocks::default());
        self.log.free();
    }

    /// Adds a task that is ready to start. Its parent's earlier operations happened before it; the alarm has no parent.
    pub(crate) fn add_task(&mut self, id: TaskId, key: TaskKey, parent: Option<TaskId>) {
        assert_eq!(id.index(), self.tasks.len(), "invariant: tasks are numbered in the order of creation");
        self.clocks.spawn(id, parent);
        self.tasks.push(Task::new(key, parent));
        self.unfinished += 1;
        self.make_ready(id);
    }

    #[inline]
    pub(crate) fn me(&mut self) -> &mut Task {
        &mut self.tasks[self.log.task.index()]
    }

    pub(crate) fn make_ready(&mut self, id: TaskId) {
        self.ready.insert(id);
    }

    pub(crate) fn make_blocked(&mut self, id: TaskId) {
        self.ready.remove(id);
    }

    pub(crate) fn is_ready(&self, id: TaskId) -> bool {
        self.ready.contains(id)
    }

    /// The time in nanoseconds to the earliest deadline of a sleeper.
    pub(crate) fn next_deadline_in_ns(&self) -> Option<u64> {
        self.sleepers.last().map(|sleeper| sleeper.deadline_ns.saturating_sub(self.log.now_ns))
    }

    pub(crate) fn is_finished(&self, id: TaskId) -> bool {
        self.tasks[id.index()].is_finished
    }

    /// Announces an operation of the current task, and takes a decision. `changes`: the operation changes what other
    /// tasks see, so the task does not spin.
    #[inline(always)]
    pub(crate) fn arrive(&mut self, op: Op, need: Need, changes: bool) -> Permission {
        if self.halted {
            return Permission::Over;
        }
        let me = self.log.task;
        let task = &mut self.tasks[me.index()];
        if changes {
            task.spin.end();
        } else {
            self.yielding |= task.spin.announce(op);
        }
        (task.op, task.need) = (Some(op), need);
        self.activity.operates(op.kind, changes, self.log.step);
        if need == Need::Nothing {
            return self.go();
        }
        if !self.available(need) {
            self.make_blocked(me);
        }
        let go = self.go();
        if go != Permission::Stay {
            self.enlist(me, need);
        }
        go
    }

    /// Lets the current task perform `op` without a decision, while a panic unwinds it. Inlined, so that no address of
    /// `op` is taken and it stays in registers.
    #[inline]
    pub(crate) fn pass(&mut self, op: Op, need: Need) -> Permission {
        if self.halted {
            return Permission::Over;
        }
        let me = self.me();
        (me.op, me.need) = (Some(op), need);
        if self.available(need) { Permission::Stay } else { Permission::Stuck }
    }

    /// Takes a decision, and returns whether the current task continues.
    #[inline(always)]
    pub(crate) fn go(&mut self) -> Permission {
        let me = self.log.task;
        match self.decide() {
            Next::Task(task) if task == me => Permission::Stay,
            next => Permission::Switch(next),
        }
    }

    #[inline]
    fn available(&self, need: Need) -> bool {
        match need {
            Need::Nothing => true,
            Need::Lock(object, mode) => self.objects.admits(object, mode),
            Need::End(task) => self.is_finished(task),
        }
    }

    /// Registers the task with the lock or the task that it needs, so that a change there updates whether it is ready.
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
    pub(crate) fn contend(&mut self, task: TaskId, object: ObjectId, mode: Mode) {
        let lock = self.objects.lock(object);
        lock.contenders(mode).insert(task);
        if !lock.readers.is_empty() {
            // A writer that begins to wait may make waiting readers unready.
            lock.refresh(&mut self.ready);
        } else if lock.admits(mode) {
            self.ready.insert(task);
        } else {
            self.ready.remove(task);
        }
    }

    /// Puts the current task to sleep until `deadline_ns`; it is blocked until chosen as a sleeper or woken.
    pub(crate) fn sleep_until(&mut self, deadline_ns: u64) {
        let me = self.log.task;
        self.make_blocked(me);
        self.put_to_sleep(me, deadline_ns);
    }

    /// Puts a blocked task to sleep until `deadline_ns`.
    pub(crate) fn put_to_sleep(&mut self, task: TaskId, deadline_ns: u64) {
        debug_assert!(!self.sleeps(task), "invariant: a task sleeps once");
        let place = self.sleepers.partition_point(|sleeper| sleeper.deadline_ns > deadline_ns);
        self.sleepers.insert(place, Sleeper { deadline_ns, task });
    }

    /// Removes the task from the sleepers, if it sleeps.
    pub(crate) fn unsleep(&mut self, task: TaskId) {
        if let Some(place) = self.sleepers.iter().rposition(|sleeper| sleeper.task == task) {
            self.sleepers.remove(place);
        }
    }

    pub(crate) fn yields(&mut self) {
        self.yielding = true;
    }

    /// Marks the current task as finished, and makes the tasks that join it ready.
    pub(crate) fn finish_current(&mut self) {
        let me = self.log.task;
        self.make_blocked(me);
        self.unfinished -= u32::from(!self.is_alarm(me));
        let task = &mut self.tasks[me.index()];
        task.is_finished = true;
        if !task.joiners.is_empty() {
            std::mem::take(&mut task.joiners).into_iter().for_each(|joiner| self.make_ready(joiner));
        }
    }

    /// Takes the next decision.
    #[inline(always)]
    pub(crate) fn decide(&mut self) -> Next {
        let is_simple = !self.halted && self.unfinished > 0 && self.sleepers.is_empty();
        let ready = self.ready.len();
        if !is_simple || ready == 0 || self.log.step >= self.bounds.steps_max {
            return self.decide_slow_path();
        }
        self.choose(None, ready)
    }

    /// The decision when a task sleeps, when no task is ready, at the bound on steps, and at the end of the run.
    #[inline(never)]
    fn decide_slow_path(&mut self) -> Next {
        if self.halted {
            return Next::Halt;
        }
        if self.unfinished == 0 {
            self.close_alarm();
        }
        let ready = self.ready.len();
        if let Some(end) = self.ends_with_waiting_tasks(ready) {
            return end;
        }
        let ready = if ready == 0 && self.unfinished > 0 && self.waits_outside() { self.ready.len() } else { ready };
        let sleeper = self.eligible_sleeper();
        if ready == 0 && sleeper.is_none() {
            return self.nothing_can_run();
        }
        if self.log.step >= self.bounds.steps_max {
            self.log.step += 1;
            return self.halt(self.stalled());
        }
        self.choose(sleeper, ready)
    }

    /// Chooses among the ready tasks and the sleeper; there is at least one of them.
    #[inline(always)]
    fn choose(&mut self, sleeper: Option<Sleeper>, ready: usize) -> Next {
        self.log.step += 1;
        let yielding = std::mem::take(&mut self.yielding);
        let count = ready + usize::from(sleeper.is_some());
        let me = self.log.task;
        let mut nth = 0;
        // Without a choice, only a strategy that counts steps is called.
        if count > 1 || self.watches {
            self.choices += u32::from(count > 1);
            let asleep = sleeper.map(Sleeper::asleep);
            let view = View { ready: &self.ready, tasks: &self.tasks, asleep, current: me, yielding };
            nth = self.strategy.choose(&view);
            if nth >= count {
                return self.chose_none(nth, count);
            }
            if self.switches.is_some() {
                self.record_choice(nth, asleep, yielding);
            }
        }
        self.tasks[me.index()].turn += 1;
        let chosen = match (self.ready.nth(nth), sleeper) {
            (Some(task), _) => task,
            (None, Some(sleeper)) => {
                self.log.task = sleeper.task;
                self.wake_sleeper(sleeper.task, sleeper.deadline_ns);
                sleeper.task
            }
            (None, None) => unreachable!("invariant: nth is less than count"),
        };
        if chosen != me {
            self.tasks[me.index()].ran = self.log.step;
            self.log.resume(chosen);
        }
        Next::Task(chosen)
    }

    /// Records the choice if it is a forced switch. The task that ran last is still the current one.
    #[cold]
    fn record_choice(&mut self, nth: usize, asleep: Option<Asleep>, yielding: bool) {
        let view = View { ready: &self.ready, tasks: &self.tasks, asleep, current: self.log.task, yielding };
        if let Some(switches) = &mut self.switches
            && nth != view.unforced()
        {
            let (from, turn) = (view.current_key(), view.current_turn());
            let to = view.candidate(nth);
            switches.push(Switch { from, turn, to: to.key });
            self.log.forced.push((self.log.step, to.task));
        }
    }

    #[cold]
    fn chose_none(&mut self, nth: usize, count: usize) -> Next {
        let (strategy, most) = (&self.strategy, count - 1);
        self.give_up(Void::Harness(format!("the strategy {strategy:?} chose candidate {nth}, and the last is {most}")))
    }

    /// The sleeper with the earliest deadline, if it may run now: when no task is ready, or within the run's timer
    /// slack. The slack is a budget of the run and not of each step: otherwise a timer that re-arms could starve a task
    /// forever.
    fn eligible_sleeper(&self) -> Option<Sleeper> {
        let sleeper = self.sleepers.last().copied()?;
        let ahead_ns = sleeper.deadline_ns.saturating_sub(self.log.now_ns);
        let lasts = self.early_ns.saturating_add(ahead_ns) <= self.bounds.slack_ns;
        (self.ready.is_empty() || lasts).then_some(sleeper)
    }

    /// Whether this task sleeps.
    pub(crate) fn sleeps(&self, task: TaskId) -> bool {
        self.sleepers.iter().any(|sleeper| sleeper.task == task)
    }

    /// Notes that the current task has changed something that other tasks see.
    #[inline]
    pub(crate) fn changed(&mut self) {
        self.activity.changes(self.log.step);
        self.me().spin.end();
    }

    /// A sleeping task whose deadline is reached, with the deadline.
    pub(crate) fn due_sleeper(&self) -> Option<(TaskId, u64)> {
        let first = self.sleepers.last().filter(|sleeper| sleeper.deadline_ns <= self.log.now_ns)?;
        Some((first.task, first.deadline_ns))
    }

    pub(crate) fn wake_sleeper(&mut self, id: TaskId, deadline_ns: u64) {
        if self.ready.is_empty() {
            self.activity.fires(self.log.step, self.bounds.steps_max);
        } else {
            self.early_ns = self.early_ns.saturating_add(deadline_ns.saturating_sub(self.log.now_ns));
        }
        self.log.now_ns = self.log.now_ns.max(deadline_ns);
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

    /// Limits the further timer slack to this much; returns the previous bound.
    pub(crate) fn bound_slack(&mut self, slack_ns: u64) -> u64 {
        let bound = self.early_ns.saturating_add(slack_ns).min(self.bounds.slack_ns);
        std::mem::replace(&mut self.bounds.slack_ns, bound)
    }

    /// Restores the bound that [`State::bound_slack`] returned.
    pub(crate) fn restore_slack(&mut self, slack_ns: u64) {
        self.bounds.slack_ns = slack_ns;
    }

    pub(crate) fn give_up(&mut self, void: Void) -> Next {
        self.log.note_void(void);
        self.halted = true;
        Next::Halt
    }

    pub(crate) fn halt(&mut self, violation: Violation) -> Next {
        self.log.note_violation(violation);
        self.halted = true;
        Next::Halt
    }
}
