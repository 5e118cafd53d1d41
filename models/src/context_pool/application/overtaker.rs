//! A caller that does not wait. On one context it starts a send and a receive at once, each with its own aio. After a
//! delay it starts the next request, which cancels the previous one.
//!
//! nng_req(7): a new request cancels the one that is outstanding. A receive ends with the reply to its own request, or
//! with an error. A failed send returns its message; after a successful one the message belongs to the library.

use std::sync::Arc;

use lastref::ledger::{Owner, Tag};
use lastref::net::thread_on;
use lastref::plan::Maybe;
use lastref::property::{always, sometimes};
use lastref::thread::JoinHandle;
use lastref::time::{Duration, sleep};
use serde::{Deserialize, Serialize};

use super::take_reply;
use crate::context_pool::aio::{Aio, Timeout};
use crate::context_pool::context::Ctx;
use crate::context_pool::library::Nng;
use crate::context_pool::message::Message;
use crate::context_pool::plan::PAUSE_MS;
use crate::context_pool::socket::Socket;
use crate::context_pool::variant::Variant;

lastref::plans! {
    /// The times of one request, in milliseconds.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct Attempt {
        /// Timeout of the send.
        pub send: u64 where PAUSE_MS,
        /// Timeout of the receive.
        pub recv: u64 where PAUSE_MS,
        /// Delay until another thread cancels the receive; `None` without a cancel.
        pub cancel: Option<u64> where Maybe(PAUSE_MS),
        /// Delay until the next attempt; after the last attempt, until the context is closed.
        pub next: u64 where PAUSE_MS,
    }
}

/// A caller that makes overlapping requests on one context.
pub(crate) struct Overtaker {
    pub(crate) nng: Arc<Nng>,
    pub(crate) req: Arc<Socket>,
    pub(crate) number: u32,
}

struct UnderWay {
    tag: Tag,
    send: Arc<Aio>,
    recv: Arc<Aio>,
    canceller: Option<JoinHandle<()>>,
}

impl Overtaker {
    /// Starts a thread that makes the attempts.
    pub(crate) fn start(self, attempts: &[Attempt]) -> JoinHandle<()> {
        let attempts = attempts.to_vec();
        thread_on(self.nng.host, &format!("overtaker.{}", self.number), move || self.make(&attempts))
    }

    fn owner(&self) -> Owner {
        Owner::new("overtaker", self.number)
    }

    fn make(&self, attempts: &[Attempt]) {
        let Ok(ctx) = Ctx::open(&self.req) else { return };
        let mut under_way = Vec::new();
        for (attempt, request) in attempts.iter().zip(0..) {
            under_way.push(self.attempt(&ctx, attempt, Tag { peer: 1000 + self.number, request }));
            sleep(Duration::from_millis(attempt.next));
        }
        // Fails if the socket is closed already.
        let _ = ctx.close();
        under_way.into_iter().for_each(|request| self.end(request));
    }

    fn attempt(&self, ctx: &Ctx, attempt: &Attempt, tag: Tag) -> UnderWay {
        let aio = |ms| {
            let aio = Aio::alloc(&self.nng, None);
            aio.set_timeout(Timeout::After(Duration::from_millis(ms)));
            aio
        };
        let (send, recv) = (aio(attempt.send), aio(attempt.recv));
        send.set_msg(self.owner(), Message::tagged(self.owner(), tag));
        ctx.send(&send);
        ctx.recv(&recv);
        let cancelled = Arc::clone(&recv);
        let canceller = attempt.cancel.map(|ms| {
            thread_on(self.nng.host, &format!("canceller.{}.{}", self.number, tag.request), move || {
                sleep(Duration::from_millis(ms));
                cancelled.cancel_operation();
            })
        });
        UnderWay { tag, send, recv, canceller }
    }

    fn end(&self, request: UnderWay) {
        let UnderWay { tag, send, recv, canceller } = request;
        send.wait();
        recv.wait();
        if recv.result().is_ok() {
            take_reply(&recv, self.owner(), tag);
            sometimes("a request that could be overtaken is answered", true);
        }
        canceller.into_iter().for_each(JoinHandle::join);
        let returned = send.take_msg(self.owner());
        always("a send that fails gives its message back", returned.is_some() == send.result().is_err());
        if self.nng.variant != Variant::NoFreeOnSendFail {
            returned.iter().for_each(|msg| msg.free(self.owner()));
        }
        send.free();
        recv.free();
    }
}
