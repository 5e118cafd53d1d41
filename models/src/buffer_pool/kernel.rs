//! The kernel: sockets, descriptors and readiness, as far as nbio sees them.
//!
//! A new connection gets the lowest free descriptor, often one that was just closed. Reads and writes name the
//! *number*, so a stale number reaches the connection that has it now. Polling is level-triggered, as in nbio by
//! default, but an event is reported again only after a change, so that a poller does not spin.
//!
//! The peers' ends of the sockets are methods of the kernel too: [`Kernel::connect`] and those below it. A client in
//! memory calls them directly; on a network, carrier tasks call them (`network`).
//!
//! Left out: half-closed peers, which nbio closes completely (`EPOLLRDHUP`); effects of a reset on data in flight other
//! than its loss.

use std::collections::VecDeque;
use std::task::Waker;

use lastref::net::Task;
use lastref::random;
use lastref::sync::{Condvar, Mutex, MutexGuard};

use super::error::Errno;
use super::octet::Octet;
use super::plan::Plan;
use crate::kit::harness::Unscheduled;

/// nbio's read buffer: 64 kB upstream.
const READ_BUFFER: usize = 8;

/// An event of `epoll_wait`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    pub(super) fd: usize,
    /// The socket that had the descriptor when the event was fetched.
    pub(super) socket: usize,
    pub(super) read: bool,
    /// `EPOLLOUT`.
    pub write: bool,
    /// `EPOLLERR`, `EPOLLHUP`, `EPOLLRDHUP`.
    pub(super) error: bool,
}

/// A connection that `accept` returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The descriptor.
    pub fd: usize,
    pub(super) socket: usize,
    pub(super) peer: u32,
}

/// The state behind the system calls.
#[derive(Debug)]
pub struct Kernel {
    state: Mutex<State>,
    accepting: Condvar,
    polling: Condvar,
    peers: Condvar,
    /// Send and receive buffer size of a socket, in octets.
    window: usize,
    /// Whether reads and writes may be cut short.
    short: bool,
    /// One write in this many fails; zero disables failures.
    failing_write_in: u32,
    /// The task that accepts connections from the network: harness state, not the kernel's.
    accept: Unscheduled<Option<Task<()>>>,
}

#[derive(Debug, Default)]
struct State {
    listening: bool,
    polled: bool,
    fds: Vec<Option<usize>>,
    sockets: Vec<Socket>,
    backlog: VecDeque<usize>,
    /// The number of changes so far that may affect the result of `epoll_wait`.
    changes: u64,
}

#[derive(Debug, Default)]
struct Socket {
    peer: u32,
    inbound: VecDeque<Octet>,
    outbound: VecDeque<Octet>,
    fin: bool,
    rst: bool,
    closed: bool,
    read_interest: bool,
    write_interest: bool,
    /// The waker of the task that carries its octets, while that task waits.
    carrier: Option<Waker>,
    /// Octets at the front of `outbound` that the carrier has taken; they still use buffer space.
    in_flight: usize,
}

impl Kernel {
    /// A listening kernel without connections.
    pub(super) fn new(plan: &Plan) -> Kernel {
        let state = State { listening: true, polled: true, ..State::default() };
        Kernel {
            state: Mutex::named("kernel", state),
            accepting: Condvar::named("accept"),
            polling: Condvar::named("epoll_wait"),
            peers: Condvar::named("peer"),
            window: (plan.window as usize).max(1),
            short: plan.short,
            failing_write_in: plan.failing_write_in,
            accept: Unscheduled::default(),
        }
    }

    /// Stores the task that accepts; closing the listener aborts it.
    pub(super) fn accepts_by(&self, task: Task<()>) {
        *self.accept.lock() = Some(task);
    }

    /// `accept`: waits for a connection; returns `None` once the listener is closed.
    pub(super) fn accept(&self) -> Option<Accepted> {
        let mut state = self.state.lock();
        loop {
            if let Some(accepted) = state.accept() {
                return Some(accepted);
            }
            if !state.listening {
                return None;
            }
            state = self.accepting.wait(state);
        }
    }

    /// `accept` on a non-blocking listener.
    pub fn try_accept(&self) -> Option<Accepted> {
        self.state.lock().accept()
    }

    /// Closes the listener; connections in the backlog are refused.
    pub(super) fn close_listener(&self) {
        let mut state = self.state.lock();
        state.listening = false;
        while let Some(socket) = state.backlog.pop_front() {
            state.sockets[socket].closed = true;
            state.sockets[socket].wake();
        }
        drop(state);
        self.accepting.notify_all();
        self.peers.notify_all();
        let accept = self.accept.lock().take();
        accept.iter().for_each(Task::abort);
    }

    /// `epoll_ctl`, ADD, for reading.
    pub(super) fn add_read(&self, fd: usize) {
        self.with_changed(fd, |socket| socket.read_interest = true);
    }

    /// `epoll_ctl`, MOD: adds or removes write interest.
    pub fn mod_write(&self, fd: usize, write: bool) {
        self.with_changed(fd, |socket| socket.write_interest = write);
    }

    /// `epoll_wait` of poller `poller` of `pollers`; returns `None` when the pollers must end. The poller keeps `seen`.
    pub fn epoll_wait(&self, (poller, pollers): (usize, usize), seen: &mut u64) -> Option<Vec<Event>> {
        let mut state = self.state.lock();
        loop {
            if !state.polled {
                return None;
            }
            if state.changes != *seen {
                *seen = state.changes;
                let events = state.events(self.window);
                let own: Vec<Event> = events.into_iter().filter(|event| event.fd % pollers == poller).collect();
                if !own.is_empty() {
                    return Some(own);
                }
            }
            state = self.polling.wait(state);
        }
    }

    /// Ends the pollers, as upstream does through the event descriptor of each.
    pub(super) fn stop_pollers(&self) {
        self.state.lock().polled = false;
        self.polling.notify_all();
    }

    /// `read`. Returns no octets if the peer has closed.
    ///
    /// # Errors
    ///
    /// `EBADF`, `ECONNRESET`, `EAGAIN`.
    pub(super) fn read(&self, fd: usize) -> Result<Vec<Octet>, Errno> {
        let mut state = self.state.lock();
        let socket = state.at(fd)?;
        if socket.rst {
            return Err(Errno::ConnReset);
        }
        if socket.inbound.is_empty() {
            return if socket.fin { Ok(Vec::new()) } else { Err(Errno::Again) };
        }
        let most = socket.inbound.len().min(READ_BUFFER);
        let octets: Vec<Octet> = socket.inbound.drain(..self.shortened(most)).collect();
        socket.wake();
        if !socket.inbound.is_empty() {
            self.changed(state);
        }
        Ok(octets)
    }

    /// `write`; returns the number of octets that were accepted.
    ///
    /// # Errors
    ///
    /// `EBADF`, `EPIPE`, `ETIMEDOUT`, `EAGAIN`.
    pub fn write(&self, fd: usize, octets: &[Octet]) -> Result<usize, Errno> {
        let mut state = self.state.lock();
        let socket = state.at(fd)?;
        if socket.rst {
            return Err(Errno::Pipe);
        }
        if self.failing_write_in > 0 && random::below(u64::from(self.failing_write_in)) == 0 {
            // The write that reports the failure ends the connection: data in flight is lost.
            socket.break_off();
            self.changed(state);
            return Err(Errno::TimedOut);
        }
        let room = self.window.saturating_sub(socket.outbound.len());
        if room == 0 {
            return Err(Errno::Again);
        }
        let written = self.shortened(octets.len().min(room));
        socket.outbound.extend(&octets[..written]);
        socket.wake();
        // With room left the descriptor is still writable, so the next `epoll_wait` must report it again.
        self.changed(state);
        self.peers.notify_all();
        Ok(written)
    }

    /// `close`.
    pub(super) fn close(&self, fd: usize) {
        let mut state = self.state.lock();
        let Ok(socket) = state.at(fd) else { return };
        socket.closed = true;
        socket.wake();
        state.fds[fd] = None;
        self.changed(state);
        self.peers.notify_all();
    }

    /// Whether every descriptor is closed. For checks.
    pub(super) fn all_closed(&self) -> bool {
        self.state.lock().fds.iter().all(Option::is_none)
    }

    /// Connects a peer; returns its socket, or `None` if the listener is closed.
    pub fn connect(&self, peer: u32) -> Option<usize> {
        let mut state = self.state.lock();
        if !state.listening {
            return None;
        }
        let socket = state.sockets.len();
        state.sockets.push(Socket { peer, ..Socket::default() });
        state.backlog.push_back(socket);
        drop(state);
        self.accepting.notify_one();
        Some(socket)
    }

    /// Sends octets from a peer.
    pub fn send(&self, socket: usize, octets: &[Octet]) {
        let mut state = self.state.lock();
        state.sockets[socket].inbound.extend(octets);
        self.changed(state);
    }

    /// Waits for the octets that the server has sent to a peer; `None` if it has closed the connection and none are
    /// left.
    pub fn receive(&self, socket: usize) -> Option<Vec<Octet>> {
        let mut state = self.state.lock();
        loop {
            let end = &mut state.sockets[socket];
            if !end.outbound.is_empty() {
                let octets = end.outbound.drain(..).collect();
                self.changed(state);
                return Some(octets);
            }
            if end.closed {
                return None;
            }
            state = self.peers.wait(state);
        }
    }

    /// Whether the descriptor is closed. Stores the waker of the task that carries its octets; the task is woken when
    /// the descriptor is closed, when there is room again, or when there are octets to carry.
    pub(super) fn is_closed(&self, socket: usize, carrier: Option<&Waker>) -> bool {
        let mut state = self.state.lock();
        let end = &mut state.sockets[socket];
        end.carrier = carrier.cloned().or(end.carrier.take());
        end.closed
    }

    /// Whether a socket is open and has room for octets from the network.
    pub(super) fn has_room(&self, socket: usize) -> bool {
        let state = self.state.lock();
        let end = &state.sockets[socket];
        !end.closed && !end.rst && end.inbound.len() < self.window
    }

    /// Returns the next octets for the network, and true if the descriptor is closed and none are left. The call also
    /// confirms that the network has sent the octets of the previous call; until then they use buffer space.
    pub(super) fn take(&self, socket: usize) -> (Vec<Octet>, bool) {
        let mut state = self.state.lock();
        let end = &mut state.sockets[socket];
        let sent = std::mem::take(&mut end.in_flight).min(end.outbound.len());
        end.outbound.drain(..sent);
        let octets: Vec<Octet> = end.outbound.iter().take(READ_BUFFER).copied().collect();
        end.in_flight = octets.len();
        let is_last = end.closed && octets.is_empty();
        if sent > 0 {
            self.changed(state);
        }
        (octets, is_last)
    }

    /// Closes a peer's end (FIN).
    pub(super) fn finish(&self, socket: usize) {
        let mut state = self.state.lock();
        state.sockets[socket].fin = true;
        self.changed(state);
    }

    /// Resets a connection from a peer's end: data in flight is lost in both directions.
    pub(super) fn reset(&self, socket: usize) {
        let mut state = self.state.lock();
        state.sockets[socket].break_off();
        self.changed(state);
    }

    fn changed(&self, mut state: MutexGuard<'_, State>) {
        state.changes += 1;
        drop(state);
        self.polling.notify_all();
    }

    fn with_changed(&self, fd: usize, change: impl FnOnce(&mut Socket)) {
        let mut state = self.state.lock();
        if let Ok(socket) = state.at(fd) {
            change(socket);
            self.changed(state);
        }
    }

    fn shortened(&self, most: usize) -> usize {
        if !self.short || most <= 1 {
            return most;
        }
        1 + usize::try_from(random::below(most as u64)).unwrap_or(0)
    }
}

impl Socket {
    fn wake(&mut self) {
        self.carrier.take().into_iter().for_each(Waker::wake);
    }

    /// Resets the connection: data in flight is lost in both directions.
    fn break_off(&mut self) {
        self.rst = true;
        self.inbound.clear();
        self.outbound.clear();
    }
}

impl State {
    fn accept(&mut self) -> Option<Accepted> {
        let socket = self.backlog.pop_front()?;
        let fd = self.fds.iter().position(Option::is_none).unwrap_or_else(|| {
            self.fds.push(None);
            self.fds.len() - 1
        });
        self.fds[fd] = Some(socket);
        Some(Accepted { fd, socket, peer: self.sockets[socket].peer })
    }

    fn at(&mut self, fd: usize) -> Result<&mut Socket, Errno> {
        match self.fds.get(fd) {
            Some(Some(socket)) => Ok(&mut self.sockets[*socket]),
            _ => Err(Errno::BadFd),
        }
    }

    fn events(&self, window: usize) -> Vec<Event> {
        let open = self.fds.iter().enumerate().filter_map(|(fd, socket)| Some((fd, (*socket)?)));
        let events = open.map(|(fd, number)| {
            let socket = &self.sockets[number];
            let gone = socket.fin || socket.rst;
            let read = socket.read_interest && (gone || !socket.inbound.is_empty());
            let write = socket.write_interest && (socket.rst || socket.outbound.len() < window);
            Event { fd, socket: number, read, write, error: gone && socket.read_interest }
        });
        events.filter(|event| event.read || event.write || event.error).collect()
    }
}
