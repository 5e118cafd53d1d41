//! The application: a wrapper object per operation, driven by callbacks, as in the reported add-on.
//!
//! nng #2111 describes a Node.js add-on with many threads. Each request opens a context and closes it after use; an
//! object holds the context, the aio and the message until the callback has run. The fix that the issue's thread
//! recommends is a pool: contexts are opened once and reused. A [`Wrapper`] serves both styles; it makes one request at
//! a time:
//!
//! ```text
//! request: alloc, set_msg, nng_ctx_send ──► callback: sent? nng_ctx_recv ──► callback: take the reply, free it
//!                                              └ failed: take the message back, free it
//! retire:  nng_ctx_close ─► nng_aio_stop ─► free what is left on the aio ─► nng_aio_free ─► free the wrapper
//! ```
//!
//! A request may also be forgotten: its last callback then retires the wrapper, but leaves the aio to the reaper, since
//! a callback cannot wait for its own aio.
//!
//! A reply must carry the tag of the request that it answers.

use std::sync::{Arc, Weak};

use lastref::ledger::{Owner, Resource, Tag};
use lastref::property::{always, sometimes};
use lastref::sync::{Condvar, Mutex, MutexGuard};

use super::take_reply;
use crate::context_pool::aio::{Aio, Timeout};
use crate::context_pool::context::Ctx;
use crate::context_pool::errno::{Errno, Outcome};
use crate::context_pool::library::Nng;
use crate::context_pool::message::Message;
use crate::context_pool::socket::Socket;
use crate::context_pool::variant::Variant;
use crate::kit::harness::impl_debug;

const CALLBACK: Owner = Owner::new("callback", 0);

/// Counts the forgotten wrappers that their callbacks have not retired yet.
pub struct Forgotten {
    left: Mutex<u32>,
    none: Condvar,
}

impl Forgotten {
    /// A count of zero.
    pub fn none() -> Arc<Forgotten> {
        Arc::new(Forgotten { left: Mutex::named("forgotten", 0), none: Condvar::named("forgotten") })
    }

    fn more_by_one(&self) {
        *self.left.lock() += 1;
    }

    fn less_by_one(&self) {
        let mut left = self.left.lock();
        *left -= 1;
        if *left == 0 {
            self.none.notify_all();
        }
    }

    /// Returns when every callback has torn its wrapper down.
    pub fn wait(&self) {
        drop(self.none.wait_while(self.left.lock(), |left| *left > 0));
    }
}

/// The argument of a callback: the context, the aio and the progress of one operation.
pub struct Wrapper {
    memory: Resource,
    owner: Owner,
    variant: Variant,
    ctx: Ctx,
    aio: Arc<Aio>,
    progress: Mutex<Progress>,
}

#[derive(Debug, Default)]
struct Progress {
    asked: Option<Tag>,
    /// The pointer to the sent message that the caller keeps.
    msg: Option<Message>,
    receiving: bool,
    /// The number of requests that the callback will make after this one.
    more: u32,
    /// Set if the callback must tear the wrapper down.
    forgotten: Option<(Arc<Wrapper>, Arc<Forgotten>)>,
    result: Option<Outcome>,
}

impl Wrapper {
    /// Opens a wrapper with its own context.
    ///
    /// # Errors
    ///
    /// `NNG_ECLOSED` if the socket is closed or closing.
    pub fn open(nng: &Arc<Nng>, sock: &Arc<Socket>, owner: Owner) -> Result<Arc<Wrapper>, Errno> {
        let ctx = Ctx::open(sock)?;
        let memory = Resource::acquire("wrapper", owner);
        Ok(Arc::new_cyclic(|wrapper: &Weak<Wrapper>| {
            let weak = Weak::clone(wrapper);
            let callback = move || {
                memory.callback(CALLBACK);
                weak.upgrade().iter().for_each(|wrapper| wrapper.completed());
            };
            Wrapper {
                memory,
                owner,
                variant: nng.variant,
                ctx,
                aio: Aio::alloc(nng, Some(Box::new(callback))),
                progress: Mutex::named("wrapper", Progress::default()),
            }
        }))
    }

    /// Sends a request; the callback receives the reply. Send and receive may each take `timeout`.
    pub fn request(&self, tag: Tag, timeout: Timeout) {
        self.chain(tag, 0, timeout);
    }

    /// Like [`Wrapper::request`], but the callback that gets a reply makes the next request, up to `more` times, until
    /// one fails. Upstream's reconnect_stress_test.c does the same.
    pub fn chain(&self, tag: Tag, more: u32, timeout: Timeout) {
        self.aio.set_timeout(timeout);
        self.submit(tag, more);
    }

    /// Sends a request without a waiter: its last callback closes the context, frees the wrapper and gives the aio to
    /// the reaper (`nng_aio_reap`). Send and receive may each take `timeout`.
    pub fn forget(self: Arc<Self>, tag: Tag, timeout: Timeout, forgotten: &Arc<Forgotten>) {
        forgotten.more_by_one();
        self.aio.set_timeout(timeout);
        self.progress.lock().forgotten = Some((Arc::clone(&self), Arc::clone(forgotten)));
        self.submit(tag, 0);
    }

    fn submit(&self, tag: Tag, more: u32) {
        let msg = Message::tagged(self.owner, tag);
        let mut progress = self.progress.lock();
        let forgotten = progress.forgotten.take();
        let asked = Progress { asked: Some(tag), msg: Some(msg.clone()), more, forgotten, ..Progress::default() };
        *progress = asked;
        drop(progress);
        self.aio.set_msg(self.owner, msg);
        self.ctx.send(&self.aio);
    }

    /// `nng_aio_wait`: waits until the request has ended. `None` if the aio was stopped before the callback set a
    /// result.
    pub fn wait(&self) -> Option<Outcome> {
        self.aio.wait();
        self.progress.lock().result
    }

    /// `nng_aio_cancel`. A request continues if its send has ended and its receive has not begun.
    pub fn cancel(&self) {
        self.aio.cancel_operation();
    }

    /// The callback.
    fn completed(&self) {
        let mut progress = self.progress.lock();
        always("a request ends once", progress.result.is_none());
        match (self.aio.result(), progress.receiving) {
            (Ok(()), false) => {
                progress.receiving = true;
                let sent = progress.msg.take();
                drop(progress);
                if self.variant == Variant::FreeAfterSendOk {
                    // upstream: nng #2111. The library owns a message that it has accepted.
                    sent.iter().for_each(|msg| msg.free(self.owner));
                }
                self.ctx.recv(&self.aio);
            }
            (Err(rv), false) => {
                let returned = self.aio.take_msg(self.owner);
                always("a send that fails gives its message back", returned.is_some());
                if self.variant != Variant::NoFreeOnSendFail {
                    returned.iter().for_each(|msg| msg.free(self.owner));
                }
                self.ended(progress, Err(rv));
            }
            (Ok(()), true) => {
                if let Some(asked) = progress.asked {
                    take_reply(&self.aio, self.owner, asked);
                }
                sometimes("a request is answered", true);
                match (progress.asked, progress.more.checked_sub(1)) {
                    (Some(tag), Some(more)) => {
                        drop(progress);
                        self.submit(Tag { request: tag.request + 1, ..tag }, more);
                    }
                    _ => self.ended(progress, Ok(())),
                }
            }
            (Err(rv), true) => self.ended(progress, Err(rv)),
        }
    }

    fn ended(&self, mut progress: MutexGuard<'_, Progress>, result: Outcome) {
        progress.result = Some(result);
        let forgotten = progress.forgotten.take();
        drop(progress);
        if let Some((_this, forgotten)) = forgotten {
            // No thread waits for this request. Its aio cannot be freed here, since its task is still running: the
            // reaper waits.
            let _ = self.ctx.close();
            self.memory.release(self.owner);
            self.aio.reap();
            forgotten.less_by_one();
        }
    }

    /// Tears the wrapper down, in the order that upstream's manual requires.
    pub fn retire(&self) {
        // Closed already if the socket was closed before.
        let _ = self.ctx.close();
        // upstream: nng #2111. When the close returns, the operations are over, but their callbacks may still run.
        let too_early = self.variant == Variant::CloseWithoutAioWait;
        if too_early {
            self.memory.release(self.owner);
        }
        self.aio.stop();
        if let Some(left) = self.aio.take_msg(self.owner) {
            left.free(self.owner);
        }
        self.aio.free();
        if !too_early {
            self.memory.release(self.owner);
        }
    }
}

impl_debug!(Wrapper { owner });
impl_debug!(Forgotten {});
