//! The watch over runs: a run that makes no more steps is reported, with its last operation, instead of hanging.
//!
//! A run shares one OS thread among its tasks. Code that blocks or spins without an operation of the facade stops all
//! of them, and the run cannot interrupt it. Each OS thread that makes runs therefore publishes its progress, and one
//! watching thread checks all of them periodically. It counts its own checks, not the wall clock, so that a process
//! that was stopped and continued does not count as a run that hangs.

use std::cell::RefCell;
use std::fmt;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;

use crate::explore::CaseName;
use crate::name::{self, Name};
use crate::op::{Op, OpKind};
use crate::run::RunNumber;

/// Interval between two checks of the watch.
const LOOK: Duration = Duration::from_millis(100);

/// Progress of the run that one OS thread makes.
#[derive(Debug, Default)]
pub(crate) struct Worker {
    /// The number of the run, 0 between runs.
    run: AtomicU64,
    /// Operations performed.
    beats: AtomicU64,
    /// The number of the name of the task that runs.
    task: AtomicU32,
    kind: AtomicU32,
    place: AtomicPtr<Location<'static>>,
    has_stray: AtomicBool,
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    /// Index in the list of workers, which is part of the numbers of its runs.
    index: u64,
    made: u64,
    case: Option<Arc<CaseName>>,
    seed: u64,
    patience: Duration,
    stray: Option<String>,
    listener: Option<Sender<Heard>>,
}

/// A run that makes no more steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stalled {
    /// Case and seed, if a case was named.
    pub run: String,
    /// The task that ran last, and its last operation with its source line.
    pub last: String,
    /// Wall time since the last operation.
    pub silent: Duration,
}

impl fmt::Display for Stalled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stalled { run, last, silent } = self;
        let seconds = silent.as_secs_f64();
        writeln!(f, "a run hangs: no operation for {seconds:.1} s of wall time, and it cannot be stopped from inside")?;
        writeln!(f, "  run            {run}")?;
        writeln!(f, "  last           {last}")?;
        writeln!(f, "  usual causes   a std Mutex held over an operation of the facade; a loop on a std atomic, on")?;
        writeln!(f, "                 `Instant::now` or without any operation; a blocking call of the system")?;
        write!(f, "  knob           Limits::patience, for code that computes longer than that between two operations")
    }
}

/// A message to a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// A run hangs.
    Stalled(Stalled),
    /// The listener's work is over; sent by the thread that does the work.
    Over,
}

static WORKERS: Mutex<Vec<Arc<Worker>>> = Mutex::new(Vec::new());
static FREE: Mutex<Vec<Arc<Worker>>> = Mutex::new(Vec::new());

fn locked<T>(place: &Mutex<T>) -> MutexGuard<'_, T> {
    place.lock().unwrap_or_else(PoisonError::into_inner)
}

/// This OS thread's worker, returned to the free list when the thread ends.
struct Lease(Arc<Worker>);

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.run.store(0, Ordering::Release);
        locked(&self.0.told).listener = None;
        locked(&FREE).push(Arc::clone(&self.0));
    }
}

thread_local! {
    static LEASE: RefCell<Option<Lease>> = const { RefCell::new(None) };
}

/// Bits of a run's number that count the runs of one worker.
const COUNT_BITS: u32 = 40;

/// This OS thread's worker: where its runs publish their steps.
pub(crate) fn worker() -> Arc<Worker> {
    LEASE.with_borrow_mut(|lease| Arc::clone(&lease.get_or_insert_with(|| Lease(lease_one())).0))
}

fn lease_one() -> Arc<Worker> {
    start_watching();
    if let Some(worker) = locked(&FREE).pop() {
        return worker;
    }
    let mut workers = locked(&WORKERS);
    let told = Told { index: workers.len() as u64, ..Told::default() };
    let worker = Arc::new(Worker { told: Mutex::new(told), ..Worker::default() });
    workers.push(Arc::clone(&worker));
    worker
}

/// What the watch must know before a run begins.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    /// The case, for the report.
    pub(crate) case: Arc<CaseName>,
    /// Longest wall time without an operation.
    pub(crate) patience: Duration,
}

impl Worker {
    /// A run begins on this worker's OS thread; returns its number.
    pub(crate) fn begin(&self, seed: u64, watched: Option<&Watched>) -> RunNumber {
        let mut told = locked(&self.told);
        told.made += 1;
        let number = (told.index << COUNT_BITS) | told.made;
        told.seed = seed;
        told.case = watched.map(|watched| Arc::clone(&watched.case));
        told.patience = watched.map_or(Duration::MAX, |watched| watched.patience);
        told.stray = None;
        drop(told);
        self.has_stray.store(false, Ordering::Relaxed);
        self.place.store(std::ptr::null_mut(), Ordering::Relaxed);
        self.run.store(number, Ordering::Release);
        RunNumber(number)
    }

    /// The run is over.
    pub(crate) fn end(&self) {
        self.run.store(0, Ordering::Release);
    }

    /// The task's code continues.
    #[inline]
    pub(crate) fn lets_run(&self, task: Name) {
        self.task.store(task.number, Ordering::Relaxed);
    }

    /// The running task performs this operation now.
    #[inline]
    pub(crate) fn beat(&self, op: Op) {
        self.beats.store(self.beats.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        self.kind.store(op.kind as u32, Ordering::Relaxed);
        self.place.store(std::ptr::from_ref(op.location).cast_mut(), Ordering::Relaxed);
    }

    /// The misuse by an OS thread that touched an object of the run without being one of its tasks.
    pub(crate) fn take_stray(&self) -> Option<String> {
        if !self.has_stray.load(Ordering::Acquire) {
            return None;
        }
        locked(&self.told).stray.take()
    }
}

/// Calls `with` with the name of the task that runs on this OS thread. It does not allocate or wait for a lock, since
/// it is called from a signal handler.
pub(crate) fn with_current_task(with: impl FnOnce(&str)) {
    LEASE.with(|lease| {
        let lease = lease.try_borrow().ok();
        let worker = lease.as_ref().and_then(|lease| lease.as_ref()).map(|lease| &lease.0);
        with(worker.and_then(|worker| name::text(worker.task.load(Ordering::Relaxed))).unwrap_or("-"));
    });
}

/// An OS thread that is not a task of this run touched an object of it.
pub(crate) fn tell_of_stray(run: RunNumber, text: &str) {
    if let Some(worker) = worker_of(run) {
        locked(&worker.told).stray = Some(text.to_owned());
        worker.has_stray.store(true, Ordering::Release);
    }
}

/// Whether that run is not over yet.
pub(crate) fn is_under_way(run: RunNumber) -> bool {
    worker_of(run).is_some_and(|worker| worker.run.load(Ordering::Acquire) == run.0)
}

fn worker_of(run: RunNumber) -> Option<Arc<Worker>> {
    let index = usize::try_from(run.0 >> COUNT_BITS).ok()?;
    locked(&WORKERS).get(index).cloned()
}

/// Sends hangs of this OS thread's runs to `listener` instead of the terminal. Threads that make runs for this one
/// inherit it by [`Listening::take_over`].
pub(crate) fn listen(listener: Sender<Heard>) {
    locked(&worker().told).listener = Some(listener);
}

/// A thread's listener, for a thread that makes runs in its place.
#[derive(Clone, Debug)]
pub(crate) struct Listening(Option<Sender<Heard>>);

impl Listening {
    pub(crate) fn of_this_thread() -> Listening {
        Listening(locked(&worker().told).listener.clone())
    }

    pub(crate) fn take_over(self) {
        locked(&worker().told).listener = self.0;
    }
}

fn start_watching() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        let started = std::thread::Builder::new().name(String::from("lastref watch")).spawn(watch);
        // Without the watch a run that hangs does so silently; nothing else depends on it.
        drop(started);
    });
}

#[derive(Clone, Copy, Default)]
struct Seen {
    run: u64,
    beats: u64,
    looks: u32,
}

fn watch() {
    let mut seen: Vec<Seen> = Vec::new();
    loop {
        look_later();
        let workers = locked(&WORKERS).clone();
        seen.resize(workers.len(), Seen::default());
        for (worker, seen) in workers.iter().zip(&mut seen) {
            let (run, beats) = (worker.run.load(Ordering::Acquire), worker.beats.load(Ordering::Relaxed));
            let goes_on = run == 0 || (run, beats) != (seen.run, seen.beats);
            *seen = Seen { run, beats, looks: if goes_on { 0 } else { seen.looks + 1 } };
            worker.judge(LOOK * seen.looks);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the watch is about the wall clock, and no run reads it")]
fn look_later() {
    std::thread::sleep(LOOK);
}

impl Worker {
    fn judge(&self, silent: Duration) {
        let mut told = locked(&self.told);
        if silent <= told.patience {
            return;
        }
        let stalled = self.stalled(&told, silent);
        // Reported once: the thread that makes the run is lost.
        told.patience = Duration::MAX;
        let heard = told.listener.take().is_some_and(|listener| listener.send(Heard::Stalled(stalled.clone())).is_ok());
        drop(told);
        if !heard {
            eprintln!("lastref: {stalled}");
            std::process::exit(101);
        }
    }

    fn stalled(&self, told: &Told, silent: Duration) -> Stalled {
        let case = told.case.as_ref().map_or_else(|| String::from("a run"), |case| case.to_string());
        let task = name::text(self.task.load(Ordering::Relaxed)).unwrap_or("main");
        let last = match self.place() {
            Some(place) => {
                let kind = OpKind::from_index(self.kind.load(Ordering::Relaxed)).map_or("an operation", OpKind::word);
                format!("{task}, {kind} at {}:{}", place.file(), place.line())
            }
            None => format!("{task}, before its first operation"),
        };
        Stalled { run: format!("{case}, seed {:#x}", told.seed), last, silent }
    }

    #[expect(unsafe_code, reason = "a source line is published as one word; see the argument at the block")]
    fn place(&self) -> Option<&'static Location<'static>> {
        let place = self.place.load(Ordering::Relaxed);
        // SAFETY: the word is null or was made from a `&'static Location` by `beat`, the only place that writes one; such
        // a reference is valid forever and its target never changes.
        unsafe { place.as_ref() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_told_once_and_only_when_its_patience_is_over() {
        let worker = Worker::default();
        let (listener, heard) = std::sync::mpsc::channel();
        let case = CaseName { component: String::from("c"), scenario: String::from("s"), variant: String::from("v") };
        *locked(&worker.told) = Told {
            case: Some(Arc::new(case)),
            seed: 7,
            patience: Duration::from_secs(2),
            listener: Some(listener),
            ..Told::default()
        };
        let location = Location::caller();
        worker.lets_run(Name::of("worker.1"));
        worker.beat(Op { kind: OpKind::Lock, object: crate::op::ObjectId::NONE, location });
        worker.judge(Duration::from_secs(2));
        assert!(heard.try_recv().is_err(), "not before");
        worker.judge(Duration::from_secs(3));
        worker.judge(Duration::from_secs(30));
        let Ok(Heard::Stalled(told)) = heard.try_recv() else { panic!("it is told") };
        assert_eq!((told.run.as_str(), told.silent), ("c/s/v, seed 0x7", Duration::from_secs(3)));
        assert_eq!(told.last, format!("worker.1, lock at {}:{}", location.file(), location.line()));
        assert!(heard.try_recv().is_err(), "told once");
    }
}
