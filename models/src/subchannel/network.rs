//! The network: which backend answers how, descriptor numbers, and the free list of fd wrappers.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use sim::sync::Mutex;
use sim::thread::{Builder, JoinHandle};

use super::backend::{self, Step};
use super::connection::Connection;
use super::fd::{Fd, GrpcFd};
use super::iomgr::Iomgr;
use super::status::Error;

/// For each address: what is done on its first connection, on its second, and so on.
pub type Backends = Vec<Vec<Vec<Step>>>;

/// The network of one run.
pub(super) struct Network {
    iomgr: Arc<Iomgr>,
    backends: Backends,
    room: u32,
    net: Mutex<Net>,
    /// Joined once, by [`Network::hang_up`]: harness state, not the component's.
    joins: std::sync::Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Default)]
struct Net {
    made: BTreeMap<u32, usize>,
    connections: Vec<Arc<Connection>>,
    numbers: BTreeSet<u32>,
    free: Vec<Arc<GrpcFd>>,
    wrappers: u32,
    hung_up: bool,
}

impl Network {
    pub(super) fn new(iomgr: &Arc<Iomgr>, backends: Backends, room: u32) -> Arc<Network> {
        Arc::new(Network {
            iomgr: Arc::clone(iomgr),
            backends,
            room,
            net: Mutex::named("network", Net::default()),
            joins: std::sync::Mutex::new(Vec::new()),
        })
    }

    /// `socket(2)`, `connect(2)` without waiting, `grpc_fd_create`.
    pub(super) fn connect(self: &Arc<Self>, address: u32) -> Fd {
        let socket = Connection::new(&self.iomgr, self.room);
        let mut net = self.net.lock();
        let made = net.made.entry(address).or_insert(0);
        let nth = *made;
        *made += 1;
        let number = (3..).find(|number| !net.numbers.contains(number)).unwrap_or(u32::MAX);
        net.numbers.insert(number);
        let reused = net.free.pop();
        let wrapper = match reused {
            Some(wrapper) => wrapper,
            None => {
                net.wrappers += 1;
                GrpcFd::new(net.wrappers)
            }
        };
        net.connections.push(Arc::clone(&socket));
        let (hung_up, connection) = (net.hung_up, net.connections.len());
        drop(net);
        wrapper.init();
        let fd = Fd::create(self, number, wrapper, Arc::clone(&socket));
        let steps = self.backends.get(address as usize).and_then(|backend| backend.get(nth)).cloned();
        let steps = steps.unwrap_or_else(|| vec![Step::Settings]);
        match steps.first() {
            Some(Step::Ignore) => socket.ignore(),
            Some(Step::Refuse) => socket.answer(Err(Error::ConnectionRefused)),
            _ if hung_up => socket.answer(Err(Error::ConnectionRefused)),
            _ => {
                let name = format!("backend.{connection}");
                let task = Builder::new().name(name).spawn(move || backend::serve(&socket, &steps));
                if let Ok(mut joins) = self.joins.lock() {
                    joins.push(task);
                }
            }
        }
        fd
    }

    /// `close(2)` gives the number back, the free list gets the wrapper.
    pub(super) fn give_back(&self, number: u32, wrapper: &Arc<GrpcFd>) {
        let mut net = self.net.lock();
        net.numbers.remove(&number);
        net.free.push(Arc::clone(wrapper));
    }

    /// How many descriptors are open.
    pub(super) fn open(&self) -> usize {
        self.net.lock().numbers.len()
    }

    /// Whether nothing happens on any connection unless the client does something.
    pub(super) fn is_idle(&self) -> bool {
        let connections = self.net.lock().connections.clone();
        connections.iter().all(|connection| connection.is_idle())
    }

    /// Every backend ends: the client sees FIN on whatever it still has open. Whoever connects later is refused.
    pub(super) fn hang_up(&self) {
        let mut net = self.net.lock();
        net.hung_up = true;
        let connections = net.connections.clone();
        drop(net);
        connections.iter().for_each(|connection| connection.hang_up());
        loop {
            // A connection that was made meanwhile may still add its task.
            let joins = self.joins.lock().map(|mut joins| std::mem::take(&mut *joins)).unwrap_or_default();
            if joins.is_empty() {
                return;
            }
            joins.into_iter().for_each(JoinHandle::join);
        }
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network").field("backends", &self.backends).finish_non_exhaustive()
    }
}
