//! Deterministic simulation of concurrent components, with a ledger of the owner of each resource.
//!
//! A component is written once against [`sync`], [`thread`], [`cell`] and [`time`], whose names are std's. A [`Case`]
//! runs it under an [`Engine`]: seeded schedules by our own strategies, loom exhaustively, or real threads. The
//! [`ledger`] reports at once when a resource is released twice, used after its release, handed to the wrong peer or
//! leaked; [`property`] checks any other rule. A finding is a [`Failure`] with a token that replays it, and [`replay`]
//! shrinks it to the few switches that matter.
//!
//! ```
//! use lastref::{Check, ledger::{Owner, Resource}, thread};
//!
//! // Two tasks and one buffer: nobody says who releases it.
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

pub mod cell;
mod checks;
mod engine;
pub mod explore;
pub mod ledger;
mod loom_or_std;
#[cfg(feature = "net")]
pub mod net;
mod panics;
pub mod plan;
pub mod property;
pub mod random;
pub mod replay;
mod session;
pub mod sync;
mod table;
pub mod task;
pub mod thread;
pub mod time;
pub mod trace;
mod unpoisoned;
mod void;
mod watch;

pub use engine::{Engine, UnknownEngine};
pub use explore::{Case, CaseName, Check, Failure, Limits, Origin, Report, Verdict};
pub use kernel::record::{Violation, ViolationKind, op};
pub use kernel::seed;
pub use kernel::strategy::{self, StrategyName};
pub use trace::Detail;
#[doc(hidden)]
pub use void::report_bug;
pub use watch::Stalled;
