//! A simulated kernel: io_uring as the proxy uses it, and TCP below.
//!
//! One lock stands for all of the kernel's own. Requests are issued on the thread that submits them and armed if they
//! would have to wait; everything else happens as events, one at a time, in an order that the seed and the schedule
//! choose: bytes arrive, an armed request is woken, a worker runs, a notification is due. The task that runs them is
//! [`Kernel::run`].
//!
//! ```text
//! submit ──issue──► completed at once ──────────────► CQ ─► (full) overflow list, flushed when the ring is entered
//!             └───► armed ──event: ready──► attempt ──┘
//! ```
//!
//! # Facts, measured on Linux 6.18, each with a test in `tests`
//!
//! | what | where |
//! | --- | --- |
//! | a receive armed on an empty buffer ring gives -ENOBUFS at once, data or not | `recv` |
//! | the last buffer used exactly leaves a multishot armed; the next byte gives -ENOBUFS without `F_MORE` | `recv` |
//! | refilling alone never re-arms; refilling and arming loses no byte | `recv` |
//! | FIN with an empty ring is not reported until re-armed with buffers: then result 0 | `recv` |
//! | after RST -ECONNRESET, then a re-arm gives 0 and a send -EPIPE; bytes before the RST come first | `socket` |
//! | RST behind FIN: a receive gives 0, a send -EPIPE; bytes behind a shutdown reset both ends | `socket` |
//! | all armed receives of a socket are woken, the newest first, which gets all data; FIN ends all | `event` |
//! | the canceller's completion comes before the cancelled one's; which of several is found is not fixed | `cancel` |
//! | closing an armed descriptor completes nothing, and data still arrives until the receive is cancelled | `cancel` |
//! | a shutdown that fails does not cancel the close that is linked to it, unless its descriptor is closed | `state` |
//! | a send bundle is one completion; buffers of a group are used up by a send that fails too | `send` |
//! | a receive bundle fills one buffer, then what the rest fills; the last buffer ends its multishot | `recv` |
//!
//! From the manual: a multishot whose completion finds the queue full ends with a completion without `F_MORE`; each
//! zero-copy send, failed or not, has two completions; a failed link cancels what is linked to it.
//!
//! The whole is compared with the real kernel, script by script: docs/conformance.md.
//!
//! # What is left out, and what a scenario can therefore not observe
//!
//! - `DEFER_TASKRUN`: completions are posted as they happen, at any moment, which includes every moment at which
//!   deferred ones could be;
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
#[cfg(test)]
mod tests;
mod uring;

use std::sync::Arc;

use lastref::net::{Host, thread_on};
use lastref::sync::{Condvar, Mutex, MutexGuard};
use lastref::thread::JoinHandle;

pub use buf_ring::{Buf, BufRing};
use state::State;
use stream::Bell;

use crate::kit::harness::impl_debug;
pub use uring::Uring;

/// The kernel, and the network with it.
pub struct Kernel {
    state: Mutex<State>,
    /// Whoever runs the events waits here.
    work: Condvar,
    /// Programs with plain sockets wait here.
    programs: Condvar,
    /// What calls [`Kernel::serve`].
    bell: Arc<Bell>,
    /// The host of the simulated network that it is the kernel of.
    host: Option<Host>,
}

impl Kernel {
    /// A kernel whose sockets take `window` bytes each way.
    pub fn new(window: u32) -> Arc<Kernel> {
        Kernel::of(window, None)
    }

    /// The kernel of a host of the simulated network: [`Kernel::serve`] is its task, and its sockets are the network's.
    /// `window` is what zero-copy sends may have queued.
    pub fn on_host(window: u32, host: Host) -> Arc<Kernel> {
        Kernel::of(window, Some(host))
    }

    fn of(window: u32, host: Option<Host>) -> Arc<Kernel> {
        let bell = Arc::new(Bell::default());
        Arc::new(Kernel {
            state: Mutex::named("kernel", State::new(window as usize, Arc::clone(&bell))),
            work: Condvar::named("kernel.work"),
            programs: Condvar::named("kernel.programs"),
            bell,
            host,
        })
    }

    /// Starts a thread of a process of this kernel: on its host, if it has one.
    pub fn spawn(&self, name: String, body: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
        thread_on(self.host, &name, body)
    }

    /// The kernel's task: runs events until [`Kernel::stop`] and nothing is left to do.
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
        self.bell.ring();
    }

    /// Runs one event on this thread, where the kernel has no task of its own. False if there was none.
    pub fn pump(&self) -> bool {
        let mut state = self.state.lock();
        let ran = state.run_event();
        self.settle(&mut state);
        ran
    }

    /// Waits, on a thread that pumps, for anything that is worth another turn.
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

    /// To be called before the lock is given back by whoever changed something: wakes those who wait for it.
    fn settle(&self, state: &mut State) {
        for ring in &mut state.rings {
            if ring.waiting && (ring.called || ring.has_unread()) {
                ring.waiting = false;
                ring.wake.notify_one();
            }
        }
        // Who pumps does the turns of everybody else as well.
        let turn = state.pumped && (state.net_changed || state.rings.iter().any(|ring| ring.called));
        if state.worker_waits && (turn || state.has_events()) {
            state.worker_waits = false;
            self.work.notify_one();
            self.bell.ring();
        }
        if state.net_changed && state.peers_wait > 0 {
            (state.net_changed, state.peers_wait) = (false, 0);
            self.programs.notify_all();
        }
    }
}

impl_debug!(Kernel {});
