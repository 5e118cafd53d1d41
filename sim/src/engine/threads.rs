//! Real OS threads: the same component code under the operating system's scheduler, as a sanity check and for external
//! sanitizers. There is no replay; a finding describes the one execution in which it happened.
//!
//! Virtual time runs a thousand times faster than the wall clock, so that a model's minute takes 60 ms.

use std::any::Any;
use std::panic::Location;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use kernel::record::{Item, Keep, Op, RunNumber, TaskId, Violation, ViolationKind, Void};

use crate::panics;
use crate::session::{self, Backend, Evidence, ExternalEngine, Outcome, Own, Run, Session, SessionEngine, with_log};
use crate::unpoisoned::locked;
use crate::watch;

/// Virtual nanoseconds per wall nanosecond.
const SPEED: u32 = 1_000;

/// A run that has not ended after this much wall time is reported as stalled: real threads cannot detect a deadlock.
const PATIENCE: Duration = Duration::from_secs(20);

/// A run, shared by its threads; `None` once it is over and reported.
type Shared = Arc<Mutex<Option<Own>>>;

/// Threads whose handles the component dropped: the run waits for every task.
type Left = Arc<Mutex<Vec<JoinHandle<()>>>>;

/// One thread of a run.
pub(crate) struct Member {
    shared: Shared,
    task: TaskId,
    left: Left,
    start: Instant,
}

impl Member {
    /// The member that represents another thread of the same run.
    fn beside(&self, task: TaskId) -> Member {
        Member { shared: Arc::clone(&self.shared), task, left: Arc::clone(&self.left), start: self.start }
    }

    fn enter(self, number: RunNumber, body: impl FnOnce()) {
        Session::new(SessionEngine::ExternalEngine(Backend::Threads, Box::new(self))).enter(number, body);
    }
}

impl ExternalEngine for Member {
    /// Parks a leftover thread of a finished run forever.
    fn run(&self, f: &mut dyn FnMut(Run<'_>)) {
        let mut own = locked(&self.shared);
        match &mut *own {
            Some(own) => {
                own.log.task = self.task;
                f(own.run());
            }
            None => {
                drop(own);
                session::park_forever()
            }
        }
    }

    fn report(&self) {
        let own = locked(&self.shared).take();
        if let Some(own) = own {
            own.report(false);
        }
    }

    fn explain(&self, text: &str, place: &str) -> Evidence {
        Evidence::Void(Void::Harness(format!("{text}, at {place}, on real threads")))
    }
}

fn with_member<R>(f: impl FnOnce(&Member) -> R) -> Option<R> {
    session::with_foreign(|engine| (engine as &dyn Any).downcast_ref::<Member>().map(f)).flatten()
}

/// Records an operation of this thread.
pub(crate) fn observe(op: Op) {
    let now_ns = now_ns();
    with_log(|log| {
        log.step += 1;
        log.now_ns = now_ns;
        log.operated(op);
    });
}

/// Virtual time since the run began.
pub(crate) fn now_ns() -> u64 {
    let elapsed = with_member(|member| member.start.elapsed()).unwrap_or_default();
    kernel::as_ns(elapsed.saturating_mul(SPEED))
}

/// Wall time of a virtual duration.
pub(crate) fn wall(duration: Duration) -> Duration {
    duration / SPEED
}

#[expect(clippy::disallowed_methods, reason = "the threads engine is the one that runs in real time")]
pub(crate) fn sleep(duration: Duration) {
    std::thread::sleep(wall(duration));
}

/// Starts an OS thread.
pub(crate) fn start(name: Option<&str>, body: Box<dyn FnOnce() + Send>) -> JoinHandle<()> {
    let builder = std::thread::Builder::new();
    let builder = match name {
        Some(name) => builder.name(name.to_owned()),
        None => builder,
    };
    match builder.spawn(body) {
        Ok(handle) => handle,
        Err(error) => panic!("the system cannot start a thread: {error}"),
    }
}

/// Starts a thread of the run.
pub(crate) fn spawn(
    name: Option<&str>,
    body: Box<dyn FnOnce() + Send>,
    location: &'static Location<'static>,
) -> Option<JoinHandle<()>> {
    let id = with_log(|log| log.spawned(name).0).unwrap_or(TaskId::MAIN);
    let number = session::number();
    let child = with_member(|member| member.beside(id))?;
    let body = move || {
        child.enter(number, || {
            with_log(|log| log.record(Item::Began, location));
            body();
            with_log(|log| log.record(Item::Ended, location));
        });
    };
    Some(start(name, Box::new(body)))
}

/// Stores a join handle that the component dropped.
pub(crate) fn leave(handle: JoinHandle<()>) {
    with_member(|member| locked(&member.left).push(handle));
}

/// Runs the body once.
#[expect(clippy::disallowed_methods, reason = "the threads engine is the one that runs in real time")]
pub(crate) fn run_once(seed: u64, keep: Keep, body: Arc<dyn Fn() + Send + Sync>) -> Outcome {
    panics::install();
    let (sender, receiver) = channel();
    let own = Own::begin(&watch::worker(), seed, keep, None, sender);
    let number = own.log.number();
    let shared = Arc::new(Mutex::new(Some(own)));
    let left = Left::default();
    let main =
        Member { shared: Arc::clone(&shared), task: TaskId::MAIN, left: Arc::clone(&left), start: Instant::now() };
    std::thread::spawn(move || {
        let shared = Arc::clone(&main.shared);
        main.enter(number, || {
            panics::guarded(|| body());
            // Before the outcome is sent: the captures of the body are dropped with the run.
            drop(body);
            loop {
                // A separate statement, so that the list is not locked during the wait.
                let handle = locked(&left).pop();
                let Some(handle) = handle else { break };
                // The thread caught its own panic.
                let _ = handle.join();
            }
        });
        let own = locked(&shared).take();
        if let Some(own) = own {
            own.report(true);
        }
    });
    match receiver.recv_timeout(PATIENCE) {
        Ok(outcome) => outcome,
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
            let own = locked(&shared).take();
            let (unread, _) = channel();
            let mut own = own.unwrap_or_else(|| Own::begin(&watch::worker(), seed, keep, None, unread));
            let message = format!("real threads have not ended after {} s of wall time", PATIENCE.as_secs());
            own.log.note_violation(
                Violation::of_run(ViolationKind::Stall, message)
                    .fact("usual cause", "a deadlock: the engine `fiber` names the holders"),
            );
            own.finish(false)
        }
    }
}
