//! The watch over runs: a run that takes no more steps is reported, with its last operation, instead of hanging.
//!
//! A run shares one OS thread among its tasks. Code that blocks or spins without an operation of the facade stops all
//! of them, and the run cannot interrupt it. Each OS thread that executes runs therefore publishes its progress, and
//! one watching thread checks all of them periodically. It counts its own checks instead of reading the wall clock, so
//! that a process that was stopped and continued does not count as a run that hangs.

use std::cell::RefCell;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use kernel::record::{OpKind, Progress, RunNumber};

use crate::explore::CaseName;
use crate::unpoisoned::locked;

/// Interval between two checks of the watch.
const LOOK: Duration = Duration::from_millis(100);

/// The runs that one OS thread executes.
#[derive(Debug, Default)]
pub(crate) struct Worker {
    /// Their progress.
    pub(crate) progress: Arc<Progress>,
    /// Index in the list of workers, which is part of the numbers of its runs.
    index: u64,
    /// The number of its runs; only its own OS thread changes it.
    made: AtomicU64,
    /// The seed of its last run.
    seed: AtomicU64,
    /// The case of its last run, as the address of its name, which `told` keeps alive; and the patience in nanoseconds.
    watched: (AtomicUsize, AtomicU64),
    has_stray: AtomicBool,
    told: Mutex<WatchedRun>,
}

#[derive(Debug, Default)]
struct WatchedRun {
    watched: Option<Watched>,
    /// The last run hangs, and its hang was reported.
    is_reported: bool,
    stray: Option<String>,
    listener: Option<Sender<WatchMessage>>,
}

/// A run that takes no more steps.
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
pub(crate) enum WatchMessage {
    /// A run hangs.
    Stalled(Stalled),
    /// The listener's work is over; sent by the thread that does the work.
    Over,
}

static WORKERS: Mutex<Vec<Arc<Worker>>> = Mutex::new(Vec::new());
static FREE: Mutex<Vec<Arc<Worker>>> = Mutex::new(Vec::new());

/// This OS thread's worker, returned to the free list when the thread ends.
struct Lease(Arc<Worker>);

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.progress.end();
        locked(&self.0.told).listener = None;
        locked(&FREE).push(Arc::clone(&self.0));
    }
}

thread_local! {
    static LEASE: RefCell<Option<Lease>> = const { RefCell::new(None) };
}

/// Bits of a run's number that count the runs of one worker.
const COUNT_BITS: u32 = 40;

/// This OS thread's worker, in which its runs publish their progress.
pub(crate) fn worker() -> Arc<Worker> {
    LEASE.with_borrow_mut(|lease| Arc::clone(&lease.get_or_insert_with(|| Lease(lease_one())).0))
}

fn lease_one() -> Arc<Worker> {
    start_watching();
    if let Some(worker) = locked(&FREE).pop() {
        return worker;
    }
    let mut workers = locked(&WORKERS);
    let worker = Arc::new(Worker { index: workers.len() as u64, ..Worker::default() });
    workers.push(Arc::clone(&worker));
    worker
}

/// The case and the patience of a run, as the watch needs them.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    /// The case, for the report.
    pub(crate) case: Arc<CaseName>,
    /// Longest wall time without an operation.
    pub(crate) patience: Duration,
}

impl Watched {
    fn key(watched: Option<&Watched>) -> (usize, u64) {
        watched.map_or((0, 0), |watched| (Arc::as_ptr(&watched.case).addr(), kernel::as_ns(watched.patience)))
    }
}

impl Worker {
    /// Begins a run on this worker's OS thread, and returns its number. Without `watched` the run may take any time.
    pub(crate) fn begin(&self, seed: u64, watched: Option<&Watched>) -> RunNumber {
        let made = self.made.load(Ordering::Relaxed) + 1;
        self.made.store(made, Ordering::Relaxed);
        self.seed.store(seed, Ordering::Relaxed);
        let (case, patience) = Watched::key(watched);
        // A search executes thousands of runs of one case: only the first one takes the lock.
        let is_same =
            (self.watched.0.load(Ordering::Relaxed), self.watched.1.load(Ordering::Relaxed)) == (case, patience);
        if !is_same || self.has_stray.load(Ordering::Relaxed) {
            self.watched.0.store(case, Ordering::Relaxed);
            self.watched.1.store(patience, Ordering::Relaxed);
            self.has_stray.store(false, Ordering::Relaxed);
            let mut told = locked(&self.told);
            told.watched = watched.cloned();
            (told.is_reported, told.stray) = (false, None);
        }
        RunNumber((self.index << COUNT_BITS) | made)
    }

    /// Takes the report that an OS thread used an object of the run without being one of its tasks.
    pub(crate) fn take_stray(&self) -> Option<String> {
        if !self.has_stray.load(Ordering::Acquire) {
            return None;
        }
        locked(&self.told).stray.take()
    }
}

/// Like [`Worker::take_stray`], for a run that another OS thread may have executed.
pub(crate) fn take_stray(run: RunNumber) -> Option<String> {
    worker_of(run)?.take_stray()
}

/// Calls `with` with the name of the task that runs on this OS thread. It does not allocate or wait for a lock, since
/// it is called from a signal handler.
pub(crate) fn with_current_task(with: impl FnOnce(&str)) {
    LEASE.with(|lease| {
        let lease = lease.try_borrow().ok();
        let worker = lease.as_ref().and_then(|lease| lease.as_ref()).map(|lease| &lease.0);
        with(worker.and_then(|worker| worker.progress.task()).unwrap_or("-"));
    });
}

/// Records that an OS thread used an object of this run without being one of its tasks.
pub(crate) fn tell_of_stray(run: RunNumber, text: &str) {
    if let Some(worker) = worker_of(run) {
        locked(&worker.told).stray = Some(text.to_owned());
        worker.has_stray.store(true, Ordering::Release);
    }
}

/// Whether that run is not over yet.
pub(crate) fn is_under_way(run: RunNumber) -> bool {
    worker_of(run).is_some_and(|worker| worker.progress.run() == run)
}

fn worker_of(run: RunNumber) -> Option<Arc<Worker>> {
    let index = usize::try_from(run.0 >> COUNT_BITS).ok()?;
    locked(&WORKERS).get(index).cloned()
}

/// Sends hangs of this OS thread's runs to `listener` instead of the terminal. Threads that execute runs for this one
/// inherit it by [`Listening::take_over`].
pub(crate) fn listen(listener: Sender<WatchMessage>) {
    locked(&worker().told).listener = Some(listener);
}

/// A thread's listener, for a thread that executes runs on its behalf.
#[derive(Clone, Debug)]
pub(crate) struct Listening(Option<Sender<WatchMessage>>);

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
    run: RunNumber,
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
            let (run, beats) = (worker.progress.run(), worker.progress.beats());
            let goes_on = run == RunNumber::NONE || (run, beats) != (seen.run, seen.beats);
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
        let patience = told.watched.as_ref().map_or(Duration::MAX, |watched| watched.patience);
        if silent <= patience || told.is_reported {
            return;
        }
        let stalled = self.stalled(&told, silent);
        // Reported once: the thread that executes the run is lost.
        told.is_reported = true;
        let heard =
            told.listener.take().is_some_and(|listener| listener.send(WatchMessage::Stalled(stalled.clone())).is_ok());
        drop(told);
        if !heard {
            eprintln!("lastref: {stalled}");
            std::process::exit(101);
        }
    }

    fn stalled(&self, told: &WatchedRun, silent: Duration) -> Stalled {
        let case = told.watched.as_ref().map_or_else(|| String::from("a run"), |watched| watched.case.to_string());
        let task = self.progress.task().unwrap_or("main");
        let last = match self.progress.last() {
            Some((kind, place)) => {
                let kind = kind.map_or("an operation", OpKind::word);
                format!("{task}, {kind} at {}:{}", place.file(), place.line())
            }
            None => format!("{task}, before its first operation"),
        };
        Stalled { run: format!("{case}, seed {:#x}", self.seed.load(Ordering::Relaxed)), last, silent }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::Location;

    use kernel::record::{Name, ObjectId, Op};

    use super::*;

    #[test]
    fn a_worker_is_told_once_and_only_when_its_patience_is_over() {
        let worker = Worker::default();
        let (listener, heard) = std::sync::mpsc::channel();
        let case = CaseName { component: String::from("c"), scenario: String::from("s"), variant: String::from("v") };
        let watched = Watched { case: Arc::new(case), patience: Duration::from_secs(2) };
        worker.begin(7, Some(&watched));
        locked(&worker.told).listener = Some(listener);
        let location = Location::caller();
        worker.progress.lets_run(Name::of("worker.1"));
        worker.progress.beat(Op { kind: OpKind::Lock, object: ObjectId::NONE, location });
        worker.judge(Duration::from_secs(2));
        assert!(heard.try_recv().is_err(), "not before");
        worker.judge(Duration::from_secs(3));
        worker.judge(Duration::from_secs(30));
        let Ok(WatchMessage::Stalled(told)) = heard.try_recv() else { panic!("it is told") };
        assert_eq!((told.run.as_str(), told.silent), ("c/s/v, seed 0x7", Duration::from_secs(3)));
        assert_eq!(told.last, format!("worker.1, lock at {}:{}", location.file(), location.line()));
        assert!(heard.try_recv().is_err(), "told once");
    }
}
