//! A simulated kernel: io_uring as the proxy uses it, and TCP below.
//!
//! One lock replaces all locks of the kernel. The submitting thread issues its requests, which are armed if they would
//! block. Everything else is an event: bytes arrive, an armed request is woken, a worker runs, a notification is due.
//! [`Kernel::run`] executes events one at a time, in an order that the seed and the schedule choose.
//!
//! ```text
//! submit ──issue──► completed at once ──────────────► CQ ─► (full) overflow list, flushed when the ring is entered
//!             └───► armed ──event: ready──► attempt ──┘
//! ```
//!
//! # Facts, measured on Linux 6.18, each with a test in `tests/components/uring_proxy/kernel`
//!
//! | fact | file |
//! | --- | --- |
//! | a receive armed on an empty buffer ring gives -ENOBUFS at once, data or not | `recv` |
//! | a multishot that fills the last buffer exactly stays armed; the next byte: -ENOBUFS without `F_MORE` | `recv` |
//! | refilling alone never re-arms; refilling and arming loses no byte | `recv` |
//! | FIN with an empty ring is not reported until re-armed with buffers: then result 0 | `recv` |
//! | after RST -ECONNRESET, then a re-arm gives 0 and a send -EPIPE; bytes before the RST come first | `socket` |
//! | RST after FIN: a receive gives 0, a send -EPIPE; bytes after a shutdown reset both ends | `socket` |
//! | all armed receives of a socket are woken, the newest first, which gets the first data; FIN ends all | `event` |
//! | the cancellation completes before the cancelled request; of several matches, any may be found first | `cancel` |
//! | closing an armed descriptor completes nothing, and data still arrives until the receive is cancelled | `cancel` |
//! | a shutdown that fails does not cancel the close that is linked to it, unless its descriptor is closed | `state` |
//! | a send bundle is one completion; buffers of a group are used up by a send that fails too | `send` |
//! | a receive bundle fills one buffer, then as many as the rest needs; the last buffer ends its multishot | `recv` |
//!
//! From the manual: a multishot whose completion finds the queue full ends with a completion without `F_MORE`; each
//! zero-copy send, failed or not, has two completions; a failed link cancels what is linked to it.
//!
//! Scripts compare the model with the real kernel: docs/conformance.md.
//!
//! # What is left out, and what a scenario can therefore not observe
//!
//! - `DEFER_TASKRUN`: completions are posted at any moment, which includes every moment at which deferred ones could be
//!   posted;
//! - classic provided buffers, registered buffers, sqpoll, napi, timeouts of a wait;
//! - kernel bugs (liburing#1409, #1423, #1433, #1320): bundles and incremental buffers keep the ring's order here.

pub mod abi;
mod buf_ring;
mod cancel;
mod cq;
mod event;
mod memory;
pub mod programs;
mod recv;
mod request;
mod send;
mod socket;
mod state;
mod stream;
mod uring;

use std::sync::Arc;

use lastref::net::{Host, thread_on};
use lastref::sync::{Condvar, Mutex, MutexGuard};
use lastref::thread::JoinHandle;

pub use buf_ring::{Buf, BufRing};
use state::State;
use stream::KernelWaker;

use crate::kit::harness::impl_debug;
pub use uring::Uring;

/// The kernel, and the network with it.
pub struct Kernel {
    state: Mutex<State>,
    /// The thread that runs the events waits here.
    work: Condvar,
    /// Programs with plain sockets wait here.
    programs: Condvar,
    /// Wakes the task of [`Kernel::serve`].
    waker: Arc<KernelWaker>,
    /// The host of this kernel, on the simulated network.
    host: Option<Host>,
}

impl Kernel {
    /// A kernel whose sockets buffer up to `window` bytes in each direction.
    pub fn new(window: u32) -> Arc<Kernel> {
        Kernel::on_host(window, None)
    }

    /// The same. With a host of the simulated network, [`Kernel::serve`] is its task, its sockets are the network's,
    /// and `window` limits the bytes that zero-copy sends may queue.
    pub(super) fn on_host(window: u32, host: Option<Host>) -> Arc<Kernel> {
        let waker = Arc::new(KernelWaker::default());
        let state = State { window: window as usize, waker: Arc::clone(&waker), ..State::default() };
        Arc::new(Kernel {
            state: Mutex::named("kernel", state),
            work: Condvar::named("kernel.work"),
            programs: Condvar::named("kernel.programs"),
            waker,
            host,
        })
    }

    /// Starts a thread of a process on this kernel, and on its host, if it has one.
    pub fn spawn(&self, name: String, body: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
        thread_on(self.host, &name, body)
    }

    /// The kernel's task: runs events until [`Kernel::stop`] was called and no event is left.
    pub fn run(&self) {
        let mut state = self.state.lock();
        loop {
            if state.run_event() {
                self.settle(&mut state);
                drop(state);
                state = self.state.lock();
            } else if state.stopping {
                return;
            } else {
                state.worker_waits = true;
                state = self.work.wait(state);
            }
        }
    }

    /// Ends [`Kernel::run`] or [`Kernel::serve`].
    pub fn stop(&self) {
        self.state.lock().stopping = true;
        self.work.notify_all();
        self.waker.wake();
    }

    /// Runs one event on this thread, for a kernel without its own task. False if no event was possible.
    pub fn pump(&self) -> bool {
        let mut state = self.state.lock();
        let ran = state.run_event();
        self.settle(&mut state);
        ran
    }

    /// Waits, on a thread that calls [`Kernel::pump`], until another turn can make progress.
    pub fn wait_for_work(&self, ring: &Uring) {
        let mut state = self.state.lock();
        state.pumped = true;
        while !state.has_events() && !state.net_changed && !ring.is_called(&state) {
            state.worker_waits = true;
            state = self.work.wait(state);
        }
        state.net_changed = false;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Wakes the threads that wait for a change. To be called after a change, before the lock is released.
    fn settle(&self, state: &mut State) {
        for ring in &mut state.rings {
            if ring.waiting && (ring.called || ring.has_unread()) {
                ring.waiting = false;
                ring.wake.notify_one();
            }
        }
        // The thread that pumps also runs the turns of the parent and of the programs.
        let turn = state.pumped && (state.net_changed || state.rings.iter().any(|ring| ring.called));
        if state.worker_waits && (turn || state.has_events()) {
            state.worker_waits = false;
            self.work.notify_one();
            self.waker.wake();
        }
        if state.net_changed && state.peers_wait > 0 {
            (state.net_changed, state.peers_wait) = (false, 0);
            self.programs.notify_all();
        }
    }
}

impl_debug!(Kernel {});
