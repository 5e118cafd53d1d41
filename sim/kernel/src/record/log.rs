//! The log of one run: its tasks and objects, its trace, and its first finding.

use std::mem;
use std::panic::Location;
use std::sync::Arc;

use super::custody::{Mark, Owner};
use super::name::Name;
use super::op::{ObjectId, Op, TaskId, TaskKey, is_glue};
use super::progress::Progress;
use super::run::{Keep, RunNumber};
use super::task::TaskInfo;
use super::trace::{Event, Item, Trace};
use super::violation::Violation;
use super::void::Void;

/// Everything recorded in one run.
#[derive(Debug)]
pub struct Log {
    number: RunNumber,
    /// The seed of the run.
    pub seed: u64,
    /// The task whose code runs now.
    pub task: TaskId,
    /// The number of decisions so far.
    pub step: u32,
    /// Virtual time in nanoseconds.
    pub now_ns: u64,
    /// Its tasks, by number.
    pub tasks: Vec<TaskInfo>,
    /// The labels of its objects, by number.
    pub objects: Vec<&'static str>,
    /// Its events.
    pub trace: Trace,
    /// The forced decisions of a recorded run: the step, and the task that was chosen.
    pub forced: Vec<(u32, TaskId)>,
    /// Boxed, since nearly every run has none, and every run moves the field.
    violation: Option<Box<Violation>>,
    /// Why the run is invalid; takes precedence over any violation.
    void: Option<Void>,
    progress: Arc<Progress>,
}

/// The log of a run that is over.
#[derive(Debug)]
pub struct Finished {
    /// The first violation, unless the run is invalid.
    pub violation: Option<Box<Violation>>,
    /// Why the run is invalid.
    pub void: Option<Void>,
    /// The number of decisions.
    pub steps: u32,
    /// The task that ran last.
    pub task: TaskId,
    /// Its trace.
    pub trace: Trace,
    /// Its forced decisions, if it was recorded: the step, and the task that was chosen.
    pub forced: Vec<(u32, TaskId)>,
    /// Its tasks, if events were recorded.
    pub tasks: Vec<TaskInfo>,
    /// The labels of its objects, if events were recorded.
    pub objects: Vec<&'static str>,
}

impl Log {
    /// A log for runs of one OS thread, which publishes their progress.
    pub fn new(progress: Arc<Progress>) -> Log {
        Log {
            number: RunNumber::NONE,
            seed: 0,
            task: TaskId::MAIN,
            step: 0,
            now_ns: 0,
            tasks: Vec::new(),
            objects: Vec::new(),
            trace: Trace::new(Keep::Hash),
            forced: Vec::new(),
            violation: None,
            void: None,
            progress,
        }
    }

    /// Begins a run with its first task. It reuses the allocations of the previous run, whose results must have been
    /// taken.
    pub fn begin(&mut self, number: RunNumber, seed: u64, keep: Keep) {
        (self.number, self.seed) = (number, seed);
        (self.task, self.step, self.now_ns) = (TaskId::MAIN, 0, 0);
        self.tasks.clear();
        self.objects.clear();
        self.trace = Trace::new(keep);
        let main = Name::default_of(TaskId::MAIN);
        self.tasks.push(TaskInfo::new(TaskKey::MAIN, main, true));
        self.progress.begin(number);
        self.progress.lets_run(main);
    }

    /// Frees the memory that runs have allocated.
    pub fn free(&mut self) {
        (self.tasks, self.objects) = (Vec::new(), Vec::new());
    }

    /// The number of the run.
    pub fn number(&self) -> RunNumber {
        self.number
    }

    /// Whether events are recorded.
    pub fn is_recording(&self) -> bool {
        self.trace.is_recording()
    }

    /// Registers a child of the current task. A child without a name gets a default name.
    pub fn spawned(&mut self, name: Option<&str>) -> (TaskId, TaskKey) {
        let id = TaskId(self.tasks.len() as u32);
        let parent = &mut self.tasks[self.task.index()];
        let key = parent.key.child(parent.children);
        parent.children += 1;
        let is_named = name.is_some();
        self.tasks.push(TaskInfo::new(key, name.map_or_else(|| Name::default_of(id), Name::of), is_named));
        (id, key)
    }

    /// Registers the alarm, which is not a child of the task that starts it.
    pub fn alarm_started(&mut self) -> (TaskId, TaskKey) {
        let id = TaskId(self.tasks.len() as u32);
        self.tasks.push(TaskInfo::new(TaskKey::ALARM, Name::of("alarm"), true));
        (id, TaskKey::ALARM)
    }

    /// The current task.
    pub fn current(&mut self) -> &mut TaskInfo {
        &mut self.tasks[self.task.index()]
    }

    /// Makes this task the current one.
    #[inline]
    pub fn resume(&mut self, task: TaskId) {
        self.task = task;
        self.progress.lets_run(self.tasks[task.index()].name);
    }

    /// Counts a draw of the current task. Returns the run's seed, the task's key, and the number of its draws.
    pub fn draw_key(&mut self) -> (u64, TaskKey, u32) {
        let seed = self.seed;
        let task = self.current();
        task.draws += 1;
        (seed, task.key, task.draws)
    }

    /// Counts a notification of the current task. Returns the task's key, and the number of its notifications.
    pub fn notifies(&mut self) -> (TaskKey, u32) {
        let task = self.current();
        task.notifications += 1;
        (task.key, task.notifications)
    }

    /// Assigns the current task to this host.
    pub fn settle(&mut self, host: &'static str) {
        self.current().host = Some(host);
    }

    /// Records that the current task begins to poll a future.
    pub fn poll_begins(&mut self) {
        self.current().polls += 1;
    }

    /// Records that the current task has finished polling a future.
    pub fn poll_ends(&mut self) {
        self.current().polls -= 1;
    }

    /// Whether the current task is in a poll.
    pub fn is_polling(&self) -> bool {
        self.tasks[self.task.index()].polls > 0
    }

    /// Registers an object.
    #[inline]
    pub fn add_object(&mut self, label: &'static str) -> ObjectId {
        self.objects.push(label);
        ObjectId(self.objects.len() as u32 - 1)
    }

    /// Records an operation of the current task.
    #[inline]
    pub fn operated(&mut self, op: Op) {
        let location = self.place(op.location);
        self.operated_at(Op { location, ..op });
    }

    /// Records an operation whose location [`Log::place`] has returned.
    #[inline]
    pub(crate) fn operated_at(&mut self, op: Op) {
        self.progress.beat(op);
        self.add(Item::Op { kind: op.kind, object: op.object }, op.location);
    }

    #[inline(always)]
    fn add(&mut self, item: Item, location: &'static Location<'static>) {
        self.trace.fold(self.task, self.now_ns, &item, location);
        if self.trace.is_recording() {
            self.keep(item, location);
        }
    }

    /// Keeps an event. Out of line, since most runs keep none.
    #[cold]
    #[inline(never)]
    fn keep(&mut self, item: Item, location: &'static Location<'static>) {
        self.trace.events.push(Event { task: self.task, step: self.step, now_ns: self.now_ns, item, location });
    }

    /// Records anything else that the current task did. Inlined, since the item is then a constant at most places.
    #[inline(always)]
    pub fn record(&mut self, item: Item, location: &'static Location<'static>) {
        let location = self.place(location);
        self.add(item, location);
    }

    /// Adds a note to the events, if they are kept. A note repeats information of other events, so it is not part of
    /// the hash.
    pub fn remark(&mut self, text: impl FnOnce() -> String, location: &'static Location<'static>) {
        if self.is_recording() {
            let location = self.place(location);
            self.keep(Item::Note(text().into()), location);
        }
    }

    /// The source line of the current task. The location of a call from drop glue is in core; it is replaced by the
    /// location of the task's last operation, which precedes the drop.
    #[inline]
    pub fn place(&mut self, location: &'static Location<'static>) -> &'static Location<'static> {
        let Some(task) = self.tasks.get_mut(self.task.index()) else { return location };
        // A loop repeats its line, so this case is frequent.
        if task.at.is_some_and(|at| std::ptr::eq(at, location)) {
            return location;
        }
        if is_glue(location) {
            return task.at.unwrap_or(location);
        }
        task.at = Some(location);
        location
    }

    /// The mark of an action of the current task, called from `location`.
    #[inline(always)]
    pub fn mark(&mut self, by: Owner, location: &'static Location<'static>) -> Mark {
        let (task, step, in_drop) = (self.task, self.step, is_glue(location));
        Mark { by, task, step, location: self.place(location), in_drop }
    }

    /// `worker.0, step 12, models/src/x.rs:40`.
    pub fn here(&self, location: &Location<'_>) -> String {
        format!("{}, step {}, {}:{}", self.task_name(self.task), self.step, location.file(), location.line())
    }

    /// The name of a task.
    pub fn task_name(&self, task: TaskId) -> &'static str {
        self.tasks.get(task.index()).map_or("-", |task| task.name.text)
    }

    /// The name of an object, numbered among those of its label.
    pub fn label(&self, object: ObjectId) -> String {
        label(&self.objects, object).map_or_else(|| "-".to_owned(), |(class, nth)| format!("{class}#{nth}"))
    }

    /// Notes a violation. Only the first one is kept: a later one may be its consequence.
    pub fn note_violation(&mut self, violation: Violation) {
        if self.violation.is_none() {
            self.violation = Some(Box::new(violation));
        }
    }

    /// Marks the run as invalid. Only the first reason is kept; it replaces a violation, which may be its consequence.
    pub fn note_void(&mut self, void: Void) {
        self.void.get_or_insert(void);
    }

    /// Whether the run has a violation or is invalid.
    pub fn is_broken(&self) -> bool {
        self.violation.is_some() || self.void.is_some()
    }

    /// Closes the run. `misuse` invalidates it. Unless the run has a violation, `at_quiescence` checks the rules that
    /// must hold at the end.
    pub fn finish(
        &mut self,
        misuse: Option<String>,
        at_quiescence: impl FnOnce(&Log) -> Option<Violation>,
    ) -> Finished {
        self.progress.end();
        let mut void = self.void.take();
        if let Some(text) = misuse {
            void = Some(Void::Misuse(text));
        }
        let violation = self.violation.take().or_else(|| at_quiescence(self).map(Box::new));
        let mut trace = mem::replace(&mut self.trace, Trace::new(Keep::Hash));
        if let Some(violation) = &violation {
            trace.seal(violation);
        }
        // Without events no table is drawn, and the names stay for the next run.
        let is_told = trace.is_recording();
        Finished {
            violation: violation.filter(|_| void.is_none()),
            void,
            steps: self.step,
            task: self.task,
            trace,
            forced: mem::take(&mut self.forced),
            tasks: if is_told { mem::take(&mut self.tasks) } else { Vec::new() },
            objects: if is_told { mem::take(&mut self.objects) } else { Vec::new() },
        }
    }
}

/// The label of an object, and its number among the objects of that label.
pub fn label(objects: &[&'static str], object: ObjectId) -> Option<(&'static str, u32)> {
    let name = *objects.get(object.0 as usize)?;
    let nth = objects[..object.0 as usize].iter().filter(|other| **other == name).count();
    Some((name, nth as u32))
}
