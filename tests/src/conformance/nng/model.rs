//! The model of NNG as a [`Library`], and the run of a script on it under many schedules.
//!
//! The application is the main task of a run under a scheduled engine. It settles by sleeping: the run's timer slack is
//! zero, so that the clock moves only when every other task waits. The schedule chooses the order of the library's
//! threads, so the model has a set of outcomes, and the outcome of the real library must be in it.

use std::sync::{Arc, OnceLock, Weak};

use lastref::Limits;
use lastref::ledger::{Owner, Tag};
use lastref::sync::Mutex;
use lastref::time::{Duration, sleep};
use models::context_pool::{Aio, Ctx, Errno, Message, Nng, ReqOptions, Socket, Threads, Timeout, Variant};
use strum::VariantArray;

use super::super::Seen;
use super::driver::{Completion, Library, play};
use super::script::{AIOS, CONTEXTS, Millis, Operation, Side, Step};

/// Capacity of each direction of a connection, in messages: like a socket buffer's, it is more than a script can send.
const CAPACITY: u32 = 64;
/// How long the application sleeps to let the library settle. All of a script's pauses together are shorter than its
/// shortest timeout, so that no timeout expires before a `sleep`.
const SETTLE: Duration = Duration::from_millis(1);
/// Longer than each timeout of a script, shorter than its resend time.
const SLEEP: Duration = Duration::from_millis(800);
/// A step takes some hundred decisions.
const STEPS_MAX: u32 = 200_000;

const APPLICATION: Owner = Owner::new("application", 0);

/// The bounds of a run.
pub(super) fn limits() -> Limits {
    Limits { steps_max: STEPS_MAX, timer_slack: Duration::ZERO, ..Limits::default() }
}

/// Runs a script on a variant of the model.
pub(super) fn run(variant: &str, script: &[Step], seen: &mut Seen<'_, Step>) {
    let named = Variant::VARIANTS.iter().find(|listed| <&str>::from(**listed) == variant);
    let mut model = Model::open(named.copied().unwrap_or(Variant::Fixed));
    let held = play(&mut model, script, |outcome| seen.push(outcome));
    model.finish(held);
}

/// The application's own lock. It orders the application with its callbacks, and each use of an aio after its last
/// callback.
type Completions = Arc<Mutex<Vec<Completion<Message>>>>;

struct Model {
    nng: Arc<Nng>,
    req: Arc<Socket>,
    rep: Arc<Socket>,
    contexts: [Option<Ctx>; CONTEXTS],
    aios: [Arc<Aio>; AIOS],
    completions: Completions,
}

impl Model {
    fn open(variant: Variant) -> Model {
        let nng = Nng::init(variant, Threads::NNG);
        let (req, rep) = (nng.req0_open(ReqOptions::DEFAULT), nng.rep0_open());
        let completions = Arc::new(Mutex::named("completions", Vec::new()));
        let aios = std::array::from_fn(|number| alloc(&nng, number, &completions));
        Model { nng, req, rep, contexts: [const { None }; CONTEXTS], aios, completions }
    }

    fn finish(mut self, held: Vec<Message>) {
        self.aios.iter().for_each(Aio::free);
        let taken = self.completions().into_iter().filter_map(|completion| completion.message);
        taken.chain(held).for_each(|message| message.free(APPLICATION));
        self.nng.fini();
    }

    fn socket(&self, side: Side) -> &Arc<Socket> {
        match side {
            Side::Req => &self.req,
            Side::Rep => &self.rep,
        }
    }
}

/// An aio whose callback removes the message from it. This is required: a freed aio is gone once its callback has run.
fn alloc(nng: &Arc<Nng>, number: usize, completions: &Completions) -> Arc<Aio> {
    let (this, completions) = (Arc::new(OnceLock::<Weak<Aio>>::new()), Arc::clone(completions));
    let own = Arc::clone(&this);
    let callback = move || {
        let Some(aio) = own.get().and_then(Weak::upgrade) else { return };
        let (result, message) = outcome(&aio);
        completions.lock().push(Completion { aio: number, result, message });
    };
    let aio = Aio::alloc(nng, Some(Box::new(callback)));
    // Set once, here, before the aio has an operation.
    let _ = this.set(Arc::downgrade(&aio));
    aio
}

fn outcome(aio: &Aio) -> (u32, Option<Message>) {
    (code(aio.result()), aio.take_msg(APPLICATION))
}

fn code<T>(outcome: Result<T, Errno>) -> u32 {
    outcome.err().map_or(0, |errno| errno as u32)
}

fn resend_time(time: Millis) -> Option<Duration> {
    u64::try_from(time).ok().filter(|millis| *millis > 0).map(Duration::from_millis)
}

impl Library for Model {
    type Message = Message;

    fn set_resend(&mut self, time: Millis) {
        // The driver sets no option of a socket that it has closed.
        let _ = self.req.set_resend_time(resend_time(time));
    }

    fn set_resend_of(&mut self, ctx: usize, time: Millis) -> u32 {
        self.contexts[ctx].as_ref().map_or(0, |ctx| code(ctx.set_resend_time(resend_time(time))))
    }

    fn open(&mut self, side: Side, ctx: usize) -> u32 {
        let opened = Ctx::open(self.socket(side));
        let rv = code(opened.as_ref().map(|_| ()).map_err(|errno| *errno));
        self.contexts[ctx] = opened.ok();
        rv
    }

    fn connect(&mut self) -> u32 {
        code(Socket::connect(&self.req, &self.rep, CAPACITY))
    }

    fn close(&mut self, ctx: usize) -> u32 {
        self.contexts[ctx].as_ref().map_or(0, |ctx| code(ctx.close()))
    }

    fn close_socket(&mut self, side: Side) -> u32 {
        code(self.socket(side).close())
    }

    fn close_pipes(&mut self, side: Side) {
        self.socket(side).close_pipes();
    }

    fn message(&mut self, tag: u32) -> Message {
        Message::tagged(APPLICATION, Tag { peer: 0, request: u64::from(tag) })
    }

    fn tag(&mut self, message: &Message) -> u32 {
        message.tag(APPLICATION).map_or(0, |tag| tag.request as u32)
    }

    fn free_message(&mut self, message: Message) {
        message.free(APPLICATION);
    }

    fn send(&mut self, operation: Operation, message: Option<Message>) {
        let Some(ctx) = &self.contexts[operation.ctx] else { return };
        let aio = &self.aios[operation.aio];
        aio.set_timeout(timeout(operation.timeout));
        if let Some(message) = message {
            aio.set_msg(APPLICATION, message);
        }
        ctx.send(aio);
    }

    fn recv(&mut self, operation: Operation) {
        let Some(ctx) = &self.contexts[operation.ctx] else { return };
        let aio = &self.aios[operation.aio];
        aio.set_timeout(timeout(operation.timeout));
        ctx.recv(aio);
    }

    fn abort(&mut self, aio: usize, error: u32) {
        if let Some(errno) = Errno::from_repr(error) {
            self.aios[aio].abort(errno);
        }
    }

    fn cancel(&mut self, aio: usize) {
        self.aios[aio].cancel_operation();
    }

    fn stop(&mut self, aio: usize) {
        self.aios[aio].stop();
    }

    fn wait(&mut self, aio: usize) {
        self.aios[aio].wait();
    }

    fn free(&mut self, aio: usize) {
        self.aios[aio].free();
        self.aios[aio] = alloc(&self.nng, aio, &self.completions);
    }

    fn busy(&mut self, aio: usize) -> bool {
        self.aios[aio].busy()
    }

    fn outcome(&mut self, aio: usize) -> (u32, Option<Message>) {
        outcome(&self.aios[aio])
    }

    fn settle(&mut self) {
        sleep(SETTLE);
    }

    fn sleep(&mut self) {
        sleep(SLEEP);
    }

    fn completions(&mut self) -> Vec<Completion<Message>> {
        std::mem::take(&mut *self.completions.lock())
    }
}

fn timeout(time: Millis) -> Timeout {
    match u64::try_from(time) {
        Err(_) => Timeout::Infinite,
        Ok(0) => Timeout::Zero,
        Ok(millis) => Timeout::After(Duration::from_millis(millis)),
    }
}
