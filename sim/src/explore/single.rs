//! One exact run: of a seed, or of a given plan and schedule.

use std::sync::Arc;

use kernel::record::Keep;
use kernel::strategy::StrategyName;

use super::case::Case;
use super::clock::timed;
use super::isolate;
use super::isolate::LoomBudget;
use super::origin::Origin;
use super::report::Report;
use super::runs::run_of;
use crate::engine::{Engine, threads};
use crate::session::Backend;

/// Executes the run of `seed` with recording. Each call gives the same execution.
///
/// Under loom it explores until the first finding, which comes at the same execution each time. Under `threads` it runs
/// the same plan; the operating system's schedule is not repeated.
pub fn run_one(case: &Case, engine: Engine, strategy: StrategyName, seed: u64) -> Report {
    let origin = Origin { case: case.name().clone(), engine, strategy, seed };
    let (report, seconds) = timed(|| match engine.arm() {
        _ if !engine.is_built() => Report::not_built(engine),
        Backend::Sched => Report::of_run(origin, &run_of(case, engine, strategy, seed, Keep::Events)),
        Backend::Threads | Backend::Std => {
            let plan = case.generator().plan(seed);
            Report::of_run(origin, &threads::run_once(seed, Keep::Events, Arc::new(case.body(plan))))
        }
        Backend::Loom => isolate::explore_loom(case, &origin, LoomBudget::UNBOUNDED, &|| false),
    });
    Report { seconds, ..report }
}
