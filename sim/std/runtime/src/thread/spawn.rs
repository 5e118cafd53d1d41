//! Starting threads and waiting for their end.

use std::any::Any;
use std::cell::UnsafeCell;
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::mem;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::Arc;
use std::thread as real;

use lastref_kernel::NoStack;
use lastref_kernel::record::{ObjectId, Op, OpKind, TaskId};

use super::handle::{SimulatedThread, Thread};
use super::scoped::{Scope, ScopeData, ScopedJoinHandle};
use crate::execute::text_of;
use crate::finding::{Finding, FindingKind};
use crate::run::{Run, current};

/// The slot for a thread's result.
pub(crate) struct Packet<'scope, T> {
    result: UnsafeCell<Option<real::Result<T>>>,
    scope: Option<Arc<ScopeData>>,
    borrows: PhantomData<&'scope ()>,
}

// SAFETY: the thread writes the result before it ends, and the only handle takes it after that, so they never race.
unsafe impl<T: Send> Sync for Packet<'_, T> {}
// SAFETY: as for std's packet: a result that can be sent is sent with it.
unsafe impl<T: Send> Send for Packet<'_, T> {}

impl<T> Drop for Packet<'_, T> {
    fn drop(&mut self) {
        let has_panicked = matches!(self.result.get_mut(), Some(Err(_)));
        // As in std, a panic in the destructor of the thread's result ends the process.
        if catch_unwind(AssertUnwindSafe(|| *self.result.get_mut() = None)).is_err() {
            std::process::abort();
        }
        if let Some(scope) = &self.scope {
            scope.ends(has_panicked);
        }
    }
}

/// A thread of a run, and its result.
pub(crate) struct Simulated<'scope, T> {
    pub(crate) thread: Thread,
    task: TaskId,
    packet: Arc<Packet<'scope, T>>,
}

impl<T> Simulated<'_, T> {
    #[track_caller]
    pub(crate) fn join(self) -> real::Result<T> {
        let location = Location::caller();
        if let Some(run) = current() {
            run.host(|| {
                run.notes_wait();
                run.kernel.join(self.task, location);
                run.waited();
            });
        }
        // SAFETY: the thread has ended, so nothing else refers to the result.
        let result = unsafe { (*self.packet.result.get()).take() };
        result.unwrap_or_else(|| Err(Box::new("the thread was abandoned") as Box<dyn Any + Send>))
    }

    #[track_caller]
    pub(crate) fn is_finished(&self) -> bool {
        let location = Location::caller();
        if let Some(run) = current() {
            run.host(|| run.kernel.point(Op { kind: OpKind::Load, object: ObjectId::NONE, location }));
        }
        Arc::strong_count(&self.packet) == 1
    }
}

enum Kind<T> {
    Real(real::JoinHandle<T>, Thread),
    Simulated(Simulated<'static, T>),
}

pub struct JoinHandle<T>(Kind<T>);

// SAFETY: as for std's handle, whatever T is: the handle moves the result out and gives no references to it.
unsafe impl<T> Send for JoinHandle<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for JoinHandle<T> {}

impl<T> JoinHandle<T> {
    #[track_caller]
    pub fn join(self) -> real::Result<T> {
        match self.0 {
            Kind::Real(handle, _) => handle.join(),
            Kind::Simulated(thread) => thread.join(),
        }
    }

    #[track_caller]
    pub fn is_finished(&self) -> bool {
        match &self.0 {
            Kind::Real(handle, _) => handle.is_finished(),
            Kind::Simulated(thread) => thread.is_finished(),
        }
    }

    pub fn thread(&self) -> &Thread {
        match &self.0 {
            Kind::Real(_, thread) => thread,
            Kind::Simulated(simulated) => &simulated.thread,
        }
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle").finish_non_exhaustive()
    }
}

impl<T> std::os::unix::thread::JoinHandleExt for JoinHandle<T> {
    fn as_pthread_t(&self) -> std::os::unix::thread::RawPthread {
        match &self.0 {
            Kind::Real(handle, _) => handle.as_pthread_t(),
            // glibc takes the value for a pointer. All threads of a run are on this OS thread.
            // SAFETY: the call has no arguments.
            Kind::Simulated(_) => unsafe { libc::pthread_self() },
        }
    }

    fn into_pthread_t(self) -> std::os::unix::thread::RawPthread {
        match self.0 {
            Kind::Real(handle, _) => handle.into_pthread_t(),
            // SAFETY: the call has no arguments.
            Kind::Simulated(_) => unsafe { libc::pthread_self() },
        }
    }
}

#[track_caller]
pub fn spawn<F, T>(body: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    match Builder::new().spawn(body) {
        Ok(handle) => handle,
        Err(error) => panic!("failed to spawn thread: {error:?}"),
    }
}

#[derive(Debug)]
#[must_use = "must eventually spawn the thread"]
pub struct Builder {
    name: Option<String>,
    stack_bytes: Option<usize>,
}

impl Builder {
    #[expect(clippy::new_without_default, reason = "std's has none")]
    pub fn new() -> Self {
        Builder { name: None, stack_bytes: None }
    }

    pub fn name(self, name: String) -> Self {
        Builder { name: Some(name), ..self }
    }

    pub fn stack_size(self, bytes: usize) -> Self {
        Builder { stack_bytes: Some(bytes), ..self }
    }

    fn real(self) -> real::Builder {
        let mut builder = real::Builder::new();
        if let Some(name) = self.name {
            builder = builder.name(name);
        }
        if let Some(bytes) = self.stack_bytes {
            builder = builder.stack_size(bytes);
        }
        builder
    }

    #[track_caller]
    pub fn spawn<F, T>(self, body: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        // SAFETY: the closure and its result live as long as they must.
        unsafe { self.spawn_unchecked(body) }
    }

    /// # Safety
    /// As for std's: what the thread borrows must outlive it.
    #[track_caller]
    pub unsafe fn spawn_unchecked<F, T>(self, body: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T + Send,
        T: Send,
    {
        if let Some(run) = current() {
            // SAFETY: the caller promises that what the thread borrows outlives it.
            let spawned = unsafe { start(run, self, None, body, Location::caller()) }?;
            // SAFETY: only the lifetime changes, by the caller's promise.
            let packet = unsafe { mem::transmute::<Arc<Packet<'_, T>>, Arc<Packet<'static, T>>>(spawned.packet) };
            let (thread, task) = (spawned.thread, spawned.task);
            return Ok(JoinHandle(Kind::Simulated(Simulated { thread, task, packet })));
        }
        // SAFETY: the caller's promise is std's.
        let handle = unsafe { self.real().spawn_unchecked(body) }?;
        let thread = Thread::real(handle.thread().clone());
        Ok(JoinHandle(Kind::Real(handle, thread)))
    }

    #[track_caller]
    pub fn spawn_scoped<'scope, 'env, F, T>(
        self,
        scope: &'scope Scope<'scope, 'env>,
        body: F,
    ) -> io::Result<ScopedJoinHandle<'scope, T>>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        if let (Some(run), Some(data)) = (current(), scope.data()) {
            // SAFETY: the scope waits for its threads, so what they borrow outlives them.
            let spawned = unsafe { start(run, self, Some(Arc::clone(data)), body, Location::caller()) }?;
            return Ok(ScopedJoinHandle::simulated(spawned));
        }
        match scope.real() {
            Some(scope) => self.real().spawn_scoped(scope, body).map(ScopedJoinHandle::real),
            None => Err(io::Error::other("a scope of a run is used outside it")),
        }
    }
}

/// Starts a thread as a task. If there is no memory for its stack, it fails as `pthread_create` does and leaves nothing
/// behind.
///
/// # Safety
/// What the body and its result borrow must outlive the task.
unsafe fn start<'scope, F, T>(
    run: &'static Run,
    builder: Builder,
    scope: Option<Arc<ScopeData>>,
    body: F,
    location: &'static Location<'static>,
) -> io::Result<Simulated<'scope, T>>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    let Builder { name, stack_bytes } = builder;
    let has_null = name.as_ref().is_some_and(|name| name.contains('\0'));
    assert!(!has_null, "thread name may not contain interior null bytes");
    if let Some(scope) = &scope {
        scope.begins();
    }
    let packet = Arc::new(Packet { result: UnsafeCell::new(None), scope, borrows: PhantomData });
    let own = Arc::clone(&packet);
    let body = move || {
        let result = catch_unwind(AssertUnwindSafe(body));
        // SAFETY: the handle does not look at the result before the task has ended.
        unsafe { *own.result.get() = Some(result) };
        drop(own);
    };
    let body: Box<dyn FnOnce()> = {
        let body: Box<dyn FnOnce() + '_> = Box::new(body);
        // SAFETY: only the lifetime changes; the caller promises that what the body borrows outlives the task.
        unsafe { mem::transmute(body) }
    };
    let shown = name.clone();
    let started = run.host(|| {
        let parker = run.kernel.new_object("thread");
        // A size below the standard one is not honoured: the frames of the runtime need their share.
        let stack_bytes = stack_bytes.unwrap_or(0);
        let task = run.kernel.spawn_on(shown.as_deref(), stack_bytes, move || run.task_body(body), location)?;
        run.tasks.borrow_mut().add(std::ptr::null());
        Ok((task, parker))
    });
    let (task, parker) = match started {
        Ok(started) => started,
        Err(NoStack { body, .. }) => {
            // Dropped here, as code of the task and not of the host: destructors of captured values may use the facade.
            drop(body);
            return Err(io::Error::from_raw_os_error(libc::EAGAIN));
        }
    };
    let thread = Arc::new(SimulatedThread { task, name, parker });
    let kept = Arc::into_raw(Arc::clone(&thread));
    run.host(|| run.tasks.borrow_mut().of(task).thread = kept);
    Ok(Simulated { thread: Thread::simulated(thread), task, packet })
}

/// Runs the first task of a run, whose thread has this name.
pub(crate) fn run_first_task(run: &'static Run, name: &str, body: impl FnOnce()) {
    let parker = run.kernel.new_object("thread");
    run.tasks.borrow_mut().add(std::ptr::null());
    run.enter();
    let thread = Arc::new(SimulatedThread { task: TaskId::MAIN, name: Some(name.to_owned()), parker });
    let kept = Arc::into_raw(thread);
    run.host(|| run.tasks.borrow_mut().of(TaskId::MAIN).thread = kept);
    run.notes_stack();
    body();
    run.end_task();
    run.leave();
}

impl Run {
    fn task_body(&'static self, body: Box<dyn FnOnce()>) {
        self.enter();
        self.notes_stack();
        body();
        self.end_task();
        self.leave();
    }

    /// Notes the place of the current task's stack. The frames of the task's own code are below this one.
    fn notes_stack(&'static self) {
        let here = 0_u8;
        let address = std::ptr::from_ref(std::hint::black_box(&here)).addr();
        self.host(|| {
            let task = self.task();
            self.tasks.borrow_mut().of(task).stack_from = address;
        });
    }

    /// The last step of a thread: drops its thread-local values, then its handle to itself.
    fn end_task(&'static self) {
        // In std the process aborts if a destructor panics here; the panic's message is then the finding.
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| super::local::drop_all(self))) {
            self.host(|| {
                let Finding { message, facts, .. } = self.told_panic(text_of(&*panic));
                let message = format!("the destructor of a thread-local value panics, so std aborts: {message}");
                self.fail(Finding { kind: FindingKind::Crash, message, facts });
            });
        }
        let thread = self.host(|| {
            let task = self.task();
            mem::replace(&mut self.tasks.borrow_mut().of(task).thread, std::ptr::null())
        });
        if !thread.is_null() {
            // SAFETY: the pointer came from `Arc::into_raw` at the start, and is not used again.
            drop(unsafe { Arc::from_raw(thread) });
        }
    }
}
