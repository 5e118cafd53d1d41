//! The application: clients, the proxy, a server, and the network between them.
//!
//! Tasks of a run in memory: `kernel`, `parent`, one `conn.N` and one `client.N` per connection, `server`, and the main
//! task, which performs the acts. For exhaustive exploration, all but the connections take turns on the main task, so a
//! run with one connection has two tasks. On a simulated network each client, the proxy and the server have a host of
//! their own.

mod client;
mod resp;
pub(super) mod score;
mod server;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use lastref::net::{Decoder, Host, Task, thread_on};
use lastref::property::{always, sometimes};
use lastref::thread::JoinHandle;
use lastref::time::{Duration, sleep};

use self::client::{Client, Manner};
use self::score::Score;
use self::server::Server;
use super::kernel::Kernel;
use super::kernel::abi::RingId;
use super::kernel::programs::Progress;
use super::network::client as network_client;
use super::network::resp::Resp;
use super::network::{BACKEND_PORT, PROXY_PORT, backend};
use super::parent::{Orders, Parent};
use super::plan::{Act, Habit, NetPlan, Plan};
use super::variant::Variant;
use crate::kit::harness::{Tasks, bind, holds_within};
use crate::kit::weather::CLIENTS;

/// Time for the proxy to end its connections after the clients: longer than the server's idle timeout.
const PATIENCE: Duration = Duration::from_secs(8);
const GLANCE: Duration = Duration::from_millis(100);

/// Runs the plan in memory.
pub fn run(variant: Variant, plan: &Plan) {
    let score = Arc::new(Score::default());
    let application = Application::open(variant, plan, &score);
    if plan.two_tasks {
        application.run_in_turn(plan)
    } else {
        application.run_as_tasks(plan)
    }
    if plan.is_lossless() {
        score.check();
    }
}

/// Runs the plan on a simulated network, with the proxy, its server and each client on a host of its own.
pub fn run_on_network(variant: Variant, plan: &NetPlan) {
    let score = Arc::new(Score::default());
    let peers: Vec<&str> = std::iter::once("backend").chain(CLIENTS).take(1 + plan.clients.len()).collect();
    plan.weather.simulate("proxy", &peers, Decoder::Own(|_| Box::new(Resp)), |hosts| {
        let backend = hosts.peers[0];
        backend::start(backend, plan, &score);
        let proxy = Proxy::start(variant, plan, hosts.middle, backend.address(BACKEND_PORT));
        let visits = Tasks::default();
        for (client, number) in hosts.peers[1..].iter().zip(0..) {
            let proxy = hosts.middle.address(PROXY_PORT);
            visits.push(client.spawn("client", network_client::run(plan.clone(), number, proxy, Arc::clone(&score))));
        }
        // The server restarts with its host, also in `heal` below. The visits of a client end with its host.
        hosts.pass(&plan.weather.events, |_| ());
        plan.acts.iter().for_each(|act| proxy.act(*act));
        visits.join();
        hosts.network.heal();
        proxy.end(plan);
    });
    if plan.is_lossless() {
        score.check();
    }
}

/// Performs an act: a pause, or a request to the proxy's parent.
fn act(act: Act, kernel: &Kernel, (orders, ring): (&Orders, RingId)) {
    match act {
        Act::Pause(ms) => sleep(Duration::from_millis(ms)),
        Act::StopAll => {
            orders.stop_all.store(true, Ordering::Relaxed);
            kernel.call(ring);
        }
    }
}

struct Application {
    kernel: Arc<Kernel>,
    parent: Parent,
    clients: Vec<Client>,
    server: Server,
}

impl Application {
    fn open(variant: Variant, plan: &Plan, score: &Arc<Score>) -> Application {
        let options = plan.options.settled();
        let kernel = Kernel::new(plan.window);
        let (proxy, upstream) = (kernel.listen(), kernel.listen());
        if plan.server == Habit::Refuses {
            kernel.refuse(upstream);
        }
        let manner = Manner { lossless: plan.is_lossless(), bidi: options.bidi };
        let clients = plan.clients.iter().zip(0_u32..);
        let clients = clients.map(|(steps, number)| Client::new(number, steps, proxy, manner, score)).collect();
        let server = Server::new(upstream, plan.server, manner, score);
        let parent = Parent::new(variant, options, &kernel, [proxy, upstream]);
        Application { kernel, parent, clients, server }
    }

    fn run_as_tasks(self, plan: &Plan) {
        let Application { kernel, parent, clients, mut server } = self;
        let (orders, ring) = parent.orders();
        let closing = Arc::clone(&server.closing);
        let at = Arc::clone(&kernel);
        let kernel_task = thread_on(None, "kernel", move || at.run());
        let parent_task = thread_on(None, "parent", move || parent.run());
        let at = Arc::clone(&kernel);
        let server_task = thread_on(None, "server", move || at.drive(|net| server.step(net)));
        let clients = clients.into_iter().zip(0..).map(|(mut client, number)| {
            let at = Arc::clone(&kernel);
            let name = format!("client.{number}");
            thread_on(None, &name, move || at.drive(|net| client.step(net)))
        });
        let clients: Vec<_> = clients.collect();
        plan.acts.iter().for_each(|it| act(*it, &kernel, (&orders, ring)));
        clients.into_iter().for_each(|client| client.join());
        orders.quit.store(true, Ordering::Relaxed);
        kernel.call(ring);
        parent_task.join();
        closing.store(true, Ordering::Relaxed);
        kernel.call_programs();
        server_task.join();
        kernel.stop();
        kernel_task.join();
    }

    fn run_in_turn(self, plan: &Plan) {
        let Application { kernel, mut parent, mut clients, mut server } = self;
        let (orders, _) = parent.orders();
        let closing = Arc::clone(&server.closing);
        orders.stop_all.store(plan.acts.contains(&Act::StopAll), Ordering::Relaxed);
        loop {
            parent.turn_once();
            clients.retain_mut(|client| kernel.step(&mut |net| client.step(net)) != Progress::Done);
            orders.quit.store(clients.is_empty(), Ordering::Relaxed);
            kernel.step(&mut |net| server.step(net));
            while kernel.pump() {}
            if parent.is_over() {
                break;
            }
            kernel.wait_for_work(&parent.ring);
        }
        parent.exit();
        closing.store(true, Ordering::Relaxed);
        while kernel.pump() || kernel.step(&mut |net| server.step(net)) != Progress::Done {}
    }
}

/// The proxy's process on its host: a kernel, a parent, and the means to end it.
struct Proxy {
    kernel: Arc<Kernel>,
    serving: Task<()>,
    parent: JoinHandle<()>,
    orders: Arc<Orders>,
    ring: RingId,
}

impl Proxy {
    fn start(variant: Variant, plan: &NetPlan, host: Host, backend: SocketAddr) -> Proxy {
        let listener = bind(host, PROXY_PORT);
        let kernel = Kernel::on_host(plan.weather.window, Some(host));
        let listeners = [kernel.listen_on(listener), kernel.remote(backend)];
        let parent = Parent::new(variant, plan.options.settled(), &kernel, listeners);
        let (orders, ring) = parent.orders();
        let serving = host.spawn("kernel", Arc::clone(&kernel).serve());
        let parent = host.thread("parent", move || parent.run());
        Proxy { kernel, serving, parent, orders, ring }
    }

    fn act(&self, it: Act) {
        act(it, &self.kernel, (&self.orders, self.ring));
    }

    /// Ends the proxy, after its clients have ended.
    fn end(self, plan: &NetPlan) {
        self.orders.quit.store(true, Ordering::Relaxed);
        self.kernel.call(self.ring);
        let is_over = holds_within(PATIENCE, GLANCE, || self.parent.is_finished());
        always("a connection ends after its peers have ended", is_over || plan.is_silent());
        sometimes("a connection without peers is stopped by the application", !is_over);
        self.act(Act::StopAll);
        self.parent.join();
        self.kernel.stop();
        self.serving.join();
    }
}
