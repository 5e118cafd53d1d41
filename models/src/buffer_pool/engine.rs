//! The engine: pools, the table of connections, threads, start and stop (v1.5.12, engine.go, engine_unix.go,
//! nbhttp/engine.go).
//!
//! Upstream's pools are package variables. Here they belong to the engine; a run has only one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use lastref::net::{Host, thread_on};
use lastref::property::{always, sometimes};
use lastref::sync::{Condvar, Mutex};
use lastref::thread::JoinHandle;
use lastref::time::{Duration, Instant};

use super::body_reader::BodyReader;
use super::conn::{Conn, Deadline};
use super::error::NbError;
use super::kernel::{Accepted, Kernel};
use super::mempool::Mempool;
use super::plan::Plan;
use super::poller;
use super::request::Request;
use super::response::Response;
use super::sync_pool::SyncPool;
use super::task_pool::{Task, TaskPool};
use super::timer::Timer;
use super::variant::Variant;
use crate::kit::harness::{Unscheduled, impl_debug};

/// An HTTP engine: the server of a run.
pub struct Engine {
    pub(super) variant: Variant,
    pub(super) plan: Plan,
    /// The host of its threads on a simulated network; `None` in memory.
    host: Option<Host>,
    /// The kernel below it.
    pub kernel: Kernel,
    /// `BodyAllocator`; also used in place of `DefaultMemPool`.
    pub body_allocator: Mempool,
    pub(super) body_reader_pool: SyncPool<Arc<BodyReader>>,
    pub(super) request_pool: SyncPool<Arc<Request>>,
    pub(super) response_pool: SyncPool<Arc<Response>>,
    pub(super) task_pool: TaskPool,
    pub(super) timer: Timer,
    conns_unix: Mutex<Vec<Option<Arc<Conn>>>>,
    wg_conn: WaitGroup,
    conns: AtomicU32,
    /// The number of body readers created so far; it numbers them in tables.
    pub(super) readers: AtomicU32,
    /// The threads that are still to be joined: harness state, not the component's.
    threads: Unscheduled<Threads>,
}

#[derive(Default)]
struct Threads {
    listener: Option<JoinHandle<()>>,
    pollers: Vec<JoinHandle<()>>,
    workers: Vec<JoinHandle<()>>,
    timer: Option<JoinHandle<()>>,
    goroutines: Vec<JoinHandle<()>>,
}

impl Engine {
    /// `NewEngine` and `Start`.
    pub fn start(variant: Variant, plan: &Plan) -> Arc<Engine> {
        Engine::start_on(variant, plan, None)
    }

    /// Like [`Engine::start`], with the threads on `host` if there is one.
    pub(super) fn start_on(variant: Variant, plan: &Plan, host: Option<Host>) -> Arc<Engine> {
        let engine = Arc::new(Engine {
            variant,
            plan: plan.clone(),
            host,
            kernel: Kernel::new(plan),
            body_allocator: Mempool::new(plan.allocator, plan.audit, variant, plan.pick),
            body_reader_pool: SyncPool::new("bodyReaderPool", plan.pick),
            request_pool: SyncPool::new("requestPool", plan.pick),
            response_pool: SyncPool::new("responsePool", plan.pick),
            task_pool: TaskPool::new(),
            timer: Timer::new(plan.threads.timer),
            conns_unix: Mutex::named("connsUnix", Vec::new()),
            wg_conn: WaitGroup::new(),
            conns: AtomicU32::new(0),
            readers: AtomicU32::new(0),
            threads: Unscheduled::default(),
        });
        let pollers = plan.threads.pollers as usize;
        let threads = Threads {
            pollers: (0..pollers)
                .map(|index| {
                    let name = format!("poller.{index}");
                    engine.spawn(name, move |engine| poller::read_write_loop(engine, (index, pollers)))
                })
                .collect(),
            workers: (0..plan.threads.workers)
                .map(|index| engine.spawn(format!("taskpool.{index}"), |engine| engine.task_pool.work()))
                .collect(),
            timer: plan.threads.timer.then(|| engine.spawn("timer".to_owned(), |engine| engine.timer.run())),
            listener: plan.threads.listener.then(|| engine.spawn("listener".to_owned(), poller::listen)),
            goroutines: Vec::new(),
        };
        *engine.threads.lock() = threads;
        engine
    }

    /// Starts a thread of the engine's process.
    pub(super) fn spawn(
        self: &Arc<Self>,
        name: String,
        body: impl FnOnce(&Arc<Engine>) + Send + 'static,
    ) -> JoinHandle<()> {
        let engine = Arc::clone(self);
        thread_on(self.host, &name, move || body(&engine))
    }

    /// `AddConnNonTLSNonBlocking`, `AddConn` and `addConn`: adds an accepted connection.
    pub fn add_conn(self: &Arc<Self>, Accepted { fd, socket, peer }: Accepted) {
        let conn = Conn::new(self, self.conns.fetch_add(1, Ordering::Relaxed), fd, socket, peer);
        self.wg_conn.add();
        let mut table = self.conns_unix.lock();
        if table.len() <= fd {
            table.resize(fd + 1, None);
        }
        always("a descriptor belongs to one open connection", table[fd].is_none());
        table[fd] = Some(Arc::clone(&conn));
        drop(table);
        self.kernel.add_read(fd);
        if let Some(ms) = self.plan.keepalive_ms {
            conn.set_deadline(Deadline::Read, Instant::now() + Duration::from_millis(ms));
        }
    }

    /// `getConn`.
    pub fn get_conn(&self, fd: usize) -> Option<Arc<Conn>> {
        self.conns_unix.lock().get(fd).cloned().flatten()
    }

    /// `deleteConn`: removes the connection from the table and queues `onClose`, which cleans up after the jobs before
    /// it.
    pub(super) fn delete_conn(self: &Arc<Self>, conn: &Arc<Conn>) {
        let mut table = self.conns_unix.lock();
        if let Some(place) = table.get_mut(conn.fd) {
            let _ = place.take_if(|other| other.id == conn.id);
        }
        drop(table);
        let (engine, conn) = (Arc::clone(self), Arc::clone(conn));
        self.go_async(Box::new(move || {
            let cleaned = Arc::clone(&conn);
            conn.must_execute(Box::new(move || {
                cleaned.parser.close_and_clean(&cleaned);
                cleaned.set_cleaned();
                Ok(())
            }));
            engine.wg_conn.done();
        }));
    }

    /// `g.Async`.
    fn go_async(&self, task: Task) {
        if let Some(task) = self.timer.call(task) {
            self.task_pool.go(task);
        }
    }

    /// Starts a goroutine of the application; [`Engine::join_goroutines`] waits for it.
    pub(super) fn goroutine(self: &Arc<Self>, body: impl FnOnce(&Arc<Engine>) + Send + 'static) {
        let started = self.spawn("goroutine".to_owned(), body);
        self.threads.lock().goroutines.push(started);
    }

    /// Waits for the application's goroutines.
    pub(super) fn join_goroutines(&self) {
        let next = || self.threads.lock().goroutines.pop();
        while let Some(goroutine) = next() {
            goroutine.join();
        }
    }

    /// Runs a garbage collection.
    pub(super) fn collect(&self) {
        let dropped = self.body_allocator.collect()
            + self.body_reader_pool.collect()
            + self.request_pool.collect()
            + self.response_pool.collect();
        sometimes("a garbage collection empties a pool", dropped > 0);
    }

    /// `Stop`: closes the listener and every connection, waits for them, ends the threads. Safe to call twice.
    pub(super) fn stop(self: &Arc<Self>) {
        self.kernel.close_listener();
        // Deviates: upstream does not wait for the listener here. A connection that it has just accepted may not be in
        // the table yet. It is then not closed below, and possibly not counted in `wg_conn` either.
        if self.variant != Variant::StopMissesAcceptedConn {
            let listener = self.threads.lock().listener.take();
            listener.into_iter().for_each(JoinHandle::join);
        }
        self.stop_conns();
        self.kernel.stop_pollers();
        let threads = self.threads.take();
        threads.pollers.into_iter().chain(threads.listener).for_each(JoinHandle::join);
        self.timer.end();
        threads.timer.into_iter().for_each(JoinHandle::join);
        self.task_pool.stop();
        threads.workers.into_iter().for_each(JoinHandle::join);
        // Handlers that were still queued may have started more goroutines.
        threads.goroutines.into_iter().for_each(JoinHandle::join);
        self.join_goroutines();
        always("connsUnix is empty when the engine has stopped", self.conns_unix.lock().iter().all(Option::is_none));
        always("every descriptor is closed when the engine has stopped", self.kernel.all_closed());
        self.check_pools();
    }

    fn stop_conns(self: &Arc<Self>) {
        let conns: Vec<Arc<Conn>> = self.conns_unix.lock().iter().flatten().cloned().collect();
        for conn in conns {
            sometimes("the engine is stopped under a connection", true);
            self.go_async(Box::new(move || conn.close_with_error(NbError::Closed)));
        }
        self.wg_conn.wait();
    }

    /// Checks that no pool holds an object twice.
    fn check_pools(&self) {
        if self.plan.audit.objects() {
            let readers = self.body_reader_pool.items();
            let once =
                readers.iter().all(|reader| self.body_reader_pool.count(|other| Arc::ptr_eq(reader, other)) == 1);
            always("bodyReaderPool holds a reader once", once);
        }
        if self.plan.audit.buffers() {
            always("a pool of buffers holds an array once", !self.body_allocator.has_duplicates());
        }
    }
}

impl_debug!(Engine { variant });

/// `sync.WaitGroup` of the connections whose close is not complete.
struct WaitGroup {
    count: Mutex<usize>,
    zero: Condvar,
}

impl WaitGroup {
    fn new() -> WaitGroup {
        WaitGroup { count: Mutex::named("wgConn", 0), zero: Condvar::named("wgConn") }
    }

    fn add(&self) {
        *self.count.lock() += 1;
    }

    fn done(&self) {
        let mut count = self.count.lock();
        always("wgConn has one Done for each Add", *count > 0);
        *count = count.saturating_sub(1);
        if *count == 0 {
            self.zero.notify_all();
        }
    }

    fn wait(&self) {
        drop(self.zero.wait_while(self.count.lock(), |count| *count > 0));
    }
}
