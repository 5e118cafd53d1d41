//! The OS thread of a search, started without std.
//!
//! A thread of std inherits libtest's output capture, whose buffer would grow in the memory of a run. Its thread-local
//! block may also hold the keys of `HashMap` already, and a run would then not draw its own. A thread started with
//! `pthread_create` has neither.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;
use std::thread::Result;

struct Job<F, R> {
    code: Option<F>,
    result: Option<Result<R>>,
}

extern "C" fn work<F: FnOnce() -> R, R>(job: *mut libc::c_void) -> *mut libc::c_void {
    // SAFETY: `on_own_thread` passes its job, and waits for the end of this thread.
    let job = unsafe { &mut *job.cast::<Job<F, R>>() };
    job.result = job.code.take().map(|code| catch_unwind(AssertUnwindSafe(code)));
    ptr::null_mut()
}

/// Calls `code` on a new OS thread, and waits for it.
pub(crate) fn on_own_thread<F: FnOnce() -> R + Send, R: Send>(code: F) -> R {
    let mut job = Job { code: Some(code), result: None };
    let mut thread = 0;
    // SAFETY: the function fits its argument, which outlives the thread: it is joined here.
    let started = unsafe {
        let started = libc::pthread_create(&raw mut thread, ptr::null(), work::<F, R>, (&raw mut job).cast());
        if started == 0 {
            libc::pthread_join(thread, ptr::null_mut());
        }
        started
    };
    assert_eq!(started, 0, "an OS thread for the search cannot be started");
    match job.result {
        Some(Ok(result)) => result,
        Some(Err(panic)) => resume_unwind(panic),
        None => unreachable!("invariant: the thread has called the code"),
    }
}
