//! A search: runs one test under many schedules up to the first finding, whose run is then repeated and reported.

use std::cell::{Cell, RefCell, UnsafeCell};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use lastref_kernel::record::{Keep, Name, Progress, TaskId, Void, name};
use lastref_kernel::seed::{RunSeeds, fold};
use lastref_kernel::strategy::{Forced, Profile, Strategy, StrategyName};
use lastref_kernel::{Kernel, Outside};

use crate::execute::{Plan, RunResult, Seen};
use crate::explorer;
use crate::heap::{Ledger, Refused, escape};
use crate::libc_layer::clock::{Work, cpu_ns, real_monotonic_ns};
use crate::libc_layer::names::UNTIMED;
use crate::libc_layer::outside;
use crate::memory::Memory;
use crate::net::Network;
use crate::objects::Objects;
use crate::places::Places;
use crate::report::{FaultRuns, Report, Verdict};
use crate::run::{CurrentOperation, Run};
use crate::session::{Checked, Checks};
use crate::settings::{Config, Outside as Warned, Settings};
use crate::stall::Cut;
use crate::tasks::Tasks;
use crate::testing::{Body, Explored};
use crate::token::{Choices, Token};
use crate::variety::Variety;
use crate::{backtrace_lock, crash, finding_report, panics, progress, stacks};
use lastref_kernel::faults::{FaultPlan, Faults};

/// Reference runs for a strategy that learns the length of a run and the number of events of each task.
const REFERENCES: u64 = 4;
/// One run in this many is repeated, to check that it is deterministic.
const REPEATED: u64 = 64;
/// Names for this many tasks are created before the first run, so that most runs add none.
const NAMES: u32 = 64;

/// Allows one search at a time, since all searches share the arena and the statics of the process.
static ONE: Mutex<()> = Mutex::new(());

/// The run of the process; null before the first search.
static RUN: AtomicPtr<Run> = AtomicPtr::new(std::ptr::null_mut());

/// The state of a search.
pub(crate) struct Search {
    pub(crate) run: &'static Run,
    pub(crate) memory: Memory,
    pub(crate) body: &'static Body,
    pub(crate) config: Config,
    pub(crate) profile: Profile,
    /// The real time at which it began.
    begin_ns: u64,
    seen: Seen,
    variety: Variety,
    runs: u64,
    /// The number of reference runs among them. A report leaves them out, since the user did not request them.
    references: u64,
    /// The number of runs that an earlier process executed.
    made_before: u64,
    choices: u64,
    steps: u64,
    traces_hash: u64,
    /// The number of runs with faults.
    fault_runs: FaultRuns,
    /// The faults that the body passed to `simulate` in the last run.
    asked: FaultPlan,
    /// The sentences of `sometimes`, and how many runs reached each.
    reached: BTreeMap<&'static str, u64>,
    /// The largest number of steps of a run that ended.
    pub(crate) steps_max: u32,
    /// The runs that did not end within the bound and did not count as findings.
    pub(crate) cut: Cut,
    /// The first run whose repetition had a different trace, and its number.
    differs: Option<(Token, Option<u64>)>,
}

/// The first run that is not clean.
pub(crate) struct Found {
    pub(crate) token: Token,
    pub(crate) made: RunResult,
    /// The number of the run; `None` in a replay, which executes only this run.
    pub(crate) schedule: Option<u64>,
}

/// What the reference runs show.
enum Learned {
    /// The lengths of runs.
    Lengths,
    Found(Box<Found>),
    /// The first run did not end within the bound on steps.
    TooLong,
}

/// Searches a test with the settings of the environment, and panics if there is a finding.
pub(crate) fn test(body: Body) {
    let config = Config::from_environment().unwrap_or_else(|error| refuse(&error));
    if config.schedules == 0 && config.replay.is_none() && config.run.is_none() {
        if let Err(text) = (body.code)() {
            panic!("{text}");
        }
        return;
    }
    if let Some(token) = &config.replay
        && token.test != body.name
    {
        refuse(&format!("LASTREF_REPLAY: the token names the test {}, but this is {}", token.test, body.name));
    }
    let should_panic = body.panics.clone();
    let (report, path, expected) = run(config, body);
    if let Some(path) = path
        && let Err(error) = report.append(&path)
    {
        refuse(&format!("LASTREF_REPORT={}: {error}", path.display()));
    }
    if let Some(bound) = &report.skipped {
        eprintln!("lastref: {}: a run did not end and was skipped: {bound}", report.test);
    }
    // Not a new panic: the hook would print its own text and the stack of this function.
    match (report.verdict, expected) {
        (Verdict::Clean | Verdict::NotDeterministic, None) => {
            // No run was judged, as the report says. libtest would fail a `should_panic` test that returns.
            if let Some(text) = should_panic.filter(|_| report.skipped.is_some()) {
                resume_unwind(Box::new(text));
            }
        }
        (Verdict::Clean | Verdict::NotDeterministic, Some(text)) => resume_unwind(Box::new(text)),
        (..) => {
            let text = report.text();
            eprintln!("{text}");
            // libtest fails a `should_panic` test that returns.
            if should_panic.is_none() {
                resume_unwind(Box::new(text));
            }
        }
    }
}

/// Searches a test with these settings.
pub(crate) fn explore(config: Config, body: Body) -> Explored {
    let (report, path, _) = run(config, body);
    if let Some(path) = path
        && let Err(error) = report.append(&path)
    {
        refuse(&format!("LASTREF_REPORT={}: {error}", path.display()));
    }
    let told = report.told.as_ref();
    Explored {
        kind: told.map(|told| told.kind.to_owned()),
        text: if told.is_some() || !report.message.is_empty() { report.text() } else { String::new() },
        token: told.map_or_else(String::new, |told| told.token.clone()),
        trace_hash: told.map_or(0, |told| told.trace_hash),
        schedules: report.schedules,
        distinct: report.distinct,
        json: report.json(),
    }
}

#[cold]
fn refuse(error: &str) -> ! {
    eprintln!("lastref: {error}");
    std::process::exit(2)
}

/// Performs the search on an OS thread of its own.
fn run(config: Config, body: Body) -> (Report, Option<std::path::PathBuf>, Option<String>) {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(path) = &config.progress {
        progress::open(Path::new(path)).unwrap_or_else(|error| refuse(&error));
    }
    backtrace_lock::find();
    panics::install_hook();
    stacks::disable_in_errors();
    let path = config.report.clone();
    // Leaked, since the tasks refer to it, even those of abandoned runs.
    let body: &'static Body = Box::leak(Box::new(body));
    let (report, expected) = explorer::on_own_thread(move || search(config, body));
    (report, path, expected)
}

fn search(config: Config, body: &'static Body) -> (Report, Option<String>) {
    escape::is_search();
    crash::install(&body.name, config.report.as_deref());
    let run = match Run::of_process() {
        Ok(run) => run,
        Err(Refused { reason, is_limited }) => {
            let verdict = if is_limited { Verdict::Misused } else { Verdict::Broken };
            return (Report { verdict, ..Report::broken(&body.name, reason) }, None);
        }
    };
    // Created before the memory is saved, so that the names exist in every run.
    for task in 0..NAMES {
        let _ = Name::default_of(TaskId(task));
    }
    let one = (std::ptr::from_ref(&ONE).addr(), size_of_val(&ONE));
    let kept: Vec<(usize, usize)> = name::kept().into_iter().chain(escape::kept()).chain([one]).collect();
    let memory = Memory::note(&kept);
    let cpu_ns_before = cpu_ns();
    run.outside_mode.set(config.outside);
    run.hosts.borrow_mut().clone_from(&config.hosts.0);
    run.outside.borrow_mut().clear();
    let mut search = Search {
        run,
        memory,
        body,
        config,
        profile: Profile::default(),
        begin_ns: real_monotonic_ns(),
        seen: Seen::new(),
        variety: Variety::default(),
        runs: 0,
        references: 0,
        made_before: 0,
        choices: 0,
        steps: 0,
        traces_hash: 0,
        fault_runs: FaultRuns::default(),
        asked: FaultPlan::default(),
        reached: BTreeMap::new(),
        steps_max: 0,
        cut: Cut::default(),
        differs: None,
    };
    let (found, expected) = search.find();
    let mut report = search.report(cpu_ns_before);
    match (found, search.differs.take()) {
        (Some(found), _) => search.tell(found, &mut report),
        (None, Some((token, schedule))) => match (schedule, search.untimed()) {
            (Some(schedule), Some(kind)) => {
                report.message = format!("schedule {schedule} differs when repeated, since {kind} are not simulated");
            }
            _ => finding_report::report_difference(&search, &token, schedule, &mut report),
        },
        (None, None) => {}
    }
    report.cpu_ns = cpu_ns() - cpu_ns_before;
    (report, expected)
}

/// The run of the process, if there was a search.
pub(crate) fn run_of_process() -> Option<&'static Run> {
    // SAFETY: the pointer is null or that of a run that is never freed. Only the OS thread of the search asks.
    unsafe { RUN.load(Ordering::Acquire).as_ref() }
}

impl Run {
    /// The stacks, the arena and the kernel that all runs of the process share. One search uses them at a time, each on
    /// its own OS thread.
    fn of_process() -> Result<&'static Run, Refused> {
        if let Some(run) = run_of_process() {
            return Ok(run);
        }
        let run = Run::new()?;
        RUN.store(std::ptr::from_ref(run).cast_mut(), Ordering::Release);
        Ok(run)
    }

    fn new() -> Result<&'static Run, Refused> {
        let mut kernel = Kernel::new(Arc::new(Progress::default()));
        if let Some(count) = panics::panic_count() {
            kernel = kernel.with_panic_count(count);
        }
        kernel = kernel.with_outside(Outside { word: Objects::DESCRIPTORS, wait: outside::waits });
        let mut ledger = Ledger::new();
        ledger.map()?;
        Ok(Box::leak(Box::new(Run {
            kernel: Box::leak(Box::new(kernel)),
            settings: Cell::new(Settings::OFF),
            objects: RefCell::new(Objects::new()),
            words: RefCell::new(Objects::new()),
            bitsets: RefCell::new(BTreeMap::new()),
            owners: RefCell::new(Objects::new()),
            tasks: RefCell::new(Tasks::default()),
            ledger: UnsafeCell::new(ledger),
            finding: RefCell::new(None),
            doing: Cell::new(CurrentOperation::nothing()),
            idle_reads: Cell::new(0),
            handlers: RefCell::new(BTreeMap::new()),
            folder: Cell::new(None),
            umask: Cell::new(None),
            streams: Cell::new([None; 3]),
            work: Cell::new(Work::default()),
            work_passes: Cell::new(true),
            has_passed: Cell::new(false),
            refused: Cell::new(None),
            prints: Cell::new(true),
            has_stacks: Cell::new(false),
            panics: RefCell::new(Vec::new()),
            expected: RefCell::new(None),
            places: RefCell::new(Places::default()),
            lockers: RefCell::new(Vec::new()),
            spurious: Cell::new(0),
            network: RefCell::new(Network::new()),
            checks: RefCell::new(Checks::default()),
            outside: RefCell::new(BTreeSet::new()),
            outside_mode: Cell::new(Warned::Allow),
            hosts: RefCell::new(Vec::new()),
            awaited: RefCell::new(Vec::new()),
            has_spawned: Cell::new(false),
            has_given_up: Cell::new(false),
            printed: RefCell::new(None),
        })))
    }
}

impl Search {
    /// Executes runs until one is not clean. Also returns the text of the expected panic.
    fn find(&mut self) -> (Option<Found>, Option<String>) {
        if let Some(token) = self.config.replay.clone() {
            self.learn();
            return self.make_only(token);
        }
        let begin_ns = self.begin_ns;
        match self.learn() {
            Learned::Found(found) => return (Some(*found), None),
            Learned::TooLong => return (None, None),
            Learned::Lengths => {}
        }
        if let Some(seed) = self.config.run {
            return self.make_only(self.token(seed));
        }
        (self.references, self.seen, self.variety) = (self.runs, Seen::new(), Variety::default());
        let mut expected = None;
        let seeds = RunSeeds::new(self.config.seed, &self.body.name);
        let first = self.config.after.saturating_sub(self.references).min(self.config.schedules);
        self.runs += first;
        self.made_before = first;
        for nth in first..self.config.schedules {
            // At least one run, even if the reference runs of a long test have used up the time.
            if nth > first && self.is_out_of_time() {
                break;
            }
            let elapsed_ns = || real_monotonic_ns() - begin_ns;
            if self.has_no_choice() && self.variety.is_exhausted(&self.config.pins, self.seen.len(), elapsed_ns()) {
                break;
            }
            let blocks = self.run.ledger().allocated();
            let token = self.token(self.variety.seed(seeds.of_run(nth), &self.config.pins, blocks));
            let made = self.make(&token, Keep::Hash, nth == 0);
            let Some((token, made)) = self.settle(token, made) else {
                if self.runs == 1 {
                    break;
                }
                continue;
            };
            if made.finding.is_some() || made.void.is_some() {
                return (Some(Found { token, made, schedule: Some(self.runs - self.references) }), None);
            }
            if nth % REPEATED == 0 {
                self.repeat(&token, &made, Some(self.runs - self.references));
            }
            expected = made.expected;
        }
        (None, expected)
    }

    /// Whether the search has used up its time.
    pub(crate) fn is_out_of_time(&self) -> bool {
        let until = self.config.for_ms.map(|ms| self.begin_ns.saturating_add(ms.saturating_mul(1_000_000)));
        until.is_some_and(|until| real_monotonic_ns() >= until)
    }

    /// Whether no run had a choice among tasks, and none can depend on chance that the user asks for.
    fn has_no_choice(&self) -> bool {
        self.choices == 0 && self.faults().is_empty() && self.reached.values().all(|runs| *runs > 0)
    }

    /// Executes the run that a replay names, and repeats it if it has no finding.
    fn make_only(&mut self, token: Token) -> (Option<Found>, Option<String>) {
        let made = self.make(&token, Keep::Hash, true);
        let expected = made.expected.clone();
        if made.finding.is_some() || made.void.is_some() {
            return (Some(Found { token, made, schedule: None }), expected);
        }
        self.repeat(&token, &made, None);
        (None, expected)
    }

    /// The faults that the user requests, or else those that the body passes to `simulate`.
    fn faults(&self) -> &FaultPlan {
        if self.config.faults.is_empty() { &self.asked } else { &self.config.faults }
    }

    /// The token of the run of this seed.
    fn token(&self, seed: u64) -> Token {
        self.token_by(seed, self.config.strategy)
    }

    fn token_by(&self, seed: u64, strategy: StrategyName) -> Token {
        Token {
            choices: Choices::Strategy(strategy),
            seed,
            steps: self.config.steps,
            explores_time: self.config.explores_time,
            settings: Settings::drawn(seed, &self.config.pins),
            pins: self.config.pins.clone(),
            faults: self.faults().drawn(seed, self.run.network.borrow().extent()),
            test: self.body.name.clone(),
        }
    }

    /// Executes the reference runs, if the strategy learns from them. A finding among them ends the search.
    fn learn(&mut self) -> Learned {
        let strategy = match &self.config.replay {
            Some(Token { choices: Choices::Strategy(strategy), .. }) => *strategy,
            Some(_) => return Learned::Lengths,
            None => self.config.strategy,
        };
        if !strategy.learns() {
            return Learned::Lengths;
        }
        let (explores_time, steps, pins) = match &self.config.replay {
            Some(token) => (token.explores_time, token.steps, token.pins.clone()),
            None => (self.config.explores_time, self.config.steps, self.config.pins.clone()),
        };
        let seeds = RunSeeds::new(0, "reference");
        for nth in 0..REFERENCES {
            let seed = seeds.of_run(nth);
            let (settings, faults, pins) = (Settings::drawn(seed, &pins), Faults::default(), pins.clone());
            let token =
                Token { explores_time, steps, settings, pins, faults, ..self.token_by(seed, StrategyName::RANDOM) };
            let made = self.make(&token, Keep::Switches, false);
            self.profile.add(made.ended.choices, &made.ended.tasks);
            if self.config.replay.is_some() {
                continue;
            }
            let Some((token, made)) = self.settle(token, made) else {
                // If the first run does not end within the bound, the test is too long for it.
                if nth == 0 {
                    return Learned::TooLong;
                }
                continue;
            };
            if made.finding.is_some() || made.void.is_some() {
                return Learned::Found(Box::new(Found { token, made, schedule: Some(self.runs) }));
            }
        }
        Learned::Lengths
    }

    /// Executes the run of this token as part of the search.
    fn make(&mut self, token: &Token, keep: Keep, prints: bool) -> RunResult {
        self.runs += 1;
        let made = self.make_run(token, keep, prints);
        let is_new = self.seen.insert(made.hash);
        self.variety.counts(is_new, token.settings);
        self.traces_hash = fold(self.traces_hash, made.hash);
        self.choices += u64::from(made.ended.choices);
        self.steps += u64::from(made.finished.steps);
        self.fault_runs.add(&made.struck_kinds);
        let Checked { sometimes, faults } = &made.checked;
        self.asked.clone_from(faults);
        for (sentence, is_reached) in sometimes {
            *self.reached.entry(sentence).or_insert(0) += u64::from(*is_reached);
        }
        if made.finding.is_none() {
            self.steps_max = self.steps_max.max(made.finished.steps);
        }
        made
    }

    /// Repeats a run, and notes whether it differs.
    fn repeat(&mut self, token: &Token, made: &RunResult, schedule: Option<u64>) {
        let is_same = self.make_run(token, Keep::Hash, false).hash == made.hash;
        if !is_same && self.differs.is_none() {
            self.differs = Some((token.clone(), schedule));
        }
    }

    /// Executes the run of this token, in which work does not advance the time.
    pub(crate) fn make_run_without_work(&self, token: &Token) -> RunResult {
        self.run.work_passes.set(false);
        let made = self.make_run(token, Keep::Hash, false);
        self.run.work_passes.set(true);
        made
    }

    /// Executes the run of this token.
    pub(crate) fn make_run(&self, token: &Token, keep: Keep, prints: bool) -> RunResult {
        let strategy: Box<dyn Strategy> = match &token.choices {
            Choices::Strategy(strategy) => strategy.build(token.seed, &self.profile),
            Choices::Switches(switches) => Box::new(Forced::new(switches)),
        };
        let plan = Plan {
            number: self.runs,
            seed: token.seed,
            strategy,
            settings: token.settings,
            steps_max: token.steps,
            explores_time: token.explores_time,
            faults: token.faults.clone(),
            keep,
            prints,
        };
        self.run.execute(plan, &self.memory, self.body)
    }

    fn report(&self, cpu_ns_before: u64) -> Report {
        Report {
            test: self.body.name.clone(),
            schedules: self.runs - self.references - self.made_before,
            distinct: self.seen.len() as u64,
            choices: self.choices,
            steps: self.steps,
            traces_hash: self.traces_hash,
            cpu_ns: cpu_ns() - cpu_ns_before,
            verdict: Verdict::Clean,
            message: String::new(),
            told: None,
            skipped: self.cut.told(self.runs - self.made_before, self.config.steps),
            outside: self.outside(),
            faults: (!self.faults().is_empty()).then(|| self.fault_runs.clone()),
            reached: self.reached.clone(),
        }
    }

    /// A category that the runs have used, and whose actions have times that the seed does not determine.
    fn untimed(&self) -> Option<&'static str> {
        let used = self.run.outside.borrow();
        UNTIMED.into_iter().find(|kind| used.contains(kind))
    }

    /// What the report lists as not simulated.
    fn outside(&self) -> Vec<&'static str> {
        match self.config.outside {
            Warned::Warn => self.run.outside.borrow().iter().copied().collect(),
            Warned::Allow | Warned::Refuse => Vec::new(),
        }
    }

    /// Repeats the run of a finding with recording on, and reports it.
    fn tell(&mut self, found: Found, report: &mut Report) {
        if let Some(void) = &found.made.void {
            let (verdict, text) = match void {
                Void::Harness(text) => (Verdict::Broken, text),
                Void::Misuse(text) => (Verdict::Misused, text),
            };
            (report.verdict, report.message) = (verdict, text.clone());
            return;
        }
        finding_report::report_finding(self, found, report);
    }
}
