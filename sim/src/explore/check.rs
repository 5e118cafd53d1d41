//! Exploring a component of the reader's own from an ordinary `#[test]`.

use std::sync::atomic::AtomicBool;

use proptest::strategy::{Just, Strategy};

use super::case::{Case, CaseName, Limits};
use super::hunt::{Cell, Hunt, Quiet};
use super::recheck::RECHECK_PERCENT;
use super::report::{Failure, Report, Verdict};
use super::single::run_one;
use crate::engine::Engine;
use crate::plan::Plan;
use crate::strategy::StrategyName;

/// A search over one body, for use in a test.
///
/// `LASTREF_SEED` makes it one run, that of the seed; `LASTREF_SCHEDULES` sets how many runs a search makes. If either is
/// set to what is no number, the search panics and says so.
#[derive(Clone, Debug)]
pub struct Check {
    name: String,
    engine: Engine,
    strategy: StrategyName,
    seed: u64,
    schedules: u64,
    limits: Limits,
}

impl Check {
    /// A search named `name`: under shuttle, 1,000 runs, each by a strategy that its seed draws.
    pub fn new(name: &str) -> Check {
        Check {
            name: name.to_owned(),
            engine: Engine::Shuttle,
            strategy: StrategyName::Mix,
            seed: 0,
            schedules: 1_000,
            limits: Limits::default(),
        }
    }

    /// Under this engine. loom explores exhaustively within [`Limits::preemptions_max`].
    #[must_use]
    pub fn engine(mut self, engine: Engine) -> Check {
        self.engine = engine;
        self
    }

    /// By this strategy.
    #[must_use]
    pub fn strategy(mut self, strategy: StrategyName) -> Check {
        self.strategy = strategy;
        self
    }

    /// From this seed.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Check {
        self.seed = seed;
        self
    }

    /// At most this many runs; under loom, executions.
    #[must_use]
    pub fn schedules(mut self, schedules: u64) -> Check {
        self.schedules = schedules;
        self
    }

    /// Within these bounds.
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
        let name = CaseName { component: "check".to_owned(), scenario: self.name.clone(), variant: "fixed".to_owned() };
        Case::new(name, plan, body).limits(self.limits)
    }

    fn explore(&self, case: &Case) -> Report {
        if let Some(seed) = knob("LASTREF_SEED", parse_seed) {
            return run_one(case, self.engine, self.strategy, seed);
        }
        let schedules = knob("LASTREF_SCHEDULES", |text| text.parse().ok()).unwrap_or(self.schedules);
        let stop = AtomicBool::new(false);
        let hunt = Hunt {
            cells: vec![Cell { case: case.clone(), engine: self.engine, strategy: self.strategy }],
            seed: self.seed,
            schedules,
            loom_executions: schedules.max(LOOM_EXECUTIONS_MIN),
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
                failure.replay = format!("LASTREF_SEED={:#x} cargo test {}", failure.origin.seed, self.name);
                Err(failure)
            }
            Verdict::Diverged { message } => panic!("not deterministic: {message}"),
            Verdict::Broken { message } => panic!("{message}"),
            Verdict::Clean => Ok(report),
        }
    }

    /// Explores the body.
    ///
    /// # Errors
    /// The first finding.
    pub fn search(&self, body: impl Fn() + Send + Sync + 'static) -> Result<Report, Box<Failure>> {
        let case = self.case(|| Just(()), move |()| body()).small(());
        self.judge(self.explore(&case))
    }

    /// Explores the body with plans from a proptest strategy. Not under loom, which needs one small plan.
    ///
    /// # Errors
    /// The first finding.
    pub fn search_plans<P: Plan, S: Strategy<Value = P> + 'static>(
        &self,
        plan: impl Fn() -> S + Send + Sync + 'static,
        body: impl Fn(&P) + Send + Sync + 'static,
    ) -> Result<Report, Box<Failure>> {
        let case = self.case(plan, body);
        self.judge(self.explore(&case))
    }

    /// Explores the body.
    ///
    /// # Panics
    /// With the failure's whole text, if there is a finding: the way a test fails.
    #[track_caller]
    pub fn run(&self, body: impl Fn() + Send + Sync + 'static) {
        if let Err(failure) = self.search(body) {
            panic!("{failure}");
        }
    }
}

/// loom is asked for the whole space, so that its budget does not shrink with that of a search.
const LOOM_EXECUTIONS_MIN: u64 = 200_000;

/// A number that the environment sets for this test.
///
/// # Panics
/// If it is no number: a search instead of the replay that was asked for would be worse.
fn knob<T>(name: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
    let text = variable(name)?;
    match read(&text) {
        Some(value) => Some(value),
        None => panic!("{name} is `{text}`, which is no number"),
    }
}

#[expect(clippy::disallowed_methods, reason = "how a test is told which run to replay; a run itself does not see it")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Reads a seed, decimal or 0x hexadecimal.
pub(crate) fn parse_seed(text: &str) -> Option<u64> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) if !digits.starts_with('+') => u64::from_str_radix(digits, 16).ok(),
        Some(_) => None,
        None if text.starts_with('+') => None,
        None => text.parse().ok(),
    }
}
