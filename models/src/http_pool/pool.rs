//! The pool: idle connections by key, requests that wait for one, and connects that are under way.
//!
//! Upstream (hyper-util, client/legacy/pool.rs): `Pool::{checkout, connecting, pooled, reuse}`, `PoolInner::{put,
//! connected, clean_waiters}`, `IdlePopper::pop`, and the `Drop` of `Pooled`, `Checkout` and `Connecting`. The drops
//! are methods here, so that each has an owner in the ledger.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use lastref::ledger::Owner;
use lastref::property::{always, sometimes};
use lastref::sync::Mutex;
use lastref::time::{Duration, Instant};

use super::conn::{Handle, Ver};
use super::mailbox::{ConnectEnd, Mailbox, RequestEvent};
use super::variant::Variant;

/// `PoolKey`: here the number of an address.
pub(super) type Key = u32;

/// The pool.
#[derive(Debug)]
pub(super) struct Pool {
    variant: Variant,
    max_idle: usize,
    timeout: Option<Duration>,
    inner: Mutex<Inner>,
}

/// `PoolInner`.
#[derive(Debug, Default)]
struct Inner {
    connecting: BTreeSet<Key>,
    idle: BTreeMap<Key, Vec<Idle>>,
    waiters: BTreeMap<Key, VecDeque<Arc<Mailbox>>>,
    /// The last `Client` is dropped: a connect that ends later finds no pool.
    is_closed: bool,
}

#[derive(Debug)]
struct Idle {
    idle_at: Option<Instant>,
    value: Handle,
}

/// `Connecting`: over HTTP/2 the only one of its key. It must be given to [`Pool::pooled`] or [ended](Connecting::end).
#[derive(Debug)]
pub(super) struct Connecting {
    pub(super) key: Key,
    pub(super) ver: Ver,
    pub(super) pool: Arc<Pool>,
}

const IDLE: Owner = Owner::new("pool.idle", 0);

impl Pool {
    pub(super) fn new(variant: Variant, max_idle: usize, timeout: Option<Duration>) -> Arc<Pool> {
        Arc::new(Pool { variant, max_idle, timeout, inner: Mutex::named("pool", Inner::default()) })
    }

    /// `Checkout::checkout`: returns an idle connection, or adds the request to the waiters.
    pub(super) fn checkout(&self, key: Key, mailbox: &Arc<Mailbox>) -> Option<Handle> {
        let mut inner = self.inner.lock();
        let found = inner.idle.get_mut(&key).and_then(|list| self.pop(list));
        if inner.idle.get(&key).is_some_and(Vec::is_empty) {
            inner.idle.remove(&key);
        }
        if found.is_none() {
            mailbox.wait_for_pool();
            inner.waiters.entry(key).or_default().push_back(Arc::clone(mailbox));
        }
        found.map(|handle| handle.pass(mailbox.owner))
    }

    /// `IdlePopper::pop`.
    fn pop(&self, list: &mut Vec<Idle>) -> Option<Handle> {
        while let Some(entry) = list.pop() {
            let is_open = entry.value.is_open();
            // upstream: hyperium/hyper#1429, for which `is_open` was added
            if !is_open && self.variant != Variant::ClosedHandedOut {
                sometimes("the pool finds an idle connection closed", true);
                entry.value.release();
                continue;
            }
            always("the pool hands out no connection that is known to be closed", is_open);
            let age = entry.idle_at.map(|idle_at| Instant::now().saturating_duration_since(idle_at));
            if age.zip(self.timeout).is_some_and(|(age, timeout)| age > timeout) {
                sometimes("an idle connection is too old", true);
                entry.value.release();
                continue;
            }
            if !entry.value.can_share() {
                return Some(entry.value);
            }
            let checked_out = entry.value.share(Owner::new("pool.checkout", 0));
            list.push(Idle { idle_at: self.now(), ..entry });
            return Some(checked_out);
        }
        None
    }

    fn now(&self) -> Option<Instant> {
        self.timeout.map(|_| Instant::now())
    }

    /// `Pool::connecting`. Over HTTP/2, `None` if a connect to the key is already in progress, since its connection can
    /// be shared.
    pub(super) fn connecting(self: &Arc<Self>, key: Key, ver: Ver) -> Option<Connecting> {
        let is_first = ver == Ver::Http1 || self.inner.lock().connecting.insert(key);
        is_first.then(|| Connecting { key, ver, pool: Arc::clone(self) })
    }

    /// `Pool::pooled`: gives a new connection to `holder`. If it can be shared, the pool keeps a handle too.
    #[track_caller]
    pub(super) fn pooled(&self, connecting: Connecting, handle: Handle, holder: Owner) -> Handle {
        let Connecting { key, ver, .. } = connecting;
        let handle = handle.pass(holder);
        if ver == Ver::Http2 {
            let to_insert = handle.share(IDLE);
            let mut inner = self.inner.lock();
            self.put(&mut inner, key, to_insert);
            self.connected(&mut inner, key, ConnectEnd::Connected);
        }
        handle
    }

    /// `Drop for Pooled`.
    #[track_caller]
    pub(super) fn drop_pooled(&self, key: Key, handle: Handle) {
        if handle.is_open() && !handle.can_share() {
            let mut inner = self.inner.lock();
            return self.put(&mut inner, key, handle.pass(IDLE));
        }
        handle.release();
    }

    /// `PoolInner::put`.
    fn put(&self, inner: &mut Inner, key: Key, value: Handle) {
        if inner.is_closed {
            return value.release();
        }
        if value.can_share() && inner.idle.contains_key(&key) {
            sometimes("a shared connection is in the pool already", true);
            return value.release();
        }
        let mut value = Some(value);
        let waiters = inner.waiters.entry(key).or_default();
        while value.is_some()
            && let Some(waiter) = waiters.pop_front()
        {
            if waiter.is_waiting() {
                value = value.and_then(|value| self.hand(value, &waiter));
            }
        }
        if waiters.is_empty() {
            inner.waiters.remove(&key);
        }
        let Some(value) = value else { return };
        let idle = inner.idle.entry(key).or_default();
        if idle.len() >= self.max_idle {
            sometimes("the pool is full", true);
            return value.release();
        }
        idle.push(Idle { idle_at: self.now(), value });
    }

    /// Gives a connection to a waiter; returns the handle that is left for the next waiter, if any.
    fn hand(&self, value: Handle, waiter: &Arc<Mailbox>) -> Option<Handle> {
        let (kept, sent) = match value.can_share() {
            true => (Some(value.share(IDLE)), value),
            false => (None, value),
        };
        match waiter.send(RequestEvent::Handed(sent.pass(waiter.owner))) {
            Ok(()) => kept,
            Err(RequestEvent::Handed(returned)) => {
                sometimes("a waiter is cancelled while it is handed a connection", true);
                if self.variant == Variant::HandedToCancelled {
                    return kept;
                }
                kept.into_iter().for_each(Handle::release);
                Some(returned.pass(IDLE))
            }
            Err(_) => lastref::bug!("a channel gives back what was not sent"),
        }
    }

    /// `PoolInner::connected`: notifies the requests that still wait that they get no connection from this connect.
    fn connected(&self, inner: &mut Inner, key: Key, why: ConnectEnd) {
        if why != ConnectEnd::Cancelled || self.variant != Variant::ConnectingKept {
            inner.connecting.remove(&key);
        }
        for waiter in inner.waiters.remove(&key).unwrap_or_default() {
            // A waiter that has gone meanwhile needs no message.
            let _ = waiter.send(RequestEvent::NotWanted(why));
        }
    }

    /// `Drop for Checkout`: the request no longer waits for the pool, and a connection that it was handed is dropped.
    pub(super) fn drop_checkout(&self, key: Key, mailbox: &Arc<Mailbox>) {
        mailbox.leave_pool();
        let mut inner = self.inner.lock();
        if let Some(waiters) = inner.waiters.get_mut(&key) {
            waiters.retain(|waiter| !Arc::ptr_eq(waiter, mailbox));
            if waiters.is_empty() {
                inner.waiters.remove(&key);
            }
        }
        drop(inner);
        for news in mailbox.take_rest() {
            match news {
                RequestEvent::Handed(handle) => handle.release(),
                RequestEvent::Connected(connecting, handle) => {
                    connecting.end(ConnectEnd::Cancelled);
                    handle.release();
                }
                RequestEvent::NotWanted(_)
                | RequestEvent::ConnectFailed
                | RequestEvent::Answer(_)
                | RequestEvent::Failed(_) => {}
            }
        }
    }

    /// Closes the pool: the last `Client` is dropped.
    pub(super) fn close(&self) {
        let mut inner = self.inner.lock();
        inner.is_closed = true;
        let idle = std::mem::take(&mut inner.idle);
        drop(inner);
        idle.into_values().flatten().for_each(|entry| entry.value.release());
    }

    /// Checks that no request waits for the pool. Must be called when no request is in progress.
    pub(super) fn check_at_rest(&self) {
        always("no request waits for the pool when none is under way", self.inner.lock().waiters.is_empty());
    }
}

impl Connecting {
    /// `Drop for Connecting`: the connect is over without a connection.
    pub(super) fn end(self, why: ConnectEnd) {
        if self.ver == Ver::Http2 {
            let mut inner = self.pool.inner.lock();
            self.pool.connected(&mut inner, self.key, why);
        }
    }
}
