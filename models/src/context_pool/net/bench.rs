//! The workbench on a network: a req socket on one host, who replies on another, clients on more.

use std::sync::Arc;

use lastref::net::{Config, Decoder, Host, Network, Task, TcpListener, simulate, thread_on};
use lastref::thread::JoinHandle;
use lastref::time::{Duration, sleep};

use super::client;
use super::dialer::Endpoint;
use super::overtaker::Overtaker;
use super::peer::Peer;
use super::plan::{Event, NetPlan, Replier};
use super::wire;
use crate::context_pool::aio::Timeout;
use crate::context_pool::bench::Application;
use crate::context_pool::library::{Nng, Threads};
use crate::context_pool::req::ReqOptions;
use crate::context_pool::server::Server;
use crate::context_pool::socket::Socket;
use crate::context_pool::variant::Variant;

/// As many as a plan may have.
const CLIENTS: [&str; 4] = ["client.0", "client.1", "client.2", "client.3"];

/// Where the server listens.
const PORT: u16 = 5555;

/// Carries the plan out.
pub fn run(variant: Variant, plan: &NetPlan) {
    let clients = CLIENTS.iter().take(plan.clients.len());
    let config = Config {
        hosts: ["req", "rep"].iter().chain(clients).copied().collect(),
        latency_ms: plan.latency_ms,
        short: plan.short,
        backlog: plan.backlog as usize,
        window: plan.window as usize,
        decoder: Decoder::Own(wire::Sp::of),
        faults: plan.faults.clone(),
        ..Config::default()
    };
    simulate(config, |network| {
        let serving = Serving::start(variant, plan, network.host("rep"));
        let asking = Asking::start(variant, plan, network);
        let clients: Vec<Task<()>> = plan
            .clients
            .iter()
            .zip(CLIENTS)
            .zip(0..)
            .map(|((steps, name), number)| {
                let address = network.host("rep").address(PORT);
                network.host(name).spawn("client", client::run(steps.clone(), number, address, plan.is_sound()))
            })
            .collect();
        let mut world = World { network, asking: asking.as_ref(), serving };
        plan.events.iter().for_each(|event| world.happens(*event));
        let World { serving, .. } = world;
        if let Some(asking) = asking {
            asking.end();
        }
        clients.into_iter().for_each(|client| client.join().unwrap_or_default());
        serving.end();
    });
}

/// The process that asks.
struct Asking {
    application: Application,
    dialers: Vec<Task<()>>,
    threads: Vec<JoinHandle<()>>,
    hurried: bool,
}

impl Asking {
    fn start(variant: Variant, plan: &NetPlan, network: &Network) -> Option<Asking> {
        if plan.callers.is_empty() && plan.overtakers.is_empty() {
            return None;
        }
        let (host, server) = (network.host("req"), network.host("rep").address(PORT));
        let nng = Nng::init_on(variant, Threads::NNG, Some(host));
        let options = plan.resend_ms.map_or(ReqOptions::ONCE, |ms| ReqOptions::every(Duration::from_millis(ms)));
        let req = nng.req0_open(options);
        let (nng, sock, protocols) = (nng, Arc::clone(&req), (wire::REQ0, wire::REP0));
        let endpoint = Arc::new(Endpoint { nng: Arc::clone(&nng), sock, host, protocols });
        let dialers = (0..plan.dialers).map(|number| endpoint.dial(number, server)).collect();
        let mut application = Application::new(&nng, &req, plan.style);
        application.is_sound = plan.is_sound();
        if !application.is_sound {
            application.patience = Timeout::After(Duration::from_millis(plan.patience_ms));
        }
        let mut threads = application.start(&plan.callers);
        threads.extend(plan.overtakers.iter().zip(0..).map(|(attempts, number)| {
            Overtaker { nng: Arc::clone(&nng), req: Arc::clone(&req), number }.start(attempts)
        }));
        Some(Asking { application, dialers, threads, hurried: plan.hurried })
    }

    /// `nng_close`: dialers first.
    fn close_socket(&self) {
        self.dialers.iter().for_each(Task::abort);
        // A socket that is closed twice says so, and nothing else happens.
        let _ = self.application.req.close();
    }

    fn end(self) {
        self.threads.into_iter().for_each(JoinHandle::join);
        self.dialers.iter().for_each(Task::abort);
        let closer = self.hurried.then(|| {
            let (nng, req) = (&self.application.nng, Arc::clone(&self.application.req));
            thread_on(nng.host, "closer", move || req.close().unwrap_or_default())
        });
        self.application.close();
        closer.into_iter().for_each(JoinHandle::join);
        self.dialers.into_iter().for_each(|dialer| dialer.join().unwrap_or_default());
        self.application.nng.fini();
    }
}

/// The process that replies.
enum Serving {
    Rep { nng: Arc<Nng>, rep: Arc<Socket>, server: Option<Server>, listener: Task<()> },
    Peer { peer: Arc<Peer>, host: Host, listener: Option<Task<()>> },
}

impl Serving {
    fn start(variant: Variant, plan: &NetPlan, host: Host) -> Serving {
        match &plan.replier {
            Replier::Peer { greetings, habits } => {
                let peer = Peer::new(host, greetings.clone(), habits.clone());
                let listener = bind(host).map(|listener| peer.listen(listener));
                Serving::Peer { peer, host, listener }
            }
            Replier::Rep { contexts, works_ms } => {
                let timers = works_ms.is_some();
                let nng = Nng::init_on(variant, Threads { timers, ..Threads::NNG }, Some(host));
                let rep = nng.rep0_open();
                let server = Server::start_working(&nng, &rep, *contexts, works_ms.map(Duration::from_millis)).ok();
                let (sock, protocols) = (Arc::clone(&rep), (wire::REP0, wire::REQ0));
                let endpoint = Arc::new(Endpoint { nng: Arc::clone(&nng), sock, host, protocols });
                let listener = match bind(host) {
                    Some(listener) => endpoint.listen(listener),
                    None => lastref::bug!("the port of a new host is taken"),
                };
                Serving::Rep { nng, rep, server, listener }
            }
        }
    }

    fn end(self) {
        match self {
            Serving::Peer { listener, .. } => {
                listener.iter().for_each(Task::abort);
            }
            Serving::Rep { nng, rep, server, listener } => {
                listener.abort();
                server.into_iter().for_each(Server::stop);
                let _ = rep.close();
                listener.join();
                nng.fini();
            }
        }
    }
}

/// A listener that is there before any client.
fn bind(host: Host) -> Option<TcpListener> {
    host.block_on(TcpListener::bind(host.address(PORT))).ok()
}

struct World<'a> {
    network: &'a Network,
    asking: Option<&'a Asking>,
    serving: Serving,
}

impl World<'_> {
    fn happens(&mut self, event: Event) {
        let ends = (self.network.host("req"), self.network.host("rep"));
        match event {
            Event::Pause(ms) => sleep(Duration::from_millis(ms)),
            Event::Partition => self.network.partition(ends.0, ends.1),
            Event::Hold => self.network.hold(ends.0, ends.1),
            Event::Heal => self.network.release(ends.0, ends.1),
            Event::Crash => {
                if let Serving::Peer { peer, host, listener } = &mut self.serving
                    && let Some(ended) = listener.take()
                {
                    host.crash();
                    ended.join();
                    peer.join();
                }
            }
            Event::Restart => {
                if let Serving::Peer { peer, host, listener } = &mut self.serving
                    && listener.is_none()
                {
                    host.restart();
                    *listener = bind(*host).map(|listener| peer.listen(listener));
                }
            }
            Event::ClosePipes => {
                if let Serving::Rep { rep, .. } = &self.serving {
                    rep.close_pipes();
                }
                if let Some(asking) = self.asking {
                    asking.application.req.close_pipes();
                }
            }
            Event::CloseReq => {
                if let Some(asking) = self.asking {
                    asking.close_socket();
                }
            }
            Event::CloseRep => {
                if let Serving::Rep { rep, listener, .. } = &self.serving {
                    listener.abort();
                    let _ = rep.close();
                }
            }
        }
    }
}
