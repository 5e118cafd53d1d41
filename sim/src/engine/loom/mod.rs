//! loom below the facade: every interleaving of a small configuration, with C11 weak memory.
//!
//! loom decides inside its own primitives, so the facade's arms for it are loom's types. Two things are added. Each
//! operation of a task is recorded as it happens. And each resource of the ledger has a probe, a relaxed atomic that
//! every ledger call touches: loom prunes interleavings by the objects that threads touch, so without the probe it
//! would never try a use and a release of one resource in both orders. A relaxed access orders nothing.
//!
//! After a finding nothing is unwound: the finding is sent and the OS thread parks for good
//! (`session::report_and_park`). loom reports its own findings by panicking, and a destructor that calls into loom
//! while that panic unwinds may panic again and abort the process. The panic hook therefore only records the finding.
//! The first facade operation of a destructor, or else the end of the task's own code, reports it and parks
//! ([`before_nonblocking_op`]). The hook itself must not park: a thread that stays in the hook would block a thread
//! that changes the hook, as test runners do.

#![cfg_attr(
    not(feature = "loom"),
    expect(clippy::missing_const_for_thread_local, reason = "loom's macro knows no const initializers")
)]

mod poison;
mod probed;

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::panic::Location;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kernel::record::{Item, Keep, ObjectId, Op, OpKind, RunNumber, TaskId, Violation, ViolationKind, Void, label};
use kernel::seed::fold;
use kernel::{Awaits, Blocked, Spin};

use crate::loom_or_std as loom;
use crate::panics;
use crate::session::{
    self, Backend, Evidence, ExternalEngine, Outcome, Own, Run, Session, SessionEngine, with_log, with_run,
};
use crate::unpoisoned::clean;
use crate::void;
use crate::watch::{self, Listening, Watched, Worker};

pub(crate) use poison::Poison;
pub(crate) use probed::Probed;

loom::thread_local! {
    static TASK: Cell<u32> = Cell::new(0);
    static SPIN: RefCell<Spin> = RefCell::new(Spin::default());
}

/// A task: its name and its permit.
///
/// The permit is a lock and a condition variable. loom's own `park` and `unpark` (0.7.2) are unsuitable: an unpark is
/// not a branch, orders the two tasks even if neither parks, wakes a task from any wait, and is lost when the task
/// yields.
#[derive(Clone)]
pub(crate) struct Handle {
    pub(crate) name: Option<Arc<str>>,
    permit: Arc<(loom::sync::Mutex<bool>, loom::sync::Condvar)>,
}

impl Handle {
    pub(crate) fn new(name: Option<Arc<str>>) -> Handle {
        Handle { name, permit: Arc::new((loom::sync::Mutex::new(false), loom::sync::Condvar::new())) }
    }

    /// Gives the permit.
    pub(crate) fn unpark(&self) {
        let _quiet = before_nonblocking_op();
        let (permit, given) = &*self.permit;
        if std::thread::panicking() && permit.try_lock().is_err() {
            may_wait();
        }
        *clean(permit.lock()) = true;
        given.notify_one();
    }

    /// Waits for the permit and takes it. With `timeout`, lets other tasks run once, and takes the permit if it is
    /// given then.
    pub(crate) fn park(&self, timeout: Option<Duration>, location: &'static Location<'static>) {
        may_wait();
        if let Some(timeout) = timeout {
            pass_time(timeout);
        }
        record_wait(Op { kind: OpKind::Park, object: ObjectId::NONE, location }, Need::Permit);
        let (permit, given) = &*self.permit;
        let mut is_given = clean(permit.lock());
        while timeout.is_none() && !*is_given {
            is_given = clean(given.wait(is_given));
        }
        *is_given = false;
    }
}

/// The state of an exploration, and of its present execution.
pub(crate) struct Exploration {
    /// The present execution; `None` between two executions.
    own: RefCell<Option<Own>>,
    probes: RefCell<Vec<(ObjectId, Rc<loom::sync::atomic::AtomicUsize>)>>,
    /// loom's cells are not `Sync`, so the facade's cells cannot contain them.
    cells: RefCell<Vec<(ObjectId, Rc<loom::cell::UnsafeCell<()>>)>>,
    /// The cell being accessed, for the report if loom finds a race.
    touched: Cell<ObjectId>,
    locks: RefCell<Locks>,
    /// The handles of the tasks, by task, since all of them share one OS thread.
    handles: RefCell<Vec<Option<Handle>>>,
    /// Threads whose handles were dropped: the body also waits for them, since every task must end.
    left: RefCell<Vec<loom::thread::JoinHandle<()>>>,
}

impl Exploration {
    fn new() -> Exploration {
        Exploration {
            own: RefCell::new(None),
            probes: RefCell::new(Vec::new()),
            cells: RefCell::new(Vec::new()),
            touched: Cell::new(ObjectId::NONE),
            locks: RefCell::new(Locks::default()),
            handles: RefCell::new(Vec::new()),
            left: RefCell::new(Vec::new()),
        }
    }

    /// Drops the objects of loom, at the end of an execution.
    fn clear(&self) {
        self.handles.take();
        self.locks.take();
        self.probes.take();
        self.cells.take();
    }
}

impl ExternalEngine for Exploration {
    fn run(&self, f: &mut dyn FnMut(Run<'_>)) {
        if let Some(own) = self.own.borrow_mut().as_mut() {
            f(own.run());
        }
    }

    fn report(&self) {
        if let Some(own) = self.own.take() {
            own.report(false);
        }
    }

    fn explain(&self, text: &str, place: &str) -> Evidence {
        of_loom(text, place)
    }
}

/// Translates a finding that loom reports by panicking.
fn of_loom(text: &str, place: &str) -> Evidence {
    let first = text.lines().next().unwrap_or_default().to_owned();
    Evidence::Violation(if text.starts_with("deadlock; threads") {
        deadlock()
    } else if text.contains("Causality violation") {
        Violation::about(ViolationKind::DataRace, touched(), first).fact("panicked at", place)
    } else if text.contains("Model exceeded maximum number of branches") {
        Violation::of_run(ViolationKind::Stall, first)
            .fact("usual cause", "a loop that spins without yielding, or a configuration too large for loom")
            .fact("knob", "Limits::branches_max")
    } else {
        return Evidence::Void(void::of_loom(text, place));
    })
}

/// Calls `f` with the exploration of this OS thread.
fn with_loom<R>(f: impl FnOnce(&Exploration) -> R) -> R {
    let exploration = |engine: &dyn ExternalEngine| (engine as &dyn Any).downcast_ref::<Exploration>().map(f);
    match session::with_foreign(exploration).flatten() {
        Some(result) => result,
        None => unreachable!("invariant: loom's arm is selected within an exploration only"),
    }
}

/// What each task waits for, and the holder of each lock. loom's own report of a deadlock contains neither.
#[derive(Default)]
struct Locks {
    waits: BTreeMap<TaskId, (Op, Need)>,
    holders: Vec<(ObjectId, TaskId)>,
}

/// The condition that an operation may wait for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Need {
    /// The lock of the operation.
    Lock,
    /// A notification; the task releases this mutex meanwhile.
    Notification(ObjectId),
    /// The mutex that the task released; the task has been notified.
    Again(ObjectId),
    /// The end of that task.
    End(TaskId),
    /// Its permit.
    Permit,
}

impl Locks {
    fn holders(&self, lock: ObjectId) -> Vec<TaskId> {
        self.holders.iter().filter(|(held, _)| *held == lock).map(|(_, holder)| *holder).collect()
    }

    fn give(&mut self, lock: ObjectId, task: TaskId) {
        if let Some(place) = self.holders.iter().position(|holds| *holds == (lock, task)) {
            self.holders.remove(place);
        }
    }

    /// Marks the notified waiters. `notify_one` with several waiters marks none: loom does not report which one it
    /// wakes.
    fn notified(&mut self, op: Op) {
        let waiters = self.waits.values_mut().filter(|(wait, _)| wait.kind == OpKind::Wait && wait.object == op.object);
        let waiters: Vec<&mut (Op, Need)> = waiters.collect();
        if op.kind == OpKind::NotifyAll || waiters.len() == 1 {
            for (_, need) in waiters {
                if let Need::Notification(mutex) = *need {
                    *need = Need::Again(mutex);
                }
            }
        }
    }

    /// Records that the task has completed the operation.
    fn done(&mut self, task: TaskId, op: Op) {
        let waited = self.waits.remove(&task);
        match op.kind {
            OpKind::Lock | OpKind::ReadLock | OpKind::WriteLock => self.holders.push((op.object, task)),
            OpKind::Unlock | OpKind::RwUnlock => self.give(op.object, task),
            OpKind::Wait => {
                if let Some((_, Need::Notification(mutex) | Need::Again(mutex))) = waited {
                    self.holders.push((mutex, task));
                }
            }
            OpKind::NotifyOne | OpKind::NotifyAll => self.notified(op),
            _ => {}
        }
    }
}

fn me() -> TaskId {
    TASK.with(|task| TaskId(task.get()))
}

/// Records an operation that loom has just carried out.
pub(crate) fn observe(op: Op) {
    let task = me();
    with_loom(|loom| loom.locks.borrow_mut().done(task, op));
    with_log(|log| {
        log.task = task;
        log.step += 1;
        log.operated(op);
    });
    // loom lets a task that never yields run forever.
    if SPIN.with(|spin| spin.borrow_mut().announce(op)) && !std::thread::panicking() {
        loom::thread::yield_now();
        sync_current_task();
    }
}

/// Records that the operation observed next has changed something, although its kind may change nothing.
pub(crate) fn note_change() {
    SPIN.with(|spin| spin.borrow_mut().end());
}

/// Called before an operation of loom that never waits. After a panic of loom itself, none of its operations can be
/// trusted: this reports the finding that the hook recorded, and parks the thread. While another panic unwinds the
/// task, the operation happens at once: a switch would let other tasks see the panic.
pub(crate) fn before_nonblocking_op() -> Quiet {
    let unwinding = std::thread::panicking();
    if unwinding {
        if with_log(|log| log.is_broken()).unwrap_or(false) {
            session::report_and_park();
        }
        loom::stop_exploring();
    }
    Quiet { unwinding }
}

/// While it exists, no switch happens if a panic unwinds this task.
#[must_use]
pub(crate) struct Quiet {
    unwinding: bool,
}

impl Drop for Quiet {
    fn drop(&mut self) {
        if self.unwinding {
            loom::explore();
        }
    }
}

/// Called before an operation of loom that may wait. A destructor that waits while a panic unwinds its task cannot
/// continue: the panic is reported as the finding, and the thread parks here.
pub(crate) fn may_wait() {
    if std::thread::panicking() {
        panics::note_unwinding();
        session::report_and_park();
    }
}

/// Records what the task is about to wait for in loom, in case it blocks.
pub(crate) fn record_wait(op: Op, need: Need) {
    sync_current_task();
    let location = with_log(|log| log.place(op.location)).unwrap_or(op.location);
    let (task, op) = (me(), Op { location, ..op });
    with_loom(|loom| {
        let mut locks = loom.locks.borrow_mut();
        locks.waits.insert(task, (op, need));
        if let Need::Notification(mutex) = need {
            locks.give(mutex, task);
        }
    });
}

/// The deadlock finding, after loom has reported that no thread can run.
pub(crate) fn deadlock() -> Violation {
    let blocked = |locks: &Locks, (task, (op, need)): (&TaskId, &(Op, Need))| {
        let awaits = match need {
            Need::Lock => Awaits::Lock(locks.holders(op.object)),
            Need::Notification(_) | Need::Permit => Awaits::Notification,
            Need::Again(mutex) => Awaits::LockAgain(*mutex, locks.holders(*mutex)),
            Need::End(other) => Awaits::End(*other),
        };
        Blocked { task: *task, op: Some(*op), awaits }
    };
    let all: Vec<Blocked> = with_loom(|loom| {
        let locks = loom.locks.borrow();
        locks.waits.iter().map(|wait| blocked(&locks, wait)).collect()
    });
    match with_log(|log| kernel::deadlock(log, &all)) {
        Some(violation) => violation,
        None => unreachable!("invariant: loom finds a deadlock inside an execution"),
    }
}

/// Sets the current task of the run: loom may have switched tasks inside the last operation.
pub(crate) fn sync_current_task() {
    let task = me();
    with_log(|log| log.resume(task));
}

pub(crate) fn new_probe(object: ObjectId) {
    let probe = Rc::new(loom::sync::atomic::AtomicUsize::new(0));
    with_loom(|loom| loom.probes.borrow_mut().push((object, probe)));
}

pub(crate) fn new_cell(object: ObjectId) {
    let cell = Rc::new(loom::cell::UnsafeCell::new(()));
    with_loom(|loom| loom.cells.borrow_mut().push((object, cell)));
}

/// Lets loom check an access to a plain cell.
pub(crate) fn cell_access(object: ObjectId, kind: OpKind) {
    let _quiet = before_nonblocking_op();
    let cell = with_loom(|loom| {
        loom.touched.set(object);
        find(&loom.cells, object)
    });
    match cell {
        Some(cell) if kind == OpKind::CellWrite => cell.with_mut(|_| ()),
        Some(cell) => cell.with(|_| ()),
        None => {}
    }
    with_loom(|loom| loom.touched.set(ObjectId::NONE));
}

/// The name of the cell whose access loom is checking.
pub(crate) fn touched() -> &'static str {
    let touched = with_loom(|loom| loom.touched.get());
    with_log(|log| label(&log.objects, touched)).flatten().map_or("cell", |(class, _)| class)
}

fn find<T>(registry: &RefCell<Vec<(ObjectId, Rc<T>)>>, object: ObjectId) -> Option<Rc<T>> {
    let known = registry.borrow();
    let place = known.binary_search_by_key(&object, |(object, _)| *object).ok()?;
    Some(Rc::clone(&known[place].1))
}

/// Makes a ledger call visible to loom's partial-order reduction.
pub(crate) fn probe(op: Op) {
    let quiet = before_nonblocking_op();
    if let Some(probe) = with_loom(|loom| find(&loom.probes, op.object)) {
        // A use counts too: loom keeps one last access per atomic, so after two loads a write by the second reader is
        // not tried before the first reader's load. Found by a defect that a complete exploration missed.
        probe.fetch_add(1, loom::sync::atomic::Ordering::Relaxed);
    }
    drop(quiet);
    observe(op);
}

/// Starts a thread of the model.
pub(crate) fn spawn(
    name: Option<&str>,
    body: Box<dyn FnOnce() + Send>,
    location: &'static Location<'static>,
) -> (TaskId, loom::thread::JoinHandle<()>) {
    may_wait();
    sync_current_task();
    let id = with_log(|log| log.spawned(name).0).unwrap_or(TaskId::MAIN);
    if id.index() >= loom::MAX_THREADS {
        // loom's own assertion names neither the limit nor the source line.
        let most = loom::MAX_THREADS;
        session::void(Void::Misuse(format!(
            "loom explores at most {most} threads, the body's own included, and the one that is started at {location} is \
             one more: search it under fiber, or with fewer threads"
        )));
    }
    let handle = loom::thread::spawn(move || {
        TASK.with(|task| task.set(id.0));
        sync_current_task();
        with_log(|log| log.record(Item::Began, location));
        body();
        sync_current_task();
        with_log(|log| log.record(Item::Ended, location));
    });
    sync_current_task();
    (id, handle)
}

/// Stores the handle of a task, for [`current`].
pub(crate) fn register(task: TaskId, handle: Handle) {
    with_loom(|loom| {
        let handles = &mut *loom.handles.borrow_mut();
        if handles.len() <= task.index() {
            handles.resize(task.index() + 1, None);
        }
        handles[task.index()] = Some(handle);
    });
}

/// The handle of the current task. The handle of the first task is created at its first use.
pub(crate) fn current() -> Handle {
    let known = with_loom(|loom| loom.handles.borrow().get(me().index()).cloned().flatten());
    known.unwrap_or_else(|| {
        let handle = Handle::new(Some(Arc::from("main")));
        register(me(), handle.clone());
        handle
    })
}

/// Stores a join handle that the component dropped, so that the body waits for its thread.
pub(crate) fn leave(handle: loom::thread::JoinHandle<()>) {
    with_loom(|loom| loom.left.borrow_mut().push(handle));
}

/// The input of an exploration.
pub(crate) struct Setup {
    pub(crate) seed: u64,
    pub(crate) keep: Keep,
    pub(crate) watched: Watched,
    /// How many times an execution may preempt a task that could continue; `None` means no bound.
    pub(crate) preemptions_max: Option<u8>,
    pub(crate) branches_max: usize,
    pub(crate) executions_max: u64,
    pub(crate) body: Arc<dyn Fn() + Send + Sync>,
}

/// The result of an exploration.
#[derive(Debug)]
pub(crate) struct Explored {
    pub(crate) executions: u64,
    pub(crate) steps: u64,
    pub(crate) hash: u64,
    /// Whether the whole space was explored.
    pub(crate) complete: bool,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) reached: BTreeMap<&'static str, u64>,
}

#[derive(Default)]
struct Tally {
    executions: AtomicU64,
    steps: AtomicU64,
    hash: AtomicU64,
    reached: Mutex<BTreeMap<&'static str, u64>>,
}

impl Tally {
    fn add(&self, outcome: &Outcome) {
        self.steps.fetch_add(u64::from(outcome.steps), Ordering::Relaxed);
        let hash = fold(self.hash.load(Ordering::Relaxed), outcome.trace.hash());
        self.hash.store(hash, Ordering::Relaxed);
        let mut reached = clean(self.reached.lock());
        for (sentence, count) in &outcome.reached {
            *reached.entry(sentence).or_insert(0) += count;
        }
    }
}

/// Explores the executions of `body`, within bounds on preemptions, branches and executions.
#[cfg(feature = "loom")]
fn check(bounds: (Option<u8>, usize, u64), body: impl Fn() + Sync + Send + 'static) {
    let (preemptions_max, branches_max, executions_max) = bounds;
    let mut builder = ::loom::model::Builder::new();
    builder.max_threads = loom::MAX_THREADS;
    builder.max_branches = branches_max;
    builder.preemption_bound = preemptions_max.map(usize::from);
    builder.max_permutations = usize::try_from(executions_max).ok().and_then(|most| most.checked_add(1));
    builder.checkpoint_interval = 1;
    builder.max_duration = None;
    builder.checkpoint_file = None;
    builder.location = false;
    builder.log = false;
    builder.check(body);
}

#[cfg(not(feature = "loom"))]
fn check(_: (Option<u8>, usize, u64), _: impl Fn() + Sync + Send + 'static) {
    unreachable!("invariant: an engine that is not built in explores nothing");
}

/// Explores on a separate OS thread, so that a finding can leave that thread parked.
pub(crate) fn explore(setup: Setup) -> Explored {
    panics::install();
    let (sender, receiver) = channel();
    let tally = Arc::new(Tally::default());
    let for_thread = Arc::clone(&tally);
    let executions_max = setup.executions_max;
    let listening = Listening::of_this_thread();
    let thread = std::thread::spawn(move || {
        listening.take_over();
        let worker = watch::worker();
        let sender = Mutex::new(sender);
        let bounds = (setup.preemptions_max, setup.branches_max, executions_max);
        let session = Session::new(SessionEngine::ExternalEngine(Backend::Loom, Box::new(Exploration::new())));
        let checked = session.enter(RunNumber::NONE, || {
            panics::guarded(|| {
                check(bounds, move || {
                    let reporter = clean(sender.lock()).clone();
                    for_thread.executions.fetch_add(1, Ordering::Relaxed);
                    one(&setup, &worker, reporter, &for_thread);
                });
            })
        });
        assert!(checked.is_some(), "invariant: a failed exploration does not return");
    });
    // The thread owns the sender: this loop ends with a finding, or when the thread ends.
    let outcome = receiver.recv().ok();
    if outcome.is_none()
        && let Err(panic) = thread.join()
    {
        std::panic::resume_unwind(panic);
    }
    if let Some(outcome) = &outcome {
        tally.add(outcome);
    }
    let executions = tally.executions.load(Ordering::Relaxed);
    let reached = clean(tally.reached.lock()).clone();
    Explored {
        executions,
        steps: tally.steps.load(Ordering::Relaxed),
        hash: tally.hash.load(Ordering::Relaxed),
        complete: outcome.is_none() && executions < executions_max,
        outcome,
        reached,
    }
}

fn one(setup: &Setup, worker: &Worker, reporter: Sender<Outcome>, tally: &Tally) {
    let own = Own::begin(worker, setup.seed, setup.keep, Some(&setup.watched), reporter);
    session::renumber(own.log.number());
    with_loom(|loom| loom.own.replace(Some(own)));
    panics::guarded(|| (setup.body)());
    while let Some(handle) = with_loom(|loom| loom.left.borrow_mut().pop()) {
        let _ = handle.join();
    }
    with_loom(Exploration::clear);
    sync_current_task();
    if let Some(violation) = with_run(|run| run.at_quiescence()).flatten() {
        session::fail(violation);
    }
    let own = with_loom(|loom| loom.own.take());
    session::renumber(RunNumber::NONE);
    if let Some(own) = own {
        tally.add(&own.finish(false));
    }
}

/// loom has no time: a timed wait lets other tasks run once, then times out.
pub(crate) fn pass_time(duration: Duration) {
    may_wait();
    loom::thread::yield_now();
    sync_current_task();
    with_log(|log| log.now_ns = log.now_ns.saturating_add(kernel::as_ns(duration)));
}
