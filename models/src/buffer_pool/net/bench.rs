//! The workbench of the network: an engine on one host, and each client on another.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use lastref::net::{Config, Decoder, Host, Network, Task, TcpListener, simulate};
use lastref::property::sometimes;
use lastref::time::{Duration, sleep};

use super::carrier::Carrier;
use super::client;
use super::plan::{Event, NetPlan};
use crate::buffer_pool::engine::Engine;
use crate::buffer_pool::plan;
use crate::buffer_pool::variant::Variant;
use crate::kit::http1::Http;

/// As many as a plan may have.
pub(super) const CLIENTS: [&str; 6] = ["client.0", "client.1", "client.2", "client.3", "client.4", "client.5"];

/// Carries the plan out.
///
/// # Panics
///
/// If the plan has more clients than there are hosts for.
pub fn run(variant: Variant, plan: &NetPlan) {
    let Some(names) = CLIENTS.get(..plan.base.clients.len()) else {
        lastref::bug!("a plan has more than {} clients", CLIENTS.len())
    };
    let config = Config {
        hosts: std::iter::once("server").chain(names.iter().copied()).collect(),
        latency_ms: plan.latency_ms,
        short: plan.base.short,
        backlog: plan.backlog as usize,
        window: plan.socket_bytes as usize,
        decoder: Decoder::Own(Http::of),
        faults: plan.faults.clone(),
        ..Config::default()
    };
    simulate(config, |network| serve(variant, plan, network, names));
}

fn serve(variant: Variant, plan: &NetPlan, network: &Network, names: &[&str]) {
    let server = network.host("server");
    let hosts: Vec<Host> = names.iter().map(|name| network.host(name)).collect();
    let addresses: Vec<IpAddr> = hosts.iter().map(|host| host.address(0).ip()).collect();
    let Some(listener) = bind(server, server.address(80)) else { return };
    let engine = Engine::start_on(variant, &plan.base, Some(server));
    let carrier = Carrier::start(&engine, server, listener, addresses);
    let mut clients = Clients { plan, server, hosts, is_down: vec![false; names.len()], started: Vec::new() };
    clients.start(&engine);
    plan.events.iter().for_each(|event| clients.happen(*event));
    for fault in &plan.base.faults {
        match *fault {
            plan::Fault::Collect => engine.collect(),
            plan::Fault::Pause(ms) => sleep(Duration::from_millis(ms)),
            plan::Fault::Stop => engine.stop(),
        }
    }
    clients.join();
    engine.join_goroutines();
    if !plan.base.faults.contains(&plan::Fault::Stop) {
        engine.stop();
    }
    carrier.join();
}

/// A listener that is there before any client.
fn bind(server: Host, address: SocketAddr) -> Option<TcpListener> {
    server.spawn("bind", async move { TcpListener::bind(address).await.ok() }).join().flatten()
}

/// The hosts of the clients, and what runs on them.
struct Clients<'a> {
    plan: &'a NetPlan,
    server: Host,
    hosts: Vec<Host>,
    is_down: Vec<bool>,
    started: Vec<Task<()>>,
}

impl Clients<'_> {
    /// Starts all of them, or one after the other, each when nothing is left of the one before.
    fn start(&mut self, engine: &Arc<Engine>) {
        for number in 0..self.hosts.len() {
            self.start_one(number);
            if self.plan.base.in_turn {
                self.join();
                engine.join_goroutines();
            }
        }
    }

    fn start_one(&mut self, number: usize) {
        let address = self.server.address(80);
        let client = client::run(self.plan.clone(), u32::try_from(number).unwrap_or(u32::MAX), address);
        self.started.push(self.hosts[number].spawn("client", client));
    }

    fn happen(&mut self, event: Event) {
        let at = |client: u32| (client as usize).checked_rem(self.hosts.len());
        match event {
            Event::Pause(ms) => sleep(Duration::from_millis(ms)),
            Event::Crash(client) => {
                let Some(at) = at(client).filter(|at| !self.is_down[*at]) else { return };
                self.is_down[at] = true;
                self.hosts[at].crash();
            }
            Event::Restart(client) => {
                let Some(at) = at(client).filter(|at| self.is_down[*at]) else { return };
                sometimes("a client begins anew on a host that has crashed", true);
                self.is_down[at] = false;
                self.hosts[at].restart();
                self.start_one(at);
            }
        }
    }

    fn join(&mut self) {
        for client in self.started.drain(..) {
            client.join();
        }
    }
}
