//! Shrinking: first the plan, then the schedule, while the same property stays violated.
//!
//! The plan shrinks as proptest shrinks any value; then each unnecessary fault of the network is removed. A simpler
//! plan needs another schedule, so each candidate is tried with a number of seeds. The schedule is written as the
//! steps at which it departs from running each task as long as it can continue. Unnecessary switches are removed, in
//! halves, quarters and finally one by one; if more than one is left, all schedules with a single switch are tried.

use kernel::record::{Keep, Violation};
use kernel::seed::RunSeeds;
use kernel::strategy::{Forced, Switch};

#[cfg(feature = "net")]
use super::faults;
use super::repro::{Repro, ReproError, Saved};
use crate::explore::{Case, Exact, Failure, Origin, Replay, Report, Verdict, build, run_exact};
use crate::plan::{AnyPlan, Tree};
use crate::session::Outcome;

/// The budget of shrinking.
#[derive(Clone, Copy, Debug)]
pub struct ShrinkLimits {
    /// Number of seeds that are tried per simpler plan.
    pub seeds_per_plan: u64,
    /// Maximum number of simpler plans that are tried.
    pub plans_max: u32,
    /// Maximum number of runs in all.
    pub runs_max: u32,
    /// Maximum number of steps in all: a run that stalls has many.
    pub steps_max: u64,
}

impl Default for ShrinkLimits {
    /// 60 seeds a plan, 200 plans, 20,000 runs, 10 million steps: a few seconds.
    fn default() -> ShrinkLimits {
        ShrinkLimits { seeds_per_plan: 60, plans_max: 200, runs_max: 20_000, steps_max: 10_000_000 }
    }
}

/// The smallest case that was found.
#[derive(Debug)]
pub struct Shrunk {
    /// The case, to be saved.
    pub repro: Repro,
    /// Its run, with the table.
    pub report: Report,
    /// The number of runs that shrinking executed.
    pub tried: u32,
    /// The number of forced switches left.
    pub preemptions: usize,
}

struct Shrinker<'a> {
    case: &'a Case,
    property: &'a str,
    /// The source line of the finding's panic: all panics violate the same property.
    panicked_at: Option<&'a str>,
    origin: &'a Origin,
    limits: ShrinkLimits,
    tried: u32,
    steps: u64,
}

/// The source line of the panic that is the finding.
fn panicked_at(violation: &Violation) -> Option<&str> {
    violation.facts.iter().find(|(label, _)| label == "panicked at").map(|(_, place)| place.as_str())
}

/// A plan, a seed and a schedule that violate the property.
#[derive(Clone)]
struct ShrinkCandidate {
    plan: AnyPlan,
    seed: u64,
    switches: Vec<Switch>,
}

impl Shrinker<'_> {
    fn spent(&self) -> bool {
        self.tried >= self.limits.runs_max || self.steps >= self.limits.steps_max
    }

    fn violates(&self, outcome: &Outcome) -> bool {
        outcome.violation.as_ref().is_some_and(|violation| {
            let is_same_panic = self.panicked_at.is_none() || panicked_at(violation) == self.panicked_at;
            violation.property == self.property && is_same_panic
        })
    }

    /// Runs the plan by the strategy with `seed`; returns its schedule if it violates the property.
    fn searched(&mut self, plan: &AnyPlan, seed: u64) -> Option<ShrinkCandidate> {
        self.tried += 1;
        let strategy = build(self.case, self.origin.strategy, seed);
        let exact = Exact { plan: plan.clone(), seed, strategy, keep: Keep::Switches };
        let outcome = run_exact(self.case, self.origin.engine, exact);
        self.steps += u64::from(outcome.steps);
        self.violates(&outcome).then(|| ShrinkCandidate {
            plan: plan.clone(),
            seed,
            switches: outcome.schedule.switches,
        })
    }

    fn forced(&mut self, candidate: &ShrinkCandidate, switches: &[Switch]) -> Option<ShrinkCandidate> {
        self.tried += 1;
        let strategy = Box::new(Forced::new(switches));
        let exact = Exact { plan: candidate.plan.clone(), seed: candidate.seed, strategy, keep: Keep::Switches };
        let outcome = run_exact(self.case, self.origin.engine, exact);
        self.steps += u64::from(outcome.steps);
        // The switches that the run performed: forced switches that were skipped are dropped.
        self.violates(&outcome).then(|| ShrinkCandidate { switches: outcome.schedule.switches, ..candidate.clone() })
    }

    fn plan(&mut self, mut best: ShrinkCandidate, mut tree: Box<dyn Tree>) -> ShrinkCandidate {
        let mut going = tree.simplify();
        for _ in 0..self.limits.plans_max {
            if !going || self.spent() {
                break;
            }
            let simpler = tree.current();
            going = match self.found_again(&best, &simpler) {
                Some(candidate) => {
                    best = candidate;
                    tree.simplify()
                }
                None => tree.complicate(),
            };
        }
        best
    }

    /// Without a network there are no faults.
    #[cfg(not(feature = "net"))]
    #[expect(clippy::unused_self, reason = "the twin of the method below")]
    fn faults(&mut self, best: ShrinkCandidate) -> ShrinkCandidate {
        best
    }

    /// Removes faults of the network until each remaining one is needed.
    #[cfg(feature = "net")]
    fn faults(&mut self, mut best: ShrinkCandidate) -> ShrinkCandidate {
        loop {
            let simpler = faults::with_one_less(&best.plan.json()).into_iter().find_map(|plan| {
                let plan = self.case.decode(&plan).ok().filter(|_| !self.spent())?;
                self.found_again(&best, &plan)
            });
            match simpler {
                Some(candidate) => best = candidate,
                None => return best,
            }
        }
    }

    /// Searches for a schedule of `plan` that violates the property, starting with the seed of `best`.
    fn found_again(&mut self, best: &ShrinkCandidate, plan: &AnyPlan) -> Option<ShrinkCandidate> {
        let more = RunSeeds::new(best.seed, "shrink");
        let seeds = (0..self.limits.seeds_per_plan).map(|nth| more.of_run(nth));
        for seed in std::iter::once(best.seed).chain(seeds) {
            // The budget is checked within a plan too: sixty runs that stall have millions of steps.
            if self.spent() {
                return None;
            }
            if let Some(candidate) = self.searched(plan, seed) {
                return Some(candidate);
            }
        }
        None
    }

    fn schedule(&mut self, mut best: ShrinkCandidate) -> ShrinkCandidate {
        let mut size = best.switches.len();
        while size > 0 && !self.spent() {
            let mut from = 0;
            let mut shrunk = false;
            while from < best.switches.len() && !self.spent() {
                let to = (from + size).min(best.switches.len());
                let kept: Vec<Switch> = best.switches[..from].iter().chain(&best.switches[to..]).copied().collect();
                match self.forced(&best, &kept) {
                    Some(candidate) if candidate.switches.len() < best.switches.len() => {
                        best = candidate;
                        shrunk = true;
                    }
                    _ => from = to,
                }
            }
            // One by one until none can be removed.
            if !(shrunk && size == 1) {
                size /= 2;
            }
        }
        best
    }

    /// If more than one switch is left, tries every schedule with a single switch: at each turn of each task, to each
    /// other task. Removal alone gets stuck where one switch at another step could replace two.
    fn single(&mut self, best: ShrinkCandidate) -> ShrinkCandidate {
        if best.switches.len() < 2 {
            return best;
        }
        let strategy = Box::new(Forced::new(&[]));
        let exact = Exact { plan: best.plan.clone(), seed: best.seed, strategy, keep: Keep::Switches };
        let tasks = run_exact(self.case, self.origin.engine, exact).schedule.tasks;
        for from in &tasks {
            for turn in 0..from.turns {
                for to in tasks.iter().filter(|to| to.key != from.key) {
                    if self.spent() {
                        return best;
                    }
                    let switch = Switch { from: from.key, turn, to: to.key };
                    if let Some(candidate) = self.forced(&best, &[switch]) {
                        return candidate;
                    }
                }
            }
        }
        best
    }

    /// Shrinks the schedule; the plan is fixed from here on.
    fn finish(mut self, start: ShrinkCandidate) -> Option<Shrunk> {
        let fewest = self.schedule(start);
        let best = self.single(fewest);
        self.done(best)
    }

    /// Executes the last run, whose case is saved. It must still violate the same property.
    fn done(self, best: ShrinkCandidate) -> Option<Shrunk> {
        let json = best.plan.json();
        let strategy = Box::new(Forced::new(&best.switches));
        let outcome = run_exact(
            self.case,
            self.origin.engine,
            Exact { plan: best.plan, seed: best.seed, strategy, keep: Keep::Events },
        );
        let violation = outcome.violation.as_ref().filter(|violation| violation.property == self.property)?;
        let preemptions = best.switches.len();
        let repro = Repro::new(Saved {
            origin: self.origin,
            violation,
            plan: json,
            seed: best.seed,
            switches: best.switches,
            trace_hash: outcome.trace.hash(),
        });
        let mut report = Report::of_run(self.origin.clone(), &outcome);
        if let Verdict::Violation(failure) = &mut report.verdict {
            failure.replay = Replay::Token(repro.token());
        }
        Some(Shrunk { preemptions, repro, report, tried: self.tried })
    }
}

/// Shrinks the execution of a seed. `None` if the repeated run does not violate the failure's property, or under an
/// engine whose schedule we do not control.
pub fn shrink(case: &Case, failure: &Failure, limits: ShrinkLimits) -> Option<Shrunk> {
    let origin = &failure.origin;
    if !origin.engine.is_scheduled() || !origin.engine.is_built() {
        return None;
    }
    let violation = &failure.violation;
    let (property, panicked_at) = (violation.property.as_str(), panicked_at(violation));
    let mut shrinker = Shrinker { case, property, panicked_at, origin, limits, tried: 0, steps: 0 };
    let mut generator = case.generator();
    let tree = generator.tree(origin.seed);
    let first = shrinker.searched(&tree.current(), origin.seed)?;
    let simplest = shrinker.plan(first, tree);
    let simplest = shrinker.faults(simplest);
    shrinker.finish(simplest)
}

/// Shrinks a repro file's schedule further; its plan is kept.
///
/// # Errors
/// If its plan is not valid for the case, or out of its bounds.
pub fn shrink_repro(case: &Case, repro: &Repro, limits: ShrinkLimits) -> Result<Option<Shrunk>, ReproError> {
    let plan = repro.plan_of(case)?;
    let (property, origin) = (repro.property.as_str(), &repro.origin);
    if !origin.engine.is_built() {
        return Ok(None);
    }
    let mut shrinker = Shrinker { case, property, panicked_at: None, origin, limits, tried: 0, steps: 0 };
    let start = ShrinkCandidate { plan, seed: repro.seed, switches: repro.switches.clone() };
    let Some(first) = shrinker.forced(&start, &repro.switches) else { return Ok(None) };
    Ok(shrinker.finish(first))
}
