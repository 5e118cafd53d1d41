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
use crate::session::Arm;

/// Makes the run of `seed`, recorded: the same execution each time.
///
/// Under loom it explores until the first finding, which comes at the same execution each time. Under `threads` it is a
/// run of the same plan; what the operating system does is not repeated.
pub fn run_one(case: &Case, engine: Engine, strategy: StrategyName, seed: u64) -> Report {
    let origin = Origin { case: case.name().clone(), engine, strategy, seed };
    let (report, seconds) = timed(|| match engine.arm() {
        _ if !engine.is_built() => Report::not_built(engine),
        Arm::Sched => Report::of_run(origin, &run_of(case, engine, strategy, seed, Keep::Events).outcome),
        Arm::Threads | Arm::Std => {
            let plan = case.generator().plan(seed);
            Report::of_run(origin, &threads::run_once(seed, Keep::Events, Arc::new(case.body(plan))))
        }
        Arm::Loom => isolate::explore_loom(case, &origin, LoomBudget::UNBOUNDED, &|| false),
    });
    Report { seconds, ..report }
}
