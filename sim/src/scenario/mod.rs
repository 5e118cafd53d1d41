//! Experiments as data: a model's workload, and the expected verdict of each variant.
//!
//! A scenario is a file with a function `scenario`. It says what each variant of a model must do (stay clean, or
//! violate one named property), how its plan is generated, and how a plan is run. [`scenarios!`](crate::scenarios)
//! declares the files of a project as a sorted list, [`Scenarios`]. The command line (the package `lastref-hunt`) and a
//! project's own tests read that list; this module turns it into [`Case`](crate::Case)s and judges what a search of
//! them found.
//!
//! Absent by intent: knowledge of any engine's internals, and any code that runs during an execution other than the
//! scenarios' own `run` functions.

pub mod defaults;
pub mod finding;
pub mod prelude;

mod declaration;
mod expect;
mod list;
mod nearest;
mod seed;
mod variant;

pub use declaration::Scenario;
pub use expect::{Expect, Expectation, Judgement};
pub use list::{BadList, Scenarios};
#[doc(hidden)]
pub use list::{Entry, is_sorted};
pub use nearest::{Hint, Unknown, nearest};
pub use seed::{BadSeed, parse_seed};
pub use variant::Variant;
