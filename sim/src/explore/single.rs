//! One run, exactly: of a seed, or of a plan and a schedule that are given.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::case::Case;
use super::isolate::LoomBudget;
use super::report::{Origin, Report, Verdict, tables};
use super::{hunt, isolate};
use crate::engine::sched::{Ended, Setup, Source, run_batch};
use crate::engine::{Engine, threads};
use crate::net::{HitCounts, Hits};
use crate::plan::{AnyPlan, Generator};
use crate::run::{Outcome, Record};
use crate::strategy::{Strategy, StrategyName};
use crate::trace::Item;

/// A run of which everything is given.
pub(crate) struct Exact {
    pub(crate) plan: AnyPlan,
    pub(crate) seed: u64,
    pub(crate) strategy: Box<dyn Strategy>,
    pub(crate) record: Record,
}

struct Once {
    setup: Option<Setup>,
    ended: Rc<RefCell<Option<Ended>>>,
}

impl Source for Once {
    fn next(&mut self) -> Option<Setup> {
        self.setup.take()
    }

    fn finished(&mut self, ended: Ended) {
        *self.ended.borrow_mut() = Some(ended);
    }
}

/// Makes that run under the scheduled engine.
pub(crate) fn run_exact(case: &Case, exact: Exact) -> Ended {
    let ended = Rc::new(RefCell::new(None));
    let setup = case.setup(exact.plan, exact.seed, exact.strategy, exact.record);
    run_batch(Box::new(Once { setup: Some(setup), ended: Rc::clone(&ended) }), case.bounds().stack_bytes);
    match ended.take() {
        Some(ended) => ended,
        None => unreachable!("invariant: a batch of one run finishes it"),
    }
}

/// Makes the run of `seed` again, or for the first time: that very execution, recorded.
///
/// Under loom it explores until the first finding, which comes at the same execution each time. Under `threads` it is a
/// run of the same plan; what the operating system does is not repeated.
pub fn run_one(case: &Case, engine: Engine, strategy: StrategyName, seed: u64) -> Report {
    let origin = Origin { case: case.name().clone(), engine, strategy, seed };
    let (report, seconds) = hunt::timed(|| match engine {
        Engine::Shuttle | Engine::Turmoil => {
            let plan = case.generator().plan(seed);
            let strategy = build(case, strategy, seed);
            let ended = run_exact(case, Exact { plan, seed, strategy, record: Record::Events });
            report_of(origin, &ended.outcome)
        }
        Engine::Threads => {
            let plan = case.generator().plan(seed);
            report_of(origin, &threads::run_once(seed, Record::Events, case.body(plan)))
        }
        Engine::Loom => isolate::explore_loom(case, &origin, LoomBudget::UNBOUNDED, &|| false),
    });
    Report { seconds, ..report }
}

/// The state changes that the model told of in the run of `seed` under shuttle, each as `machine from -> to`.
///
/// Many runs together pin what the state machines of a model do, whichever object did it and when.
pub fn transitions(case: &Case, strategy: StrategyName, seed: u64) -> BTreeSet<String> {
    let plan = case.generator().plan(seed);
    let strategy = build(case, strategy, seed);
    let ended = run_exact(case, Exact { plan, seed, strategy, record: Record::Events });
    let items = ended.outcome.trace.events.iter().map(|event| &event.item);
    items
        .filter_map(|item| match item {
            Item::Transition { machine, from, to, .. } => Some(format!("{machine} {from} -> {to}")),
            _ => None,
        })
        .collect()
}

/// The strategy for the run of `seed`.
pub(crate) fn build(case: &Case, strategy: StrategyName, seed: u64) -> Box<dyn Strategy> {
    if strategy.learns() {
        strategy.build(seed, case.profile())
    } else {
        strategy.build(seed, &crate::strategy::Profile::default())
    }
}

pub(crate) fn report_of(origin: Origin, outcome: &Outcome) -> Report {
    let (table, full_table) = tables(outcome);
    Report {
        schedules: 1,
        preemptions: None,
        rechecked: 0,
        steps: u64::from(outcome.steps),
        verdict: Verdict::of(origin, outcome),
        trace_hash: outcome.trace.hash(),
        complete: true,
        reached: words(&outcome.reached),
        faults: counts(&outcome.faults),
        seconds: 0.0,
        table,
        full_table,
    }
}

fn counts(hits: &Hits) -> HitCounts {
    let mut counts = HitCounts::new();
    hits.count(&mut counts);
    counts
}

pub(crate) fn words(reached: &BTreeMap<&'static str, u64>) -> BTreeMap<String, u64> {
    reached.iter().map(|(sentence, count)| ((*sentence).to_owned(), *count)).collect()
}

/// How much of its runs [`drive`] keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recording {
    /// The hash of each trace: what a hunt keeps.
    Hash,
    /// Every event: what a replay keeps.
    Events,
}

struct Driven {
    case: Case,
    strategy: StrategyName,
    left: u64,
    record: Record,
    generator: Box<dyn Generator>,
    steps: Rc<RefCell<u64>>,
}

impl Source for Driven {
    fn next(&mut self) -> Option<Setup> {
        self.left = self.left.checked_sub(1)?;
        let strategy = build(&self.case, self.strategy, self.left);
        Some(self.case.setup(self.generator.plan(self.left), self.left, strategy, self.record))
    }

    fn finished(&mut self, ended: Ended) {
        *self.steps.borrow_mut() += u64::from(ended.outcome.steps);
    }
}

/// Makes `runs` runs under the scheduled engine, judges none, and returns their steps: what a benchmark times.
pub fn drive(case: &Case, strategy: StrategyName, runs: u64, recording: Recording) -> u64 {
    let steps = Rc::new(RefCell::new(0));
    let record = match recording {
        Recording::Hash => Record::Hash,
        Recording::Events => Record::Events,
    };
    let driven = Driven {
        case: case.clone(),
        strategy,
        left: runs,
        record,
        generator: case.generator(),
        steps: Rc::clone(&steps),
    };
    run_batch(Box::new(driven), case.bounds().stack_bytes);
    steps.take()
}
