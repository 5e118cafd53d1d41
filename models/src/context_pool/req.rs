//! `req0_sock`: the state that the contexts of a req socket share.
//!
//! Upstream (v1.10.1, req.c): one mutex guards the socket, its pipes and all its contexts. A request waits on
//! `send_queue` until a pipe is on `ready_pipes`; the pipe is then on `busy_pipes` until it has written the request; a
//! closed pipe is on `stop_pipes` until it is stopped. `requests` maps the id in a reply to its context. `retry_queue`
//! holds the contexts with a resend time; one timer checks it at every tick.
//!
//! Deviates: ids start at 0x80000001 and not at a random number above it.
//!
//! Left out: pollable descriptors; the socket's own context (`nng_sendmsg`), which is a context like any other; `ttl`,
//! which a req socket does not read.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use lastref::ledger::{Owner, Resource};
use lastref::property::{always, sometimes};
use lastref::sync::{Mutex, MutexGuard};
use lastref::time::{Duration, Instant};

use super::aio::{Aio, Completions};
use super::library::Nng;
use super::req_ctx::Req0Ctx;
use super::req_pipe::Req0Pipe;
use super::req_state::Event;
use super::variant::Variant;

/// `NNG_OPT_REQ_RESENDTIME` and `NNG_OPT_REQ_RESENDTICK`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReqOptions {
    /// Resend interval; `None` disables resending (`NNG_DURATION_INFINITE`).
    pub resend_time: Option<Duration>,
    /// Interval of the check for due resends.
    pub resend_tick: Duration,
}

impl ReqOptions {
    /// Upstream's defaults.
    pub const DEFAULT: ReqOptions =
        ReqOptions { resend_time: Some(Duration::from_secs(60)), resend_tick: Duration::from_secs(1) };

    /// Resending is disabled.
    pub const ONCE: ReqOptions = ReqOptions { resend_time: None, resend_tick: Duration::from_secs(1) };

    /// The options for a plan's resend interval, which is also the interval of the check; `None` disables resending.
    pub(super) fn of(resend_ms: Option<u64>) -> ReqOptions {
        let time = resend_ms.map(Duration::from_millis);
        ReqOptions { resend_time: time, resend_tick: time.unwrap_or(ReqOptions::ONCE.resend_tick) }
    }
}

/// The index of a context in [`Req0::ctxs`], in place of a pointer in C.
pub(super) type CtxIndex = usize;

/// `req0_sock`.
pub(super) struct Req0Sock {
    pub(super) memory: Resource,
    pub(super) variant: Variant,
    owner: Owner,
    mtx: Mutex<Req0>,
    retry_aio: Arc<Aio>,
}

/// The state that `mtx` guards.
#[derive(Default)]
pub(super) struct Req0 {
    pub(super) closed: bool,
    pub(super) retry: Option<Duration>,
    pub(super) retry_tick: Duration,
    pub(super) retry_active: bool,
    /// All contexts ever opened; a closed one stays as a record without memory.
    pub(super) ctxs: Vec<Req0Ctx>,
    pub(super) pipes: BTreeMap<u32, PipeState>,
    pub(super) ready_pipes: Vec<u32>,
    pub(super) busy_pipes: Vec<u32>,
    pub(super) stop_pipes: Vec<u32>,
    pub(super) send_queue: Vec<CtxIndex>,
    pub(super) retry_queue: Vec<CtxIndex>,
    pub(super) requests: BTreeMap<u32, CtxIndex>,
    last_request_id: u32,
}

/// The fields of one pipe that `mtx` guards.
pub(super) struct PipeState {
    pub(super) pipe: Arc<Req0Pipe>,
    /// Contexts whose request this pipe has, or has sent last.
    pub(super) contexts: Vec<CtxIndex>,
    pub(super) closed: bool,
}

impl Req0Sock {
    /// `req0_sock_init`.
    pub(super) fn init(nng: &Nng, number: u32, options: ReqOptions) -> Arc<Req0Sock> {
        let owner = Owner::new("req0_sock", number);
        Arc::new_cyclic(|sock: &Weak<Req0Sock>| {
            let (memory, weak) = (Resource::acquire("req0_sock", owner), Weak::clone(sock));
            let retry_cb = move || {
                memory.touch(owner);
                weak.upgrade().iter().for_each(|sock| sock.retry_cb());
            };
            let state = Req0 {
                retry: options.resend_time,
                retry_tick: options.resend_tick,
                last_request_id: 0x8000_0000,
                ..Req0::default()
            };
            Req0Sock {
                memory,
                variant: nng.variant,
                owner,
                mtx: Mutex::named("req0_sock.mtx", state),
                retry_aio: Aio::alloc(nng, Some(Box::new(retry_cb))),
            }
        })
    }

    /// Locks `mtx`, which is a part of the socket's memory.
    pub(super) fn lock(&self) -> MutexGuard<'_, Req0> {
        self.memory.touch(self.owner);
        self.mtx.lock()
    }

    /// `req0_sock_set_resend_time`: applies to contexts that are opened after the call.
    pub(super) fn set_resend_time(&self, time: Option<Duration>) {
        self.lock().retry = time;
    }

    /// `req0_sock_close`.
    pub(super) fn close(&self) {
        self.lock().closed = true;
    }

    /// `req0_sock_fini`.
    pub(super) fn fini(&self) {
        self.retry_aio.stop();
        let s = self.lock();
        let listed = s.ready_pipes.len() + s.busy_pipes.len() + s.stop_pipes.len();
        always("req0_sock has no pipe when it is freed", s.pipes.is_empty() && listed == 0);
        always("requests is empty when its req0_sock is freed", s.requests.is_empty());
        let queued = s.send_queue.len() + s.retry_queue.len();
        always("send_queue and retry_queue are empty when their req0_sock is freed", queued == 0);
        drop(s);
        self.retry_aio.free();
        self.memory.release(self.owner);
    }

    /// Starts the resend timer, unless it is running already.
    pub(super) fn start_retry(&self, s: &mut Req0) {
        if !s.retry_active {
            s.retry_active = true;
            self.retry_aio.sleep(s.retry_tick);
        }
    }

    /// `req0_retry_cb`.
    fn retry_cb(&self) {
        let now = Instant::now();
        let mut s = self.lock();
        if s.closed || self.retry_aio.result().is_err() {
            return;
        }
        let mut reschedule = false;
        for index in s.retry_queue.clone() {
            let ctx = &s.ctxs[index];
            if ctx.retry_time.is_some_and(|time| time > now) || ctx.req_msg.is_none() {
                continue;
            }
            let event = s.event(index, Event::Resend, self.owner);
            if !s.send_queue.contains(&index) {
                s.send_queue.push(index);
            }
            s.arrived(index, event);
            reschedule = true;
        }
        if s.retry_queue.is_empty() {
            s.retry_active = false;
        } else {
            self.retry_aio.sleep(s.retry_tick);
        }
        if reschedule {
            sometimes("a request is sent again because its resend time has passed", true);
            self.run_send_queue(&mut s, None);
        }
    }

    /// `req0_run_send_queue`, with `mtx` held. Adds finished sends to `sent_list` if it is given; otherwise finishes
    /// them at once.
    pub(super) fn run_send_queue(&self, s: &mut Req0, mut sent_list: Option<&mut Completions>) {
        while let (Some(&index), Some(&p_id)) = (s.send_queue.first(), s.ready_pipes.first()) {
            let event = s.event(index, Event::PipeTakes, self.owner);
            s.send_queue.remove(0);
            if s.ctxs[index].retry.is_some() {
                s.retry_queue.retain(|&queued| queued != index);
                s.retry_queue.push(index);
            }
            // When the pipe is lost, this list gives the contexts that must send again.
            s.pipes.values_mut().for_each(|pipe| pipe.contexts.retain(|&listed| listed != index));
            s.ready_pipes.remove(0);
            s.busy_pipes.push(p_id);
            let Req0 { ctxs, pipes, .. } = &mut *s;
            let Some(state) = pipes.get_mut(&p_id) else { continue };
            state.contexts.push(index);
            let ctx = &mut ctxs[index];
            if let Some(aio) = ctx.send_aio.take() {
                match &mut sent_list {
                    Some(list) => list.add(aio),
                    None => aio.finish(Ok(())),
                }
            }
            // From here on the caller never gets the message back, so the clone may be shared with the pipe.
            if let Some(msg) = &ctx.req_msg {
                state.pipe.send(msg);
            }
            s.arrived(index, event);
        }
    }
}

impl Req0 {
    /// Checks that the pipe is on exactly one list: upstream's lists are linked through the pipe.
    pub(super) fn check_pipe(&self, p_id: u32) {
        let lists = [&self.ready_pipes, &self.busy_pipes, &self.stop_pipes];
        let on = lists.iter().flat_map(|list| list.iter()).filter(|&&listed| listed == p_id).count();
        always("a req0_pipe is on one list of its req0_sock", on == 1);
    }

    /// `nni_id_alloc32` on `requests`.
    pub(super) fn alloc_request_id(&mut self, index: CtxIndex) -> u32 {
        self.last_request_id += 1;
        self.requests.insert(self.last_request_id, index);
        self.last_request_id
    }
}
