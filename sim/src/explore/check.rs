//! Explores your component from an ordinary `#[test]`.

use std::panic::resume_unwind;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Sender, channel};

use kernel::strategy::StrategyName;
use proptest::strategy::{Just, Strategy};

use super::case::{Case, Limits};
use super::cell::{Budget, Cell};
use super::hunt::Hunt;
use super::isolate::LoomBudget;
use super::name::CaseName;
use super::observer::Quiet;
use super::origin::parse_seed;
use super::recheck::RECHECK_PERCENT;
use super::report::{Failure, Replay, Report, Verdict};
use super::single::run_one;
use crate::engine::Engine;
use crate::plan::Plan;
use crate::replay::{ShrinkLimits, shrink};
use crate::watch::{self, WatchMessage};

/// A search over one body, for use in a test.
///
/// `LASTREF_SEED` replaces the search by one run of that seed, and `LASTREF_SHRINK=1` with it shrinks the finding,
/// except under loom and on real threads; `LASTREF_SCHEDULES` sets the number of runs of a search, and means nothing
/// beside `LASTREF_SEED`. An invalid value makes the search panic, and so does `LASTREF_SHRINK` without `LASTREF_SEED`.
///
/// The search runs on separate OS threads. After a clean search the body and its captures are dropped. A finding leaks
/// them: its run is abandoned where it stands, and under loom and real threads its OS threads stay parked.
#[derive(Clone, Debug)]
pub struct Check {
    name: String,
    engine: Engine,
    strategy: StrategyName,
    seed: u64,
    schedules: Option<u64>,
    limits: Limits,
}

impl Check {
    /// A search named `name`: under the engine `fiber`, 1,000 runs, each by a strategy that its seed draws. Give it the
    /// name of its test: a finding's replay line is `cargo test` with this name.
    pub fn new(name: &str) -> Check {
        Check {
            name: name.to_owned(),
            engine: Engine::Fiber,
            strategy: StrategyName::MIX,
            seed: 0,
            schedules: None,
            limits: Limits::default(),
        }
    }

    /// Sets the engine. loom explores exhaustively within a bound on preemptions, which it raises while its budget
    /// lasts ([`Limits::preemptions_max`]); [`Report::preemptions`] is the last bound that it completed.
    #[must_use]
    pub fn engine(mut self, engine: Engine) -> Check {
        self.engine = engine;
        self
    }

    /// Sets the strategy.
    #[must_use]
    pub fn strategy(mut self, strategy: StrategyName) -> Check {
        self.strategy = strategy;
        self
    }

    /// Sets the seed of the search.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Check {
        self.seed = seed;
        self
    }

    /// Sets the most runs; under loom, the most executions in all.
    ///
    /// The scheduled engines call the body more often than that: four times before the search, to measure the length
    /// of a run (not with [`StrategyName::RANDOM`]); once more for each of the five in a hundred runs that are
    /// repeated to check determinism ([`Report::rechecked`]); and once for the table of a finding.
    ///
    /// # Panics
    /// With 0: a search without runs cannot find anything.
    #[must_use]
    pub fn schedules(mut self, schedules: u64) -> Check {
        assert!(schedules > 0, "a search of 0 schedules checks nothing: the minimum is 1");
        self.schedules = Some(schedules);
        self
    }

    /// Sets the bounds of a run.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Check {
        self.limits = limits;
        self
    }

    fn case<P: Plan, S: Strategy<Value = P> + 'static>(
        &self,
        plan: impl Fn() -> S + Send + Sync + 'static,
        body: impl Fn(&P) + Send + Sync + 'static,
    ) -> Case {
        let name = CaseName { component: String::new(), scenario: self.name.clone(), variant: String::new() };
        Case::new(name, plan, body).limits(self.limits)
    }

    /// Explores on a separate OS thread, so that a run that hangs fails this test and not the process.
    fn explore(&self, case: Case) -> Report {
        let knobs = Knobs::of_environment();
        let check = self.clone();
        let (listener, heard) = channel();
        let thread = std::thread::spawn(move || {
            // Sends the end explicitly, even after a panic: a parked loom thread keeps the channel open.
            let _over = Over(listener.clone());
            watch::listen(listener);
            check.explore_here(&case, knobs)
        });
        if let Ok(WatchMessage::Stalled(stalled)) = heard.recv() {
            panic!("{stalled}");
        }
        match thread.join() {
            Ok(report) => report,
            Err(panic) => resume_unwind(panic),
        }
    }

    fn explore_here(&self, case: &Case, knobs: Knobs) -> Report {
        if let Some(seed) = knobs.seed {
            let mut report = run_one(case, self.engine, self.strategy, seed);
            if let (Verdict::Violation(failure), true) = (&mut report.verdict, knobs.shrinks)
                && let Some(shrunk) = shrink(case, failure, ShrinkLimits::default())
                && let Verdict::Violation(shortest) = shrunk.report.verdict
            {
                **failure = Failure { origin: failure.origin.clone(), ..*shortest };
            }
            return report;
        }
        let schedules = knobs.schedules.or(self.schedules);
        let stop = AtomicBool::new(false);
        let budget = Budget::exactly(schedules.unwrap_or(SCHEDULES));
        let hunt = Hunt {
            cells: vec![Cell { case: case.clone(), engine: self.engine, strategy: self.strategy, budget }],
            seed: self.seed,
            loom: schedules.map_or(LoomBudget::DEFAULT, LoomBudget::at_most),
            recheck_percent: RECHECK_PERCENT,
            deadline: None,
            jobs: 1,
            stop: &stop,
            observer: &Quiet,
        };
        match hunt.run().pop() {
            Some(report) => report,
            None => unreachable!("invariant: a hunt reports every cell"),
        }
    }

    fn judge(&self, report: Report) -> Result<Report, Box<Failure>> {
        match report.verdict {
            Verdict::Violation(mut failure) => {
                let knobs = Knobs::of_environment();
                let shrinks = knobs.shrinks && self.engine.is_scheduled();
                failure.replay = Replay::Test { name: self.name.clone(), shrinks };
                // A single run of a seed is not a search.
                failure.schedule = knobs.seed.is_none().then_some(report.schedules);
                Err(failure)
            }
            Verdict::Diverged { message } => panic!("not deterministic: {message}"),
            Verdict::Broken { message } | Verdict::Misused { message } => panic!("{message}"),
            Verdict::Clean => Ok(report),
        }
    }

    /// Explores the body.
    ///
    /// # Errors
    /// The first finding.
    ///
    /// # Panics
    /// If the search gives no verdict on the body: a repeated run differs, a run hangs, breaks an invariant of the
    /// harness, or uses the harness in a way that is not supported. The text says which.
    pub fn search(&self, body: impl Fn() + Send + Sync + 'static) -> Result<Report, Box<Failure>> {
        let case = self.case(|| Just(()), move |()| body()).small(());
        self.judge(self.explore(case))
    }

    /// Explores the body with plans from a proptest strategy. Not under loom, which needs one small plan.
    ///
    /// # Errors
    /// The first finding.
    ///
    /// # Panics
    /// As [`Check::search`].
    pub fn search_plans<P: Plan, S: Strategy<Value = P> + 'static>(
        &self,
        plan: impl Fn() -> S + Send + Sync + 'static,
        body: impl Fn(&P) + Send + Sync + 'static,
    ) -> Result<Report, Box<Failure>> {
        let case = self.case(plan, body);
        self.judge(self.explore(case))
    }

    /// Explores the body.
    ///
    /// # Panics
    /// With the failure's whole text, if there is a finding, which fails the test; otherwise as [`Check::search`].
    #[track_caller]
    pub fn run(&self, body: impl Fn() + Send + Sync + 'static) {
        if let Err(failure) = self.search(body) {
            panic!("{failure}");
        }
    }
}

/// Announces the end of the search.
struct Over(Sender<WatchMessage>);

impl Drop for Over {
    fn drop(&mut self) {
        // Fails only if the search was already reported as hanging.
        let _ = self.0.send(WatchMessage::Over);
    }
}

/// Default number of runs of a search.
const SCHEDULES: u64 = 1_000;

/// Settings for this test from environment variables.
#[derive(Clone, Copy, Debug)]
struct Knobs {
    seed: Option<u64>,
    schedules: Option<u64>,
    shrinks: bool,
}

impl Knobs {
    fn of_environment() -> Knobs {
        let knobs = Knobs {
            seed: knob("LASTREF_SEED", "a number, decimal or 0x hexadecimal", parse_seed),
            schedules: knob("LASTREF_SCHEDULES", "a whole number from 1", |text| {
                text.parse().ok().filter(|schedules| *schedules > 0)
            }),
            shrinks: knob("LASTREF_SHRINK", "1, beside LASTREF_SEED", |text| (text == "1").then_some(())).is_some(),
        };
        assert!(
            !knobs.shrinks || knobs.seed.is_some(),
            "LASTREF_SHRINK needs LASTREF_SEED beside it: it shrinks one run"
        );
        knobs
    }
}

/// Reads a setting for this test from an environment variable.
///
/// # Panics
/// If a value is invalid: a search in place of the requested replay would mislead.
fn knob<T>(name: &str, wanted: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
    let text = variable(name)?;
    match read(&text) {
        Some(value) => Some(value),
        None => panic!("{name} is `{text}`, but must be {wanted}"),
    }
}

#[expect(clippy::disallowed_methods, reason = "how a test learns which run to replay; a run itself does not see it")]
fn variable(name: &str) -> Option<String> {
    // A value that is not text is as invalid as any other, and must not count as absent.
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}
