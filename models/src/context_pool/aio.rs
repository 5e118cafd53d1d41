//! `nni_aio`: one asynchronous operation at a time, with its result, its message and its callback.
//!
//! Upstream: v1.10.1, aio.c, with 784bfd66 and 3ca7bcc0.
//!
//! ```text
//! idle ──begin──► begun ──schedule──► scheduled ──finish──► finished ──callback──► idle
//!   │               │ ▲                   │ ▲
//!   │ a_stop:       │ └ abort: a_abort,   │ └ abort, expiry, close, stop: take (fn, arg)
//!   │ ECANCELED,    │   so that schedule  │   under eq_mtx, unlock, call fn, which finishes
//!   ▼ no callback   ▼   refuses           ▼   if the provider still has the aio
//! refused         finish (no wait needed)
//! ```
//!
//! The provider (protocol or transport) finishes each begun operation exactly once. The consumer keeps the aio until it
//! has been stopped. `close` forbids new operations and cancels the current one; `stop` also waits for the callback;
//! `free` also releases the memory.
//!
//! Left out: inputs, outputs and scatter lists; `nni_aio_set_expire`; the choice among several expiration queues (there
//! is one). A scenario cannot observe a wrong count of bytes.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};

use lastref::cell::RaceCell;
use lastref::ledger::{Owner, Resource, Slot};
use lastref::property::{always, sometimes};
use lastref::time::Duration;

use super::cancel::{Cancel, Taken};
use super::errno::{Errno, Outcome, from_code, to_code};
use super::expire::{Expire, ExpireQueue, Locked};
use super::library::Nng;
use super::message::Message;
use super::reap::Reaper;
use super::task::{Callback, Task};
use super::variant::Variant;
use crate::kit::harness::impl_debug;

/// `a_timeout`: how long an operation may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timeout {
    /// `NNG_DURATION_INFINITE`.
    Infinite,
    /// `NNG_DURATION_ZERO`: fails instead of waiting.
    Zero,
    /// This long after its start.
    After(Duration),
}

/// `nni_aio`.
pub struct Aio {
    pub(super) owner: Owner,
    pub(super) memory: Resource,
    operation: Slot,
    variant: Variant,
    a_task: Arc<Task>,
    a_expire_q: Arc<ExpireQueue>,
    reaper: Arc<Reaper>,
    pub(super) id: u32,
    a_msg: RaceCell<Option<Message>>,
    /// Read without a lock, as in C. It is an integer, so a race can give a wrong value but not an invalid one.
    a_result: AtomicU32,
    a_timeout: RaceCell<Timeout>,
}

impl Aio {
    /// `nni_aio_alloc`. The callback is a part of the aio, so it must not hold a strong reference to it.
    pub fn alloc(nng: &Nng, cb: Option<Callback>) -> Arc<Aio> {
        let id = nng.next_aio();
        let owner = Owner::new("nni_aio", id);
        let memory = Resource::acquire("nni_aio", owner);
        Arc::new(Aio {
            owner,
            memory,
            operation: Slot::new("nni_aio", owner),
            variant: nng.variant,
            a_task: Task::new(&nng.tq, memory, cb),
            a_expire_q: Arc::clone(&nng.eq),
            reaper: Arc::clone(&nng.reaper),
            id,
            a_msg: RaceCell::named("a_msg", None),
            a_result: AtomicU32::new(0),
            a_timeout: RaceCell::named("a_timeout", Timeout::Infinite),
        })
    }

    /// An aio of a pipe, whose callback is a method of that pipe and uses its memory.
    pub(super) fn of<P: Send + Sync + 'static>(
        nng: &Nng,
        pipe: &Weak<P>,
        (memory, owner): (Resource, Owner),
        cb: fn(&P),
    ) -> Arc<Aio> {
        let pipe = Weak::clone(pipe);
        let callback = move || {
            memory.touch(owner);
            pipe.upgrade().iter().for_each(|pipe| cb(pipe));
        };
        Aio::alloc(nng, Some(Box::new(callback)))
    }

    /// `nni_aio_set_timeout`: applies to operations that begin after the call.
    pub fn set_timeout(&self, timeout: Timeout) {
        self.a_timeout.set(timeout);
    }

    /// `nni_aio_result`: the result of the last operation.
    ///
    /// # Errors
    ///
    /// The error with which the operation ended.
    pub fn result(&self) -> Outcome {
        from_code(self.a_result.load(Ordering::Relaxed))
    }

    /// `nni_aio_set_msg`: the message and the reference of `from` go to this aio.
    #[track_caller]
    pub fn set_msg(&self, from: Owner, msg: Message) {
        msg.pass(from, self.owner);
        self.a_msg.with_mut(|a_msg| *a_msg = Some(msg));
    }

    /// `nni_aio_set_msg`, with a reference that this aio already holds.
    pub(super) fn put_msg(&self, msg: Message) {
        self.a_msg.with_mut(|a_msg| *a_msg = Some(msg));
    }

    /// `nni_aio_get_msg` and `nni_aio_set_msg(NULL)`: the message and its reference go to `to`.
    #[track_caller]
    pub fn take_msg(&self, to: Owner) -> Option<Message> {
        self.memory.touch(to);
        let msg = self.a_msg.with_mut(Option::take);
        if let Some(msg) = &msg {
            msg.pass(self.owner, to);
        }
        msg
    }

    /// `nni_aio_get_msg`: returns the pointer and does not move the reference.
    pub(super) fn peek_msg(&self) -> Option<Message> {
        self.a_msg.with(Option::clone)
    }

    /// Takes the message off the aio and frees it.
    pub(super) fn free_msg(&self) {
        if let Some(msg) = self.a_msg.with_mut(Option::take) {
            msg.free(self.owner);
        }
    }

    /// `nni_aio_begin`.
    ///
    /// # Errors
    ///
    /// `NNG_ECANCELED` if the aio was stopped. Then no operation begins and no callback runs.
    pub(super) fn begin(&self) -> Outcome {
        self.memory.touch(self.owner);
        let mut eq = self.a_expire_q.lock();
        let locked = eq.of(self.id);
        always("an nni_aio that begins an operation has none scheduled", locked.a_cancel.is_none());
        locked.a_abort = None;
        if locked.a_stop {
            self.set_result(Err(Errno::Canceled));
            return Err(Errno::Canceled);
        }
        self.set_result(Ok(()));
        self.operation.begin(self.owner);
        self.a_task.prep();
        Ok(())
    }

    /// `nni_aio_schedule`: makes the operation wait; `cancel` can end it.
    ///
    /// # Errors
    ///
    /// `NNG_ETIMEDOUT` if it may not wait, `NNG_ECLOSED` if the aio was stopped, the abort's code if it was aborted
    /// since it began. The provider then finishes it with that error.
    pub(super) fn schedule(self: &Arc<Self>, cancel: Cancel) -> Outcome {
        let expire = match self.a_timeout.get() {
            Timeout::Zero => return Err(Errno::TimedOut),
            Timeout::Infinite => None,
            Timeout::After(timeout) => Some(Expire::timeout(timeout)),
        };
        self.schedule_until(expire, cancel)
    }

    fn schedule_until(self: &Arc<Self>, expire: Option<Expire>, cancel: Cancel) -> Outcome {
        self.memory.touch(self.owner);
        let mut eq = self.a_expire_q.lock();
        let locked = eq.of(self.id);
        if let Some(rv) = locked.a_abort {
            sometimes("an abort comes between begin and schedule", true);
            return Err(rv);
        }
        if locked.a_stop {
            return Err(Errno::Closed);
        }
        locked.a_cancel = Some(cancel);
        if let Some(expire) = expire {
            self.a_expire_q.add(&mut eq, self, expire);
        }
        Ok(())
    }

    /// `nni_sleep_aio`: an operation that succeeds when its time has passed.
    pub(super) fn sleep(self: &Arc<Self>, time: Duration) {
        if self.begin().is_err() {
            return;
        }
        let id = self.id;
        let cancel = Cancel::new(move |aio: &Arc<Aio>, rv| {
            // upstream: nni_sleep_cancel. Only the caller that clears a_sleep finishes the aio.
            let mut eq = aio.a_expire_q.lock();
            let sleeping = std::mem::take(&mut eq.of(id).a_sleep);
            eq.remove(id);
            drop(eq);
            if sleeping {
                aio.finish(rv);
            }
        });
        self.a_expire_q.lock().of(id).a_sleep = true;
        if let Err(rv) = self.schedule_until(Some(Expire::sleep(time)), cancel) {
            self.finish(Err(rv));
        }
    }

    /// Removes the cancel function: the provider no longer has the aio, and will finish it without its lock.
    ///
    /// Deviates: upstream leaves the cancel function in place until `nni_aio_finish`. In between, the context can be
    /// closed and freed, since it no longer finishes the aio. A stop of the aio then calls the function with the freed
    /// context (upstream's main branch still does).
    pub(super) fn detach(&self) {
        if self.variant != Variant::DetachedAioKeepsCancelFn {
            let mut eq = self.a_expire_q.lock();
            eq.remove(self.id);
            eq.of(self.id).a_cancel = None;
        }
    }

    /// `nni_aio_finish`: the callback runs on the task queue.
    pub(super) fn finish(&self, result: Outcome) {
        self.finish_impl(result);
        self.a_task.dispatch();
    }

    /// `nni_aio_finish_sync`: the callback runs on this thread, which must hold no lock.
    pub(super) fn finish_sync(&self, result: Outcome) {
        self.finish_impl(result);
        self.a_task.exec();
    }

    fn finish_impl(&self, result: Outcome) {
        self.operation.complete(self.owner);
        self.memory.touch(self.owner);
        let mut eq = self.a_expire_q.lock();
        eq.remove(self.id);
        let locked = eq.of(self.id);
        locked.a_cancel = None;
        locked.a_sleep = false;
        self.set_result(result);
    }

    /// `nni_aio_abort`: ends the operation with `rv`, if there is one that can be ended.
    pub fn abort(self: &Arc<Self>, rv: Errno) {
        self.memory.touch(self.owner);
        let mut eq = self.a_expire_q.lock();
        eq.remove(self.id);
        let taken = take(eq.of(self.id));
        if taken.is_none() && self.variant != Variant::DoubleFinishAbortWindow {
            // upstream: 3ca7bcc0. The operation is not scheduled yet, so `schedule` must refuse it.
            eq.of(self.id).a_abort = Some(rv);
            // Deviates: upstream keeps the code in a_result. But the aio may be finished while its callback is still
            // pending. The callback then sees a failure in place of the success, and leaks the received message.
            if self.variant == Variant::AbortOverwritesResult {
                self.set_result(Err(rv));
            }
        }
        drop(eq);
        self.cancel(taken, Err(rv));
    }

    /// `nni_aio_cancel`.
    pub fn cancel_operation(self: &Arc<Self>) {
        self.abort(Errno::Canceled);
    }

    /// `nni_aio_close`: no operation begins after this, and the one under way is cancelled. Does not wait.
    pub(super) fn close(self: &Arc<Self>) {
        self.memory.touch(self.owner);
        let mut eq = self.a_expire_q.lock();
        eq.remove(self.id);
        let locked = eq.of(self.id);
        locked.a_stop = true;
        let taken = take(locked);
        drop(eq);
        self.cancel(taken, Err(Errno::Closed));
    }

    /// `nni_aio_stop`: like `nni_aio_close`, and waits for the callback. Must not be called from the callback.
    pub fn stop(self: &Arc<Self>) {
        let taken = self.stop_and_take_cancel();
        self.cancel(taken, Err(Errno::Canceled));
        self.wait();
    }

    /// `nni_aio_wait`: waits for the end of the operation and of its callback.
    pub fn wait(&self) {
        self.memory.touch(self.owner);
        self.a_task.wait();
    }

    /// `nni_aio_busy`: true while an operation or its callback is in progress.
    pub fn busy(&self) -> bool {
        self.memory.touch(self.owner);
        self.a_task.busy()
    }

    /// `nni_aio_free`: [`Aio::stop`], then the memory is released.
    pub fn free(self: &Arc<Self>) {
        let taken = self.stop_and_take_cancel();
        self.cancel(taken, Err(Errno::Closed));
        self.a_task.wait();
        self.operation.retire(self.owner);
        self.memory.release(self.owner);
    }

    /// `nni_aio_reap`: calls [`Aio::free`] on the reaper, so the aio's own callback can request it.
    pub fn reap(self: &Arc<Self>) {
        let aio = Arc::clone(self);
        self.reaper.reap(move || aio.free());
    }

    fn stop_and_take_cancel(&self) -> Option<Taken> {
        self.memory.touch(self.owner);
        let mut eq = self.a_expire_q.lock();
        eq.of(self.id).a_stop = true;
        // upstream: nni_aio_fini, and since 784bfd66 nni_aio_stop. Deviates: the variant leaves out both waits, because
        // in this model every stop of an aio is followed by its free.
        if self.variant != Variant::StopIgnoresExpiring {
            while eq.of(self.id).a_expiring {
                sometimes("an aio is stopped while it expires", true);
                eq = self.a_expire_q.wait(eq);
            }
        }
        eq.remove(self.id);
        take(eq.of(self.id))
    }

    fn cancel(self: &Arc<Self>, taken: Option<Taken>, rv: Outcome) {
        match taken {
            Some(taken) => taken.call(self, rv),
            // upstream: v1.10.1 nni_aio_abort, close, stop and fini call nni_task_abort here. That ends the wait for
            // the operation, but the provider does not learn of it and completes the operation a second time.
            None if self.variant == Variant::DoubleFinishAbortWindow && self.a_task.abort() => {
                self.operation.complete(self.owner);
            }
            None => {}
        }
    }

    fn set_result(&self, result: Outcome) {
        self.a_result.store(to_code(result), Ordering::Relaxed);
    }
}

fn take(locked: &mut Locked) -> Option<Taken> {
    locked.a_cancel.take().map(Cancel::taken)
}

impl_debug!(Aio { owner });

/// `nni_aio_completions`: aios to be finished once the lock is dropped, last one first, as upstream links them.
#[derive(Debug, Default)]
pub(super) struct Completions(Vec<Arc<Aio>>);

impl Completions {
    /// `nni_aio_completions_add` with a result of 0, the only result that the modelled protocols use.
    pub(super) fn add(&mut self, aio: Arc<Aio>) {
        aio.detach();
        self.0.push(aio);
    }

    /// `nni_aio_completions_run`, with no lock held.
    pub(super) fn run(mut self) {
        while let Some(aio) = self.0.pop() {
            aio.finish_sync(Ok(()));
        }
    }
}
