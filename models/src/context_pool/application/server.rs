//! The application at the other end: contexts that receive a request, send it back as the reply, and receive again.
//!
//! As in upstream's demo/async/server.c, each context has one aio and one callback. A reply can have a delay, for work.
//! A callback that finds its socket closed stops; [`Server::stop`] frees the aio.

use std::sync::{Arc, Weak};

use lastref::ledger::Owner;
use lastref::property::{always, sometimes};
use lastref::sync::{Mutex, MutexGuard};
use lastref::time::Duration;

use crate::context_pool::aio::Aio;
use crate::context_pool::context::Ctx;
use crate::context_pool::errno::Errno;
use crate::context_pool::library::Nng;
use crate::context_pool::message::Message;
use crate::context_pool::socket::Socket;
use crate::kit::harness::impl_debug;

/// A server: contexts that reply to requests.
pub struct Server {
    works: Vec<Arc<Work>>,
}

struct Work {
    ctx: Ctx,
    aio: Arc<Aio>,
    owner: Owner,
    /// Delay of a reply; `None` replies at once.
    takes: Option<Duration>,
    doing: Mutex<Doing>,
}

/// The operation that the aio of a context is used for.
#[derive(Debug)]
enum Doing {
    Receiving,
    /// `nng_sleep_aio`, with the request kept meanwhile.
    Working(Option<Message>),
    Replying,
}

impl Server {
    /// Starts to receive on this many contexts. A reply is sent after `takes`, for which the library needs its timers;
    /// `None` replies at once.
    ///
    /// # Errors
    ///
    /// `NNG_ECLOSED` if the socket is closed.
    pub fn start(nng: &Arc<Nng>, rep: &Arc<Socket>, contexts: u32, takes: Option<Duration>) -> Result<Server, Errno> {
        let works = (0..contexts).map(|number| {
            let ctx = Ctx::open(rep)?;
            Ok(Arc::new_cyclic(|work: &Weak<Work>| {
                let weak = Weak::clone(work);
                let callback = move || weak.upgrade().iter().for_each(|work| work.completed());
                let aio = Aio::alloc(nng, Some(Box::new(callback)));
                Work {
                    ctx,
                    aio,
                    owner: Owner::new("server", number),
                    takes,
                    doing: Mutex::named("work", Doing::Receiving),
                }
            }))
        });
        let works: Vec<Arc<Work>> = works.collect::<Result<_, Errno>>()?;
        works.iter().for_each(|work| work.ctx.recv(&work.aio));
        Ok(Server { works })
    }

    /// Closes the contexts, waits for their callbacks, frees their aios.
    pub fn stop(self) {
        for work in self.works {
            // Closed already if the socket was closed before.
            let _ = work.ctx.close();
            work.aio.stop();
            work.free_msg();
            work.free_kept();
            work.aio.free();
        }
    }
}

impl Work {
    fn completed(&self) {
        let mut doing = self.doing.lock();
        let result = self.aio.result();
        if result.is_err() {
            // An unsent reply is still on the aio.
            self.free_msg();
        }
        match (result, std::mem::replace(&mut *doing, Doing::Receiving)) {
            (Ok(()), Doing::Receiving) => {
                let request = self.aio.take_msg(self.owner);
                always("a receive that succeeds has a message", request.is_some());
                match self.takes {
                    Some(takes) => {
                        *doing = Doing::Working(request);
                        drop(doing);
                        self.aio.sleep(takes);
                    }
                    None => self.reply(doing, request),
                }
            }
            (Ok(()), Doing::Working(request)) => self.reply(doing, request),
            (Err(Errno::Closed | Errno::Canceled), doing) => {
                sometimes("a server context finds itself closed", true);
                if let Doing::Working(Some(request)) = doing {
                    request.free(self.owner);
                }
            }
            (Ok(()) | Err(_), _) => {
                drop(doing);
                self.ctx.recv(&self.aio);
            }
        }
    }

    fn reply(&self, mut doing: MutexGuard<'_, Doing>, request: Option<Message>) {
        *doing = Doing::Replying;
        drop(doing);
        if let Some(request) = request {
            self.aio.set_msg(self.owner, request);
        }
        self.ctx.send(&self.aio);
    }

    /// Frees the request that is being worked on: if the aio was stopped meanwhile, no callback frees it.
    fn free_kept(&self) {
        if let Doing::Working(Some(request)) = std::mem::replace(&mut *self.doing.lock(), Doing::Receiving) {
            request.free(self.owner);
        }
    }

    fn free_msg(&self) {
        if let Some(left) = self.aio.take_msg(self.owner) {
            left.free(self.owner);
        }
    }
}

impl_debug!(Server {});
