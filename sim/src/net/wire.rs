//! The wire: what is under way between hosts.
//!
//! A segment is retransmitted after a while without an acknowledgement, and five of those are the end; a wire on which
//! nothing was seen for longer than that while has nothing to retransmit, and rests.
//!
//! One per run, in a thread-local, since all tasks of a run share an OS thread. Nothing in here is a scheduling point,
//! so that a borrow never spans one. What a run that ended early has left behind is thrown away when the next one
//! begins.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::mem::ManuallyDrop;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use turmoil_net::{EnterGuard, HostId, NetstatEntry, NetstatState, Packet, Transport};

use super::connection::{Connection, Hit, Pair, Passed, reset_from};
use super::directory::{Directory, Place};
use super::fault::{End, Fault};
use super::host::Kill;
use super::link::{Ends, Link, Links};
use super::network::Config;
use super::task::Token;
use crate::op::TaskId;
use crate::run;
use crate::time::{Duration, Instant};

/// One turn of the wire.
pub const TICK: Duration = Duration::from_millis(1);

thread_local! {
    /// Not dropped with its thread: turmoil-net's own thread-local, which it reaches for, may be gone before it.
    static WIRE: RefCell<ManuallyDrop<Option<Wire>>> = const { RefCell::new(ManuallyDrop::new(None)) };
}

/// A host as the wire knows it.
#[derive(Debug)]
pub(super) struct HostState {
    pub(super) name: &'static str,
    pub(super) id: HostId,
    pub(super) address: IpAddr,
    /// Packets from and to it vanish.
    pub(super) is_down: bool,
}

pub(super) struct Wire {
    guard: EnterGuard,
    pub(super) config: Config,
    pub(super) hosts: Vec<HostState>,
    links: Links,
    /// Faults that are to happen between two packets, by the moment and the order in which they came up.
    late: BTreeMap<(Instant, u64), (Place, Fault)>,
    connections: Directory,
    /// Those that somebody holds, by their own and their peers' addresses.
    streams: BTreeSet<(SocketAddr, SocketAddr)>,
    under_way: BTreeMap<(Instant, u64), Packet>,
    sent: u64,
    quiet: u32,
    last_turn: Instant,
    /// Somebody has done something with a socket since the last turn.
    has_news: bool,
    pub(super) token: Arc<Token>,
    pub(super) is_closing: bool,
    pub(super) host_of_task: BTreeMap<TaskId, usize>,
    pub(super) tasks: Vec<(usize, Arc<Kill>)>,
    notes: Vec<String>,
    egress: Vec<Packet>,
}

/// Makes a wire for this run.
pub(super) fn install(config: Config) {
    // A run that ended early has left its own.
    remove();
    let mut net = turmoil_net::Net::with_config(
        turmoil_net::KernelConfig::default()
            .default_backlog(config.backlog.saturating_add(1))
            .recv_buf_cap(config.window)
            .send_buf_cap(config.window)
            .retx_threshold(config.retransmit_ticks()),
    );
    let hosts = config.hosts.iter().zip(1..=u8::MAX).map(|(name, last)| {
        let address = IpAddr::from([10, 0, 0, last]);
        HostState { name, id: net.add_host(address), address, is_down: false }
    });
    let hosts: Vec<HostState> = hosts.collect();
    let wire = Wire {
        guard: net.enter(),
        config,
        hosts,
        links: Links::default(),
        late: BTreeMap::new(),
        connections: Directory::default(),
        streams: BTreeSet::new(),
        under_way: BTreeMap::new(),
        sent: 0,
        quiet: u32::MAX,
        last_turn: Instant::now(),
        has_news: false,
        token: Token::new("wire"),
        is_closing: false,
        host_of_task: BTreeMap::new(),
        tasks: Vec::new(),
        notes: Vec::new(),
        egress: Vec::new(),
    };
    WIRE.with_borrow_mut(|place| **place = Some(wire));
}

/// Takes the wire away at the end of its run.
pub(super) fn remove() {
    drop(WIRE.with_borrow_mut(|wire| wire.take()));
}

/// Does something with the wire.
///
/// # Panics
/// Outside [`super::simulate`].
pub(super) fn with<R>(f: impl FnOnce(&mut Wire) -> R) -> R {
    WIRE.with_borrow_mut(|wire| match &mut **wire {
        Some(wire) => f(wire),
        None => panic!("sockets exist only within sim::net::simulate"),
    })
}

/// Whether there is one: streams may outlive it.
pub(super) fn exists() -> bool {
    WIRE.with_borrow(|wire| wire.is_some())
}

/// The task that asks.
pub(super) fn task() -> TaskId {
    run::with(|run| run.task).unwrap_or(TaskId::MAIN)
}

/// The wire's task: turns, as long as anything is under way; then it waits to be called.
pub(super) fn run() {
    loop {
        let (token, is_quiet, is_over) = with(|wire| (Arc::clone(&wire.token), wire.is_quiet(), wire.is_closing));
        if is_quiet {
            if is_over {
                return;
            }
            token.take(None);
            continue;
        }
        // Until something is due; somebody who has something to send in the meantime says so.
        while let Some(next) = with(|wire| wire.next_turn()) {
            token.take(Some(next));
        }
        for note in with(Wire::turn) {
            crate::note!("{note}");
        }
    }
}

/// Somebody has done something with a socket of this host: the sockets of it are those that are meant from here on, and
/// the wire has something to look at.
pub(super) fn on_host<R>(host: usize, f: impl FnOnce() -> R) -> R {
    let (id, token) = with(|wire| {
        wire.quiet = 0;
        wire.has_news = true;
        (wire.hosts[host].id, Arc::clone(&wire.token))
    });
    turmoil_net::set_current(id);
    token.give();
    f()
}

impl Wire {
    pub(super) fn is_quiet(&self) -> bool {
        self.quiet > self.config.retransmit_ticks() && self.is_at_rest()
    }

    /// Whether nothing is to come of itself.
    fn is_at_rest(&self) -> bool {
        self.under_way.is_empty() && self.late.is_empty() && self.links.next_mending().is_none()
    }

    /// The tasks of a host.
    pub(super) fn tasks_of(&self, host: usize) -> Vec<Arc<Kill>> {
        self.tasks.iter().filter(|(of, _)| *of == host).map(|(_, task)| Arc::clone(task)).collect()
    }

    /// The names of the tasks that have not ended.
    pub(super) fn unended(&self) -> Vec<String> {
        let unended = self.tasks.iter().filter(|(_, task)| !task.ended.load(Ordering::SeqCst));
        unended.map(|(_, task)| task.name.clone()).collect()
    }

    pub(super) fn set_link(&mut self, ends: Ends, link: Link) {
        (self.quiet, self.has_news) = (0, true);
        self.links.set(ends, link).into_iter().for_each(|packet| self.send(packet));
        self.token.give();
    }

    fn host_of(&self, address: IpAddr) -> Option<usize> {
        self.hosts.iter().position(|host| host.address == address)
    }

    fn hosts_of(&self, pair: Pair) -> (Option<usize>, Option<usize>) {
        (self.host_of(pair.client.ip()), self.host_of(pair.server.ip()))
    }

    fn between(&self, packet: &Packet) -> Option<Ends> {
        Some(Ends::new(self.host_of(packet.src)?, self.host_of(packet.dst)?))
    }

    /// When the next turn is, if that is later than now: a tick after the last one if somebody has something to send,
    /// else when a packet is due or a retransmission may be.
    fn next_turn(&self) -> Option<Instant> {
        let soonest = self.last_turn + TICK;
        let due = self.under_way.first_key_value().map(|((at, _), _)| *at);
        let late = self.late.first_key_value().map(|((at, _), _)| *at);
        let due = [due, late, self.links.next_mending()].into_iter().flatten().min();
        let patience = self.config.retransmit_ticks().saturating_sub(self.quiet).saturating_add(1);
        let retransmission = self.last_turn + TICK * patience;
        let next =
            if self.has_news { soonest } else { due.map_or(retransmission, |at| at.min(retransmission)).max(soonest) };
        (next > Instant::now()).then_some(next)
    }

    /// One turn: what is due arrives, what was sent goes on its way. The kernels count turns for their retransmissions,
    /// so that those are made up for in which nothing was to do.
    fn turn(&mut self) -> Vec<String> {
        let now = Instant::now();
        // After a rest there is nothing to make up for.
        let most = u128::from(self.config.retransmit_ticks()) + 1;
        let ticks = (now.saturating_duration_since(self.last_turn).as_millis() / TICK.as_millis()).clamp(1, most);
        self.last_turn = now;
        self.has_news = false;
        while let Some(entry) = self.under_way.first_entry().filter(|entry| entry.key().0 <= now) {
            let packet = entry.remove();
            if self.vanishes(&packet) {
                self.lose(&packet);
            } else if !self.refuses(&packet) {
                self.guard.deliver(packet);
            }
        }
        self.links.mended(now).into_iter().for_each(|ends| self.set_link(ends, Link::Up));
        self.happen_late(now);
        let mut egress = std::mem::take(&mut self.egress);
        for _ in 0..ticks {
            self.guard.egress_all(&mut egress);
            let is_quiet = egress.is_empty() && self.is_at_rest();
            self.quiet = if is_quiet { self.quiet.saturating_add(1) } else { 0 };
        }
        egress.drain(..).for_each(|packet| self.depart(packet, now));
        self.egress = egress;
        self.open_windows();
        std::mem::take(&mut self.notes)
    }

    /// A packet gets lost, and yet its sender has what it acknowledges; what it says of room is to be said again.
    fn lose(&mut self, packet: &Packet) {
        if let Some(place) = self.connections.of(packet) {
            self.connections.get_mut(place).lose(packet, place.end);
        }
    }

    /// Answers data that nobody will read by RST, as a real stack does. turmoil-net would keep them until its buffer is
    /// full, and the sender, with its FIN behind them, would wait for ever.
    fn refuses(&mut self, packet: &Packet) -> bool {
        let Transport::Tcp(segment) = &packet.payload else { return false };
        if segment.payload.is_empty() {
            return false;
        }
        let Some(place) = self.connections.of(packet) else { return false };
        let connection = self.connections.get_mut(place);
        if !connection.is_unwanted(segment, place.end) {
            return false;
        }
        let [onward, back] = connection.refuse_data(place.end);
        self.send(back);
        self.guard.deliver(onward);
        true
    }

    /// Tells senders that there is room again. turmoil-net tells them only when one read has freed half of a buffer:
    /// who reads a full one in smaller pieces would leave its sender, and its FIN, waiting for ever.
    ///
    /// A sender whose peer cannot be reached would wait for ever as well, where a kernel probes and gives up in the
    /// end. So it is told of room that is not known of; what it sends then is lost, and timed like any segment.
    fn open_windows(&mut self) {
        let window = u16::try_from(self.config.window).unwrap_or(u16::MAX);
        let filled = |local: SocketAddr, peer: SocketAddr| {
            let sockets = turmoil_net::netstat(local.ip()).entries;
            let socket = sockets.iter().find(|socket| socket.local == local && socket.peer == Some(peer));
            socket.map_or(u16::MAX, |socket| u16::try_from(socket.recv_q).unwrap_or(u16::MAX))
        };
        let closed: Vec<Place> =
            self.connections.places().filter(|it| self.connections.get(*it).waits(window)).collect();
        for place in closed {
            let connection = self.connections.get(place);
            let Pair { client, server } = connection.pair;
            let is_broken = self.is_broken(client.ip(), server.ip());
            let connection = self.connections.get_mut(place);
            let packets = match connection.is_cut || is_broken {
                true => connection.probes(window),
                false => connection.open_windows(window, filled),
            };
            // What is on its way over a broken link gets lost; over another it arrives first, if it says otherwise.
            match is_broken {
                true => packets.into_iter().for_each(|packet| self.guard.deliver(packet)),
                false => packets.into_iter().for_each(|packet| self.send(packet)),
            }
        }
    }

    /// A stream was dropped.
    pub(super) fn dropped(&mut self, local: SocketAddr, peer: SocketAddr) {
        self.streams.remove(&(local, peer));
        if let Some(place) = self.connections.between(local, peer) {
            self.connections.get_mut(place).drop_end(place.end);
        }
    }

    /// Ends the sockets that nobody holds and that wait for what does not come, since the wire is quiet: the FIN of a
    /// peer that has given up, or room at one. A kernel does so in the end, turmoil-net never.
    pub(super) fn give_up_orphans(&self) {
        // What was closed is in one of these; what is in another is somebody's, or was forgotten.
        let ends = [NetstatState::FinWait1, NetstatState::FinWait2, NetstatState::Closing, NetstatState::LastAck];
        let is_ending = |socket: &NetstatEntry| socket.state.is_some_and(|state| ends.contains(&state));
        let is_held =
            |socket: &NetstatEntry| socket.peer.is_some_and(|peer| self.streams.contains(&(socket.local, peer)));
        for host in &self.hosts {
            self.reset_sockets(host, |socket| is_ending(socket) && !is_held(socket));
        }
    }

    /// A host that was down is up again and knows of none of its connections: its kernel has gone with it, and sends
    /// nothing more of what a socket had left to say.
    pub(super) fn bring_up(&mut self, host: usize) {
        if std::mem::replace(&mut self.hosts[host].is_down, false) {
            self.reset_sockets(&self.hosts[host], |_| true);
        }
    }

    /// RST at once, as if from their peers, to those connected sockets of a host.
    fn reset_sockets(&self, host: &HostState, which: impl Fn(&NetstatEntry) -> bool) {
        let sockets = turmoil_net::netstat(host.address).entries;
        for (local, peer) in sockets.iter().filter(|it| which(it)).filter_map(|it| Some((it.local, it.peer?))) {
            self.guard.deliver(reset_from(peer, local));
        }
    }

    /// A fault hits a connection.
    fn hit(hit: Hit) {
        run::with(|run| run.faults.hit(hit.fault, hit.phase));
    }

    /// The FIN that an end is about to say is a fault's.
    pub(super) fn told_to_finish(&mut self, local: SocketAddr, peer: SocketAddr) {
        if let Some(place) = self.connections.between(local, peer) {
            self.connections.get_mut(place).told_to_finish(place.end);
        }
    }

    /// A fault of hosts or links hits the connections that these meet.
    pub(super) fn hit_hosts(&self, fault: &'static str, meets: impl Fn(usize, usize) -> bool) {
        for connection in self.connections.iter() {
            let ends = self.hosts_of(connection.pair);
            if let (Some(client), Some(server)) = ends
                && meets(client, server)
            {
                Wire::hit(Hit { fault, phase: connection.phase() });
            }
        }
    }

    /// A packet leaves its host: faults see it, then the link.
    fn depart(&mut self, packet: Packet, now: Instant) {
        if self.vanishes(&packet) {
            self.lose(&packet);
            return;
        }
        self.pass(packet, now).into_iter().for_each(|packet| self.send(packet));
    }

    fn vanishes(&self, packet: &Packet) -> bool {
        self.is_broken(packet.src, packet.dst)
    }

    /// Whether what goes from one address to the other gets lost.
    fn is_broken(&self, one: IpAddr, other: IpAddr) -> bool {
        let (Some(one), Some(other)) = (self.host_of(one), self.host_of(other)) else { return true };
        let is_down = [one, other].into_iter().any(|host| self.hosts[host].is_down);
        is_down || self.links.state(Ends::new(one, other)) == Link::Partitioned
    }

    /// Puts a packet on its link.
    fn send(&mut self, packet: Packet) {
        let (Some(link), Some(place)) = (self.between(&packet), self.connections.of(&packet)) else { return };
        if self.links.state(link) == Link::Held {
            self.links.hold(link, packet);
            return;
        }
        let Config { latency_ms, .. } = self.config;
        let spread = latency_ms.1.saturating_sub(latency_ms.0);
        let connection = self.connections.get_mut(place);
        let ms = latency_ms.0 + connection.latency(place.end).below(u64::from(spread) + 1) as u32;
        let at = connection.arrival(place.end, Instant::now() + Duration::from_millis(u64::from(ms)));
        self.sent += 1;
        self.under_way.insert((at, self.sent), packet);
    }

    /// What the faults of the plan make of a packet: what goes on its way instead.
    fn pass(&mut self, packet: Packet, now: Instant) -> Vec<Packet> {
        let Transport::Tcp(segment) = &packet.payload else { return vec![packet] };
        let is_attempt = segment.flags.syn && !segment.flags.ack;
        let place = match is_attempt {
            true => self.connections.of_attempt(&packet, self.config.frames),
            false => self.connections.of(&packet),
        };
        let Some(place) = place else { return Vec::new() };
        let is_full = is_attempt && self.is_full(self.connections.get(place).pair.server);
        let connection = self.connections.get_mut(place);
        let passed = match is_full && !connection.is_waiting {
            true => connection.pass_syn(packet, place.end, &self.config.faults, true),
            false => connection.pass(packet, place.end, &self.config.faults, now),
        };
        self.follow(place, passed, now)
    }

    /// Does what has come of a packet, or of a fault between two; the packets that go on their way.
    fn follow(&mut self, place: Place, passed: Passed, now: Instant) -> Vec<Packet> {
        if let Some(told) = passed.told {
            let words = if told.is_empty() { told } else { format!("{} {told}", self.words(place)) };
            self.notes.push(words);
        }
        passed.hits.into_iter().for_each(Wire::hit);
        if let Some((at, fault)) = passed.late {
            self.sent += 1;
            self.late.insert((at, self.sent), (place, fault));
        }
        if let Some((link, ms)) = passed.breaks
            && let (Some(client), Some(server)) = self.hosts_of(self.connections.get(place).pair)
        {
            let ends = Ends::new(client, server);
            self.break_link(ends, link);
            self.links.mend_at(ends, now + Duration::from_millis(u64::from(ms)));
        }
        passed.packets
    }

    /// Faults whose moment has come.
    fn happen_late(&mut self, now: Instant) {
        while let Some(entry) = self.late.first_entry().filter(|entry| entry.key().0 <= now) {
            let (place, fault) = entry.remove();
            if let Some(passed) = self.connections.get_mut(place).happen_late(&fault, now) {
                self.follow(place, passed, now).into_iter().for_each(|packet| self.send(packet));
            }
        }
    }

    /// A link is broken, and with it every connection over it is hit.
    pub(super) fn break_link(&mut self, ends: Ends, link: Link) {
        self.hit_hosts(link.fault(), |client, server| ends == Ends::new(client, server));
        self.set_link(ends, link);
    }

    /// Whether the listener has as many waiting as it takes.
    fn is_full(&self, server: SocketAddr) -> bool {
        let waiting = self.connections.iter().filter(|it| it.pair.server == server && it.is_waiting);
        waiting.count() >= self.config.backlog
    }

    /// There is a stream; of an accepted connection, the listener's application has taken it. The number of its
    /// connection, and which end it is.
    pub(super) fn accepted(&mut self, local: SocketAddr, peer: SocketAddr) -> Option<(u32, End)> {
        self.streams.insert((local, peer));
        let place = self.connections.between(local, peer)?;
        let connection = self.connections.get_mut(place);
        if place.end == End::Server {
            connection.is_waiting = false;
        }
        Some((connection.number, place.end))
    }

    /// The fault by which an end shuts its write side, if there is one.
    pub(super) fn finish(&self, local: SocketAddr, peer: SocketAddr) -> Option<Fault> {
        let place = self.connections.between(local, peer)?;
        self.connections.get(place).finish(place.end, &self.config.faults)
    }

    fn words(&self, place: Place) -> String {
        let Connection { number, pair, .. } = self.connections.get(place);
        let name = |address: IpAddr| self.host_of(address).map_or("?", |host| self.hosts[host].name);
        let (client, server) = (name(pair.client.ip()), name(pair.server.ip()));
        match place.end {
            End::Client => format!("tcp#{number} {client} -> {server}:"),
            End::Server => format!("tcp#{number} {server} -> {client}:"),
        }
    }
}
