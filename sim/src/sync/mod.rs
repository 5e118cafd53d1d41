//! std's synchronisation types, over whichever engine runs.
//!
//! Names and signatures are std's, with one deviation: `lock` returns the guard itself. Locks are never poisoned, since
//! a panic in a task ends the run, and models need no code for an error that cannot occur.
//!
//! Each type is an enum over the engines and picks its arm when it is constructed. `named` constructors give the name
//! that tables and deadlock reports show.

mod arc;
pub mod atomic;
mod condvar;
pub mod mpsc;
mod mutex;
mod once;
mod rwlock;
mod storage;

pub use arc::{Arc, Weak};
pub use condvar::{Condvar, WaitTimeoutResult};
pub use mutex::{Mutex, MutexGuard};
pub use once::{Once, OnceLock};
pub use rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard};
pub(crate) use storage::Storage;

#[cold]
fn locked_while_unwinding() -> ! {
    crate::panics::stuck_while_unwinding("waits for a lock that another task holds")
}
