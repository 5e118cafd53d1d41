//! The expiration queue and its thread (v1.10.1, aio.c: `nni_aio_expire_q`).
//!
//! `eq_mtx` guards the queue and, of each aio, the cancel function and the flags that decide which thread calls it. The
//! thread marks an aio `a_expiring`, takes its cancel function, unlocks, calls it, locks, clears the mark and wakes the
//! waiters; a thread that frees the aio waits until the mark is cleared.
//!
//! Deviates: an operation expires at its time, not only after it. Virtual time advances only while tasks wait, so
//! upstream's comparison would make the thread spin. A library without timers has no such thread.

use std::collections::BTreeMap;
use std::sync::Arc;

use lastref::ledger::Owner;
use lastref::net::{Host, thread_on};
use lastref::sync::{Condvar, Mutex, MutexGuard};
use lastref::thread::JoinHandle;
use lastref::time::{Duration, Instant};

use super::aio::Aio;
use super::cancel::Cancel;
use super::errno::Errno;
use crate::kit::harness::Unscheduled;

const EXPIRE: Owner = Owner::new("nng:aio:expire", 0);

/// The fields of one aio that `eq_mtx` guards.
#[derive(Default)]
pub(super) struct Locked {
    pub(super) a_cancel: Option<Cancel>,
    pub(super) a_stop: bool,
    pub(super) a_expiring: bool,
    pub(super) a_sleep: bool,
    /// `a_abort` with its code, which upstream keeps in `a_result`.
    pub(super) a_abort: Option<Errno>,
}

/// The time at which an operation expires, and whether it then succeeds (`a_expire_ok`).
#[derive(Clone, Copy, Debug)]
pub(super) struct Expire {
    at: Instant,
    ok: bool,
}

impl Expire {
    pub(super) fn timeout(timeout: Duration) -> Expire {
        Expire { at: Instant::now() + timeout, ok: false }
    }

    pub(super) fn sleep(time: Duration) -> Expire {
        Expire { at: Instant::now() + time, ok: true }
    }
}

/// The state that `eq_mtx` guards.
#[derive(Default)]
pub(super) struct Expirations {
    aios: BTreeMap<u32, Locked>,
    eq_list: Vec<(Arc<Aio>, Expire)>,
    eq_next: Option<Instant>,
    eq_exit: bool,
}

impl Expirations {
    /// The guarded fields of this aio.
    pub(super) fn of(&mut self, aio: u32) -> &mut Locked {
        // The aio's first use creates the entry. The ledger reports a use after its free before this point.
        self.aios.entry(aio).or_default()
    }

    /// `nni_aio_expire_rm`.
    pub(super) fn remove(&mut self, aio: u32) {
        self.eq_list.retain(|(listed, _)| listed.id != aio);
    }
}

/// `nni_aio_expire_q`.
pub(super) struct ExpireQueue {
    eq_mtx: Mutex<Expirations>,
    eq_cv: Condvar,
    /// Joined once, by [`ExpireQueue::fini`]: harness state, not the component's.
    eq_thr: Unscheduled<Option<JoinHandle<()>>>,
}

impl ExpireQueue {
    /// `nni_aio_expire_q_alloc`; starts no thread if `timers` is false.
    pub(super) fn start(timers: bool, host: Option<Host>) -> Arc<ExpireQueue> {
        let queue = Arc::new(ExpireQueue {
            eq_mtx: Mutex::named("eq_mtx", Expirations::default()),
            eq_cv: Condvar::named("eq_cv"),
            eq_thr: Unscheduled::default(),
        });
        let looped = Arc::clone(&queue);
        let thread = timers.then(|| thread_on(host, "nng:aio:expire", move || looped.expire_loop()));
        *queue.eq_thr.lock() = thread;
        queue
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Expirations> {
        self.eq_mtx.lock()
    }

    pub(super) fn wait<'a>(&self, guard: MutexGuard<'a, Expirations>) -> MutexGuard<'a, Expirations> {
        self.eq_cv.wait(guard)
    }

    /// `nni_aio_expire_add`.
    pub(super) fn add(&self, eq: &mut Expirations, aio: &Arc<Aio>, expire: Expire) {
        eq.eq_list.push((Arc::clone(aio), expire));
        if eq.eq_next.is_none_or(|next| next > expire.at) {
            eq.eq_next = Some(expire.at);
            self.eq_cv.notify_all();
        }
    }

    /// `nni_aio_expire_loop`.
    fn expire_loop(&self) {
        let mut eq = self.eq_mtx.lock();
        loop {
            if eq.eq_list.is_empty() && eq.eq_exit {
                return;
            }
            let now = Instant::now();
            match eq.eq_next {
                None => {
                    eq = self.eq_cv.wait(eq);
                    continue;
                }
                Some(next) if now < next => {
                    eq = self.eq_cv.wait_timeout(eq, next - now).0;
                    continue;
                }
                Some(_) => {}
            }
            let (expired, left): (Vec<_>, Vec<_>) =
                std::mem::take(&mut eq.eq_list).into_iter().partition(|(_, expire)| expire.at <= now);
            eq.eq_next = left.iter().map(|(_, expire)| expire.at).min();
            eq.eq_list = left;
            for (aio, _) in &expired {
                // While this is set, stop and free wait.
                eq.of(aio.id).a_expiring = true;
            }
            for (aio, expire) in expired {
                let rv = if expire.ok { Ok(()) } else { Err(Errno::TimedOut) };
                if let Some(taken) = eq.of(aio.id).a_cancel.take().map(Cancel::taken) {
                    drop(eq);
                    taken.call(&aio, rv);
                    eq = self.eq_mtx.lock();
                }
                aio.memory.touch(EXPIRE);
                eq.of(aio.id).a_expiring = false;
            }
            self.eq_cv.notify_all();
        }
    }

    /// `nni_aio_expire_q_free`: called when every aio is freed.
    pub(super) fn fini(&self) {
        self.eq_mtx.lock().eq_exit = true;
        self.eq_cv.notify_all();
        self.eq_thr.take().into_iter().for_each(JoinHandle::join);
    }
}
