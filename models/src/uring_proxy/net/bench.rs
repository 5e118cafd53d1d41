//! The workbench of the network: clients, the proxy and the server, each on a host of its own.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use lastref::net::{Config, Decoder, Host, Network, Task, TcpListener, simulate};
use lastref::property::{always, sometimes};
use lastref::thread::JoinHandle;
use lastref::time::{Duration, sleep};

use super::backend;
use super::client::{self, Score};
use super::plan::{Link, NetPlan, World};
use super::resp::Resp;
use crate::uring_proxy::kernel::Kernel;
use crate::uring_proxy::kernel::abi::RingId;
use crate::uring_proxy::parent::{Orders, Parent};
use crate::uring_proxy::variant::Variant;

/// As many as a plan may have.
const CLIENTS: [&str; 4] = ["client.0", "client.1", "client.2", "client.3"];
/// Where the proxy listens, as in the report.
const PROXY_PORT: u16 = 6380;
/// Where the server does.
const BACKEND_PORT: u16 = 6379;
/// How long after its clients the proxy may have connections: longer than the server lets one be idle.
const PATIENCE: Duration = Duration::from_secs(8);
const GLANCE: Duration = Duration::from_millis(100);

/// Carries the plan out.
///
/// # Panics
///
/// If the plan has more clients than there are hosts for.
pub fn run(variant: Variant, plan: &NetPlan) {
    let clients = CLIENTS.get(..plan.clients.len());
    let Some(clients) = clients else { lastref::bug!("a plan has more than {} clients", CLIENTS.len()) };
    let config = Config {
        hosts: clients.iter().copied().chain(["proxy", "backend"]).collect(),
        latency_ms: plan.latency_ms,
        short: plan.short,
        backlog: plan.backlog as usize,
        window: plan.socket_bytes as usize,
        decoder: Decoder::Own(|_| Box::new(Resp)),
        faults: plan.faults.clone(),
        ..Config::default()
    };
    let score = Arc::new(Score::default());
    simulate(config, |network| carry_out(variant, plan, network, &score));
    if plan.is_lossless() {
        score.check();
    }
}

/// The proxy, which is a process: a kernel, a parent, and a way to tell it to end.
struct Proxy {
    kernel: Arc<Kernel>,
    serving: Task<()>,
    parent: JoinHandle<()>,
    orders: Arc<Orders>,
    ring: RingId,
}

impl Proxy {
    fn start(variant: Variant, plan: &NetPlan, host: Host, backend: Host) -> Option<Proxy> {
        let listener = host.block_on(TcpListener::bind(host.address(PROXY_PORT))).ok()?;
        let kernel = Kernel::on_host(plan.socket_bytes, host);
        let listeners = [kernel.listen_on(listener), kernel.remote(backend.address(BACKEND_PORT))];
        let parent = Parent::new(variant, plan.options.settled(), &kernel, listeners);
        let (orders, ring) = parent.orders();
        let serving = host.spawn("kernel", Arc::clone(&kernel).serve());
        let parent = host.thread("parent", move || parent.run());
        Some(Proxy { kernel, serving, parent, orders, ring })
    }

    fn stop_all(&self) {
        self.orders.stop_all.store(true, Ordering::Relaxed);
        self.kernel.call(self.ring);
    }

    /// Ends it. Its clients are gone.
    fn end(self, plan: &NetPlan) {
        self.orders.quit.store(true, Ordering::Relaxed);
        self.kernel.call(self.ring);
        let mut waited = Duration::ZERO;
        while !self.parent.is_finished() && waited < PATIENCE {
            sleep(GLANCE);
            waited += GLANCE;
        }
        let is_over = self.parent.is_finished();
        always("a connection ends when its peers have", is_over || plan.is_silent());
        sometimes("a connection whose peers are gone is ended by hand", !is_over);
        self.stop_all();
        self.parent.join();
        self.kernel.stop();
        self.serving.join();
    }
}

fn carry_out(variant: Variant, plan: &NetPlan, network: &Network, score: &Arc<Score>) {
    let clients: Vec<Host> = CLIENTS.iter().take(plan.clients.len()).map(|name| network.host(name)).collect();
    let (host, backend) = (network.host("proxy"), network.host("backend"));
    let start_server = || backend::start(backend, backend.address(BACKEND_PORT), plan, score);
    let mut server = start_server();
    let Some(proxy) = Proxy::start(variant, plan, host, backend) else { return };
    let visit = |(client, number): (&Host, u32)| {
        client.spawn("client", client::run(plan.clone(), number, host.address(PROXY_PORT), Arc::clone(score)))
    };
    let visits: Vec<Task<()>> = clients.iter().zip(0..).map(visit).collect();
    for event in &plan.world {
        let end = |link: Link| match link {
            Link::Client(number) => clients.get(number as usize).copied(),
            Link::Backend => Some(backend),
        };
        match *event {
            World::Pause(ms) => sleep(Duration::from_millis(u64::from(ms))),
            World::StopAll => proxy.stop_all(),
            World::Partition(link) => end(link).into_iter().for_each(|end| network.partition(host, end)),
            World::Hold(link) => end(link).into_iter().for_each(|end| network.hold(host, end)),
            World::Mend => clients.iter().chain([&backend]).for_each(|end| network.release(host, *end)),
            World::CrashBackend => {
                server = None;
                backend.crash();
            }
            World::RestartBackend => {
                backend.restart();
                server = server.or_else(start_server);
            }
            World::CrashClient(number) => end(Link::Client(number)).into_iter().for_each(Host::crash),
        }
    }
    for visit in visits {
        visit.join();
    }
    network.heal();
    proxy.end(plan);
    server.iter().for_each(Task::abort);
}
