//! Exploration: cases, hunts over many seeds, reports.
//!
//! A [`Case`] is one scenario with one variant. A [`Hunt`] spreads the runs of many cells over cores; every run has its
//! own seed, and the result does not depend on how many cores there were.

mod case;
mod cell;
mod check;
mod chunk;
mod clock;
mod examine;
mod hunt;
mod isolate;
mod name;
mod observer;
mod origin;
mod queue;
mod recheck;
mod reference;
mod report;
mod runs;
mod single;
#[cfg(test)]
mod tests;

pub use case::{Case, Limits};
pub use cell::{Budget, Cell};
pub use check::Check;
pub use examine::{Digest, Recording, digest, drive, transitions};
pub use hunt::Hunt;
pub use isolate::{LoomBudget, serve_child};
pub use name::CaseName;
pub use observer::{Observer, Quiet};
pub use origin::Origin;
pub(crate) use origin::parse_seed;
pub use recheck::RECHECK_PERCENT;
pub use report::{Failure, Preemptions, Replay, Report, Verdict};
pub(crate) use runs::{Exact, build, run_exact};
pub use single::run_one;

pub use kernel::record::HitCounts;

pub use crate::engine::Engine;
pub use crate::strategy::{StrategyName, UnknownStrategy};
