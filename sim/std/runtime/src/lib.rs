//! The runtime of the stand-in for std.
//!
//! The crate named `std` re-exports the real std, and replaces some of its types by the types of this package: atomics,
//! threads, thread-local values, channels. Real std's locks block through `syscall`, which this package
//! defines, so they block here. Unmodified code thereby runs on the tasks of lastref's kernel; see
//! `docs/cargo-lastref.md`.
//!
//! Inside a run (`run`) a thread is a task of the kernel, time is virtual, and the heap has a ledger. Outside a run
//! everything is real: a program that never calls [`test`](testing::test) or [`check`](testing::check) runs as it would
//! without this package.
//!
//! | part | modules |
//! | --- | --- |
//! | the facade | `atomic`, `thread`, `sync`, `mpsc` |
//! | calls of libc | `libc_layer` |
//! | the heap and its findings | `heap`, `memory`, `crash`, `panics`, `backtrace_lock`, `deadlock` |
//! | a run, and a search | `run`, `execute`, `search`, `stall`, `variety`, `finding_report`, `explorer` |
//! | shared with `lastref`: custody, properties, draws | `ledger`, `property`, `random`, `session`, `engine` |
//! | under the names of `lastref` | `simulate`, `task` |
//! | input and output of a search | `settings`, `token`, `report`, `progress`, `testing` |

// The files shared with the package `lastref` use this name.
extern crate lastref_kernel as kernel;

pub mod atomic;
mod backtrace_lock;
mod bytes;
mod crash;
mod deadlock;
mod engine;
mod environment;
mod execute;
mod explorer;
mod finding;
mod finding_report;
pub mod heap;
#[expect(dead_code, reason = "the package's own `Arc` uses the rest")]
#[path = "../../../src/ledger/mod.rs"]
pub mod ledger;
pub mod libc_layer;
mod memory;
pub mod mpsc;
mod net;
mod objects;
mod panics;
mod places;
mod progress;
#[path = "../../../src/property.rs"]
pub mod property;
#[path = "../../../src/random.rs"]
pub mod random;
mod report;
mod run;
mod search;
mod session;
mod settings;
#[path = "../../../src/simulate.rs"]
mod simulate;
mod stacks;
mod stall;
pub mod sync;
pub mod task;
mod tasks;
pub mod testing;
pub mod thread;
mod token;
mod variety;

pub use run::{is_simulated, spin_loop};
pub use simulate::{Network, simulate};
