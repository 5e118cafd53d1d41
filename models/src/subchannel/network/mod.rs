//! The network: the servers at the other end, descriptor numbers, and the free list of fd wrappers.

pub(crate) mod connection;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lastref::net::{self, thread_on};
use lastref::note;
use lastref::sync::Mutex;
use lastref::thread::JoinHandle;

use crate::kit::harness::{Tasks, Unscheduled};
use crate::kit::http2::ServerFrame;
use crate::kit::server::memory::{ServerEnd, Session};
use crate::kit::server::{Peers, Step, script};
use crate::kit::stream::{Buffers, carry};
use crate::subchannel::iomgr::Iomgr;
use crate::subchannel::iomgr::fd::{Fd, GrpcFd};
use crate::subchannel::network::connection::Connection;
use crate::subchannel::status::Error;

/// The network of one run.
pub(crate) struct Network {
    iomgr: Arc<Iomgr>,
    peers: Peers,
    room: u32,
    net: Mutex<Net>,
    /// Joined once, by [`Network::hang_up`]: harness state, not the component's.
    joins: Unscheduled<Vec<JoinHandle<()>>>,
    /// Joined once, by [`Network::end`].
    carriers: Tasks,
}

#[derive(Default)]
struct Net {
    made: BTreeMap<u32, usize>,
    sockets: Vec<Arc<Connection>>,
    numbers: BTreeSet<u32>,
    free: Vec<Arc<GrpcFd>>,
    wrappers: u32,
    hung_up: bool,
}

impl Network {
    /// `room` is the send buffer size of a connection in client frames.
    pub(crate) fn new(iomgr: &Arc<Iomgr>, peers: Peers, room: u32) -> Arc<Network> {
        Arc::new(Network {
            iomgr: Arc::clone(iomgr),
            peers,
            room,
            net: Mutex::named("network", Net::default()),
            joins: Unscheduled::default(),
            carriers: Tasks::default(),
        })
    }

    /// `socket(2)`, nonblocking `connect(2)`, `grpc_fd_create`.
    pub(crate) fn connect(self: &Arc<Self>, address: u32) -> Fd {
        let socket = Connection::new(&self.iomgr, self.room, &self.peers);
        let mut net = self.net.lock();
        let made = net.made.entry(address).or_insert(0);
        let nth = *made;
        *made += 1;
        let number = (3..).find(|number| !net.numbers.contains(number)).unwrap_or(u32::MAX);
        net.numbers.insert(number);
        let wrapper = net.free.pop().unwrap_or_else(|| {
            net.wrappers += 1;
            GrpcFd::new(net.wrappers)
        });
        net.sockets.push(Arc::clone(&socket));
        let (connection, hung_up) = (net.sockets.len(), net.hung_up);
        drop(net);
        wrapper.init();
        let fd = Fd::create(self, number, wrapper, Arc::clone(&socket));
        match &self.peers {
            Peers::Scripts(backends) => {
                let steps = script(backends, address, nth);
                match steps.first() {
                    Some(Step::Ignore) => socket.ignore(),
                    Some(Step::Refuse) => socket.answer(Err(Error::ConnectionRefused)),
                    _ if hung_up => socket.answer(Err(Error::ConnectionRefused)),
                    _ => {
                        let name = format!("backend.{connection}");
                        let task = thread_on(None, &name, move || serve(&socket, &steps));
                        self.joins.lock().push(task);
                    }
                }
            }
            Peers::Server(client, server) => {
                let carrying = carry(socket, server.address(address));
                self.carriers.push(client.spawn(&format!("socket.{connection}"), carrying));
            }
        }
        fd
    }

    /// Frees the number, as `close(2)` does, and puts the wrapper on the free list.
    pub(crate) fn give_back(&self, number: u32, wrapper: &Arc<GrpcFd>) {
        let mut net = self.net.lock();
        net.numbers.remove(&number);
        net.free.push(Arc::clone(wrapper));
    }

    /// The number of open descriptors.
    pub(crate) fn open(&self) -> usize {
        self.net.lock().numbers.len()
    }

    /// The number of the servers' sockets, if the servers are on hosts.
    pub(crate) fn open_at_servers(&self) -> Option<usize> {
        match &self.peers {
            Peers::Scripts(_) => None,
            Peers::Server(_, server) => Some(server.sockets()),
        }
    }

    /// True if no connection changes unless the client acts.
    pub(crate) fn is_idle(&self) -> bool {
        let sockets = self.net.lock().sockets.clone();
        let is_quiet = match &self.peers {
            Peers::Scripts(_) => true,
            Peers::Server(..) => net::is_quiet(),
        };
        is_quiet && sockets.iter().all(|socket| socket.is_idle())
    }

    /// Ends every backend: the client sees FIN on its open connections. Later connection attempts are refused.
    pub(crate) fn hang_up(&self) {
        if let Peers::Server(_, server) = &self.peers {
            return server.hang_up();
        }
        let mut net = self.net.lock();
        net.hung_up = true;
        let sockets = net.sockets.clone();
        drop(net);
        sockets.iter().for_each(|socket| socket.hang_up());
        loop {
            // A connection that was made meanwhile may still add its task.
            let joins = self.joins.take();
            if joins.is_empty() {
                return;
            }
            joins.into_iter().for_each(JoinHandle::join);
        }
    }

    /// Ends the network, after the last use of a descriptor. No task is left then, and no socket except those whose
    /// descriptors were never closed.
    pub(crate) fn end(&self) {
        self.hang_up();
        let sockets = std::mem::take(&mut self.net.lock().sockets);
        sockets.iter().for_each(|socket| socket.hang_up());
        self.carriers.join();
    }
}

/// A server's side of one connection in memory: accepts it, plays the script, and then serves like an ordinary server.
fn serve(connection: &Connection, steps: &[Step]) {
    connection.answer(Ok(()));
    let mut session = Session::new(connection);
    for step in steps {
        if connection.is_hanging_up() {
            break;
        }
        note!("backend: {step:?}");
        match *step {
            Step::Settings => connection.send(ServerFrame::Settings),
            Step::Fin => connection.fin(),
            Step::Rst => connection.rst(),
            Step::Stall => connection.stall(),
            step => session.perform(step),
        }
    }
    session.serve();
    connection.gone();
}
