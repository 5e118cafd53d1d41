//! `LockfreeEvent`: one direction of an fd, and the closure that waits for it.
//!
//! Upstream (1.53.0, lockfree_event.cc). One word holds one of four states: not ready, ready, a closure, or a shutdown
//! error, which is final:
//!
//! | | not ready | ready | closure | shutdown |
//! | --- | --- | --- | --- | --- |
//! | `NotifyOn` | closure | not ready, runs | error: one waiter only | runs with the error |
//! | `SetReady` | ready | stays | not ready, runs | stays |
//! | `SetShutdown` | shutdown, true | shutdown, true | shutdown, runs with the error, true | stays, false |
//!
//! Here the word holds a number instead of a pointer. The closure itself is in a cell, guarded only by the memory
//! orderings of the word. An event belongs to an fd wrapper, which is never freed, so a late poller may set it ready.

use std::collections::BTreeMap;
use std::sync::Arc;

use lastref::cell::RaceCell;
use lastref::ledger::{Owner, Slot};
use lastref::property::always;
use lastref::sync::atomic::{AtomicU64, Ordering};

use crate::kit::harness::Unscheduled;
use crate::subchannel::iomgr::exec_ctx::ExecCtx;
use crate::subchannel::status::{Error, Outcome};

/// `grpc_closure`.
pub(crate) type Closure = Box<dyn FnOnce(&mut ExecCtx, Outcome) + Send>;

const NOT_READY: u64 = 0;
const SHUTDOWN_BIT: u64 = 1;
const READY: u64 = 2;
/// The number of the first closure; later ones have higher numbers.
const CLOSURE: u64 = 4;

/// `LockfreeEvent`.
pub(crate) struct LockfreeEvent {
    state: AtomicU64,
    waiting: Slot,
    owner: Owner,
    /// The closures by their numbers. Harness state: its lock is not a scheduling point.
    closures: Unscheduled<Closures>,
}

#[derive(Default)]
struct Closures {
    made: u64,
    cells: BTreeMap<u64, Arc<RaceCell<Option<Closure>>>>,
}

impl LockfreeEvent {
    /// `InitEvent`.
    #[track_caller]
    pub(crate) fn new(owner: Owner) -> LockfreeEvent {
        LockfreeEvent {
            state: AtomicU64::named("LockfreeEvent", NOT_READY),
            waiting: Slot::new("LockfreeEvent", owner),
            owner,
            closures: Unscheduled::default(),
        }
    }

    /// `InitEvent`, for a wrapper that is reused. A late poller may set the event ready before or after it.
    pub(crate) fn init(&self) {
        self.state.store(NOT_READY, Ordering::Relaxed);
    }

    /// `DestroyEvent`.
    pub(crate) fn destroy(&self) {
        let mut curr = self.state.load(Ordering::Relaxed);
        loop {
            always("a LockfreeEvent is destroyed with no closure waiting", curr < CLOSURE);
            match self.state.compare_exchange(curr, SHUTDOWN_BIT, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return,
                Err(found) => curr = found,
            }
        }
    }

    /// `NotifyOn`.
    pub(crate) fn notify_on(&self, exec_ctx: &mut ExecCtx, closure: Closure) {
        self.waiting.begin(self.owner);
        let number = self.keep(closure);
        loop {
            match self.state.load(Ordering::Acquire) {
                NOT_READY => {
                    let stored = self.state.compare_exchange(NOT_READY, number, Ordering::Release, Ordering::Relaxed);
                    if stored.is_ok() {
                        return;
                    }
                }
                READY => {
                    let taken = self.state.compare_exchange(READY, NOT_READY, Ordering::Relaxed, Ordering::Relaxed);
                    if taken.is_ok() {
                        return self.run(exec_ctx, number, Ok(()));
                    }
                }
                SHUTDOWN_BIT => return self.run(exec_ctx, number, Err(Error::FdShutdown)),
                _ => return always("a LockfreeEvent has one closure waiting", false),
            }
        }
    }

    /// `SetReady`.
    pub(crate) fn set_ready(&self, exec_ctx: &mut ExecCtx) {
        loop {
            let curr = self.state.load(Ordering::Acquire);
            match curr {
                READY | SHUTDOWN_BIT => return,
                NOT_READY => {
                    let set = self.state.compare_exchange(NOT_READY, READY, Ordering::Relaxed, Ordering::Relaxed);
                    if set.is_ok() {
                        return;
                    }
                }
                number => {
                    let taken = self.state.compare_exchange(number, NOT_READY, Ordering::SeqCst, Ordering::Relaxed);
                    if taken.is_ok() {
                        self.run(exec_ctx, number, Ok(()));
                    }
                    // Otherwise a concurrent `set_ready` or `set_shutdown` has taken the closure, and runs it.
                    return;
                }
            }
        }
    }

    /// `SetShutdown`: true if this call was the first.
    pub(crate) fn set_shutdown(&self, exec_ctx: &mut ExecCtx) -> bool {
        loop {
            let curr = self.state.load(Ordering::Relaxed);
            if curr == SHUTDOWN_BIT {
                return false;
            }
            if self.state.compare_exchange(curr, SHUTDOWN_BIT, Ordering::SeqCst, Ordering::Relaxed).is_ok() {
                if curr >= CLOSURE {
                    self.run(exec_ctx, curr, Err(Error::FdShutdown));
                }
                return true;
            }
        }
    }

    /// `IsShutdown`.
    pub(crate) fn is_shutdown(&self) -> bool {
        self.state.load(Ordering::Relaxed) == SHUTDOWN_BIT
    }

    fn keep(&self, closure: Closure) -> u64 {
        let cell = Arc::new(RaceCell::named("grpc_closure", None));
        let mut closures = self.closures.lock();
        let number = CLOSURE + closures.made;
        closures.made += 1;
        closures.cells.insert(number, Arc::clone(&cell));
        drop(closures);
        cell.with_mut(|place| *place = Some(closure));
        number
    }

    fn run(&self, exec_ctx: &mut ExecCtx, number: u64, result: Outcome) {
        let cell = self.closures.lock().cells.remove(&number);
        let closure = cell.and_then(|cell| cell.with_mut(Option::take));
        always("a closure of a LockfreeEvent runs once", closure.is_some());
        let (waiting, owner) = (self.waiting, self.owner);
        if let Some(closure) = closure {
            exec_ctx.run(move |exec_ctx| {
                waiting.complete(owner);
                closure(exec_ctx, result);
            });
        }
    }
}
