//! The wire: what is under way between hosts.
//!
//! A segment is retransmitted after a while without an acknowledgement, and five of those are the end; a wire on which
//! nothing was seen for longer than that while has nothing to retransmit, and rests.
//!
//! One per run, in a thread-local, since all tasks of a run share an OS thread. Nothing in here is a scheduling point,
//! so that a borrow never spans one. What a run that ended early has left behind is thrown away when the next one
//! begins.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::mem::ManuallyDrop;
use std::net::IpAddr;
use std::sync::Arc;

use turmoil_net::{EnterGuard, HostId, Packet};

use super::config::Config;
use super::connection::Pair;
use super::directory::{Directory, Place};
use super::fault::Fault;
use super::host::Software;
use super::link::{Ends, Link, Links};
use super::passed::Hit;
use super::poll::Token;
use super::sockets::Streams;
use super::task::Life;
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
    /// What it runs after a restart.
    pub(super) software: Vec<Software>,
}

pub(super) struct Wire {
    pub(super) guard: EnterGuard,
    pub(super) config: Config,
    pub(super) hosts: Vec<HostState>,
    pub(super) links: Links,
    /// Faults that are to happen between two packets, by the moment and the order in which they came up.
    pub(super) late: BTreeMap<(Instant, u64), (Place, Fault)>,
    pub(super) connections: Directory,
    /// The streams that the component holds.
    pub(super) streams: Streams,
    under_way: BTreeMap<(Instant, u64), Packet>,
    pub(super) sent: u64,
    quiet: u32,
    last_turn: Instant,
    /// A task has used a socket since the last turn.
    has_news: bool,
    pub(super) token: Arc<Token>,
    pub(super) is_closing: bool,
    pub(super) host_of_task: BTreeMap<TaskId, usize>,
    pub(super) tasks: Vec<(usize, Arc<Life>)>,
    pub(super) notes: Vec<String>,
    egress: Vec<Packet>,
}

/// Makes a wire for this run.
pub(super) fn install(config: Config) {
    // A run that ended early has left its own.
    remove();
    let mut net = turmoil_net::Net::with_config(
        turmoil_net::KernelConfig::default()
            // The wire counts the places of a backlog; the kernel would count those of connections that have ended too.
            .default_backlog(usize::MAX)
            .recv_buf_cap(config.window)
            .send_buf_cap(config.window)
            .retx_threshold(config.retransmit_ticks()),
    );
    let hosts = config.hosts.iter().zip(1..=u8::MAX).map(|(name, last)| {
        let address = IpAddr::from([10, 0, 0, last]);
        HostState { name, id: net.add_host(address), address, is_down: false, software: Vec::new() }
    });
    let hosts: Vec<HostState> = hosts.collect();
    let wire = Wire {
        guard: net.enter(),
        config,
        hosts,
        links: Links::default(),
        late: BTreeMap::new(),
        connections: Directory::default(),
        streams: Streams::new(),
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
    let Some(mut wire) = WIRE.with_borrow_mut(|wire| wire.take()) else { return };
    // A stream that is left closes its socket when it is dropped, in a network that is gone.
    std::mem::forget(std::mem::take(&mut wire.streams));
}

/// Does something with the wire.
///
/// # Panics
/// Outside [`super::simulate`].
pub(super) fn with<R>(f: impl FnOnce(&mut Wire) -> R) -> R {
    match WIRE.with_borrow_mut(|wire| wire.as_mut().map(f)) {
        Some(result) => result,
        None => super::misused("sockets exist only within sim::net::simulate"),
    }
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
        // Until something is due; a task that has something to send in the meantime says so.
        while let Some(next) = with(|wire| wire.next_turn()) {
            token.take(Some(next));
        }
        for note in with(Wire::turn) {
            crate::note!("{note}");
        }
    }
}

/// A task uses a socket of this host: `f` finds the sockets of that host, and the wire looks for what is to be sent.
pub(super) fn on_host<R>(host: usize, f: impl FnOnce() -> R) -> R {
    let (id, token) = with(|wire| {
        wire.has_news();
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

    /// There may be something to send.
    pub(super) fn has_news(&mut self) {
        (self.quiet, self.has_news) = (0, true);
    }

    /// The tasks of a host.
    pub(super) fn tasks_of(&self, host: usize) -> Vec<Arc<Life>> {
        self.tasks.iter().filter(|(of, _)| *of == host).map(|(_, task)| Arc::clone(task)).collect()
    }

    /// The tasks of this kind that have not ended.
    pub(super) fn unended(&self, which: impl Fn(&Life) -> bool) -> Vec<Arc<Life>> {
        let tasks = self.tasks.iter().map(|(_, task)| task);
        tasks.filter(|task| which(task) && !task.has_ended()).map(Arc::clone).collect()
    }

    pub(super) fn set_link(&mut self, ends: Ends, link: Link) {
        self.has_news();
        self.links.set(ends, link).into_iter().for_each(|packet| self.send(packet));
        self.token.give();
    }

    fn host_of(&self, address: IpAddr) -> Option<usize> {
        self.hosts.iter().position(|host| host.address == address)
    }

    pub(super) fn hosts_of(&self, pair: Pair) -> (Option<usize>, Option<usize>) {
        (self.host_of(pair.client.ip()), self.host_of(pair.server.ip()))
    }

    fn between(&self, packet: &Packet) -> Option<Ends> {
        Some(Ends::new(self.host_of(packet.src)?, self.host_of(packet.dst)?))
    }

    /// The name of the host with this address, for tables.
    pub(super) fn name_of(&self, address: IpAddr) -> &'static str {
        self.host_of(address).map_or("?", |host| self.hosts[host].name)
    }

    /// When the next turn is, if that is later than now: a tick after the last one if a task has something to send,
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
            self.arrive(packet);
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

    /// Lets the kernels forget the sockets that are closed, whose ports are taken until then. What they send waits for the
    /// next turn.
    pub(super) fn reap(&mut self) {
        self.guard.egress_all(&mut self.egress);
        self.has_news();
        self.token.give();
    }

    fn arrive(&mut self, packet: Packet) {
        if self.vanishes(&packet) {
            self.lose(&packet);
        } else if self.comes_before_its_stream(&packet) {
            self.sent += 1;
            self.under_way.insert((Instant::now() + TICK, self.sent), packet);
        } else if !self.refuses(&packet) {
            self.guard.deliver(packet);
        }
    }

    /// A packet leaves its host: faults see it, then the link.
    fn depart(&mut self, packet: Packet, now: Instant) {
        if self.vanishes(&packet) {
            self.lose(&packet);
        } else {
            self.pass(packet, now);
        }
    }

    /// A packet gets lost, and yet its sender has what it acknowledges; what it says of room is to be said again.
    pub(super) fn lose(&mut self, packet: &Packet) {
        if let Some(place) = self.connections.of(packet) {
            self.connections.get_mut(place).lose(packet, place.end);
        }
    }

    pub(super) fn vanishes(&self, packet: &Packet) -> bool {
        self.is_broken(packet.src, packet.dst)
    }

    /// Whether what goes from one address to the other gets lost.
    pub(super) fn is_broken(&self, one: IpAddr, other: IpAddr) -> bool {
        let (Some(one), Some(other)) = (self.host_of(one), self.host_of(other)) else { return true };
        let is_down = [one, other].into_iter().any(|host| self.hosts[host].is_down);
        is_down || self.links.state(Ends::new(one, other)) == Link::Partitioned
    }

    /// Puts a packet on its link.
    pub(super) fn send(&mut self, packet: Packet) {
        let (Some(link), Some(place)) = (self.between(&packet), self.connections.of(&packet)) else { return };
        if self.links.state(link) == Link::Held {
            self.links.hold(link, packet);
            return;
        }
        let (least, most) = self.config.latency_ms;
        let connection = self.connections.get_mut(place);
        let ms = least + connection.latency(place.end).below(u64::from(most - least) + 1) as u32;
        let at = connection.arrival(place.end, Instant::now() + Duration::from_millis(u64::from(ms)));
        self.sent += 1;
        self.under_way.insert((at, self.sent), packet);
    }

    /// A link is broken, and with it every connection over it is hit.
    pub(super) fn break_link(&mut self, ends: Ends, link: Link) {
        self.hit_where(link.fault(), |_, client, server| ends == Ends::new(client, server));
        self.set_link(ends, link);
    }

    /// A fault of hosts or links hits the connections that it meets, by their numbers and the hosts of their ends.
    pub(super) fn hit_where(&self, fault: &'static str, meets: impl Fn(u32, usize, usize) -> bool) {
        for connection in self.connections.iter() {
            let ends = self.hosts_of(connection.pair);
            if let (Some(client), Some(server)) = ends
                && meets(connection.number, client, server)
            {
                hit(Hit { fault, phase: connection.phase() });
            }
        }
    }

    /// No fault of the plan happens from here on, and those that last end: what a stall has kept arrives.
    pub(super) fn end_faults(&mut self) {
        self.config.faults.clear();
        self.late.clear();
        self.links.forget_mending();
        let soon = Instant::now() + Duration::from_millis(u64::from(self.config.latency_ms.1));
        self.connections.iter_mut().for_each(|connection| connection.end_faults(soon));
        // In their order: none overtakes another.
        for ((_, nth), packet) in self.under_way.split_off(&(soon, 0)) {
            self.under_way.insert((soon, nth), packet);
        }
        self.has_news();
        self.token.give();
    }
}

/// A fault hits a connection.
pub(super) fn hit(hit: Hit) {
    run::with(|run| run.faults.hit(hit.fault, hit.phase));
}
