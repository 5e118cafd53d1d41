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
//! | the heap and its findings | `heap`, `memory`, `crash`, `panics`, `deadlock` |
//! | a run, and a search | `run`, `make`, `search`, `told`, `explorer` |
//! | input and output of a search | `settings`, `token`, `report`, `progress`, `testing` |

pub mod atomic;
mod crash;
mod deadlock;
mod environment;
mod explorer;
mod finding;
pub mod heap;
pub mod libc_layer;
mod make;
mod memory;
pub mod mpsc;
mod net;
mod objects;
mod panics;
mod progress;
mod report;
mod run;
mod search;
mod settings;
mod stacks;
pub mod sync;
mod tasks;
pub mod testing;
pub mod thread;
mod token;
mod told;

pub use run::{is_simulated, spin_loop};
