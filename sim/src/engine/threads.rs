//! Real OS threads: the same component code under the operating system's scheduler, as a sanity check and for other
//! people's sanitizers. There is no replay; a finding describes the one execution in which it happened.
//!
//! Virtual time runs a thousand times faster than the wall clock, so that a model's minute takes 60 ms.

use std::cell::RefCell;
use std::panic::Location;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::Arm;
use crate::engine;
use crate::op::{Op, TaskId};
use crate::panics;
use crate::run::{self, Outcome, Record, Run};
use crate::trace::Item;
use crate::violation::{Violation, ViolationKind};

/// Virtual nanoseconds per wall nanosecond.
const SPEED: u32 = 1_000;

/// A run that has not ended after this much wall time is reported as stalled: real threads cannot detect a deadlock.
const PATIENCE: Duration = Duration::from_secs(20);

type Left = Arc<Mutex<Vec<JoinHandle<()>>>>;

thread_local! {
    static LEFT: RefCell<Option<(Left, std::time::Instant)>> = const { RefCell::new(None) };
}

/// Records an operation of this thread.
pub(crate) fn observe(op: Op) {
    let now_ns = now_ns();
    run::with(|run| {
        run.step += 1;
        run.now_ns = now_ns;
        run.operated(op);
    });
}

/// Virtual time since the run began.
pub(crate) fn now_ns() -> u64 {
    let elapsed = LEFT.with_borrow(|left| left.as_ref().map(|(_, start)| start.elapsed()));
    let ns = elapsed.unwrap_or_default().as_nanos().saturating_mul(u128::from(SPEED));
    u64::try_from(ns).unwrap_or(u64::MAX)
}

/// Wall time of a virtual duration.
pub(crate) fn wall(duration: Duration) -> Duration {
    duration / SPEED
}

#[expect(clippy::disallowed_methods, reason = "the threads engine is the one that runs in real time")]
pub(crate) fn sleep(duration: Duration) {
    std::thread::sleep(wall(duration));
}

/// Starts a thread of the run.
pub(crate) fn spawn(
    name: Option<String>,
    body: Box<dyn FnOnce() + Send>,
    location: &'static Location<'static>,
) -> (TaskId, Option<JoinHandle<()>>) {
    let Some(id) = run::with(|run| run.spawned(name).0) else { return (TaskId::MAIN, None) };
    let Some(shared) = run::shared() else { return (id, None) };
    let left = LEFT.with_borrow(Clone::clone);
    let handle = std::thread::spawn(move || {
        let _arm = engine::enter(Arm::Threads);
        LEFT.set(left);
        panics::guard(true);
        run::share(shared, id);
        run::with(|run| run.record(Item::Began, location));
        body();
        run::with(|run| run.record(Item::Ended, location));
    });
    (id, Some(handle))
}

/// Keeps a handle that the component dropped: the run waits for every task.
pub(crate) fn leave(handle: JoinHandle<()>) {
    LEFT.with_borrow(|left| {
        if let Some((left, _)) = left {
            left.lock().unwrap_or_else(PoisonError::into_inner).push(handle);
        }
    });
}

/// Runs the body once.
#[expect(clippy::disallowed_methods, reason = "the threads engine is the one that runs in real time")]
pub(crate) fn run_once(seed: u64, record: Record, body: Arc<dyn Fn() + Send + Sync>) -> Outcome {
    panics::install();
    let (sender, receiver) = channel();
    let shared = Arc::new(Mutex::new(Some(Run::new(seed, record, None, Some(sender.clone())))));
    let for_main = Arc::clone(&shared);
    std::thread::spawn(move || {
        let _arm = engine::enter(Arm::Threads);
        let left: Left = Arc::default();
        LEFT.set(Some((Arc::clone(&left), std::time::Instant::now())));
        panics::guard(true);
        run::share(for_main, TaskId::MAIN);
        panics::guarded(|| body());
        // Before the outcome is sent: the captures of the body are dropped with the run.
        drop(body);
        loop {
            let handle = left.lock().unwrap_or_else(PoisonError::into_inner).pop();
            match handle.map(JoinHandle::join) {
                Some(_) => {}
                None => break,
            }
        }
        if let Some(mut run) = run::end() {
            // Sending fails only if a finding was reported first.
            let _ = sender.send(run.finish(true));
        }
    });
    match receiver.recv_timeout(PATIENCE) {
        Ok(outcome) => outcome,
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
            let run = shared.lock().unwrap_or_else(PoisonError::into_inner).take();
            let mut run = run.unwrap_or_else(|| Run::new(seed, record, None, None));
            let message = format!("real threads have not ended after {} s of wall time", PATIENCE.as_secs());
            run.note_violation(
                Violation::of_run(ViolationKind::Stall, message)
                    .fact("usual cause", "a deadlock: the engine `fiber` names who holds what"),
            );
            run.finish(false)
        }
    }
}
