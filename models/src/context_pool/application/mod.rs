//! The application: callers of a req socket, and a server that replies, in memory or on hosts of the simulated network.
//!
//! The main task opens both ends, starts the callers as tasks, executes the acts, joins the callers, and tears down. A
//! scenario that needs another order calls the parts itself.

mod ends;
mod overtaker;
mod server;
mod wrapper;

use std::sync::Arc;

use lastref::ledger::{Owner, Tag, deliver};
use lastref::net::{Decoder, thread_on};
use lastref::property::always;
use lastref::sync::{Condvar, Mutex};
use lastref::thread::JoinHandle;
use lastref::time::{Duration, sleep};

use self::ends::{Asking, Serving};
pub use self::overtaker::Attempt;
use self::overtaker::Overtaker;
pub use self::server::Server;
pub use self::wrapper::{Forgotten, Wrapper};
use super::aio::{Aio, Timeout};
use super::errno::{Errno, Outcome};
use super::library::Nng;
use super::network::{PORT, Sp, client};
use super::plan::{Act, NetPlan, Plan, Request, Style};
use super::req::ReqOptions;
use super::socket::Socket;
use super::transport::Link;
use super::variant::Variant;
use crate::kit::harness::Tasks;
use crate::kit::weather::CLIENTS;

/// Runs the plan in memory: both sockets are of one process.
pub fn run(variant: Variant, plan: &Plan) {
    let nng = Nng::init(variant, plan.threads);
    let (req, rep) = (nng.req0_open(ReqOptions::of(plan.resend_ms)), nng.rep0_open());
    let server = Server::start(&nng, &rep, plan.server_contexts, None).ok();
    let connect = || Socket::connect(&req, &rep, plan.capacity).ok();
    let mut links: Vec<Option<Link>> = (0..plan.pipes).map(|_| connect()).collect();
    let application = Application::new(&nng, &req, plan.style);
    let threads = application.start(&plan.callers);
    let asking = Asking { application, dialers: Vec::new(), threads, hurried: false };
    let serving = Serving { nng: Arc::clone(&nng), rep: Arc::clone(&rep), server, listener: None };
    for act in &plan.acts {
        match *act {
            Act::Reset(place) => {
                let Some(link) = links.get_mut(place as usize) else { continue };
                link.take().iter().for_each(Link::reset);
                *link = connect();
            }
            act => self::act(act, Some(&serving), Some(&asking)),
        }
    }
    // Upstream's order: contexts, then the sockets, then the library.
    asking.end();
    serving.end();
    nng.fini();
}

/// Runs the plan on a simulated network: the req socket on one host, the server on another, clients other than NNG on
/// further hosts.
pub fn run_on_network(variant: Variant, plan: &NetPlan) {
    let peers: Vec<&str> = std::iter::once("rep").chain(CLIENTS).take(1 + plan.clients.len()).collect();
    plan.weather.simulate("req", &peers, Decoder::Own(Sp::of), |hosts| {
        let server = hosts.peers[0].address(PORT);
        let serving = Serving::start(variant, &plan.replier, hosts.peers[0]);
        let asking = Asking::start(variant, plan, hosts.middle, server);
        let clients = Tasks::default();
        for ((host, steps), number) in hosts.peers[1..].iter().zip(&plan.clients).zip(0..) {
            clients.push(host.spawn("client", client::run(steps.clone(), number, server, plan.is_sound())));
        }
        // Only the host of a `Peer` crashes, and the peer restarts with it.
        hosts.pass(&plan.weather.events, |_| ());
        plan.acts.iter().for_each(|act| self::act(*act, serving.as_ref(), asking.as_ref()));
        asking.into_iter().for_each(|asking| asking.end().fini());
        clients.join();
        serving.into_iter().for_each(|serving| serving.end().fini());
    });
}

fn act(act: Act, serving: Option<&Serving>, asking: Option<&Asking>) {
    if let Act::Pause(ms) = act {
        sleep(Duration::from_millis(ms));
    }
    serving.iter().for_each(|serving| serving.act(act));
    asking.iter().for_each(|asking| asking.act(act));
}

/// The state that the callers of a req socket share.
#[derive(Clone, Debug)]
struct Application {
    nng: Arc<Nng>,
    req: Arc<Socket>,
    /// The timeout of a request without its own timeout.
    patience: Timeout,
    /// True if the run has no faults, so that every request with a waiting caller must be answered.
    is_sound: bool,
    pool: Option<Arc<Pool>>,
    forgotten: Arc<Forgotten>,
}

impl Application {
    fn new(nng: &Arc<Nng>, req: &Arc<Socket>, style: Style) -> Application {
        let pool = match style {
            Style::ContextPerRequest => None,
            Style::ContextPool(contexts) => Some(Pool::open(nng, req, contexts)),
        };
        let (nng, req, forgotten) = (Arc::clone(nng), Arc::clone(req), Forgotten::none());
        Application { nng, req, patience: Timeout::Infinite, is_sound: false, pool, forgotten }
    }

    /// Starts one task per caller.
    fn start(&self, callers: &[Vec<Request>]) -> Vec<JoinHandle<()>> {
        let callers = callers.iter().zip(0_u32..).map(|(requests, number)| {
            let caller = Caller { application: self.clone(), number };
            let requests = requests.clone();
            thread_on(self.nng.host, &format!("caller.{number}"), move || caller.make(&requests))
        });
        callers.collect()
    }

    /// Closes the pooled contexts and the socket, and waits for the forgotten requests.
    fn close(&self) {
        if let Some(pool) = &self.pool {
            pool.close();
        }
        let _ = self.req.close();
        self.forgotten.wait();
    }
}

/// One thread of the application.
struct Caller {
    application: Application,
    number: u32,
}

impl Caller {
    fn make(&self, requests: &[Request]) {
        for (request, nth) in requests.iter().zip(0_u64..) {
            // Request numbers are spaced, so that chained requests fit between them.
            let tag = Tag { peer: self.number, request: nth * 1000 };
            let made = match &self.application.pool {
                None => self.on_own_context(*request, tag),
                Some(pool) => self.on_pooled_context(pool, *request, tag),
            };
            if made.is_err() {
                // The socket is closed, so the remaining requests would fail too.
                return;
            }
        }
    }

    fn on_own_context(&self, request: Request, tag: Tag) -> Result<(), Errno> {
        let Application { nng, req, patience, forgotten, .. } = &self.application;
        let wrapper = Wrapper::open(nng, req, Owner::new("caller", self.number))?;
        if request == Request::Forget {
            wrapper.forget(tag, *patience, forgotten);
            return Ok(());
        }
        wrapper.chain(tag, chained(request), self.timeout(request));
        match request {
            Request::Wait | Request::Chain(_) | Request::Timeout(_) => self.judge(request, wrapper.wait()),
            Request::Cancel => wrapper.cancel(),
            Request::Leave(ms) => sleep(Duration::from_millis(ms)),
            Request::Abandon | Request::Forget => {}
        }
        wrapper.retire();
        Ok(())
    }

    fn on_pooled_context(&self, pool: &Pool, request: Request, tag: Tag) -> Result<(), Errno> {
        let wrapper = pool.take()?;
        wrapper.chain(tag, chained(request), self.timeout(request));
        if let Request::Leave(ms) = request {
            sleep(Duration::from_millis(ms));
        }
        if matches!(request, Request::Cancel | Request::Abandon | Request::Leave(_)) {
            wrapper.cancel();
        }
        let result = wrapper.wait();
        self.judge(request, result);
        pool.put(wrapper);
        match result {
            Some(Err(Errno::Closed)) => Err(Errno::Closed),
            _ => Ok(()),
        }
    }

    fn timeout(&self, request: Request) -> Timeout {
        match request {
            Request::Timeout(ms) => Timeout::After(Duration::from_millis(ms)),
            _ => self.application.patience,
        }
    }

    fn judge(&self, request: Request, result: Option<Outcome>) {
        if self.application.is_sound && matches!(request, Request::Wait | Request::Chain(_)) {
            always("a request is answered on a network without faults", result == Some(Ok(())));
        }
    }
}

/// Takes the reply off the aio of a receive that has succeeded, and frees it. It must carry the tag of the request.
fn take_reply(aio: &Aio, by: Owner, asked: Tag) {
    let reply = aio.take_msg(by);
    always("a receive that succeeds has a message", reply.is_some());
    if let Some(reply) = reply {
        let tag = reply.tag(by);
        always("a reply carries a tag", tag.is_some());
        deliver(tag.unwrap_or(asked), asked);
        reply.free(by);
    }
}

fn chained(request: Request) -> u32 {
    if let Request::Chain(more) = request { more } else { 0 }
}

/// A pool of contexts that are opened once and reused.
#[derive(Debug)]
struct Pool {
    idle: Mutex<Vec<Arc<Wrapper>>>,
    returned: Condvar,
    size: usize,
}

impl Pool {
    fn open(nng: &Arc<Nng>, req: &Arc<Socket>, contexts: u32) -> Arc<Pool> {
        let wrappers = (0..contexts).filter_map(|number| Wrapper::open(nng, req, Owner::new("pooled", number)).ok());
        let idle: Vec<Arc<Wrapper>> = wrappers.collect();
        let size = idle.len();
        Arc::new(Pool { idle: Mutex::named("pool", idle), returned: Condvar::named("pool"), size })
    }

    fn take(&self) -> Result<Arc<Wrapper>, Errno> {
        let mut idle = self.returned.wait_while(self.idle.lock(), |idle| idle.is_empty() && self.size > 0);
        idle.pop().ok_or(Errno::Closed)
    }

    fn put(&self, wrapper: Arc<Wrapper>) {
        self.idle.lock().push(wrapper);
        self.returned.notify_one();
    }

    fn close(&self) {
        let idle = std::mem::take(&mut *self.idle.lock());
        for wrapper in idle {
            wrapper.retire();
        }
    }
}
