//! `nbio.Conn`: one connection, by its descriptor (v1.5.12, conn.go and conn_unix.go).
//!
//! Its lock guards `closed` and the job list, and is held during system calls. The kernel reuses a descriptor's number
//! as soon as it is closed, so a read through a stale number returns the next connection's octets (nbio #189).
//!
//! ```text
//! close:  mux: closed = true, timers stop ─► free the write list ─► off the table ─► Async(onClose) ─► close(fd)
//! ```
//!
//! The jobs of one connection (handler calls, and the cleanup after the close) run one after another on the task pool;
//! jobs of different connections run concurrently. After the close, `Execute` refuses a job; `MustExecute` still
//! accepts it.
//!
//! v1.2.18's `writeBuffer` became a list of buffers in v1.4, the write list; its `execList` became the job list in
//! v1.5.4. Left out: UDP, dialling, `Writev`, sendfile, one-shot and edge-triggered polling.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lastref::ledger::Owner;
use lastref::property::{always, sometimes};
use lastref::sync::{Mutex, MutexGuard};
use lastref::time::Instant;

use super::audit::Fields;
use super::conn_state::{Event, State, next};
use super::engine::Engine;
use super::error::{Errno, GoPanic, NbError};
use super::mempool::Buffer;
use super::octet::Octet;
use super::parser::Parser;
use super::timer::AlarmId;
use super::variant::Variant;
use crate::kit::harness::impl_debug;
use crate::kit::machine::happens;

/// `maxWriteCacheOrFlushSize`: 64 kB upstream.
const MAX_WRITE_CACHE: usize = 12;

/// A job of a connection; its runner logs a panic.
pub type Job = Box<dyn FnOnce() -> Result<(), GoPanic> + Send>;

/// One of a connection's two deadlines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deadline {
    /// `rTimer`.
    Read,
    /// `wTimer`.
    Write,
}

/// A connection.
pub struct Conn {
    pub(super) id: u32,
    /// Its descriptor.
    pub fd: usize,
    /// The kernel's number for the socket behind the descriptor.
    pub(super) socket: usize,
    /// The remote address, as a number.
    pub(super) peer: u32,
    pub(super) engine: Arc<Engine>,
    /// The connection's session: its parser.
    pub parser: Parser,
    mux: Mutex<ConnState>,
    /// Whether `onClose` has run. Only for a check; upstream's struct has no such field.
    cleaned: AtomicBool,
    /// Guarded by `mux` while the connection is open; afterwards only the closing thread uses it.
    write_list: Fields<VecDeque<ToWrite>>,
}

#[derive(Default)]
struct ConnState {
    state: State,
    is_w_added: bool,
    left: usize,
    job_list: Vec<Option<Job>>,
    r_timer: Option<AlarmId>,
    w_timer: Option<AlarmId>,
}

/// `toWrite`.
#[derive(Clone, Debug)]
struct ToWrite {
    buf: Buffer,
    offset: usize,
}

impl Conn {
    /// An open connection that is not in the table yet.
    pub(super) fn new(engine: &Arc<Engine>, id: u32, fd: usize, socket: usize, peer: u32) -> Arc<Conn> {
        Arc::new(Conn {
            id,
            fd,
            socket,
            peer,
            engine: Arc::clone(engine),
            parser: Parser::new(),
            cleaned: AtomicBool::new(false),
            mux: Mutex::named("Conn.mux", ConnState::default()),
            write_list: Fields::new(engine.plan.audit.objects(), "Conn.writeList", VecDeque::new()),
        })
    }

    /// The owner of this connection's pooled objects.
    pub(super) fn owner(&self) -> Owner {
        Owner::new("conn", self.id)
    }

    /// `ReadAndGetConn`.
    ///
    /// # Errors
    ///
    /// [`NbError::Closed`], or the error of the system call.
    pub fn read(&self) -> Result<Vec<Octet>, NbError> {
        // upstream: conn_unix.go Read. Without the lock, the descriptor may belong to the next connection by the time
        // of the call.
        if self.engine.variant == Variant::FdReuseNoLock {
            return self.engine.kernel.read(self.fd).map_err(NbError::Sys);
        }
        let state = self.mux.lock();
        if state.state == State::Closed {
            sometimes("a read finds its connection closed", true);
            return Err(NbError::Closed);
        }
        self.engine.kernel.read(self.fd).map_err(NbError::Sys)
    }

    /// `Write`: writes or caches all octets; on an error it closes the connection.
    ///
    /// # Errors
    ///
    /// [`NbError::Closed`], [`NbError::Overflow`], or the error of the system call.
    pub fn write(self: &Arc<Self>, octets: &[Octet]) -> Result<usize, NbError> {
        let mut state = self.mux.lock();
        if state.state == State::Closed {
            return Err(NbError::Closed);
        }
        if let Err(error) = self.write_or_cache(&mut state, octets) {
            self.set_closed(&mut state);
            drop(state);
            self.close_without_lock();
            return Err(error);
        }
        if self.write_list.with(VecDeque::is_empty) {
            self.engine.timer.stop(state.w_timer.take());
        } else if !state.is_w_added {
            state.is_w_added = true;
            self.engine.kernel.mod_write(self.fd, true);
        }
        Ok(octets.len())
    }

    fn write_or_cache(&self, state: &mut ConnState, octets: &[Octet]) -> Result<(), NbError> {
        if self.engine.plan.max_write_buffer_size.is_some_and(|size| state.left + octets.len() > size as usize) {
            sometimes("a write overflows its connection", true);
            return Err(NbError::Overflow);
        }
        let mut octets = octets;
        if self.write_list.with(VecDeque::is_empty) {
            let written = match self.engine.kernel.write(self.fd, octets) {
                Ok(written) => written,
                Err(Errno::Again) => 0,
                Err(errno) => return Err(NbError::Sys(errno)),
            };
            octets = &octets[written..];
        }
        if !octets.is_empty() {
            sometimes("a response is written in part", true);
            self.new_to_write_buf(state, octets);
            let most = self.engine.plan.max_write_buffer_size.map_or(usize::MAX, |size| size as usize);
            always("a connection buffers at most MaxWriteBufferSize for writing", state.left <= most);
        }
        Ok(())
    }

    /// `newToWriteBuf`.
    fn new_to_write_buf(&self, state: &mut ConnState, octets: &[Octet]) {
        state.left += octets.len();
        let (mempool, by) = (&self.engine.body_allocator, self.owner());
        let tail = self.write_list.with(|list| list.back().map(|tail| tail.buf.clone()));
        let Some(mut tail) = tail.filter(|tail| tail.len() + octets.len() <= MAX_WRITE_CACHE) else {
            let buf = mempool.malloc_copy(octets, by);
            return self.write_list.with_mut(|list| list.push_back(ToWrite { buf, offset: 0 }));
        };
        let (len, total) = (tail.len(), tail.len() + octets.len());
        if tail.cap() < total {
            let larger = mempool.malloc(total, by).resliced(len);
            larger.write(0, &tail.read(0, len, by), by);
            sometimes("the tail of the write list moves to a larger buffer", true);
            // upstream: conn_unix.go newToWriteBuf, before b836026.
            if self.engine.variant != Variant::WriteTailNotFreed {
                mempool.free(&tail, by);
            }
            tail = larger;
        }
        let tail = mempool.append(tail, octets, by);
        self.write_list.with_mut(|list| {
            if let Some(last) = list.back_mut() {
                last.buf = tail;
            }
        });
    }

    /// `flush`: the descriptor has become writable.
    pub fn flush(self: &Arc<Self>) {
        let mut state = self.mux.lock();
        if state.state == State::Closed {
            return;
        }
        let by = self.owner();
        let mut has_freed = false;
        while let Some(ToWrite { buf, offset }) = self.write_list.with(|list| list.front().cloned()) {
            let octets = buf.read(offset, buf.len(), by);
            match self.engine.kernel.write(self.fd, &octets) {
                Err(Errno::Again) => return,
                Err(_) => {
                    sometimes("a flush finds its peer gone", true);
                    sometimes("a flush fails after it has written a buffer", has_freed);
                    self.set_closed(&mut state);
                    return self.close_without_lock();
                }
                Ok(written) => {
                    state.left -= written;
                    let all = written == octets.len();
                    if all {
                        self.engine.body_allocator.free(&buf, by);
                    }
                    has_freed |= all;
                    self.write_list.with_mut(|list| match all {
                        true => drop(list.pop_front()),
                        false => list.iter_mut().take(1).for_each(|head| head.offset += written),
                    });
                }
            }
        }
        if state.is_w_added {
            state.is_w_added = false;
            self.engine.kernel.mod_write(self.fd, false);
        }
    }

    /// `closeWithError`, and `Close`.
    pub fn close_with_error(self: &Arc<Self>, _error: NbError) {
        let mut state = self.mux.lock();
        if state.state == State::Closed {
            return;
        }
        self.set_closed(&mut state);
        self.engine.timer.stop(state.w_timer.take());
        self.engine.timer.stop(state.r_timer.take());
        drop(state);
        self.close_without_lock();
    }

    fn set_closed(&self, state: &mut ConnState) {
        let next = next(state.state, Event::Close, self.owner());
        happens(&mut state.state, self.id, next);
    }

    /// `closeWithErrorWithoutLock`: called by the thread that has set `closed`.
    fn close_without_lock(self: &Arc<Self>) {
        let list = self.write_list.with_mut(std::mem::take);
        for to_write in &list {
            sometimes("a connection closes with something left to write", true);
            self.engine.body_allocator.free(&to_write.buf, self.owner());
        }
        self.engine.delete_conn(self);
        self.engine.kernel.close(self.fd);
    }

    /// `Execute`: false if the connection is closed.
    #[must_use]
    pub fn execute(self: &Arc<Self>, job: Job) -> bool {
        let state = self.mux.lock();
        if state.state == State::Closed {
            return false;
        }
        self.queue(state, job);
        true
    }

    /// `MustExecute`: queues the job even if the connection is closed.
    pub(super) fn must_execute(self: &Arc<Self>, job: Job) {
        self.queue(self.mux.lock(), job);
    }

    /// Appends the job to the list, and starts it if it is the first.
    fn queue(self: &Arc<Self>, mut state: MutexGuard<'_, ConnState>, job: Job) {
        if !state.job_list.is_empty() {
            sometimes("a job waits for the job before it", true);
            return state.job_list.push(Some(job));
        }
        state.job_list.push(None);
        drop(state);
        self.run_jobs(job);
    }

    /// `execute`: runs the first job, then the jobs that were queued meanwhile.
    fn run_jobs(self: &Arc<Self>, head: Job) {
        let conn = Arc::clone(self);
        self.engine.task_pool.go(Box::new(move || {
            let (mut job, mut done) = (Some(head), 0);
            while let Some(next) = job.take() {
                if let Err(panic) = next() {
                    lastref::note!("conn#{} execute failed: {panic:?}", conn.id);
                }
                let mut state = conn.mux.lock();
                done += 1;
                if state.job_list.len() == done {
                    state.job_list.clear();
                } else {
                    job = state.job_list[done].take();
                }
            }
        }));
    }

    /// Records that `onClose` has run.
    pub(super) fn set_cleaned(&self) {
        self.cleaned.store(true, Ordering::Relaxed);
    }

    /// Checks before a handler call that `onClose` has not run. `onClose` is queued behind every job that `Execute` has
    /// accepted, so an application may rely on it as the last callback of a connection.
    pub(super) fn expect_not_cleaned(&self) {
        always("no handler is called after onClose", !self.cleaned.load(Ordering::Relaxed));
    }

    /// `setDeadline`.
    pub(super) fn set_deadline(self: &Arc<Self>, which: Deadline, at: Instant) {
        let mut state = self.mux.lock();
        if state.state == State::Closed {
            return;
        }
        let timer = match which {
            Deadline::Read => &mut state.r_timer,
            Deadline::Write => &mut state.w_timer,
        };
        self.engine.timer.stop(timer.take());
        *timer = self.engine.timer.after(at, self, which);
    }

    /// Closes the connection because its deadline has passed.
    pub(super) fn expired(self: &Arc<Self>, which: Deadline) {
        sometimes("a connection times out", true);
        self.close_with_error(match which {
            Deadline::Read => NbError::ReadTimeout,
            Deadline::Write => NbError::WriteTimeout,
        });
    }
}

impl_debug!(Conn { id, fd });
