//! What one run has shown so far: trace, ledger, properties, the first violation.
//!
//! The engines that run every task on one OS thread keep it in a thread-local; the `threads` engine shares it behind a
//! lock. No call here is a scheduling point or orders anything inside the simulation.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::mem;
use std::panic::Location;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::engine::{self, Arm, sched};
use crate::ledger::Ledger;
use crate::name::Name;
use crate::net::{Hits, Timers};
use crate::op::{ObjectId, Op, TaskId, TaskKey};
use crate::property::Properties;
use crate::trace::{Event, Item, Trace};
use crate::violation::Violation;
use crate::void::Void;
use crate::watch::{self, Watched, Worker};

/// Names a run within its process, to distinguish objects of different runs. It is not part of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RunNumber(pub(crate) u64);

impl RunNumber {
    /// Outside any run.
    pub(crate) const NONE: RunNumber = RunNumber(0);
}

/// One task as reports name it.
#[derive(Clone, Debug)]
pub(crate) struct TaskInfo {
    pub(crate) key: TaskKey,
    pub(crate) name: Name,
    /// Where in the source it was last.
    at: Option<&'static Location<'static>>,
    children: u32,
    draws: u32,
    notifications: u32,
    /// Nesting depth of the futures that it polls.
    polls: u32,
    /// The host that it belongs to.
    pub(crate) host: Option<&'static str>,
}

impl TaskInfo {
    fn new(key: TaskKey, name: Name) -> TaskInfo {
        TaskInfo { key, name, at: None, children: 0, draws: 0, notifications: 0, polls: 0, host: None }
    }
}

/// Everything observed in one run.
#[derive(Debug)]
pub(crate) struct Run {
    number: RunNumber,
    pub(crate) seed: u64,
    /// The task whose code runs now, and the number of the step that it performs.
    pub(crate) task: TaskId,
    pub(crate) step: u32,
    pub(crate) now_ns: u64,
    pub(crate) tasks: Vec<TaskInfo>,
    pub(crate) objects: Vec<&'static str>,
    pub(crate) trace: Trace,
    pub(crate) ledger: Ledger,
    pub(crate) properties: Properties,
    pub(crate) faults: Hits,
    pub(crate) timers: Timers,
    pub(crate) violation: Option<Violation>,
    /// Why the run is invalid; takes precedence over any violation.
    void: Option<Void>,
    worker: Arc<Worker>,
    reporter: Option<Sender<Outcome>>,
}

/// A finished run, as exploration sees it.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) violation: Option<Violation>,
    pub(crate) void: Option<Void>,
    pub(crate) steps: u32,
    pub(crate) task: TaskId,
    pub(crate) trace: Trace,
    pub(crate) tasks: Vec<TaskInfo>,
    pub(crate) objects: Vec<&'static str>,
    pub(crate) reached: BTreeMap<&'static str, u64>,
    pub(crate) faults: Hits,
}

/// How much of a run is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Record {
    /// The hash only.
    Hash,
    /// The hash and the forced switches, so that its schedule can be varied.
    Switches,
    /// Every event, so that a table can be drawn.
    Events,
}

impl Run {
    /// A run of this OS thread, which reports its steps to the watch.
    pub(crate) fn new(seed: u64, record: Record, watched: Option<&Watched>, reporter: Option<Sender<Outcome>>) -> Run {
        let mut run = Run {
            number: RunNumber::NONE,
            seed,
            task: TaskId::MAIN,
            step: 0,
            now_ns: 0,
            tasks: Vec::new(),
            objects: Vec::new(),
            trace: Trace::new(record),
            ledger: Ledger::default(),
            properties: Properties::default(),
            faults: Hits::default(),
            timers: Timers::default(),
            violation: None,
            void: None,
            worker: watch::worker(),
            reporter,
        };
        run.begin(seed, record, watched);
        run
    }

    /// Starts the next run of this OS thread. The outcome of the previous run must have been taken.
    pub(crate) fn begin(&mut self, seed: u64, record: Record, watched: Option<&Watched>) {
        self.number = self.worker.begin(seed, watched);
        (self.seed, self.task, self.step, self.now_ns) = (seed, TaskId::MAIN, 0, 0);
        self.tasks.clear();
        self.tasks.push(TaskInfo::new(TaskKey::MAIN, Name::default_of(TaskId::MAIN)));
        self.objects.clear();
        self.trace = Trace::new(record);
        self.ledger.clear();
        self.resumes(TaskId::MAIN, 0, 0);
    }

    /// Gives back what was allocated for runs.
    pub(crate) fn free(&mut self) {
        (self.tasks, self.objects, self.ledger) = (Vec::new(), Vec::new(), Ledger::default());
    }

    /// Registers a child of the current task.
    pub(crate) fn spawned(&mut self, name: Option<String>) -> (TaskId, TaskKey) {
        let id = TaskId(self.tasks.len() as u32);
        let parent = &mut self.tasks[self.task.index()];
        let key = parent.key.child(parent.children);
        parent.children += 1;
        let name = name.map_or_else(|| Name::default_of(id), |name| Name::of(&name));
        self.tasks.push(TaskInfo::new(key, name));
        (id, key)
    }

    /// Registers the alarm.
    pub(crate) fn alarm_started(&mut self) -> (TaskId, TaskKey) {
        let id = TaskId(self.tasks.len() as u32);
        self.tasks.push(TaskInfo::new(TaskKey::ALARM, Name::of("alarm")));
        (id, TaskKey::ALARM)
    }

    /// The current task belongs to this host.
    pub(crate) fn settle(&mut self, host: &'static str) {
        self.tasks[self.task.index()].host = Some(host);
    }

    /// The current task begins to poll a future.
    pub(crate) fn poll_begins(&mut self) {
        self.tasks[self.task.index()].polls += 1;
    }

    /// The current task has polled.
    pub(crate) fn poll_ends(&mut self) {
        self.tasks[self.task.index()].polls -= 1;
    }

    /// Whether the current task is in a poll.
    pub(crate) fn is_polling(&self) -> bool {
        self.tasks[self.task.index()].polls > 0
    }

    /// The code of `task` continues, at decision `step`.
    #[inline]
    pub(crate) fn resumes(&mut self, task: TaskId, step: u32, now_ns: u64) {
        (self.task, self.step, self.now_ns) = (task, step, now_ns);
        self.worker.lets_run(self.tasks[task.index()].name);
    }

    pub(crate) fn draw_key(&mut self) -> (u64, TaskKey, u32) {
        let task = &mut self.tasks[self.task.index()];
        task.draws += 1;
        (self.seed, task.key, task.draws)
    }

    /// The key of the current task, and its number of notifications, this one included.
    pub(crate) fn notifies(&mut self) -> (TaskKey, u32) {
        let task = &mut self.tasks[self.task.index()];
        task.notifications += 1;
        (task.key, task.notifications)
    }

    /// Records an operation by the current task.
    #[inline]
    pub(crate) fn operated(&mut self, op: Op) {
        self.worker.beat(op);
        let location = self.place(op.location);
        self.trace.operated(self.task, self.step, self.now_ns, Op { location, ..op });
    }

    /// Registers an object of the facade.
    pub(crate) fn add_object(&mut self, label: &'static str) -> ObjectId {
        self.objects.push(label);
        ObjectId(self.objects.len() as u32 - 1)
    }

    /// `location`, or that of the current task's last operation if `location` is in the glue of a destructor.
    #[inline]
    pub(crate) fn placed(&mut self, location: &'static Location<'static>) -> &'static Location<'static> {
        if is_glue(location) { self.place(location) } else { location }
    }

    /// Where the current task is. A call from the glue of a destructor has a location in core; the location of the
    /// task's last operation is used instead, which precedes the drop.
    #[inline]
    pub(crate) fn place(&mut self, location: &'static Location<'static>) -> &'static Location<'static> {
        let Some(task) = self.tasks.get_mut(self.task.index()) else { return location };
        if is_glue(location) {
            return task.at.unwrap_or(location);
        }
        task.at = Some(location);
        location
    }

    /// Records anything else that the current task did.
    #[inline]
    pub(crate) fn record(&mut self, item: Item, location: &'static Location<'static>) {
        let location = self.place(location);
        self.trace.push(Event { task: self.task, step: self.step, now_ns: self.now_ns, item, location });
    }

    /// `worker.0, step 12, models/src/x.rs:40`.
    pub(crate) fn here(&self, location: &Location<'_>) -> String {
        let task = self.tasks.get(self.task.index()).map_or("-", |task| task.name.text);
        format!("{task}, step {}, {}:{}", self.step, location.file(), location.line())
    }

    /// Records a violation. Only the first one is kept: a later one may be its consequence.
    pub(crate) fn note_violation(&mut self, violation: Violation) {
        if self.violation.is_none() {
            self.violation = Some(violation);
        }
    }

    /// Marks the run as invalid. Only the first reason is kept; it replaces a violation, which may be its consequence.
    pub(crate) fn note_void(&mut self, void: Void) {
        self.void.get_or_insert(void);
    }

    /// Whether the run already has a violation or is invalid.
    pub(crate) fn is_broken(&self) -> bool {
        self.violation.is_some() || self.void.is_some()
    }

    /// The name of a facade object, numbered among those of its label.
    pub(crate) fn label(&self, object: ObjectId) -> String {
        label(&self.objects, object)
    }

    /// The first rule of quiescence that does not hold.
    pub(crate) fn check_quiescence(&self) -> Option<Violation> {
        self.ledger.at_quiescence(&self.tasks).or_else(|| self.properties.at_quiescence())
    }

    /// Closes the run, and checks the rules of quiescence unless the run already failed. If no events were recorded,
    /// the names of tasks and objects are not handed over, since no table is drawn.
    pub(crate) fn finish(&mut self, quiescent: bool) -> Outcome {
        self.worker.end();
        let mut void = self.void.take();
        if let Some(text) = self.worker.take_stray() {
            void = Some(Void::Misuse(text));
        }
        let mut violation = self.violation.take();
        if quiescent && violation.is_none() {
            violation = self.check_quiescence();
        }
        let mut trace = mem::replace(&mut self.trace, Trace::new(Record::Hash));
        if let Some(violation) = &violation {
            trace.seal(violation);
        }
        // The destructor of a waker's data may need the run, and so may abandoned stacks.
        mem::forget(mem::take(&mut self.timers));
        let is_told = trace.recording();
        Outcome {
            violation: violation.filter(|_| void.is_none()),
            void,
            steps: self.step,
            task: self.task,
            trace,
            tasks: if is_told { mem::take(&mut self.tasks) } else { Vec::new() },
            objects: if is_told { mem::take(&mut self.objects) } else { Vec::new() },
            reached: mem::take(&mut self.properties).reached(),
            faults: mem::take(&mut self.faults),
        }
    }
}

/// Whether the caller is `drop_in_place`, which is what `#[track_caller]` on a `Drop` gives as the caller.
#[inline]
pub(crate) fn is_glue(location: &Location<'_>) -> bool {
    let file = location.file();
    // One comparison of eight bytes excludes nearly every other file.
    file.as_bytes().last_chunk() == Some(b"r/mod.rs") && file.ends_with("core/src/ptr/mod.rs")
}

/// `label#n`, n counting the objects of that label made before.
pub(crate) fn label(objects: &[&'static str], object: ObjectId) -> String {
    let Some(name) = objects.get(object.0 as usize) else { return "-".to_owned() };
    let nth = objects[..object.0 as usize].iter().filter(|other| *other == name).count();
    format!("{name}#{nth}")
}

/// The run of an OS thread without a kernel; a kernel contains its run.
enum Slot {
    None,
    Local(Box<Run>),
    Shared(Arc<Mutex<Option<Run>>>, TaskId),
}

thread_local! {
    static SLOT: RefCell<Slot> = const { RefCell::new(Slot::None) };
    static NUMBER: Cell<RunNumber> = const { Cell::new(RunNumber::NONE) };
}

/// The run of this OS thread.
#[inline]
pub(crate) fn number() -> RunNumber {
    NUMBER.get()
}

fn locked(run: &Mutex<Option<Run>>) -> MutexGuard<'_, Option<Run>> {
    // A panic while the lock is held leaves a record that is still worth reporting.
    run.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Calls `f` with the run of this OS thread; `None` outside any run. `f` must not call back into the facade.
#[inline]
pub(crate) fn with<R>(f: impl FnOnce(&mut Run) -> R) -> Option<R> {
    if engine::arm() == Arm::Sched { is_under_way().then(|| sched::with_run(f)) } else { with_slot(f) }
}

fn with_slot<R>(f: impl FnOnce(&mut Run) -> R) -> Option<R> {
    let ended = SLOT.with_borrow_mut(|slot| match slot {
        Slot::None => Ok(None),
        Slot::Local(run) => Ok(Some(f(run))),
        Slot::Shared(run, task) => match &mut *locked(run) {
            Some(run) => {
                run.task = *task;
                Ok(Some(f(run)))
            }
            // The run is over and reported; this thread is left over from it.
            None => Err(()),
        },
    });
    match ended {
        Ok(result) => result,
        Err(()) => park_forever(),
    }
}

fn is_under_way() -> bool {
    number() != RunNumber::NONE
}

/// Begins a run of this OS thread that a kernel schedules and owns.
pub(crate) fn begin_scheduled(run: &Run) {
    NUMBER.set(run.number);
}

/// Ends that run.
pub(crate) fn end_scheduled() {
    NUMBER.set(RunNumber::NONE);
}

/// Starts observing a run on this OS thread.
pub(crate) fn begin(run: Run) {
    NUMBER.set(run.number);
    SLOT.set(Slot::Local(Box::new(run)));
}

/// Stops observing, and returns the run.
pub(crate) fn end() -> Option<Run> {
    NUMBER.set(RunNumber::NONE);
    match SLOT.replace(Slot::None) {
        Slot::Local(run) => Some(*run),
        Slot::Shared(run, _) => locked(&run).take(),
        Slot::None => None,
    }
}

/// Shares one run among OS threads: each participating thread calls this first.
pub(crate) fn share(run: Arc<Mutex<Option<Run>>>, task: TaskId) {
    NUMBER.set(locked(&run).as_ref().map_or(RunNumber::NONE, |run| run.number));
    SLOT.set(Slot::Shared(run, task));
}

/// The shared run of this thread, for a child thread to join.
pub(crate) fn shared() -> Option<Arc<Mutex<Option<Run>>>> {
    SLOT.with_borrow(|slot| match slot {
        Slot::Shared(run, _) => Some(Arc::clone(run)),
        _ => None,
    })
}

pub(crate) fn object(label: &'static str) -> ObjectId {
    with(|run| run.add_object(label)).unwrap_or(ObjectId::NONE)
}

/// Sends the failed run to the exploring thread, and never returns: under loom and real threads nothing is unwound
/// after a finding, since destructors that call into a half-finished run may abort the process.
pub(crate) fn report_and_park() -> ! {
    if let Some(mut run) = end() {
        let reporter = run.reporter.take();
        let outcome = run.finish(false);
        if let Some(reporter) = reporter {
            // Sending fails only if an earlier report was taken.
            let _ = reporter.send(outcome);
        }
    }
    park_forever()
}

fn park_forever() -> ! {
    loop {
        std::thread::park();
    }
}
