//! A connection: a queue per direction, which carries words, not pointers.
//!
//! Upstream (v1.10.1): the structure is that of src/sp/transport/inproc/inproc.c (readers, writers and a lock per
//! direction), the ownership of messages that of src/sp/transport/tcp/tcp.c. The sender's message stays on its aio
//! until the transport has written it; then a worker frees it, and the receiver gets a new message. In TCP that worker
//! runs the callback of `txaio` or `rxaio`. Here it runs the queue's task, `tx` or `rx`, and finishes the pipe's aio
//! synchronously, as those callbacks do.
//!
//! ```text
//! send: begin ─► writers ──tx: write the words, free the message, finish_sync──► callback of the pipe
//! recv: begin ─► readers ──rx: a new message from the words,      finish_sync──► callback of the pipe
//! full: tx waits until rx has made room.      shut, reset: what waits is finished with an error.
//! ```
//!
//! The transport buffers like TCP and closes like inproc. It sends a message as soon as the connection has room, which
//! is at least one message; inproc instead passes each message to a waiting receive. When one end closes the
//! connection, the other end detects it at once; with TCP, an end that only writes detects it late. A rep pipe that
//! holds a request on `recvpipes` therefore detects a close at its next write here, but after that write with TCP.
//!
//! The far end of a connection may be a script instead of a pipe: it answers each message as it is written.
//!
//! Left out: lengths, partial reads and writes, negotiation. A message is written whole or not at all. On a simulated
//! network `network::tcp`, which has all three, replaces this transport.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use lastref::ledger::{Owner, Resource};
use lastref::sync::atomic::{AtomicUsize, Ordering};
use lastref::sync::{Mutex, MutexGuard};

use super::aio::Aio;
use super::cancel::Cancel;
use super::errno::Errno;
use super::library::Nng;
use super::message::Message;
use super::task::Task;
use crate::kit::harness::impl_debug;

/// A message on the wire.
pub type Frame = Vec<u32>;

/// The frames that a scripted peer sends in reply to a message.
pub type Script = Box<dyn Fn(&Frame) -> Vec<Frame> + Send + Sync>;

/// A script that returns each message unchanged: the id, then the tag.
pub fn echo() -> Script {
    Box::new(|frame| vec![frame.clone()])
}

/// One direction of a connection.
struct Queue {
    memory: Resource,
    owner: Owner,
    lock: Mutex<State>,
    tx: Arc<Task>,
    rx: Arc<Task>,
    script: Option<(Script, Weak<Queue>)>,
    capacity: usize,
}

#[derive(Default)]
struct State {
    writers: VecDeque<Arc<Aio>>,
    readers: VecDeque<Arc<Aio>>,
    frames: VecDeque<Frame>,
    /// True while the task is dispatched, so that it is not dispatched again.
    tx_armed: bool,
    rx_armed: bool,
    /// The error of further writes; `None` while the queue can be written.
    writing: Option<Errno>,
    /// The error of further reads, once the remaining frames are read; `None` while more may come.
    reading: Option<Errno>,
}

impl State {
    /// The error that a read returns at this time.
    fn read_error(&self) -> Option<Errno> {
        self.reading.filter(|_| self.frames.is_empty())
    }
}

impl Queue {
    fn new(nng: &Nng, owner: Owner, capacity: usize, script: Option<(Script, Weak<Queue>)>) -> Arc<Queue> {
        let memory = Resource::acquire("tran_queue", owner);
        Arc::new_cyclic(|queue: &Weak<Queue>| {
            let (tx, rx) = (Weak::clone(queue), Weak::clone(queue));
            let task = |weak: Weak<Queue>, run: fn(&Queue)| {
                Task::new(&nng.tq, memory, Some(Box::new(move || weak.upgrade().iter().for_each(|queue| run(queue)))))
            };
            Queue {
                memory,
                owner,
                lock: Mutex::named("tran.mtx", State::default()),
                tx: task(tx, Queue::tx),
                rx: task(rx, Queue::rx),
                script,
                capacity,
            }
        })
    }

    /// Queues the message on the aio, which keeps it until it is written.
    fn send(self: &Arc<Self>, aio: &Arc<Aio>) {
        if aio.begin().is_err() {
            // upstream: tcptran_pipe_send. There is no way to give the message back, so it is discarded.
            return aio.free_msg();
        }
        self.submit(aio, |state| state.writing, |state| &mut state.writers);
    }

    fn recv(self: &Arc<Self>, aio: &Arc<Aio>) {
        if aio.begin().is_ok() {
            self.submit(aio, State::read_error, |state| &mut state.readers);
        }
    }

    /// Appends the aio to this list, unless there is an error.
    fn submit(
        self: &Arc<Self>,
        aio: &Arc<Aio>,
        error: fn(&State) -> Option<Errno>,
        list: fn(&mut State) -> &mut VecDeque<Arc<Aio>>,
    ) {
        let mut state = self.lock();
        if let Err(rv) = error(&state).map_or_else(|| aio.schedule(self.canceller()), Err) {
            drop(state);
            return aio.finish(Err(rv));
        }
        list(&mut state).push_back(Arc::clone(aio));
        self.kick(&mut state);
    }

    /// The cancel function of sends and receives: finishes the aio if it still waits here.
    fn canceller(self: &Arc<Self>) -> Cancel {
        let queue = Arc::clone(self);
        Cancel::new(move |aio, rv| {
            let mut state = queue.lock();
            let waiting = |listed: &Arc<Aio>| !Arc::ptr_eq(listed, aio);
            let before = state.writers.len() + state.readers.len();
            state.writers.retain(waiting);
            state.readers.retain(waiting);
            if state.writers.len() + state.readers.len() < before {
                drop(state);
                aio.finish(rv);
            }
        })
    }

    /// Dispatches each task that has work.
    fn kick(&self, state: &mut State) {
        if !state.tx_armed && !state.writers.is_empty() && state.frames.len() < self.capacity {
            state.tx_armed = true;
            self.tx.dispatch();
        }
        if !state.rx_armed && !state.readers.is_empty() && !state.frames.is_empty() {
            state.rx_armed = true;
            self.rx.dispatch();
        }
    }

    /// upstream: tcptran_pipe_send_cb.
    fn tx(&self) {
        let mut state = self.lock();
        state.tx_armed = false;
        if state.frames.len() >= self.capacity {
            return;
        }
        let Some(aio) = state.writers.pop_front() else { return };
        let frame = aio.peek_msg().map(|msg| msg.wire(self.owner)).unwrap_or_default();
        let answers = self.script.as_ref().map(|(script, _)| script(&frame));
        if answers.is_none() {
            state.frames.push_back(frame);
        }
        self.kick(&mut state);
        drop(state);
        if let (Some(answers), Some((_, back))) = (answers, &self.script) {
            back.upgrade().iter().for_each(|back| back.inject(answers.clone()));
        }
        aio.free_msg();
        aio.finish_sync(Ok(()));
    }

    /// upstream: tcptran_pipe_recv_cb.
    fn rx(&self) {
        let mut state = self.lock();
        state.rx_armed = false;
        if state.readers.is_empty() {
            return;
        }
        let Some(frame) = state.frames.pop_front() else { return };
        let Some(aio) = state.readers.pop_front() else { return };
        self.kick(&mut state);
        drop(state);
        aio.set_msg(self.owner, Message::alloc(self.owner, frame));
        aio.finish_sync(Ok(()));
    }

    /// Delivers frames from a scripted peer.
    fn inject(&self, frames: Vec<Frame>) {
        let mut state = self.lock.lock();
        if state.reading.is_none() {
            state.frames.extend(frames);
            self.kick(&mut state);
        }
    }

    /// Closes the writing end: the reader gets the frames that were written, and then `NNG_ECONNSHUT`.
    fn shut_writing(&self) {
        let mut state = self.lock.lock();
        state.writing.get_or_insert(Errno::Closed);
        state.reading.get_or_insert(Errno::ConnShut);
        self.fail_waiting(&mut state);
    }

    /// Closes the reading end: frames that were written are lost.
    fn shut_reading(&self) {
        let mut state = self.lock.lock();
        state.reading = Some(Errno::Closed);
        state.writing.get_or_insert(Errno::ConnReset);
        state.frames.clear();
        self.fail_waiting(&mut state);
    }

    /// Breaks the connection: unread frames are lost, and both ends get an error.
    fn reset(&self) {
        // The network can break a connection whose ends no longer exist, so none of their memory is read here.
        let mut state = self.lock.lock();
        state.writing.get_or_insert(Errno::ConnReset);
        state.reading.get_or_insert(Errno::ConnReset);
        state.frames.clear();
        self.fail_waiting(&mut state);
    }

    fn fail_waiting(&self, state: &mut State) {
        if let Some(rv) = state.writing {
            state.writers.drain(..).for_each(|aio| aio.finish(Err(rv)));
        }
        if let Some(rv) = state.read_error() {
            state.readers.drain(..).for_each(|aio| aio.finish(Err(rv)));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.memory.touch(self.owner);
        self.lock.lock()
    }
}

/// `nni_sp_pipe_ops`: the transport's part of a pipe.
pub(super) trait TranPipe: Send + Sync {
    /// `p_send`: the message is on the aio, and stays there until it is written.
    fn send(&self, aio: &Arc<Aio>);
    /// `p_recv`.
    fn recv(&self, aio: &Arc<Aio>);
    /// `p_close`.
    fn close(&self);
    /// `p_stop`: waits until no callback of the transport runs for this end.
    fn stop(&self);
    /// `p_fini`.
    fn fini(&self);
}

/// A pipe's end of a connection.
pub(super) struct End {
    out: Arc<Queue>,
    into: Arc<Queue>,
    /// The number of ends that are not freed yet (`inproc_pair`).
    pair: Arc<AtomicUsize>,
}

impl TranPipe for End {
    fn send(&self, aio: &Arc<Aio>) {
        self.out.send(aio);
    }

    fn recv(&self, aio: &Arc<Aio>) {
        self.into.recv(aio);
    }

    fn close(&self) {
        self.out.shut_writing();
        self.into.shut_reading();
    }

    fn stop(&self) {
        self.out.tx.wait();
        self.into.rx.wait();
    }

    fn fini(&self) {
        // The free of the last end frees the connection (`inproc_pair_destroy`).
        if self.pair.fetch_sub(1, Ordering::AcqRel) == 1 {
            for queue in [&self.out, &self.into] {
                queue.memory.release(queue.owner);
            }
        }
    }
}

/// A handle by which a scenario breaks or closes a connection.
#[derive(Clone)]
pub struct Link {
    queues: [Arc<Queue>; 2],
}

impl Link {
    /// A connection of two ends, with room for `capacity` messages each way.
    pub(super) fn pair(nng: &Nng, number: u32, capacity: usize) -> (Link, End, End) {
        let there = Queue::new(nng, Owner::new("tran", 2 * number), capacity, None);
        let back = Queue::new(nng, Owner::new("tran", 2 * number + 1), capacity, None);
        let pair = Arc::new(AtomicUsize::named("pair.ref", 2));
        let near = End { out: Arc::clone(&there), into: Arc::clone(&back), pair: Arc::clone(&pair) };
        let far = End { out: Arc::clone(&back), into: Arc::clone(&there), pair };
        (Link { queues: [there, back] }, near, far)
    }

    /// A connection whose far end answers by script.
    pub(super) fn scripted(nng: &Nng, number: u32, script: Script) -> (Link, End) {
        let back = Queue::new(nng, Owner::new("tran", 2 * number + 1), usize::MAX, None);
        let there = Queue::new(nng, Owner::new("tran", 2 * number), 1, Some((script, Arc::downgrade(&back))));
        let pair = Arc::new(AtomicUsize::named("pair.ref", 1));
        (Link { queues: [Arc::clone(&there), Arc::clone(&back)] }, End { out: there, into: back, pair })
    }

    /// Breaks the connection (RST): the operations of each end fail.
    pub fn reset(&self) {
        self.queues.iter().for_each(|queue| queue.reset());
    }

    /// Closes the far end of a scripted connection (FIN).
    pub fn shut(&self) {
        self.queues[1].shut_writing();
        self.queues[0].shut_reading();
    }

    /// Sends a frame from the far end of a scripted connection.
    pub fn inject(&self, frame: Frame) {
        self.queues[1].inject(vec![frame]);
    }
}

impl_debug!(Link {});
