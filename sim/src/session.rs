//! The session of a run: everything that the run's code reaches from its OS thread.
//!
//! A session is entered for a run, or for one exploration of loom, and left at its end. Outside any session the facade
//! is plain std. No call here is a scheduling point or orders anything inside the simulation.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::Deref;
use std::ptr;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use kernel::Kernel;
use kernel::record::{Finished, Hits, Keep, Log, RunNumber, TaskId, Violation, Void};

use crate::checks::Checks;
use crate::watch::{self, Watched, Worker};

/// The implementation that facade types select.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    /// No run: plain std, nothing observed.
    Std,
    /// Our kernel schedules; coroutines switch.
    Sched,
    /// loom schedules.
    Loom,
    /// The operating system schedules; calls are observed.
    Threads,
}

/// The results of a run so far.
pub(crate) struct Run<'a> {
    pub(crate) log: &'a mut Log,
    pub(crate) checks: &'a mut Checks,
}

/// A run that is over, as exploration sees it.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Its log: the outcome's violation, steps and trace are those of the log.
    log: Finished,
    pub(crate) reached: BTreeMap<&'static str, u64>,
    pub(crate) faults: Hits,
    /// Its switches and choices, if the kernel scheduled it.
    pub(crate) schedule: kernel::Ended,
}

impl Deref for Outcome {
    type Target = Finished;

    fn deref(&self) -> &Finished {
        &self.log
    }
}

impl Outcome {
    /// The log by itself.
    pub(crate) fn into_log(self) -> Finished {
        self.log
    }
}

impl Run<'_> {
    /// The first rule of quiescence that does not hold.
    pub(crate) fn at_quiescence(&self) -> Option<Violation> {
        at_quiescence(self.log, self.checks)
    }

    /// Closes the run, and checks the rules of quiescence unless it has a violation or was cut short. `misuse`
    /// invalidates it. The checks are empty afterwards, for the next run.
    pub(crate) fn finish(self, schedule: kernel::Ended, misuse: Option<String>) -> Outcome {
        let Run { log, checks } = self;
        let log = log.finish(misuse, |log| if schedule.is_quiescent { at_quiescence(log, checks) } else { None });
        checks.ledger.clear();
        // Leaked: the destructor of a waker's data may access the run, or an abandoned stack.
        std::mem::forget(std::mem::take(&mut checks.timers));
        let (reached, faults) = (std::mem::take(&mut checks.properties).reached(), std::mem::take(&mut checks.hits));
        Outcome { log, reached, faults, schedule }
    }
}

fn at_quiescence(log: &Log, checks: &Checks) -> Option<Violation> {
    checks.ledger.at_quiescence(&log.tasks).or_else(|| checks.properties.at_quiescence())
}

/// The results of a run without a kernel.
#[derive(Debug)]
pub(crate) struct Own {
    pub(crate) log: Log,
    checks: Checks,
    /// Receives the outcome of a run that does not return.
    reporter: Sender<Outcome>,
}

impl Own {
    /// Begins a run.
    pub(crate) fn begin(
        worker: &Worker,
        seed: u64,
        keep: Keep,
        watched: Option<&Watched>,
        reporter: Sender<Outcome>,
    ) -> Own {
        let mut log = Log::new(Arc::clone(&worker.progress));
        log.begin(worker.begin(seed, watched), seed, keep);
        Own { log, checks: Checks::default(), reporter }
    }

    pub(crate) fn run(&mut self) -> Run<'_> {
        Run { log: &mut self.log, checks: &mut self.checks }
    }

    /// Closes the run.
    pub(crate) fn finish(mut self, is_quiescent: bool) -> Outcome {
        let misuse = watch::take_stray(self.log.number());
        self.run().finish(kernel::Ended { is_quiescent, ..kernel::Ended::default() }, misuse)
    }

    /// Closes the run, and sends its outcome. Sending fails only if a finding was reported first.
    pub(crate) fn report(self, is_quiescent: bool) {
        let reporter = self.reporter.clone();
        let _ = reporter.send(self.finish(is_quiescent));
    }
}

/// Sends the failed run to the exploring thread, and never returns: under loom and real threads nothing is unwound
/// after a finding.
pub(crate) fn report_and_park() -> ! {
    with_foreign(|engine| engine.report());
    park_forever()
}

/// Parks the OS thread of a run that is over and reported, for good.
pub(crate) fn park_forever() -> ! {
    loop {
        std::thread::park();
    }
}

/// An engine without our kernel: it keeps the results of its run itself.
pub(crate) trait ExternalEngine: Any {
    /// Calls `f` with the results of the run so far; not at all between executions.
    fn run(&self, f: &mut dyn FnMut(Run<'_>));

    /// Ends the run with its finding.
    fn report(&self);

    /// Interprets a panic by which the engine reports a finding.
    fn explain(&self, text: &str, place: &str) -> Evidence;
}

/// The meaning of a panic: a violation, or an invalid run.
pub(crate) enum Evidence {
    Violation(Violation),
    Void(Void),
}

/// A panic as the hook saw it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// `file:line`.
    pub(crate) place: String,
    pub(crate) text: String,
    pub(crate) whose: PanicOrigin,
}

/// The code that panicked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum PanicOrigin {
    /// The component, its model, or a library that it uses.
    #[default]
    Component,
    /// The harness's own.
    Harness,
    /// loom, which reports its findings by panicking.
    Loom,
}

/// The engine of a session, with the results of its run.
pub(crate) enum SessionEngine {
    /// Our kernel, which has the log.
    Kernel(&'static Kernel, RefCell<Checks>),
    /// Another engine.
    ExternalEngine(Backend, Box<dyn ExternalEngine>),
}

/// Everything that the code of one run reaches from its OS thread.
pub(crate) struct Session {
    place: SessionEngine,
    /// [`RunNumber::NONE`] between the executions of an exploration.
    number: Cell<RunNumber>,
    /// Size of each task's stack in bytes, for the report of an overflow.
    pub(crate) stack_bytes: Cell<usize>,
    /// The last panic of the run.
    pub(crate) panic: RefCell<Option<Seen>>,
}

thread_local! {
    static SESSION: Cell<*const Session> = const { Cell::new(ptr::null()) };
}

/// Restores the previous session when dropped.
struct Entered(*const Session);

impl Drop for Entered {
    fn drop(&mut self) {
        SESSION.set(self.0);
    }
}

impl Session {
    pub(crate) fn new(place: SessionEngine) -> Session {
        Session { place, number: Cell::new(RunNumber::NONE), stack_bytes: Cell::new(0), panic: RefCell::new(None) }
    }

    /// Makes the session current on this OS thread for the duration of `body`.
    pub(crate) fn enter<R>(&self, number: RunNumber, body: impl FnOnce() -> R) -> R {
        self.number.set(number);
        let _entered = Entered(SESSION.replace(self));
        body()
    }

    pub(crate) fn place(&self) -> &SessionEngine {
        &self.place
    }

    /// Calls `f` with the results of the run so far; `None` between executions.
    pub(crate) fn run<R>(&self, f: impl FnOnce(Run<'_>) -> R) -> Option<R> {
        match &self.place {
            SessionEngine::Kernel(kernel, checks) => {
                let mut checks = checks.borrow_mut();
                Some(kernel.log(|log| f(Run { log, checks: &mut checks })))
            }
            SessionEngine::ExternalEngine(_, engine) => {
                let (mut f, mut result) = (Some(f), None);
                engine.run(&mut |run| result = f.take().map(|f| f(run)));
                result
            }
        }
    }
}

/// Calls `f` with the session of this OS thread; `None` outside any run.
#[inline]
#[expect(unsafe_code, reason = "the current session is kept as a pointer; see the argument at the block")]
pub(crate) fn with<R>(f: impl FnOnce(Option<&Session>) -> R) -> R {
    let session = SESSION.get();
    // SAFETY: the pointer is null, or `enter` has set it from a reference that outlives `enter`, and resets it before
    // `enter` returns or unwinds. `f` cannot keep the reference, whose lifetime it does not know. If `f` is a task that
    // a run abandons, it never runs again.
    f(unsafe { session.as_ref() })
}

/// Calls `f` with the results of the run of this OS thread so far; `None` outside any run. `f` must not call back into
/// the facade.
#[inline]
pub(crate) fn with_run<R>(f: impl FnOnce(Run<'_>) -> R) -> Option<R> {
    with(|session| session?.run(f))
}

/// Like [`with_run`], with the log only.
#[inline]
pub(crate) fn with_log<R>(f: impl FnOnce(&mut Log) -> R) -> Option<R> {
    with(|session| match &session?.place {
        SessionEngine::Kernel(kernel, _) => Some(kernel.log(f)),
        _ => session?.run(|run| f(run.log)),
    })
}

/// Whether this OS thread is outside any session.
#[inline]
pub(crate) fn is_outside() -> bool {
    SESSION.get().is_null()
}

/// The number of the run of this OS thread.
#[inline]
pub(crate) fn number() -> RunNumber {
    with(|session| session.map_or(RunNumber::NONE, |session| session.number.get()))
}

/// The implementation that facade types select.
#[inline]
pub(crate) fn arm() -> Backend {
    with(|session| match session.map(Session::place) {
        None => Backend::Std,
        Some(SessionEngine::Kernel(..)) => Backend::Sched,
        Some(SessionEngine::ExternalEngine(arm, _)) => *arm,
    })
}

/// Sets the run's number when an execution of an exploration begins or is over.
pub(crate) fn renumber(number: RunNumber) {
    with(|session| session.map(|session| session.number.set(number)));
}

/// The kernel that schedules this OS thread.
#[inline]
pub(crate) fn kernel() -> Option<&'static Kernel> {
    with(|session| match session?.place {
        SessionEngine::Kernel(kernel, _) => Some(kernel),
        _ => None,
    })
}

/// The kernel of the run with this number, if it is the run of this OS thread.
#[inline]
pub(crate) fn kernel_of(run: RunNumber) -> Option<&'static Kernel> {
    with(|session| match session?.place {
        SessionEngine::Kernel(kernel, _) if session?.number.get() == run => Some(kernel),
        _ => None,
    })
}

/// Calls `f` with the engine of this OS thread, if it is not our kernel.
pub(crate) fn with_foreign<R>(f: impl FnOnce(&dyn ExternalEngine) -> R) -> Option<R> {
    with(|session| match session.map(Session::place) {
        Some(SessionEngine::ExternalEngine(_, engine)) => Some(f(&**engine)),
        _ => None,
    })
}

/// The task whose code runs on this OS thread.
pub(crate) fn current_task() -> TaskId {
    with_log(|log| log.task).unwrap_or(TaskId::MAIN)
}

/// Called for a `sometimes` that was not reached. It has no effect here: a [`Case`](crate::Case) knows its sentences
/// from its scenario.
#[inline]
pub(crate) fn note_unreached(_sentence: &'static str) {}

/// Receives the network for which a body is meant. It has no effect here, since the body runs on the system's network;
/// see [`crate::simulate()`].
#[inline]
pub(crate) fn is_meant_for(network: &crate::Network) {
    let _ = &network.faults;
}

/// Ends the run with this finding. In a task of a run it does not return, except while a panic already unwinds the
/// task: then the panic continues and the first finding stands.
pub(crate) fn fail(violation: Violation) {
    if with_log(|log| log.note_violation(violation)).is_some() {
        stop();
    }
}

/// Ends the run as invalid. It returns only where [`fail`] returns.
pub(crate) fn void(void: Void) {
    if with_log(|log| log.note_void(void)).is_some() {
        stop();
    }
}

/// Ends the run as a misuse by the user.
pub(crate) fn misused(text: &str) -> ! {
    void(Void::Misuse(text.to_owned()));
    panic!("{text}")
}

fn stop() {
    if std::thread::panicking() {
        return;
    }
    match kernel() {
        Some(kernel) => kernel.stop_here(),
        None => report_and_park(),
    }
}
