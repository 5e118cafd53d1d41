//! The two ends of a run: a req socket, and a rep socket or a peer that is not NNG. Each starts on a host of its own,
//! acts, and ends. A run in memory has both sockets in one process.

use std::net::SocketAddr;
use std::sync::Arc;

use lastref::net::{Host, Task, thread_on};
use lastref::thread::JoinHandle;
use lastref::time::Duration;

use super::{Application, Overtaker, Server};
use crate::context_pool::aio::Timeout;
use crate::context_pool::library::{Nng, Threads};
use crate::context_pool::network::{Endpoint, PORT, Peer, REP0, REQ0};
use crate::context_pool::plan::{Act, NetPlan, Replier};
use crate::context_pool::req::ReqOptions;
use crate::context_pool::socket::Socket;
use crate::context_pool::variant::Variant;
use crate::kit::harness::bind;

/// The req socket and its application.
pub(super) struct Asking {
    pub(super) application: Application,
    pub(super) dialers: Vec<Task<()>>,
    pub(super) threads: Vec<JoinHandle<()>>,
    /// The socket is closed concurrently on two threads.
    pub(super) hurried: bool,
}

impl Asking {
    pub(super) fn start(variant: Variant, plan: &NetPlan, host: Host, server: SocketAddr) -> Option<Asking> {
        if plan.callers.is_empty() && plan.overtakers.is_empty() {
            return None;
        }
        let nng = Nng::init_on(variant, Threads::NNG, Some(host));
        let req = nng.req0_open(ReqOptions::of(plan.resend_ms));
        let endpoint = Endpoint::new(&nng, &req, host, (REQ0, REP0));
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

    pub(super) fn act(&self, act: Act) {
        match act {
            Act::ClosePipes => self.application.req.close_pipes(),
            Act::CloseReq => {
                // `nng_close`: dialers first.
                self.dialers.iter().for_each(Task::abort);
                // A second close returns NNG_ECLOSED and does nothing else.
                let _ = self.application.req.close();
            }
            Act::Pause(_) | Act::Reset(_) | Act::CloseRep => {}
        }
    }

    /// Waits for the callers and closes the socket.
    pub(super) fn end(self) -> Arc<Nng> {
        self.threads.into_iter().for_each(JoinHandle::join);
        self.dialers.iter().for_each(Task::abort);
        let closer = self.hurried.then(|| {
            let (nng, req) = (&self.application.nng, Arc::clone(&self.application.req));
            thread_on(nng.host, "closer", move || req.close().unwrap_or_default())
        });
        self.application.close();
        closer.into_iter().for_each(JoinHandle::join);
        self.dialers.into_iter().for_each(|dialer| dialer.join().unwrap_or_default());
        self.application.nng
    }
}

/// The rep socket and its application.
pub(super) struct Serving {
    pub(super) nng: Arc<Nng>,
    pub(super) rep: Arc<Socket>,
    pub(super) server: Option<Server>,
    pub(super) listener: Option<Task<()>>,
}

impl Serving {
    /// Starts the replying end on a host; `None` if it is a peer that is not NNG.
    pub(super) fn start(variant: Variant, replier: &Replier, host: Host) -> Option<Serving> {
        match replier {
            Replier::Peer { greetings, habits } => {
                Peer::start(host, greetings.clone(), habits.clone());
                None
            }
            Replier::Rep { contexts, works_ms } => {
                let timers = works_ms.is_some();
                let nng = Nng::init_on(variant, Threads { timers, ..Threads::NNG }, Some(host));
                let rep = nng.rep0_open();
                let server = Server::start(&nng, &rep, *contexts, works_ms.map(Duration::from_millis)).ok();
                let listener = Endpoint::new(&nng, &rep, host, (REP0, REQ0)).listen(bind(host, PORT));
                Some(Serving { nng, rep, server, listener: Some(listener) })
            }
        }
    }

    pub(super) fn act(&self, act: Act) {
        match act {
            Act::ClosePipes => self.rep.close_pipes(),
            Act::CloseRep => {
                self.listener.iter().for_each(Task::abort);
                // A second close returns NNG_ECLOSED and does nothing else.
                let _ = self.rep.close();
            }
            Act::Pause(_) | Act::Reset(_) | Act::CloseReq => {}
        }
    }

    /// Stops the server and closes the socket.
    pub(super) fn end(self) -> Arc<Nng> {
        self.listener.iter().for_each(Task::abort);
        self.server.into_iter().for_each(Server::stop);
        let _ = self.rep.close();
        self.listener.map(Task::join);
        self.nng
    }
}
