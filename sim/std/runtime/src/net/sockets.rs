//! Descriptors and sockets: from `socket` to `close`.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use lastref_kernel::record::{End, ObjectId};

use super::address::is_simulated;
use super::options::Options;
use super::poller::Edges;
use super::stream::{Connection, Phase, Segment};
use super::{FIRST_DESCRIPTOR, FIRST_PORT, Network};

/// Maximum number of connections that wait in a listener's queue.
const BACKLOG_MAX: usize = 4_096;

/// A socket. Copies of its descriptor share it.
#[derive(Debug)]
pub(super) struct File {
    descriptors: u32,
    pub(super) is_v6: bool,
    pub(super) is_nonblocking: bool,
    pub(super) options: Options,
    local: Option<SocketAddr>,
    /// Whether `bind` has set the local address.
    is_bound: bool,
    pub(super) state: State,
    /// The edges of a listener; those of a stream are counted by its connection.
    pub(super) edges: Edges,
}

#[derive(Debug)]
pub(super) enum State {
    Fresh,
    Listens {
        object: ObjectId,
        backlog: usize,
        queue: VecDeque<usize>,
    },
    Stream {
        connection: usize,
        end: End,
    },
    /// Connected to an address outside the run, through this descriptor of the system.
    Outside(i32),
}

impl File {
    fn is_v6_only(&self) -> bool {
        self.options.is_on(libc::IPPROTO_IPV6, libc::IPV6_V6ONLY)
    }

    /// The edges of a listener.
    pub(super) fn own_edges(&self) -> u64 {
        self.edges.sum()
    }
}

/// The target of a simulated socket's descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Simulated,
    /// A descriptor of the system.
    Real(i32),
}

/// The next step of `connect`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// The attempt is under way.
    Begun,
    /// The address is not in the run.
    Outside,
}

impl Network {
    pub(super) fn file_of(&self, descriptor: i32) -> Option<usize> {
        let place = usize::try_from(descriptor.checked_sub(FIRST_DESCRIPTOR)?).ok()?;
        *self.descriptors.get(place)?
    }

    pub(super) fn file(&self, descriptor: i32) -> Result<&File, i32> {
        self.file_of(descriptor).and_then(|file| self.files[file].as_ref()).ok_or(libc::EBADF)
    }

    pub(super) fn file_mut(&mut self, descriptor: i32) -> Result<&mut File, i32> {
        let file = self.file_of(descriptor).ok_or(libc::EBADF)?;
        self.files[file].as_mut().ok_or(libc::EBADF)
    }

    /// The target of the descriptor; `None` if it is closed.
    pub(crate) fn target(&self, descriptor: i32) -> Option<Target> {
        match self.file(descriptor).ok()?.state {
            State::Outside(real) => Some(Target::Real(real)),
            _ => Some(Target::Simulated),
        }
    }

    pub(super) fn object_of(&self, file: usize) -> Option<ObjectId> {
        match self.files[file].as_ref()?.state {
            State::Stream { connection, .. } => Some(self.connections[connection].object),
            State::Listens { object, .. } => Some(object),
            State::Fresh | State::Outside(_) => None,
        }
    }

    fn add(&mut self, file: File) -> i32 {
        let place = self.files.iter().position(Option::is_none).unwrap_or(self.files.len());
        if place == self.files.len() {
            self.files.push(None);
        }
        self.files[place] = Some(file);
        self.describe(place)
    }

    /// The lowest free descriptor.
    fn describe(&mut self, file: usize) -> i32 {
        let place = self.descriptors.iter().position(Option::is_none).unwrap_or(self.descriptors.len());
        if place == self.descriptors.len() {
            self.descriptors.push(None);
        }
        self.descriptors[place] = Some(file);
        FIRST_DESCRIPTOR + place as i32
    }

    /// A new TCP socket.
    pub(crate) fn socket(&mut self, is_v6: bool, is_nonblocking: bool) -> i32 {
        let (options, local, is_bound, state) = (Options::default(), None, false, State::Fresh);
        self.add(File {
            descriptors: 1,
            is_v6,
            is_nonblocking,
            options,
            local,
            is_bound,
            state,
            edges: Edges::default(),
        })
    }

    /// A copy of a descriptor.
    pub(crate) fn copy(&mut self, descriptor: i32) -> Result<i32, i32> {
        let file = self.file_of(descriptor).ok_or(libc::EBADF)?;
        self.file_mut(descriptor)?.descriptors += 1;
        Ok(self.describe(file))
    }

    pub(crate) fn is_nonblocking(&self, descriptor: i32) -> bool {
        self.file(descriptor).is_ok_and(|file| file.is_nonblocking)
    }

    pub(crate) fn set_nonblocking(&mut self, descriptor: i32, is_on: bool) -> Result<(), i32> {
        self.file_mut(descriptor)?.is_nonblocking = is_on;
        Ok(())
    }

    pub(crate) fn is_v6(&self, descriptor: i32) -> bool {
        self.file(descriptor).is_ok_and(|file| file.is_v6)
    }

    /// Closes a descriptor. Returns the real one that is closed with it.
    pub(crate) fn close(&mut self, descriptor: i32, now_ns: u64) -> Result<Option<i32>, i32> {
        let nth = self.file_of(descriptor).ok_or(libc::EBADF)?;
        self.descriptors[(descriptor - FIRST_DESCRIPTOR) as usize] = None;
        let file = self.file_by(nth);
        file.descriptors -= 1;
        if file.descriptors > 0 {
            return Ok(None);
        }
        self.forgets_interests(nth);
        let Some(File { state, options, edges, .. }) = self.files[nth].take() else { return Ok(None) };
        self.past_edges += edges.sum();
        match state {
            State::Fresh => {}
            State::Outside(real) => return Ok(Some(real)),
            State::Stream { connection, end } => self.connections[connection].closes(end, !options.resets(), now_ns),
            State::Listens { .. } => self.resets_queue(state, now_ns),
        }
        self.advance(now_ns);
        Ok(None)
    }

    /// Resets the connections that a listener has not accepted.
    fn resets_queue(&mut self, listener: State, now_ns: u64) {
        let State::Listens { queue, .. } = listener else { return };
        for connection in queue {
            self.connections[connection].closes(End::Server, false, now_ns);
        }
    }

    fn file_by(&mut self, nth: usize) -> &mut File {
        self.files[nth].as_mut().unwrap_or_else(|| unreachable!("invariant: a descriptor leads to an open socket"))
    }

    /// `bind`.
    pub(crate) fn bind(&mut self, descriptor: i32, address: SocketAddr) -> Result<(), i32> {
        let file = self.file(descriptor)?;
        if !matches!(file.state, State::Fresh) || file.local.is_some() {
            return Err(libc::EINVAL);
        }
        if !is_simulated(address) {
            return Err(libc::EADDRNOTAVAIL);
        }
        let mut address = address;
        if address.port() == 0 {
            address.set_port(self.port(address.ip())?);
        } else {
            let shares = file.options.is_on(libc::SOL_SOCKET, libc::SO_REUSEPORT);
            if self.is_taken(address, file.is_v6_only(), shares) {
                return Err(libc::EADDRINUSE);
            }
        }
        let file = self.file_mut(descriptor)?;
        (file.local, file.is_bound) = (Some(address), true);
        Ok(())
    }

    /// Whether another socket is bound to this address and is not a connection. `shares`: both may share a port.
    fn is_taken(&self, address: SocketAddr, is_v6_only: bool, shares: bool) -> bool {
        self.files.iter().flatten().any(|file| {
            let shares = shares && file.options.is_on(libc::SOL_SOCKET, libc::SO_REUSEPORT);
            let is_bound = matches!(file.state, State::Fresh | State::Listens { .. }) && !shares;
            let local = file.local.filter(|_| is_bound);
            local.is_some_and(|local| {
                let overlaps = match (local.ip(), address.ip()) {
                    // The unspecified address of IPv6 takes connections to IPv4 too, unless the option is set.
                    (IpAddr::V6(v6), IpAddr::V4(_)) => v6.is_unspecified() && !file.is_v6_only(),
                    (IpAddr::V4(_), IpAddr::V6(v6)) => v6.is_unspecified() && !is_v6_only,
                    (own, other) => own == other || own.is_unspecified() || other.is_unspecified(),
                };
                local.port() == address.port() && overlaps
            })
        })
    }

    fn port(&mut self, ip: IpAddr) -> Result<u16, i32> {
        for _ in FIRST_PORT..u16::MAX {
            let port = self.next_port;
            self.next_port = port.checked_add(1).unwrap_or(FIRST_PORT);
            let is_used = |file: &File| file.local.is_some_and(|local| local.port() == port);
            if !self.is_taken(SocketAddr::new(ip, port), false, false) && !self.files.iter().flatten().any(is_used) {
                return Ok(port);
            }
        }
        Err(libc::EADDRNOTAVAIL)
    }

    /// `listen`.
    pub(crate) fn listen(
        &mut self,
        descriptor: i32,
        backlog: i32,
        new_object: impl FnOnce() -> ObjectId,
    ) -> Result<(), i32> {
        // Linux admits one more than the number that is given.
        let backlog = usize::try_from(backlog).map_or(BACKLOG_MAX, |backlog| (backlog + 1).min(BACKLOG_MAX));
        let file = self.file(descriptor)?;
        let ip = if file.is_v6 { IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED) } else { Ipv4Addr::UNSPECIFIED.into() };
        let local = match file.local {
            Some(local) => local,
            None => SocketAddr::new(ip, self.port(ip)?),
        };
        let file = self.file_mut(descriptor)?;
        file.local = Some(local);
        match &mut file.state {
            State::Fresh => {
                file.state = State::Listens { object: new_object(), backlog, queue: VecDeque::new() };
                Ok(())
            }
            State::Listens { backlog: old, .. } => {
                *old = backlog;
                Ok(())
            }
            _ => Err(libc::EINVAL),
        }
    }

    /// The listener for this address.
    pub(super) fn listener(&self, address: SocketAddr) -> Option<usize> {
        let answers = |file: &File| {
            let Some(local) = file.local.filter(|_| matches!(file.state, State::Listens { .. })) else { return false };
            let admits = match (local.ip(), address.ip()) {
                (own, other) if own == other => true,
                (IpAddr::V4(own), IpAddr::V4(_)) => own.is_unspecified(),
                (IpAddr::V6(own), IpAddr::V6(_)) => own.is_unspecified(),
                (IpAddr::V6(own), IpAddr::V4(_)) => own.is_unspecified() && !file.is_v6_only(),
                (IpAddr::V4(_), IpAddr::V6(_)) => false,
            };
            local.port() == address.port() && admits
        };
        self.files.iter().position(|file| file.as_ref().is_some_and(answers))
    }

    /// Whether this new socket would be refused at an address of this machine, since no socket of the run listens
    /// there.
    pub(crate) fn is_unanswered(&self, descriptor: i32, address: SocketAddr) -> bool {
        let is_fresh = self.file(descriptor).is_ok_and(|file| matches!(file.state, State::Fresh));
        is_fresh && is_simulated(address) && self.listener(on_this_machine(address)).is_none()
    }

    /// `connect`: begins the attempt.
    pub(crate) fn connect(
        &mut self,
        descriptor: i32,
        address: SocketAddr,
        now_ns: u64,
        new_object: impl FnOnce() -> ObjectId,
    ) -> Result<Attempt, i32> {
        let file = self.file(descriptor)?;
        let mut local = file.local;
        match file.state {
            State::Fresh if !is_simulated(address) => return Ok(Attempt::Outside),
            State::Fresh => {}
            State::Stream { connection, end } => {
                return Err(match self.connections[connection].side(end).phase {
                    Phase::Connecting => libc::EALREADY,
                    Phase::Established => libc::EISCONN,
                    Phase::Dead => self.failed(descriptor, connection, end),
                });
            }
            State::Listens { .. } | State::Outside(_) => return Err(libc::EISCONN),
        }
        let address = on_this_machine(address);
        let ip = address.ip();
        if local.is_none_or(|local| local.ip().is_unspecified()) {
            let own = if ip.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { ip };
            let port = local.map_or_else(|| self.port(own), |local| Ok(local.port()))?;
            local = Some(SocketAddr::new(own, port));
        }
        let latency_ns = self.latency_ns();
        let client = local.unwrap_or(address);
        let nth = self.connections.len();
        let held_until_ns = self.held_until_ns.get(&ip).copied().unwrap_or(0);
        self.connections.push(Connection::new(new_object(), client, address, latency_ns, held_until_ns));
        let file = self.file_mut(descriptor)?;
        (file.local, file.state) = (local, State::Stream { connection: nth, end: End::Client });
        let buffers = file.options.buffers();
        self.connections[nth].side_mut(End::Client).buffers = buffers;
        self.attempts(nth, address, now_ns);
        Ok(Attempt::Begun)
    }

    /// The error of a connection that has ended. After a failed attempt the socket is unconnected again, as on Linux.
    fn failed(&mut self, descriptor: i32, connection: usize, end: End) -> i32 {
        let error = self.connections[connection].side_mut(end).error.take().unwrap_or(libc::ECONNABORTED);
        if self.connections[connection].side(End::Server).phase == Phase::Connecting
            && let Ok(file) = self.file_mut(descriptor)
        {
            file.state = State::Fresh;
            file.local = file.local.filter(|_| file.is_bound);
        }
        error
    }

    /// The result of an attempt: `EAGAIN` while it is pending.
    pub(crate) fn connected(&mut self, descriptor: i32) -> Result<(), i32> {
        let State::Stream { connection, end } = self.file(descriptor)?.state else { return Err(libc::ENOTCONN) };
        match self.connections[connection].side(end).phase {
            Phase::Connecting => Err(libc::EAGAIN),
            Phase::Established => Ok(()),
            Phase::Dead => Err(self.failed(descriptor, connection, end)),
        }
    }

    /// Connects the socket to an address outside the run, through this descriptor of the system.
    pub(crate) fn leads_outside(&mut self, descriptor: i32, real: i32) -> Result<(), i32> {
        self.file_mut(descriptor)?.state = State::Outside(real);
        Ok(())
    }

    /// `accept`: `EAGAIN` if no connection waits.
    pub(crate) fn accept(&mut self, descriptor: i32, is_nonblocking: bool) -> Result<(i32, SocketAddr), i32> {
        let file = self.file_mut(descriptor)?;
        let (is_v6, options) = (file.is_v6, file.options.clone());
        let State::Listens { queue, .. } = &mut file.state else { return Err(libc::EINVAL) };
        let connection = queue.pop_front().ok_or(libc::EAGAIN)?;
        let sides = &self.connections[connection];
        let (local, peer) = (sides.side(End::Server).address, sides.side(End::Client).address);
        let (local, is_bound, state) = (Some(local), true, State::Stream { connection, end: End::Server });
        let edges = Edges::default();
        Ok((self.add(File { descriptors: 1, is_v6, is_nonblocking, options, local, is_bound, state, edges }), peer))
    }

    pub(crate) fn local(&self, descriptor: i32) -> Result<SocketAddr, i32> {
        let file = self.file(descriptor)?;
        let any = if file.is_v6 { IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED) } else { Ipv4Addr::UNSPECIFIED.into() };
        Ok(file.local.unwrap_or(SocketAddr::new(any, 0)))
    }

    pub(crate) fn peer(&self, descriptor: i32) -> Result<SocketAddr, i32> {
        let State::Stream { connection, end } = self.file(descriptor)?.state else { return Err(libc::ENOTCONN) };
        let connection = &self.connections[connection];
        match connection.side(end).phase {
            Phase::Established if !connection.is_over() => Ok(connection.side(end.other()).address),
            _ => Err(libc::ENOTCONN),
        }
    }

    fn stream(&self, descriptor: i32) -> Result<(usize, End), i32> {
        match self.file(descriptor)?.state {
            State::Stream { connection, end } => Ok((connection, end)),
            _ => Err(libc::ENOTCONN),
        }
    }

    /// Passes up to this many bytes to `to`, and returns how many; `EAGAIN` if the call would wait.
    pub(crate) fn reads(
        &mut self,
        descriptor: i32,
        most: usize,
        peeks: bool,
        to: &mut dyn FnMut(&[u8]),
    ) -> Result<usize, i32> {
        let (connection, end) = self.stream(descriptor)?;
        let asked = most;
        let most = self.transfers(asked);
        let connection = &mut self.connections[connection];
        let count = connection.read(end, most, peeks, to)?;
        // A caller that receives fewer bytes than requested may wait for the next edge, as tokio does: there must be
        // one.
        if most < asked && !peeks && !connection.side(end).inbox.is_empty() {
            connection.side_mut(end).edges.reads();
        }
        Ok(count)
    }

    /// Writes at most `all` bytes and returns the count; `take(count)` supplies the first `count` bytes. `EAGAIN` if
    /// the call would wait.
    pub(crate) fn writes(
        &mut self,
        descriptor: i32,
        all: usize,
        now_ns: u64,
        take: impl FnOnce(usize) -> Vec<u8>,
    ) -> Result<usize, i32> {
        let unconnected = |error| if error == libc::ENOTCONN { libc::EPIPE } else { error };
        let (nth, end) = self.stream(descriptor).map_err(unconnected)?;
        self.strikes(nth, end, now_ns);
        self.advance(now_ns);
        self.connections[nth].may_write(end)?;
        if all == 0 {
            return Ok(0);
        }
        let most = self.transfers(all.min(self.connections[nth].space(end)));
        // A fault in the middle of the bytes cuts the write.
        let left = self.bytes_to_fault(nth, end).unwrap_or(u64::MAX);
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(most);
        let connection = &mut self.connections[nth];
        connection.side_mut(end).sent += count as u64;
        connection.send(end.other(), Segment::Data(take(count)), now_ns);
        // As for reads: a write that was cut is followed by an edge, at once or when there is space again.
        if count < all {
            let has_space = connection.space(end) > 0;
            let side = connection.side_mut(end);
            if has_space {
                side.edges.writes();
            }
            side.lacks_space |= !has_space;
        }
        self.strikes(nth, end, now_ns);
        self.advance(now_ns);
        Ok(count)
    }

    /// `shutdown`.
    pub(crate) fn shutdown(&mut self, descriptor: i32, how: i32, now_ns: u64) -> Result<(), i32> {
        let file = self.file_mut(descriptor)?;
        if matches!(file.state, State::Listens { .. }) {
            // Linux ends the listening, and keeps the address. The end of writes has no effect.
            if how != libc::SHUT_WR {
                file.edges.both();
                let state = std::mem::replace(&mut file.state, State::Fresh);
                self.resets_queue(state, now_ns);
                self.advance(now_ns);
            }
            return Ok(());
        }
        let (nth, end) = self.stream(descriptor)?;
        let connection = &mut self.connections[nth];
        if connection.side(end).phase != Phase::Established || connection.is_over() {
            return Err(libc::ENOTCONN);
        }
        if how != libc::SHUT_WR {
            let side = connection.side_mut(end);
            side.reads_shut = true;
            side.edges.both();
        }
        if how != libc::SHUT_RD {
            connection.shuts_writes(end, now_ns);
        }
        self.advance(now_ns);
        Ok(())
    }

    /// Leaves an error to the next call, since this one has transferred bytes.
    pub(crate) fn keeps_error(&mut self, descriptor: i32, error: i32) {
        // A socket that is shut down, or full and nonblocking by now, has this error without having failed.
        if let (Ok((nth, end)), false) = (self.stream(descriptor), matches!(error, libc::EPIPE | libc::EAGAIN)) {
            self.connections[nth].side_mut(end).error = Some(error);
        }
    }

    /// The events of `epoll` that a descriptor has.
    pub(crate) fn ready_of(&self, descriptor: i32) -> Option<u32> {
        self.file_of(descriptor).map(|file| self.ready(file))
    }

    pub(super) fn ready(&self, file: usize) -> u32 {
        let Some(file) = &self.files[file] else { return 0 };
        match &file.state {
            State::Fresh => (libc::EPOLLOUT | libc::EPOLLWRNORM | libc::EPOLLHUP) as u32,
            State::Listens { queue, .. } if queue.is_empty() => 0,
            State::Listens { .. } => (libc::EPOLLIN | libc::EPOLLRDNORM) as u32,
            State::Stream { connection, end } => self.connections[*connection].ready(*end),
            State::Outside(_) => 0,
        }
    }

    pub(super) fn edges(&self, file: usize) -> Edges {
        let Some(file) = &self.files[file] else { return Edges::default() };
        match &file.state {
            State::Stream { connection, end } => self.connections[*connection].side(*end).edges,
            _ => file.edges,
        }
    }
}

/// The unspecified address leads to this machine.
fn on_this_machine(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(std::net::Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
