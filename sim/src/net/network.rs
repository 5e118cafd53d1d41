//! The network of one run: creation, use, teardown, and the checks at the end.

use std::net::IpAddr;

use super::config::Config;
use super::host::Host;
use super::link::{Ends, Link};
use super::wire;
use crate::property::always_with;
use crate::session;
use crate::task::TaskState;
use crate::thread;
use crate::time::{Duration, Instant, sleep};

/// The network of this run.
#[derive(Debug)]
pub struct Network(());

/// Creates a network, lets `body` use it, and closes it: every task and every socket must then have ended.
///
/// After `body` no more faults happen, links heal and hosts that are down come up, without their software, so that
/// pending work can end.
/// A task of a host that has not ended after [`Config::grace`], or a socket that is still open then, is a finding:
/// `every task of a host has ended at quiescence`, `every socket is closed at quiescence`. The network ends
/// [daemons](Host::daemon) after every other task has ended.
///
/// An invalid configuration ([`Config::check`]) ends the run as a misuse.
///
/// # Panics
/// Under an engine that cannot park tasks.
pub fn simulate<T>(config: Config, body: impl FnOnce(&Network) -> T) -> T {
    let Some(kernel) = session::kernel() else {
        session::misused("`lastref::net::simulate` works only within a run of a scheduled engine: turmoil or fiber")
    };
    if let Err(error) = config.check() {
        super::misused(&format!("lastref::net::Config: {error}"));
    }
    let grace = config.grace;
    let slack_ns = kernel.bound_slack(kernel::as_ns(config.timer_slack));
    wire::install(config);
    let wire = thread::Builder::new().name("wire").spawn(wire::run);
    let network = Network(());
    let result = body(&network);
    wire::with(wire::Wire::end_faults);
    network.heal_with(|host| wire::with(|wire| wire.bring_up(host.index())));
    network.await_tasks(grace);
    wire::with(|wire| {
        wire.is_closing = true;
        wire.parker.unpark();
    });
    wire.join();
    wire::with(|wire| wire.give_up_orphans());
    network.check_closed();
    wire::remove();
    kernel.restore_slack(slack_ns);
    result
}

/// Whether no packet is in transit, and none has been for longer than a retransmission takes: earlier uses of sockets
/// have no further effect. A future that is ready and was not polled yet may still use a socket.
///
/// # Panics
/// Outside [`simulate`].
pub fn is_quiet() -> bool {
    wire::with(|wire| wire.is_quiet())
}

impl Network {
    /// The host of this name.
    ///
    /// # Panics
    /// If the configuration has none.
    pub fn host(&self, name: &str) -> Host {
        match Host::named(name) {
            Some(host) => host,
            None => super::misused(&format!("the network has no host `{name}`")),
        }
    }

    /// Drops packets between the two hosts until [`Network::heal`].
    pub fn partition(&self, one: Host, other: Host) {
        wire::with(|wire| wire.break_link(Ends::new(one.index(), other.index()), Link::Partitioned));
    }

    /// Holds packets between the two hosts until [`Network::release`].
    pub fn hold(&self, one: Host, other: Host) {
        wire::with(|wire| wire.break_link(Ends::new(one.index(), other.index()), Link::Held));
    }

    /// Lets packets between the two hosts pass again, the waiting ones first.
    pub fn release(&self, one: Host, other: Host) {
        wire::with(|wire| wire.set_link(Ends::new(one.index(), other.index()), Link::Up));
    }

    /// Restores every link, and [restarts](Host::restart) every host that is down.
    #[track_caller]
    pub fn heal(&self) {
        // A restart is a scheduling point, at which the wire may bring up the next host after a fault.
        self.heal_with(|host| {
            if wire::with(|wire| wire.hosts[host.index()].is_down) {
                host.restart();
            }
        });
    }

    #[track_caller]
    fn heal_with(&self, bring_up: impl Fn(Host)) {
        let (hosts, down) = wire::with(|wire| {
            let down = wire.hosts.iter().enumerate().filter(|(_, host)| host.is_down);
            (wire.hosts.len(), down.map(|(index, _)| Host::at(index)).collect::<Vec<_>>())
        });
        down.into_iter().for_each(bring_up);
        wire::with(|wire| {
            for (one, other) in (0..hosts).flat_map(|one| (one + 1..hosts).map(move |other| (one, other))) {
                wire.set_link(Ends::new(one, other), Link::Up);
            }
        });
    }

    /// Waits for the tasks of the hosts to end, without faults: first those that end by themselves, then the
    /// daemons.
    fn await_tasks(&self, grace: Duration) {
        await_those(grace, |task| !task.is_daemon);
        let daemons = wire::with(|wire| wire.unended(|task| task.is_daemon));
        daemons.iter().for_each(|task| task.kill());
        await_those(grace, |_| true);
    }

    fn check_closed(&self) {
        let hosts: Vec<(&'static str, IpAddr)> =
            wire::with(|wire| wire.hosts.iter().map(|host| (host.name, host.address)).collect());
        for (name, address) in hosts {
            let left = turmoil_net::netstat(address).entries;
            let socket = |entry: &turmoil_net::NetstatEntry| {
                let peer = entry.peer.map_or_else(|| String::from("no peer"), |peer| peer.to_string());
                format!("{} with {peer}, {:?}", entry.local, entry.state)
            };
            let mut sockets: Vec<String> = left.iter().map(socket).collect();
            // A connection that has ended is not in the table, but its stream may still be held.
            let held = wire::with(|wire| wire.held_streams(address));
            let ended =
                held.iter().filter(|(local, peer)| !left.iter().any(|it| it.local == *local && it.peer == Some(*peer)));
            sockets.extend(
                ended.map(|(local, peer)| format!("{local} with {peer}, ended, and its stream is not dropped")),
            );
            always_with("every socket is closed at quiescence", sockets.is_empty(), || {
                vec![("host", name.to_owned()), ("sockets", sockets.join("; "))]
            });
        }
    }
}

fn await_those(grace: Duration, which: impl Fn(&TaskState) -> bool) {
    /// Number of checks within the grace period.
    const LOOKS: u32 = 100;
    let deadline = Instant::now() + grace;
    loop {
        let unended = wire::with(|wire| wire.unended(&which));
        if unended.is_empty() {
            return;
        }
        let is_in_time = Instant::now() < deadline;
        always_with("every task of a host has ended at quiescence", is_in_time, || {
            unended.iter().map(|task| ("waits", task.name.clone())).collect()
        });
        // At least a nanosecond: a sleeper without a duration would be due before every other one, again and again.
        sleep((grace / LOOKS).max(Duration::from_nanos(1)));
    }
}
