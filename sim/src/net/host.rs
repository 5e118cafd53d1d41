//! Hosts, and the tasks on them.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};

use super::{task, wire};
use crate::thread::{self, JoinHandle};

/// A host of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Host(usize);

/// A task on a host.
#[derive(Debug)]
pub struct Task<T> {
    handle: JoinHandle<Option<T>>,
    killed: Arc<Kill>,
}

/// What ends a task from outside: its future is dropped the next time it is polled.
#[derive(Debug, Default)]
pub(super) struct Kill {
    /// `host/name`, for whoever asks why it has not ended.
    pub(super) name: String,
    pub(super) ended: AtomicBool,
    done: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Kill {
    fn now(&self) {
        self.done.store(true, Ordering::SeqCst);
        if let Some(waker) = self.waker.lock().unwrap_or_else(PoisonError::into_inner).take() {
            waker.wake();
        }
    }
}

impl Host {
    pub(super) fn named(name: &str) -> Option<Host> {
        wire::with(|wire| wire.hosts.iter().position(|host| host.name == name)).map(Host)
    }

    pub(super) fn index(self) -> usize {
        self.0
    }

    /// Its address with this port.
    pub fn address(self, port: u16) -> SocketAddr {
        SocketAddr::new(wire::with(|wire| wire.hosts[self.0].address), port)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        wire::with(|wire| wire.hosts[self.0].name)
    }

    /// Runs a future on this host, on a task of its own, which tables call `host/name`.
    #[track_caller]
    pub fn spawn<T: Send + 'static>(self, name: &str, future: impl Future<Output = T> + Send + 'static) -> Task<T> {
        let killed = Arc::new(Kill { name: format!("{}/{name}", self.name()), ..Kill::default() });
        let own = Arc::clone(&killed);
        wire::with(|wire| wire.tasks.push((self.0, Arc::clone(&killed))));
        let handle = self.thread(name, move || {
            let output = task::block_on(unless_killed(future, &own));
            own.ended.store(true, Ordering::SeqCst);
            output
        });
        Task { handle, killed }
    }

    /// Runs a future to its end on the task that asks, which is on this host for that time.
    #[track_caller]
    pub fn block_on<F: Future>(self, future: F) -> F::Output {
        let task = wire::task();
        let before = wire::with(|wire| wire.host_of_task.insert(task, self.0));
        let output = task::block_on(future);
        wire::with(|wire| match before {
            Some(host) => wire.host_of_task.insert(task, host),
            None => wire.host_of_task.remove(&task),
        });
        output
    }

    /// Runs a closure on this host, on a task of its own, which tables call `host/name`: model code that blocks, and that
    /// may use [`super::block_on`] for what is a future.
    #[track_caller]
    pub fn thread<T: Send + 'static>(self, name: &str, body: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
        let name = format!("{}/{name}", self.name());
        thread::Builder::new().name(name).spawn(move || {
            let task = wire::task();
            wire::with(|wire| wire.host_of_task.insert(task, self.0));
            body()
        })
    }

    /// Its packets vanish from now on, in both directions, and its tasks are ended: their futures are dropped. Nobody is
    /// told. Threads that belong to it go on; they have no network.
    pub fn crash(self) {
        let tasks = wire::with(|wire| {
            wire.hit_hosts("crash", |client, server| client == self.0 || server == self.0);
            wire.hosts[self.0].is_down = true;
            wire.tasks_of(self.0)
        });
        tasks.iter().for_each(|task| task.now());
    }

    /// It is up again, with the same address and no connections: who sends to an old one is answered by RST.
    pub fn restart(self) {
        wire::with(|wire| wire.bring_up(self.0));
    }
}

/// Runs a closure on a task of its own: on this host, or, where there is no network, as any thread. For model code that is
/// driven with a network and without.
#[track_caller]
pub fn thread_on<T: Send + 'static>(
    host: Option<Host>,
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    match host {
        Some(host) => host.thread(name, body),
        None => thread::Builder::new().name(name).spawn(body),
    }
}

async fn unless_killed<F: Future>(future: F, killed: &Kill) -> Option<F::Output> {
    let mut future = pin!(future);
    std::future::poll_fn(|context| {
        if killed.done.load(Ordering::SeqCst) {
            return Poll::Ready(None);
        }
        *killed.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(context.waker().clone());
        future.as_mut().poll(context).map(Some)
    })
    .await
}

impl<T> Task<T> {
    /// Waits until it has ended. None: it was ended before its future was done.
    #[track_caller]
    pub fn join(self) -> Option<T> {
        self.handle.join()
    }

    /// Ends it: its future is dropped at the point where it waits. It is still to be joined, or not.
    pub fn abort(&self) {
        self.killed.now();
    }

    /// Whether it has ended.
    pub fn is_finished(&self) -> bool {
        self.handle.is_finished()
    }
}

/// The host of the task that asks.
pub(super) fn current() -> usize {
    let task = wire::task();
    match wire::with(|wire| wire.host_of_task.get(&task).copied()) {
        Some(host) => host,
        None => panic!("a socket is made by a task that was spawned on a host"),
    }
}
