//! Plain sockets, for the programs at both ends of the proxy.
//!
//! After each change, a program makes one step: all progress that is possible without blocking. It returns whether it
//! made any. [`Kernel::drive`] is the loop around the steps. So the same program runs as its own task, or in turn with
//! the kernel's events on one thread.
//!
//! On a host of the simulated network there are no such programs: both ends run on other hosts, and only the kernel's
//! task and its listeners are here.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;

use lastref::net::TcpListener;
use lastref::property::always;
use lastref::random;

use super::Kernel;
use super::abi::{Errno, ListenerId, Octet, RingId};
use super::socket::{EndpointId, Wire};
use super::state::{Listener, State};
use super::stream::Acceptor;
use crate::kit::harness::impl_debug;

/// The result of a program's step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The step made progress.
    Some,
    /// The program must wait.
    None,
    /// The program has ended.
    Done,
}

/// A program's view of the network, while it makes a step.
pub struct Sockets<'a> {
    state: &'a mut State,
}

/// An open socket of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Socket(EndpointId);

/// The result of a read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// Nothing yet.
    Nothing,
    /// Bytes.
    Octets(Vec<Octet>),
    /// FIN.
    End,
    /// The connection is broken.
    Broken,
}

impl Kernel {
    /// A socket that listens.
    pub fn listen(&self) -> ListenerId {
        self.add(Listener::default())
    }

    /// A socket that listens on the simulated network.
    pub fn listen_on(&self, listener: TcpListener) -> ListenerId {
        self.add(Listener { acceptor: Some(Acceptor::new(listener, &self.waker)), ..Listener::default() })
    }

    /// A socket that listens on another host of the simulated network.
    pub fn remote(&self, address: SocketAddr) -> ListenerId {
        self.add(Listener { remote: Some(address), ..Listener::default() })
    }

    fn add(&self, listener: Listener) -> ListenerId {
        let mut state = self.lock();
        state.listeners.push(listener);
        state.listeners.len() - 1
    }

    /// The kernel's task on a host of the simulated network: like [`Kernel::run`], but sockets wake it too. It ends
    /// when the kernel was stopped and the network has taken all sent bytes; then it closes the listeners.
    pub async fn serve(self: Arc<Kernel>) {
        poll_fn(|context| {
            self.waker.set(context.waker());
            let mut state = self.lock();
            while state.run_event() {
                self.settle(&mut state);
                drop(state);
                state = self.lock();
            }
            if !state.stopping || state.lingers() {
                state.worker_waits = true;
                return Poll::Pending;
            }
            let kept = state.endpoints.iter().filter(|end| end.keeps_stream()).count();
            always("a closed socket has released its connection", kept == 0);
            state.listeners.iter_mut().for_each(|listener| listener.acceptor = None);
            Poll::Ready(())
        })
        .await;
    }

    /// Runs one step of a program.
    pub fn step(&self, program: &mut dyn FnMut(&mut Sockets<'_>) -> Progress) -> Progress {
        let mut state = self.lock();
        let progress = program(&mut Sockets { state: &mut state });
        if progress != Progress::None {
            state.net_changed = true;
        }
        self.settle(&mut state);
        progress
    }

    /// Runs steps until the program has ended, and waits for changes between them.
    pub fn drive(&self, mut program: impl FnMut(&mut Sockets<'_>) -> Progress) {
        let mut state = self.lock();
        loop {
            match program(&mut Sockets { state: &mut state }) {
                Progress::None => {
                    state.peers_wait += 1;
                    state = self.programs.wait(state);
                }
                progress => {
                    state.net_changed = true;
                    self.settle(&mut state);
                    if progress == Progress::Done {
                        return;
                    }
                    drop(state);
                    state = self.lock();
                }
            }
        }
    }

    /// Closes the listener: later connection attempts are refused.
    pub fn refuse(&self, listener: ListenerId) {
        self.lock().listeners[listener].refuses = true;
    }

    /// Wakes the thread of a ring to check its state.
    pub fn call(&self, ring: RingId) {
        let mut state = self.lock();
        state.rings[ring].called = true;
        self.settle(&mut state);
    }

    /// Wakes all programs to check their sockets.
    pub fn call_programs(&self) {
        let mut state = self.lock();
        state.net_changed = true;
        self.settle(&mut state);
    }
}

impl Sockets<'_> {
    /// Connects; `None` if the connection is refused.
    pub fn connect(&mut self, to: ListenerId) -> Option<Socket> {
        let socket = self.state.socket();
        self.state.connect(socket, to).ok().map(|()| Socket(socket))
    }

    /// The next connection in the backlog, if any.
    pub fn accept(&mut self, listener: ListenerId) -> Option<Socket> {
        self.state.listeners[listener].backlog.pop_front().map(Socket)
    }

    /// Writes as much as there is room for and returns the count; `None` if the connection takes no more.
    pub fn write(&mut self, socket: Socket, octets: &[Octet]) -> Option<usize> {
        let endpoint = &mut self.state.endpoints[socket.0];
        match endpoint.room(self.state.window) {
            Ok(room) => {
                let count = room.min(octets.len());
                endpoint.out.extend(octets[..count].iter().copied().map(Wire::Octet));
                Some(count)
            }
            Err(Errno::Again) => Some(0),
            Err(_) => None,
        }
    }

    /// Reads all available bytes.
    pub fn read(&mut self, socket: Socket) -> Read {
        let endpoint = &mut self.state.endpoints[socket.0];
        match endpoint.unread(0) {
            Ok(0) => Read::End,
            Ok(count) => Read::Octets(endpoint.read(count)),
            Err(Errno::Again) => Read::Nothing,
            Err(_) => Read::Broken,
        }
    }

    /// Sends FIN after the written bytes.
    pub fn shut_write(&mut self, socket: Socket) {
        self.state.endpoints[socket.0].shut_write();
    }

    /// Sends RST. The network chooses how many of the written bytes still arrive.
    pub fn reset(&mut self, socket: Socket) {
        let endpoint = &mut self.state.endpoints[socket.0];
        let kept = random::below(endpoint.out.len() as u64 + 1) as usize;
        let lost = endpoint.abort(kept);
        self.state.lose(lost);
    }

    /// Closes the socket.
    pub fn close(&mut self, socket: Socket) {
        self.state.endpoints[socket.0].close();
    }
}

impl_debug!(Sockets<'_> {});
