//! The wire: packets in transit between hosts.
//!
//! A segment is retransmitted after some turns without an acknowledgement, at most five times. A wire on which no
//! packet was seen for longer than a retransmission takes has nothing to retransmit, and sleeps.
//!
//! Each run has one wire, in a thread-local, since all tasks of a run share an OS thread. This file contains no
//! scheduling point, so that a borrow never spans one. The next run discards the wire of a run that ended early.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::mem::ManuallyDrop;
use std::net::IpAddr;
use std::sync::Arc;

use kernel::record::{RunNumber, TaskId};
use turmoil_net::{EnterGuard, HostId, Packet};

use super::config::Config;
use super::connection::Pair;
use super::directory::{ConnectionEnd, Directory};
use super::fault::Fault;
use super::host::Host;
use super::link::{Ends, Link, Links};
use super::packet_steps::Hit;
use super::recovery::Recoveries;
use super::socket::Streams;
use super::software::Software;
use crate::random;
use crate::session::{self, current_task, with_run};
use crate::task::Parker;
use crate::task::TaskState;
use crate::time::{Duration, Instant};

/// The interval between turns of the wire.
pub const TICK: Duration = Duration::from_millis(1);

thread_local! {
    /// Not dropped with its thread: turmoil-net's own thread-local, which the drop accesses, may already be gone.
    static WIRE: RefCell<ManuallyDrop<Option<Wire>>> = const { RefCell::new(ManuallyDrop::new(None)) };
}

/// A host as the wire knows it.
#[derive(Debug)]
pub(super) struct HostState {
    pub(super) name: &'static str,
    pub(super) id: HostId,
    pub(super) address: IpAddr,
    /// Packets from and to it are lost.
    pub(super) is_down: bool,
    /// The software that it runs after a restart.
    pub(super) software: Vec<Software>,
}

pub(super) struct Wire {
    run: RunNumber,
    pub(super) guard: EnterGuard,
    pub(super) config: Config,
    pub(super) hosts: Vec<HostState>,
    pub(super) links: Links,
    /// Faults that happen between two packets, by time and by the order in which they were scheduled.
    pub(super) late: BTreeMap<(Instant, u64), (ConnectionEnd, Fault)>,
    pub(super) connections: Directory,
    /// The component's streams.
    pub(super) streams: Streams,
    /// The hosts that a fault has crashed, and whose tasks still run.
    pub(super) crashed: Vec<usize>,
    /// The restarts of hosts that a fault has crashed.
    pub(super) restarts: Recoveries<usize>,
    under_way: BTreeMap<(Instant, u64), Packet>,
    /// The number of packets and delayed faults so far, by which they are ordered.
    sent: u64,
    quiet: u32,
    last_turn: Instant,
    /// A task has used a socket since the last turn.
    has_news: bool,
    pub(super) parker: Arc<Parker>,
    pub(super) is_closing: bool,
    pub(super) host_of_task: BTreeMap<TaskId, usize>,
    pub(super) tasks: Vec<(usize, Arc<TaskState>)>,
    pub(super) notes: Vec<String>,
    egress: Vec<Packet>,
}

/// Creates the wire of this run, which has at most one at a time.
pub(super) fn install(config: Config) {
    let run = session::number();
    if WIRE.with_borrow(|wire| wire.as_ref().is_some_and(|wire| wire.run == run)) {
        super::misused("a run has one network at a time: `lastref::net::simulate` was called within another");
    }
    // A run that ended early has left its wire here.
    remove();
    let mut net = turmoil_net::Net::with_config(
        turmoil_net::KernelConfig::default()
            // The wire counts the backlog; turmoil-net's kernel would also count connections that have ended.
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
        run,
        guard: net.enter(),
        config,
        hosts,
        links: Links::default(),
        late: BTreeMap::new(),
        connections: Directory::default(),
        streams: Streams::new(),
        crashed: Vec::new(),
        restarts: Recoveries::default(),
        under_way: BTreeMap::new(),
        sent: 0,
        quiet: u32::MAX,
        last_turn: Instant::now(),
        has_news: false,
        parker: Parker::new("wire"),
        is_closing: false,
        host_of_task: BTreeMap::new(),
        tasks: Vec::new(),
        notes: Vec::new(),
        egress: Vec::new(),
    };
    WIRE.with_borrow_mut(|place| **place = Some(wire));
}

/// Removes the wire at the end of its run.
pub(super) fn remove() {
    let Some(mut wire) = WIRE.with_borrow_mut(|wire| wire.take()) else { return };
    // A remaining stream would close its socket when dropped, in a network that is gone.
    std::mem::forget(std::mem::take(&mut wire.streams));
}

/// Accesses the wire.
///
/// # Panics
/// Outside [`super::simulate`].
pub(super) fn with<R>(f: impl FnOnce(&mut Wire) -> R) -> R {
    match WIRE.with_borrow_mut(|wire| wire.as_mut().map(f)) {
        Some(result) => result,
        None => super::misused("sockets exist only within lastref::net::simulate"),
    }
}

/// Whether there is a wire: streams may outlive it.
pub(super) fn exists() -> bool {
    WIRE.with_borrow(|wire| wire.is_some())
}

/// The calling task.
pub(super) fn task() -> TaskId {
    current_task()
}

/// The wire's task: takes turns while packets are in transit; then waits to be woken.
pub(super) fn run() {
    loop {
        let (parker, is_quiet, is_over) = with(|wire| (Arc::clone(&wire.parker), wire.is_quiet(), wire.is_closing));
        if is_quiet {
            if is_over {
                return;
            }
            parker.park(None);
            continue;
        }
        // Until a packet or fault is due; a task that sends in the meantime unparks it.
        while let Some(next) = with(|wire| wire.next_turn()) {
            parker.park(Some(next));
        }
        for note in with(Wire::turn) {
            crate::note!("{note}");
        }
        let crashed = with(|wire| std::mem::take(&mut wire.crashed));
        crashed.into_iter().for_each(|host| Host::at(host).end_tasks());
        while let Some(host) = with(|wire| wire.restarts.take_due(Instant::now())) {
            Host::at(host).restart();
        }
    }
}

/// Selects the host whose socket a task uses, wakes the wire to check for packets to send, and calls `f`.
pub(super) fn on_host<R>(host: usize, f: impl FnOnce() -> R) -> R {
    let id = with(|wire| {
        wire.has_news();
        wire.parker.unpark();
        wire.hosts[host].id
    });
    turmoil_net::set_current(id);
    f()
}

impl Wire {
    pub(super) fn is_quiet(&self) -> bool {
        self.quiet > self.config.retransmit_ticks() && self.is_at_rest()
    }

    /// Whether no packet, fault, restoration or restart is pending.
    fn is_at_rest(&self) -> bool {
        self.under_way.is_empty() && self.late.is_empty() && self.next_recovery().is_none()
    }

    /// The time of the next restoration of a link or restart of a host.
    fn next_recovery(&self) -> Option<Instant> {
        self.links.mending.next().into_iter().chain(self.restarts.next()).min()
    }

    /// Records that a packet may have been queued.
    pub(super) fn has_news(&mut self) {
        (self.quiet, self.has_news) = (0, true);
    }

    /// The tasks of a host.
    pub(super) fn tasks_of(&self, host: usize) -> Vec<Arc<TaskState>> {
        self.tasks.iter().filter(|(of, _)| *of == host).map(|(_, task)| Arc::clone(task)).collect()
    }

    /// The tasks selected by `which` that have not ended.
    pub(super) fn unended(&self, which: impl Fn(&TaskState) -> bool) -> Vec<Arc<TaskState>> {
        let tasks = self.tasks.iter().map(|(_, task)| task);
        tasks.filter(|task| which(task) && !task.has_ended()).map(Arc::clone).collect()
    }

    pub(super) fn set_link(&mut self, ends: Ends, link: Link) {
        self.has_news();
        self.links.set(ends, link).into_iter().for_each(|packet| self.send(packet));
        self.parker.unpark();
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

    /// The time of the next turn, if later than now: a tick after the last one if a task may have queued packets, else
    /// when a packet or a retransmission is due.
    fn next_turn(&self) -> Option<Instant> {
        let soonest = self.last_turn + TICK;
        let due = self.under_way.first_key_value().map(|((at, _), _)| *at);
        let late = self.late.first_key_value().map(|((at, _), _)| *at);
        let due = [due, late, self.next_recovery()].into_iter().flatten().min();
        let patience = self.config.retransmit_ticks().saturating_sub(self.quiet).saturating_add(1);
        let retransmission = self.last_turn + TICK * patience;
        let next =
            if self.has_news { soonest } else { due.map_or(retransmission, |at| at.min(retransmission)).max(soonest) };
        (next > Instant::now()).then_some(next)
    }

    /// One turn: due packets arrive, queued packets are sent. The hosts' kernels count turns for their retransmissions,
    /// so skipped turns are made up for.
    fn turn(&mut self) -> Vec<String> {
        let now = Instant::now();
        // More skipped turns than these mean that the wire was at rest, and do not matter.
        let most = u128::from(self.config.retransmit_ticks()) + 1;
        let ticks = (now.saturating_duration_since(self.last_turn).as_millis() / TICK.as_millis()).clamp(1, most);
        self.last_turn = now;
        self.has_news = false;
        while let Some(entry) = self.under_way.first_entry().filter(|entry| entry.key().0 <= now) {
            let packet = entry.remove();
            self.arrive(packet);
        }
        while let Some(ends) = self.links.mending.take_due(now) {
            self.set_link(ends, Link::Up);
        }
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

    /// Lets the hosts' kernels remove closed sockets, whose ports are in use until then. Their last packets are sent in
    /// the next turn.
    pub(super) fn reap(&mut self) {
        self.guard.egress_all(&mut self.egress);
        self.has_news();
        self.parker.unpark();
    }

    fn arrive(&mut self, packet: Packet) {
        if self.vanishes(&packet) {
            self.lose(&packet);
        } else if self.comes_before_its_stream(&packet) {
            let turn = self.turn_at(Instant::now() + TICK);
            self.under_way.insert(turn, packet);
        } else if !self.refuses(&packet) {
            self.guard.deliver(packet);
        }
    }

    /// Handles a packet that leaves its host: it passes the faults, then the link.
    fn depart(&mut self, packet: Packet, now: Instant) {
        if self.vanishes(&packet) {
            self.lose(&packet);
        } else {
            self.pass(packet, now);
        }
    }

    /// Records that a packet is lost. The data that it acknowledges counts as arrived; its window is announced again.
    pub(super) fn lose(&mut self, packet: &Packet) {
        if let Some(place) = self.connections.of(packet) {
            self.connections.get_mut(place).lose(packet, place.end);
        }
    }

    pub(super) fn vanishes(&self, packet: &Packet) -> bool {
        self.is_broken(packet.src, packet.dst)
    }

    /// Whether packets from one address to the other are lost.
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
        let ms = least + random::chosen(connection.latency(place.end), u64::from(most - least) + 1) as u32;
        let at = connection.arrival(place.end, Instant::now() + Duration::from_millis(u64::from(ms)));
        let turn = self.turn_at(at);
        self.under_way.insert(turn, packet);
    }

    /// The key of a packet or fault that is due at `at`. It comes after the existing entries for that time.
    pub(super) fn turn_at(&mut self, at: Instant) -> (Instant, u64) {
        self.sent += 1;
        (at, self.sent)
    }

    /// Breaks a link until it is restored by hand, and counts the fault for every connection over it.
    pub(super) fn break_link(&mut self, ends: Ends, link: Link) {
        self.links.mending.forget(ends);
        self.hit_where(link.fault(), |_, client, server| ends == Ends::new(client, server));
        self.set_link(ends, link);
    }

    /// The packets of a host are lost from now on. Counts a crash for each of its connections that `counts` selects by
    /// its number.
    pub(super) fn take_down(&mut self, host: usize, counts: impl Fn(u32) -> bool) {
        self.hit_where("crash", |number, client, server| (client == host || server == host) && counts(number));
        self.hosts[host].is_down = true;
    }

    /// Counts a fault of hosts or links for each connection that `meets` selects, by its number and the hosts of its
    /// ends.
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

    /// Cancels the remaining faults of the plan, and ends lasting ones: packets that a stall has delayed arrive.
    pub(super) fn end_faults(&mut self) {
        self.config.faults.clear();
        self.late.clear();
        self.links.mending.clear();
        self.restarts.clear();
        let soon = Instant::now() + Duration::from_millis(u64::from(self.config.latency_ms.1));
        self.connections.iter_mut().for_each(|connection| connection.end_faults(soon));
        // They keep their order, as packets of a connection must.
        for ((_, nth), packet) in self.under_way.split_off(&(soon, 0)) {
            self.under_way.insert((soon, nth), packet);
        }
        self.has_news();
        self.parker.unpark();
    }
}

/// Counts a fault that has hit a connection.
pub(super) fn hit(hit: Hit) {
    with_run(|run| run.checks.hits.hit(hit.fault, hit.phase));
}
