//! The workbench: a req socket and a rep socket, connected, with callers at the one and a server at the other.
//!
//! [`run`] carries a [`Plan`] out from start to end: it opens, starts the callers as tasks, does the faults from the
//! main task, joins, and tears down. A scenario that needs another order of things uses the parts.

use std::sync::Arc;

use lastref::ledger::{Owner, Tag};
use lastref::net::thread_on;
use lastref::property::always;
use lastref::sync::{Condvar, Mutex};
use lastref::thread::JoinHandle;
use lastref::time::{Duration, sleep};

use super::aio::Timeout;
use super::caller::{Forgotten, Wrapper};
use super::errno::{Errno, Outcome};
use super::library::Nng;
use super::plan::{Fault, Plan, Request, Style};
use super::req::ReqOptions;
use super::server::Server;
use super::socket::Socket;
use super::transport::Link;
use super::variant::Variant;

/// Carries the plan out.
pub fn run(variant: Variant, plan: &Plan) {
    let bench = Bench::open(variant, plan);
    let callers = bench.start_callers();
    bench.inject();
    for caller in callers {
        caller.join();
    }
    bench.close();
}

/// Two sockets, connected, and a server.
#[derive(Debug)]
pub struct Bench {
    plan: Plan,
    nng: Arc<Nng>,
    req: Arc<Socket>,
    rep: Arc<Socket>,
    server: Option<Server>,
    /// Touched by the main task alone; a `std` lock because the bench is shared by reference.
    links: std::sync::Mutex<Vec<Option<Link>>>,
    application: Application,
}

/// The callers of a req socket, and what they share.
#[derive(Debug)]
pub(super) struct Application {
    pub(super) nng: Arc<Nng>,
    pub(super) req: Arc<Socket>,
    /// How long a request may take that has no time of its own.
    pub(super) patience: Timeout,
    /// Nothing goes wrong: every request that is waited for is answered.
    pub(super) is_sound: bool,
    pool: Option<Arc<Pool>>,
    forgotten: Arc<Forgotten>,
}

impl Bench {
    /// Opens what the plan asks for.
    pub fn open(variant: Variant, plan: &Plan) -> Bench {
        let nng = Nng::init(variant, plan.threads);
        let options = plan.resend_ms.map_or(ReqOptions::ONCE, |ms| ReqOptions::every(Duration::from_millis(ms)));
        let (req, rep) = (nng.req0_open(options), nng.rep0_open());
        let server = Server::start(&nng, &rep, plan.server_contexts).ok();
        let links = (0..plan.pipes).map(|_| Socket::connect(&req, &rep, plan.capacity).ok()).collect();
        let application = Application::new(&nng, &req, plan.style);
        Bench { plan: plan.clone(), nng, req, rep, server, links: std::sync::Mutex::new(links), application }
    }

    /// One task per caller.
    pub fn start_callers(&self) -> Vec<JoinHandle<()>> {
        self.application.start(&self.plan.callers)
    }

    /// Does the plan's faults, one after the other.
    pub fn inject(&self) {
        for fault in &self.plan.faults {
            match *fault {
                Fault::Pause(ms) => sleep(Duration::from_millis(ms)),
                Fault::Reset(place) => self.reset(place as usize),
                // A socket that is closed twice says so, and nothing else happens.
                Fault::CloseReq => drop(self.req.close()),
                Fault::CloseRep => drop(self.rep.close()),
            }
        }
    }

    fn reset(&self, place: usize) {
        let Ok(mut links) = self.links.lock() else { return };
        let Some(link) = links.get_mut(place) else { return };
        if let Some(broken) = link.take() {
            broken.reset();
        }
        *link = Socket::connect(&self.req, &self.rep, self.plan.capacity).ok();
    }

    /// Tears everything down, in upstream's order: contexts, then the sockets, then the library.
    pub fn close(self) {
        self.application.close();
        if let Some(server) = self.server {
            server.stop();
        }
        let _ = self.rep.close();
        self.nng.fini();
    }
}

impl Application {
    pub(super) fn new(nng: &Arc<Nng>, req: &Arc<Socket>, style: Style) -> Application {
        let pool = match style {
            Style::ContextPerRequest => None,
            Style::ContextPool(contexts) => Some(Pool::open(nng, req, contexts)),
        };
        let (nng, req, forgotten) = (Arc::clone(nng), Arc::clone(req), Forgotten::none());
        Application { nng, req, patience: Timeout::Infinite, is_sound: false, pool, forgotten }
    }

    /// One task per caller.
    pub(super) fn start(&self, callers: &[Vec<Request>]) -> Vec<JoinHandle<()>> {
        let callers = callers.iter().zip(0_u32..).map(|(requests, number)| {
            let caller = Caller {
                nng: Arc::clone(&self.nng),
                req: Arc::clone(&self.req),
                pool: self.pool.clone(),
                forgotten: Arc::clone(&self.forgotten),
                patience: self.patience,
                is_sound: self.is_sound,
                owner: Owner::new("caller", number),
                number,
            };
            let requests = requests.clone();
            thread_on(self.nng.host, &format!("caller.{number}"), move || caller.make(&requests))
        });
        callers.collect()
    }

    /// Tears contexts and the socket down.
    pub(super) fn close(&self) {
        if let Some(pool) = &self.pool {
            pool.close();
        }
        let _ = self.req.close();
        self.forgotten.wait();
    }
}

/// One thread of the application.
struct Caller {
    nng: Arc<Nng>,
    req: Arc<Socket>,
    pool: Option<Arc<Pool>>,
    forgotten: Arc<Forgotten>,
    patience: Timeout,
    is_sound: bool,
    owner: Owner,
    number: u32,
}

impl Caller {
    fn make(&self, requests: &[Request]) {
        for (request, nth) in requests.iter().zip(0_u64..) {
            // Room between two requests for those of a chain.
            let tag = Tag { peer: self.number, request: nth * 1000 };
            let made = match &self.pool {
                None => self.on_own_context(*request, tag),
                Some(pool) => self.on_pooled_context(pool, *request, tag),
            };
            if made.is_err() {
                // The socket is closed: so it is for the requests that are left.
                return;
            }
        }
    }

    fn on_own_context(&self, request: Request, tag: Tag) -> Result<(), Errno> {
        let wrapper = Wrapper::open(&self.nng, &self.req, self.owner)?;
        if request == Request::Forget {
            wrapper.forget(tag, self.patience, &self.forgotten);
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
            _ => self.patience,
        }
    }

    fn judge(&self, request: Request, result: Option<Outcome>) {
        if self.is_sound && matches!(request, Request::Wait | Request::Chain(_)) {
            always("a request is answered when nothing goes wrong", result == Some(Ok(())));
        }
    }
}

fn chained(request: Request) -> u32 {
    if let Request::Chain(more) = request { more } else { 0 }
}

/// Contexts that are opened once and used in turn.
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
        let mut idle = self.idle.lock();
        loop {
            match idle.pop() {
                Some(wrapper) => return Ok(wrapper),
                None if self.size == 0 => return Err(Errno::Closed),
                None => idle = self.returned.wait(idle),
            }
        }
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
