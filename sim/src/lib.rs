//! Deterministic simulation of concurrent components, with a ledger of the owner of each resource.
//!
//! A component is written once against [`sync`], [`thread`], [`cell`] and [`time`], whose names are std's. A [`Case`]
//! runs it under an [`Engine`]: seeded schedules by our own strategies, loom exhaustively, or real threads. The
//! [`ledger`] reports at once when a resource is released twice, used after its release, handed to the wrong peer or
//! leaked; [`property`] checks any other rule. A finding is a [`Failure`] with a token that replays it, and [`replay`]
//! shrinks it to the few switches that matter. [`scenario`] makes a list of experiments, each with the verdict that
//! every variant of a model must get, and the package `lastref-hunt` makes a command line of the list.
//!
//! ```
//! use lastref::{Check, ledger::{Owner, Resource}, thread};
//!
//! // Two tasks release the same buffer.
//! let failure = Check::new("two_releasers")
//!     .search(|| {
//!         let owner = Owner::new("task", 0);
//!         let buffer = Resource::acquire("buffer", owner);
//!         let other = thread::spawn(move || buffer.release(Owner::new("task", 1)));
//!         buffer.release(owner);
//!         other.join();
//!     })
//!     .expect_err("two releases of one buffer");
//! assert_eq!(failure.violation.property, "buffer is released once");
//! ```
//!
//! Under `cargo lastref test` (`cfg(lastref)`) a crate that depends on this one is part of a run already. It then only
//! re-exports the [`ledger`], the properties, [`random`], [`simulate()`] and the [`task`]s for futures of the stand-in
//! for std. A second kernel would not know the tasks of the run.

#[cfg(lastref)]
pub use std::__lastref::{Network, ledger, property, random, simulate, task};

#[cfg(not(lastref))]
pub mod cell;
#[cfg(not(lastref))]
mod checks;
#[cfg(not(lastref))]
mod engine;
#[cfg(not(lastref))]
pub mod explore;
#[cfg(not(lastref))]
pub mod ledger;
#[cfg(not(lastref))]
mod loom_or_std;
#[cfg(all(not(lastref), feature = "net"))]
pub mod net;
#[cfg(not(lastref))]
mod panics;
#[cfg(not(lastref))]
pub mod plan;
#[cfg(not(lastref))]
pub mod property;
#[cfg(not(lastref))]
pub mod random;
#[cfg(not(lastref))]
pub mod replay;
#[cfg(all(not(lastref), feature = "scenario"))]
pub mod scenario;
#[cfg(not(lastref))]
mod session;
#[cfg(not(lastref))]
mod simulate;
#[cfg(not(lastref))]
pub mod sync;
#[cfg(not(lastref))]
mod table;
#[cfg(not(lastref))]
pub mod task;
#[cfg(not(lastref))]
pub mod thread;
#[cfg(not(lastref))]
pub mod time;
#[cfg(not(lastref))]
pub mod trace;
#[cfg(not(lastref))]
mod unpoisoned;
#[cfg(not(lastref))]
mod void;
#[cfg(not(lastref))]
mod watch;

#[cfg(not(lastref))]
pub use engine::{Engine, UnknownEngine};
#[cfg(not(lastref))]
pub use explore::{Case, CaseName, Check, Failure, Limits, Origin, Report, Verdict};
#[cfg(not(lastref))]
pub use kernel::record::{Violation, ViolationKind, op};
#[cfg(not(lastref))]
pub use kernel::seed;
#[cfg(not(lastref))]
pub use kernel::strategy::{self, StrategyName};
#[cfg(not(lastref))]
pub use simulate::{Network, simulate};
#[cfg(not(lastref))]
pub use trace::Detail;
#[doc(hidden)]
#[cfg(not(lastref))]
pub use void::report_bug;
#[cfg(not(lastref))]
pub use watch::Stalled;
