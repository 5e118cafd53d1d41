//! The fuzzer's inputs (mutated tokens, saved cases, plans and command lines) and the judgement of each answer.
//!
//! An input is made from a seed and a number alone, so that one number names it ([`Input::new`]). It goes through the
//! same code as the command line. lastref has a bug if it panics, aborts, hangs or gives a wrong answer ([`judge`]).
//! The program `fuzz` runs the inputs in child processes, to detect the first three.
//!
//! Absent by intent: coverage feedback. The formats are small and known, so the mutations target their fields.

mod corpus;
mod dice;
mod input;
mod judge;
mod mutate;

use std::time::Duration;

use lastref::replay::ShrinkLimits;
use lastref_hunt::Ceiling;

pub use corpus::{Corpus, CorpusError};
pub use input::{Input, Kind};
pub use judge::{Judgement, Outcome, judge};

/// The bounds of one command's exploration, so that an input takes milliseconds.
pub const CEILING: Ceiling = Ceiling {
    schedules: 2,
    time: Duration::from_millis(20),
    shrink: ShrinkLimits { seeds_per_plan: 2, plans_max: 4, runs_max: 40, steps_max: 100_000 },
};
