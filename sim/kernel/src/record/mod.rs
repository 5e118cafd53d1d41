//! The record of a run, as pure data: operations, custody, trace, violations, connection faults. It depends on nothing
//! else in this package but the hash functions of [`seed`](crate::seed).

pub mod custody;
pub mod fault;
pub mod hits;
pub mod log;
pub mod name;
pub mod op;
pub mod progress;
pub mod run;
pub mod task;
pub mod trace;
pub mod violation;
pub mod void;

pub use custody::{Action, Custody, Mark, Owner};
pub use fault::{BadFault, End, FaultKind};
pub use hits::{HitCounts, Hits, Phase, add_hits};
pub use log::{Finished, Log, label};
pub use name::Name;
pub use op::{ObjectId, Op, OpKind, TaskId, TaskKey, is_glue};
pub use progress::Progress;
pub use run::{Keep, RunNumber};
pub use task::TaskInfo;
pub use trace::{Event, Item, Trace};
pub use violation::{Subject, Violation, ViolationKind};
pub use void::Void;
