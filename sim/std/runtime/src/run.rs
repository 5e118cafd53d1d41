//! The run of this OS thread: the path from the program's code, which expects OS threads, to the kernel.
//!
//! An OS thread that executes runs has one [`Run`], which lives as long as the process. [`current`] returns it only
//! while the code of a task executes. The runtime and the kernel execute without a current run ([`Run::host`]), so they
//! allocate from the system and make real libc calls. Tasks are switched inside the kernel, so a switch always leads
//! from host code to host code.

use std::cell::{Cell, RefCell, UnsafeCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::panic::Location;
use std::ptr;

use lastref_kernel::Kernel;
use lastref_kernel::record::{ObjectId, Op, OpKind, TaskId};
use lastref_kernel::seed::mix;

use crate::deadlock::Locker;
use crate::finding::Finding;
use crate::heap::Ledger;
use crate::libc_layer::clock::Work;
use crate::net::Network;
use crate::objects::Objects;
use crate::panics::Panicked;
use crate::places::Places;
use crate::session::Checks;
use crate::settings::{Outside, Settings};
use crate::tasks::Tasks;

thread_local! {
    /// Null outside the code of a task. The type has no destructor, so it is a plain word of the thread's block.
    static CURRENT: Cell<*const Run> = const { Cell::new(ptr::null()) };
}

/// The last operation that real std performs for the task. A futex wait of real std is recorded as part of it.
#[derive(Clone, Copy)]
pub(crate) struct CurrentOperation {
    pub(crate) kind: OpKind,
    pub(crate) object: ObjectId,
    pub(crate) location: &'static Location<'static>,
}

impl CurrentOperation {
    /// The value while real std performs no operation.
    pub(crate) fn nothing() -> CurrentOperation {
        CurrentOperation { kind: OpKind::Wait, object: ObjectId::NONE, location: Location::caller() }
    }
}

/// The runs of one OS thread, executed one after the other.
pub(crate) struct Run {
    pub(crate) kernel: &'static Kernel,
    /// The settings of the current run.
    pub(crate) settings: Cell<Settings>,
    pub(crate) objects: RefCell<Objects>,
    /// The futex words on which tasks wait.
    pub(crate) words: RefCell<Objects>,
    /// The objects of waits for some bits of a futex word only, by the word's address and the bits.
    pub(crate) bitsets: RefCell<BTreeMap<(usize, u32), ObjectId>>,
    /// The object of each futex word whose address does not show to which object it belongs.
    pub(crate) owners: RefCell<Objects>,
    pub(crate) tasks: RefCell<Tasks>,
    pub(crate) ledger: UnsafeCell<Ledger>,
    /// The runtime's first finding; the kernel's findings are in its log.
    pub(crate) finding: RefCell<Option<Finding>>,
    pub(crate) doing: Cell<CurrentOperation>,
    /// Reads of the clock, and yields, since a task last waited; see `libc_layer::clock`.
    pub(crate) idle_reads: Cell<u32>,
    /// The actions of signals before this run changed them.
    pub(crate) handlers: RefCell<BTreeMap<i32, libc::sigaction>>,
    /// The working directory before this run changed it, as an open descriptor.
    pub(crate) folder: Cell<Option<i32>>,
    /// The `umask` before this run changed it.
    pub(crate) umask: Cell<Option<u32>>,
    /// Copies of the standard streams that this run has replaced.
    pub(crate) streams: Cell<[Option<usize>; 3]>,
    /// The steps since every thread waited; see `libc_layer::clock`.
    pub(crate) work: Cell<Work>,
    /// Whether work advances the time.
    pub(crate) work_passes: Cell<bool>,
    /// Whether work has advanced the time in this run.
    pub(crate) has_passed: Cell<bool>,
    /// The last panic of each task that panicked.
    pub(crate) panics: RefCell<Vec<Panicked>>,
    /// The text of the panic that the test expects.
    pub(crate) expected: RefCell<Option<String>>,
    /// Source locations of libc calls, in the recorded run of a finding.
    pub(crate) places: RefCell<Places>,
    /// The last task that took each lock, in the recorded run of a finding.
    pub(crate) lockers: RefCell<Vec<Locker>>,
    /// The number of weak compare-and-exchanges of this run that failed spuriously.
    pub(crate) spurious: Cell<u32>,
    /// The size of the last allocation of this run that failed.
    pub(crate) refused: Cell<Option<usize>>,
    /// Whether the output of the tasks reaches the terminal.
    pub(crate) prints: Cell<bool>,
    /// Whether backtraces are captured: in the recorded run of a finding.
    pub(crate) has_stacks: Cell<bool>,
    pub(crate) network: RefCell<Network>,
    /// The state of the checks of the package `lastref`.
    pub(crate) checks: RefCell<Checks>,
    /// What the runs of the search have used although it is not simulated, such as files.
    pub(crate) outside: RefCell<BTreeSet<&'static str>>,
    pub(crate) outside_mode: Cell<Outside>,
    /// The names of hosts that lead to the loopback (`--host`).
    pub(crate) hosts: RefCell<Vec<String>>,
    /// Whether a task of this run has started a child process.
    pub(crate) has_spawned: Cell<bool>,
    /// The real descriptors for which tasks wait; a descriptor occurs once for each waiting task.
    pub(crate) awaited: RefCell<Vec<libc::pollfd>>,
    /// Whether a real wait of this run ended without an event. Later real waits are then skipped.
    pub(crate) has_given_up: Cell<bool>,
    /// What the test prints while its result is read; `None` at other times.
    pub(crate) printed: RefCell<Option<Vec<u8>>>,
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").finish_non_exhaustive()
    }
}

/// The run whose task executes this code.
#[inline]
pub(crate) fn current() -> Option<&'static Run> {
    let run = CURRENT.get();
    // SAFETY: the pointer is null or was set by `Run::enter` from a `&'static Run`.
    unsafe { run.as_ref() }
}

/// Whether a task of a run executes this code.
pub fn is_simulated() -> bool {
    current().is_some()
}

impl Run {
    /// Enters the code of a task, at its beginning or after a wait.
    #[inline]
    pub(crate) fn enter(&'static self) {
        CURRENT.set(self);
    }

    /// Leaves the code of the task for the code of the runtime.
    #[inline]
    pub(crate) fn leave(&'static self) {
        CURRENT.set(ptr::null());
    }

    /// Calls the kernel or other code of the host on behalf of the current task.
    #[inline]
    pub(crate) fn host<R>(&'static self, call: impl FnOnce() -> R) -> R {
        self.leave();
        let result = call();
        let step = self.kernel.log(|log| log.step);
        crate::progress::steps(step);
        self.works(step);
        self.enter();
        result
    }

    /// The ledger of the heap.
    #[expect(clippy::mut_from_ref, reason = "see the argument at the block")]
    #[inline]
    pub(crate) fn ledger(&'static self) -> &'static mut Ledger {
        // SAFETY: only this OS thread has this run. The ledger's methods are called by the allocator and at the end of
        // a run. They execute as host code, so they call no code of a task and do not allocate from the ledger. So two
        // references are never in use at once.
        unsafe { &mut *self.ledger.get() }
    }

    /// The task whose code executes.
    #[inline]
    pub(crate) fn task(&self) -> TaskId {
        self.kernel.log(|log| log.task)
    }

    /// The object at `address`; a new one gets the next number.
    #[inline]
    pub(crate) fn object(&self, address: usize, label: &'static str) -> ObjectId {
        self.objects.borrow_mut().at(address, || self.kernel.new_object(label))
    }

    /// A random number of the current task. It depends only on the run's seed, the task and the number of its earlier
    /// draws, so another schedule of the same program draws the same numbers.
    pub(crate) fn draw(&self) -> u64 {
        let (seed, task, nth) = self.kernel.log(|log| log.draw_key());
        mix(mix(seed ^ task.0).wrapping_add(u64::from(nth)))
    }

    /// Announces an operation on the object at `address`, which real std or the caller performs afterwards.
    pub(crate) fn announce(
        &'static self,
        kind: OpKind,
        address: usize,
        label: &'static str,
        location: &'static Location<'static>,
    ) {
        self.host(|| {
            let object = self.object(address, label);
            self.kernel.point(Op { kind, object, location });
            self.doing.set(CurrentOperation { kind, object, location });
        });
    }

    /// Notes that the announced operation is over, so that the task's next wait is not attributed to it.
    #[inline]
    pub(crate) fn has_done(&self, location: &'static Location<'static>) {
        self.doing.set(CurrentOperation { kind: OpKind::Wait, object: ObjectId::NONE, location });
    }

    /// A scheduling point after one atomic operation in four. Without it the operation and the plain accesses after it
    /// are one step, which hides the races between them.
    #[inline]
    pub(crate) fn after(&'static self, location: &'static Location<'static>) {
        if self.settings.get().after {
            self.host(|| {
                if self.draw() & 3 == 0 {
                    // A load, so that the kernel still recognises a spin loop; see the kernel's `spin`.
                    self.kernel.point(Op { kind: OpKind::Load, object: Objects::AFTER, location });
                }
            });
        }
    }

    /// Ends the run with this finding. Never returns: the task is not resumed. Called by host code.
    pub(crate) fn fail(&'static self, finding: Finding) -> ! {
        self.note(finding);
        self.kernel.stop_here();
        unreachable!("invariant: the task of a run that has ended is not resumed")
    }

    /// Notes a finding, if it is the first.
    pub(crate) fn note(&self, finding: Finding) {
        self.finding.borrow_mut().get_or_insert(finding);
    }
}

/// A hint that the current task waits for another: the others run first. Outside a run it is the real hint.
#[track_caller]
pub fn spin_loop() {
    match current() {
        Some(run) => run.yields(Location::caller()),
        None => std::hint::spin_loop(),
    }
}

impl Run {
    /// Lets the other tasks run first. Time passes too: otherwise a loop that yields until another task's sleep is over
    /// would never end.
    pub(crate) fn yields(&'static self, location: &'static Location<'static>) {
        self.host(|| {
            self.passes(crate::libc_layer::clock::YIELD_NS_MAX);
            self.kernel.yield_now(location);
        });
    }
}
