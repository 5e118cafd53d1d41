//! Hosts, and the code that runs on them: tasks, threads, and software that restarts with the host.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use super::software::{Running, Software};
use super::wire;
use crate::session::with_log;
use crate::task;
use crate::task::{Body, Kind, Task, TaskState};
use crate::thread::{self, JoinHandle};

/// A host of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Host(usize);

impl Host {
    pub(super) fn named(name: &str) -> Option<Host> {
        wire::with(|wire| wire.hosts.iter().position(|host| host.name == name)).map(Host)
    }

    pub(super) fn at(index: usize) -> Host {
        Host(index)
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

    /// Runs a future on this host, on a new task whose name in tables is `host/name`.
    ///
    /// A scheduling point, except within a poll: there the new task is only enqueued, so that code
    /// that holds a std lock may spawn.
    #[track_caller]
    pub fn spawn<T: Send + 'static>(self, name: &str, future: impl Future<Output = T> + Send + 'static) -> Task<T> {
        self.start(name, Kind::Ordinary, future)
    }

    /// Like [`Host::spawn`], for a task that does not end by itself, such as an accept loop: once every other task has
    /// ended, the network ends it as [`Task::abort`] does.
    #[track_caller]
    pub fn daemon<T: Send + 'static>(self, name: &str, future: impl Future<Output = T> + Send + 'static) -> Task<T> {
        self.start(name, Kind::Daemon, future)
    }

    /// Runs the future of `software`, as a [daemon](Host::daemon), and a new one after each [`Host::restart`].
    #[track_caller]
    pub fn software<F>(self, name: &str, software: impl Fn() -> F + Send + Sync + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let software = Software { name: name.to_owned(), make: Arc::new(move || Box::pin(software()) as Running) };
        wire::with(|wire| wire.hosts[self.0].software.push(software.clone()));
        self.daemon(name, (software.make)());
    }

    #[track_caller]
    fn start<T: Send + 'static>(
        self,
        name: &str,
        kind: Kind,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Task<T> {
        let life = self.register(name, kind);
        self.start_as(name, life, future)
    }

    /// Adds a task of this host that has not started yet. It may be killed already.
    #[track_caller]
    fn register(self, name: &str, kind: Kind) -> Arc<TaskState> {
        let life = TaskState::new(format!("{}/{name}", self.name()), kind);
        wire::with(|wire| wire.tasks.push((self.0, Arc::clone(&life))));
        life
    }

    #[track_caller]
    fn start_as<T: Send + 'static>(
        self,
        name: &str,
        life: Arc<TaskState>,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Task<T> {
        let body = Body::new(&life);
        let output = body.output();
        let handle = body.start(self.builder(name), move || self.settle(), future);
        Task::new(handle, life, output)
    }

    /// Runs a future to its end on the calling task, which belongs to this host until then.
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

    /// Runs a closure on this host, on a new task whose name in tables is `host/name`: blocking model code, which may
    /// use [`task::block_on`] for futures.
    #[track_caller]
    pub fn thread<T: Send + 'static>(self, name: &str, body: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
        self.builder(name).spawn(move || {
            self.settle();
            body()
        })
    }

    fn builder(self, name: &str) -> thread::Builder {
        thread::Builder::new().name(format!("{}/{name}", self.name()))
    }

    /// Assigns the current task to this host.
    fn settle(self) {
        let task = wire::task();
        wire::with(|wire| wire.host_of_task.insert(task, self.0));
        let host = self.name();
        with_log(|log| log.settle(host));
    }

    /// Crashes the host. Its packets in both directions are lost from now on. Its tasks end, and their futures are
    /// dropped. Its peers receive no notice. Threads that belong to it continue without a network.
    pub fn crash(self) {
        wire::with(|wire| {
            wire.restarts.forget(self.0);
            wire.take_down(self.0, |_| true);
        });
        self.end_tasks();
    }

    /// Ends its tasks, and drops their futures.
    pub(super) fn end_tasks(self) {
        wire::with(|wire| wire.tasks_of(self.0)).iter().for_each(|task| task.kill());
    }

    /// Restarts the host, with the same address and without connections. Packets of an old connection are answered with
    /// RST. Its [software](Host::software) runs from the beginning, once the futures of the crashed host are dropped.
    /// If the host is up, it crashes first.
    #[track_caller]
    pub fn restart(self) {
        if !wire::with(|wire| wire.hosts[self.0].is_down) {
            self.crash();
        }
        let (software, old) = wire::with(|wire| {
            wire.bring_up(self.0);
            let mut old = wire.tasks_of(self.0);
            old.retain(|task| task.is_killed() && !task.has_ended());
            (wire.hosts[self.0].software.clone(), old)
        });
        // All of them before the first starts, which is a scheduling point: a crash, or the end of the network's body,
        // may come there, and ends them all.
        let lives: Vec<_> = software.iter().map(|software| self.register(&software.name, Kind::Daemon)).collect();
        for (Software { name, make }, life) in software.into_iter().zip(lives) {
            let old = old.clone();
            self.start_as(&name, life, async move {
                // Their sockets are closed only then. Until then, the ports that the software binds may still be in
                // use.
                for task in old {
                    task.end().await;
                }
                make().await;
            });
        }
    }
}

/// Runs a closure on a new task: on this host, or, without a network, as an ordinary thread. For model code that runs
/// with and without a network.
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

/// The host of the calling task.
pub(super) fn current() -> usize {
    let task = wire::task();
    match wire::with(|wire| wire.host_of_task.get(&task).copied()) {
        Some(host) => host,
        None => super::misused("only a task that was spawned on a host can create a socket"),
    }
}
