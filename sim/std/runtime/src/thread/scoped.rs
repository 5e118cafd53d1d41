//! Scoped threads: `thread::scope` waits for every thread of its scope before it returns.

use std::fmt;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread as real;

use super::handle::{Thread, current};
use super::spawn::{Builder, Simulated};
use super::wait::park;
use crate::run::is_simulated;

/// The state that the scope and its threads share. Its atomics are real: they are not operations of the program.
pub(crate) struct ScopeData {
    running: AtomicUsize,
    has_panicked: AtomicBool,
    owner: Thread,
}

impl ScopeData {
    pub(crate) fn begins(&self) {
        self.running.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn ends(&self, has_panicked: bool) {
        if has_panicked {
            self.has_panicked.store(true, Ordering::Relaxed);
        }
        if self.running.fetch_sub(1, Ordering::Release) == 1 {
            self.owner.unpark();
        }
    }
}

enum Kind<'scope, 'env: 'scope> {
    Real(&'scope real::Scope<'scope, 'env>),
    Simulated(Arc<ScopeData>),
}

pub struct Scope<'scope, 'env: 'scope> {
    kind: Kind<'scope, 'env>,
    // Invariant in both lifetimes, as std's.
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

impl<'scope, 'env> Scope<'scope, 'env> {
    #[track_caller]
    pub fn spawn<F, T>(&'scope self, body: F) -> ScopedJoinHandle<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        match Builder::new().spawn_scoped(self, body) {
            Ok(handle) => handle,
            Err(error) => panic!("failed to spawn thread: {error:?}"),
        }
    }

    pub(crate) fn data(&self) -> Option<&Arc<ScopeData>> {
        match &self.kind {
            Kind::Real(_) => None,
            Kind::Simulated(data) => Some(data),
        }
    }

    pub(crate) fn real(&self) -> Option<&'scope real::Scope<'scope, 'env>> {
        match &self.kind {
            Kind::Real(scope) => Some(scope),
            Kind::Simulated(_) => None,
        }
    }
}

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").finish_non_exhaustive()
    }
}

#[track_caller]
pub fn scope<'env, F, T>(body: F) -> T
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T,
{
    if !is_simulated() {
        return real::scope(|inner| {
            let scope = Scope { kind: Kind::Real(inner), scope: PhantomData, env: PhantomData };
            // SAFETY: real std's scope lives until this closure has returned and its threads have ended. Our scope
            // holds only a reference to it; threads get that reference, and not a reference to our scope.
            let scope: &Scope<'_, 'env> = unsafe { &*std::ptr::from_ref(&scope) };
            body(scope)
        });
    }
    let data = ScopeData { running: AtomicUsize::new(0), has_panicked: AtomicBool::new(false), owner: current() };
    let data = Arc::new(data);
    let scope = Scope { kind: Kind::Simulated(Arc::clone(&data)), scope: PhantomData, env: PhantomData };
    let result = catch_unwind(AssertUnwindSafe(|| body(&scope)));
    while data.running.load(Ordering::Acquire) != 0 {
        park();
    }
    match result {
        Err(panic) => resume_unwind(panic),
        Ok(_) if data.has_panicked.load(Ordering::Relaxed) => panic!("a scoped thread panicked"),
        Ok(result) => result,
    }
}

enum HandleKind<'scope, T> {
    Real(real::ScopedJoinHandle<'scope, T>, Thread),
    Simulated(Simulated<'scope, T>),
}

pub struct ScopedJoinHandle<'scope, T>(HandleKind<'scope, T>);

// SAFETY: as for std's handle, whatever T is: the handle moves the result out and gives no references to it.
unsafe impl<T> Send for ScopedJoinHandle<'_, T> {}
// SAFETY: as above.
unsafe impl<T> Sync for ScopedJoinHandle<'_, T> {}

impl<'scope, T> ScopedJoinHandle<'scope, T> {
    pub(crate) fn real(handle: real::ScopedJoinHandle<'scope, T>) -> Self {
        let thread = Thread::real(handle.thread().clone());
        ScopedJoinHandle(HandleKind::Real(handle, thread))
    }

    pub(crate) fn simulated(thread: Simulated<'scope, T>) -> Self {
        ScopedJoinHandle(HandleKind::Simulated(thread))
    }

    #[track_caller]
    pub fn join(self) -> real::Result<T> {
        match self.0 {
            HandleKind::Real(handle, _) => handle.join(),
            HandleKind::Simulated(thread) => thread.join(),
        }
    }

    pub fn thread(&self) -> &Thread {
        match &self.0 {
            HandleKind::Real(_, thread) => thread,
            HandleKind::Simulated(simulated) => &simulated.thread,
        }
    }

    #[track_caller]
    pub fn is_finished(&self) -> bool {
        match &self.0 {
            HandleKind::Real(handle, _) => handle.is_finished(),
            HandleKind::Simulated(thread) => thread.is_finished(),
        }
    }
}

impl<T> fmt::Debug for ScopedJoinHandle<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopedJoinHandle").finish_non_exhaustive()
    }
}
