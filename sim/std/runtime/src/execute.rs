//! One run: from its settings to its finding.

use std::any::Any;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use lastref_kernel::record::{Finished, Keep, RunNumber, Void};
use lastref_kernel::strategy::Strategy;
use lastref_kernel::{Bounds, Ended, Panics, Setup};

use crate::finding::{Finding, FindingKind};
use crate::libc_layer::clock::Work;
use crate::memory::Memory;
use crate::objects::Objects;
use crate::places::NamedPlaces;
use crate::run::{CurrentOperation, Run};
use crate::session::Checked;
use crate::settings::Settings;
use crate::stall::Stalled;
use crate::testing::Body;
use crate::{libc_layer, progress, thread};
use lastref_kernel::faults::Faults;

/// Stack size of a task in bytes: std's default for a thread.
pub(crate) const STACK_BYTES: usize = 2 << 20;
/// The total time by which timers may overtake runnable tasks in a run that explores time. It is limited, since a timer
/// that re-arms itself would otherwise starve the other tasks.
const EARLY_NS: u64 = 60_000_000_000;

/// The parameters of a run.
pub(crate) struct Plan {
    pub(crate) number: u64,
    pub(crate) seed: u64,
    pub(crate) strategy: Box<dyn Strategy>,
    pub(crate) settings: Settings,
    pub(crate) steps_max: u32,
    pub(crate) explores_time: bool,
    pub(crate) faults: Faults,
    pub(crate) keep: Keep,
    /// Whether the output of the tasks reaches the terminal.
    pub(crate) prints: bool,
}

/// The results of a run.
pub(crate) struct RunResult {
    pub(crate) finding: Option<Finding>,
    pub(crate) void: Option<Void>,
    pub(crate) ended: Ended,
    pub(crate) finished: Finished,
    pub(crate) hash: u64,
    /// The text of the panic that the test expects.
    pub(crate) expected: Option<String>,
    /// The number of weak compare-and-exchanges that failed spuriously.
    pub(crate) spurious: u32,
    /// Source locations of the run's libc calls, if its events are recorded.
    pub(crate) places: NamedPlaces,
    pub(crate) checked: Checked,
    /// Descriptions of the faults that happened.
    pub(crate) struck: Vec<String>,
    /// The kinds of these faults.
    pub(crate) struck_kinds: BTreeSet<&'static str>,
    /// The state of the tasks, if the run has reached its bound on steps.
    pub(crate) stalled: Option<Stalled>,
    /// Whether work has advanced the time.
    pub(crate) has_passed: bool,
}

impl Run {
    /// Executes a run. Called by host code.
    pub(crate) fn execute(&'static self, plan: Plan, memory: &Memory, body: &'static Body) -> RunResult {
        let is_told = plan.keep == Keep::Events;
        self.prepare(&plan, is_told);
        let setup = Setup {
            number: RunNumber(plan.number),
            seed: plan.seed,
            strategy: plan.strategy,
            bounds: Bounds { steps_max: plan.steps_max, slack_ns: if plan.explores_time { EARLY_NS } else { 0 } },
            keep: plan.keep,
            stack_bytes: stack_bytes(),
            panics: Panics { bug_of, stuck },
        };
        let ended = self.kernel.run(setup, move || self.first_task(body));
        let is_complete = ended.is_quiescent && self.kernel.unfinished() == 0;
        let scans = is_told || plan.number.is_power_of_two();
        let finding = self.judge(is_complete, scans, plan.settings, memory);
        let checked = self.checks.borrow_mut().finish();
        // The names of the tasks are released with the log.
        let waits = if is_told { self.waits() } else { Vec::new() };
        let stalled = self.stalled(plan.steps_max);
        let finished = self.kernel.log(|log| log.finish(None, |_| None));
        let finding = finding.or_else(|| Some(self.finding_of(*finished.violation.clone()?, waits, stalled.as_ref())));
        self.ledger().end();
        let (struck, struck_kinds) = {
            let mut network = self.network.borrow_mut();
            let struck = (network.struck(), network.struck_kinds());
            network.end();
            struck
        };
        self.restores_handlers();
        self.restores_folder();
        self.restores_umask();
        self.restores_streams();
        libc_layer::opened::close_left();
        if self.outside.borrow().contains(libc_layer::names::CHILDREN) {
            libc_layer::outside::reap();
        }
        memory.restore();
        let hash = finished.trace.hash();
        let expected = self.expected.borrow_mut().take();
        let spurious = self.spurious.get();
        let (places, void) = (self.places.take().named(), finished.void.clone());
        if is_told {
            // Resolving the places filled std's cache of symbols, in the memory of the host. A task that uses the cache
            // would leave references to the run's memory there.
            memory.restore();
        }
        RunResult {
            finding,
            void,
            ended,
            finished,
            hash,
            expected,
            spurious,
            places,
            checked,
            struck,
            struck_kinds,
            stalled,
            has_passed: self.has_passed.get(),
        }
    }

    /// Resets the state of the previous run.
    fn prepare(&'static self, plan: &Plan, is_told: bool) {
        self.settings.set(plan.settings);
        self.has_stacks.set(is_told);
        self.prints.set(plan.prints);
        self.idle_reads.set(0);
        self.work.set(Work::default());
        self.has_passed.set(false);
        self.spurious.set(0);
        self.refused.set(None);
        self.printed.borrow_mut().take();
        self.awaited.borrow_mut().clear();
        self.has_spawned.set(false);
        self.has_given_up.set(false);
        self.objects.borrow_mut().clear();
        self.words.borrow_mut().clear();
        self.bitsets.borrow_mut().clear();
        self.owners.borrow_mut().clear();
        self.tasks.borrow_mut().clear();
        self.panics.borrow_mut().clear();
        self.places.take();
        self.lockers.borrow_mut().clear();
        self.doing.set(CurrentOperation::nothing());
        self.expected.borrow_mut().take();
        self.network.borrow_mut().begin(plan.seed, plan.settings.latency, &plan.faults);
        self.ledger().begin(plan.settings.guard);
        progress::begins(plan.number, plan.seed, &plan.faults);
    }

    fn first_task(&'static self, body: &'static Body) {
        self.kernel.end_with_main();
        for (object, label) in Objects::FIRST {
            assert_eq!(self.kernel.new_object(label), object, "invariant: objects are numbered from 0 in each run");
        }
        thread::run_first_task(self, &body.name, || self.run_body(body));
    }

    /// Executes the body of the test as code of a task.
    fn run_body(&'static self, body: &'static Body) {
        let result = catch_unwind(AssertUnwindSafe(|| (body.code)()));
        self.host(|| match (result, &body.panics) {
            (Ok(Ok(())), None) => {}
            (Ok(Err(text)), None) => self.fail(Finding::new(FindingKind::Panic, text).facts(self.here())),
            (Ok(_), Some(_)) => {
                let message = "the test returned, but should have panicked".to_owned();
                self.fail(Finding::new(FindingKind::Panic, message).facts(self.here()));
            }
            (Err(panic), None) => self.fail(self.told_panic(text_of(&*panic))),
            (Err(panic), Some(expected)) => {
                let text = text_of(&*panic).unwrap_or_default();
                if !text.contains(expected.as_str()) {
                    self.fail(self.told_panic(Some(text)));
                }
                *self.expected.borrow_mut() = Some(text.to_owned());
                // Not dropped, since its memory belongs to the run.
                std::mem::forget(panic);
            }
        });
    }

    /// The runtime's own finding in a run that has ended. `scans`: also looks for state that escapes.
    fn judge(&'static self, is_complete: bool, scans: bool, settings: Settings, memory: &Memory) -> Option<Finding> {
        let own = self.finding.borrow_mut().take();
        let is_judged = own.is_some() || !is_complete || self.kernel.log(|log| log.is_broken());
        let own = if is_judged { own } else { self.judge_custody() };
        if own.is_some() || !settings.heap {
            return own;
        }
        if let Some(finding) = self.judge_heap() {
            return Some(finding);
        }
        let is_broken = self.kernel.log(|log| log.is_broken());
        let judges = settings.leaks && is_complete && !is_broken && self.expected.borrow().is_none();
        let leak = if judges { self.judge_leaks(memory) } else { None };
        // A block whose only reference is in memory from before the run looks like a leak.
        let escape = if scans || leak.is_some() { self.judge_escape() } else { None };
        escape.or(leak)
    }
}

/// The stack size of a task: the standard one, or what `RUST_MIN_STACK` asks for, which std and libtest honour too.
#[expect(clippy::disallowed_methods, reason = "std reads this variable for each thread")]
fn stack_bytes() -> usize {
    let asked = std::env::var("RUST_MIN_STACK").ok().and_then(|text| text.parse::<usize>().ok());
    asked.map_or(STACK_BYTES, |asked| asked.max(STACK_BYTES))
}

/// The text of a panic.
pub(crate) fn text_of(panic: &(dyn Any + Send)) -> Option<&str> {
    panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str))
}

fn bug_of(panic: &(dyn Any + Send)) -> Void {
    Void::Harness(text_of(panic).unwrap_or("a panic of the kernel").to_owned())
}

/// Ends the process: without a panic count per task, a destructor that must wait while its task unwinds cannot
/// continue.
fn stuck(what: &str) -> ! {
    eprintln!("lastref: a destructor {what} while a panic unwinds its task, which this program's std does not allow");
    std::process::exit(2)
}

/// The hashes of the traces of a search.
pub(crate) type Seen = BTreeSet<u64>;
