//! The result codes of upstream's own tests (req_test.c, rep_test.c of v1.10.1), on plain threads.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use lastref::ledger::{Owner, Tag};
use lastref::net::{End, Fault, FaultKind, Phase};
use lastref::time::Duration;
use lastref::{Check, Limits, thread};

use models::context_pool::reap::Reaper;
use models::context_pool::{
    Aio, Ctx, Errno, Frame, Message, NetPlan, Nng, Outcome, ReqOptions, Request, Socket, Threads, Timeout, Variant,
    Wrapper, echo, run_on_network,
};
use models::kit::weather::Weather;

const CALLER: Owner = Owner::new("caller", 0);
const TAG: Tag = Tag { peer: 7, request: 0x1_0000_0002 };

struct Req {
    nng: Arc<Nng>,
    sock: Arc<Socket>,
    ctx: Ctx,
}

impl Req {
    fn open(threads: Threads) -> Req {
        let nng = Nng::init(Variant::Fixed, threads);
        let sock = nng.req0_open(ReqOptions::ONCE);
        let ctx = Ctx::open(&sock).expect("the socket is open");
        Req { nng, sock, ctx }
    }

    fn send(&self) -> Arc<Aio> {
        self.send_by(|_| ())
    }

    /// Sends by an aio that was prepared so.
    fn send_by(&self, prepare: impl FnOnce(&Arc<Aio>)) -> Arc<Aio> {
        let aio = Aio::alloc(&self.nng, None);
        prepare(&aio);
        aio.set_msg(CALLER, Message::tagged(CALLER, TAG));
        self.ctx.send(&aio);
        aio
    }

    fn recv(&self) -> Arc<Aio> {
        let aio = Aio::alloc(&self.nng, None);
        self.ctx.recv(&aio);
        aio
    }

    fn close(self) {
        assert_eq!(self.sock.close(), Ok(()));
        self.nng.fini();
    }
}

/// Checks the operation's result and whether a message is on the aio, then frees both.
#[track_caller]
fn check(aio: &Arc<Aio>, result: Outcome, has_message: bool) {
    aio.wait();
    assert_eq!(aio.result(), result);
    let msg = aio.take_msg(CALLER);
    assert_eq!(msg.is_some(), has_message);
    msg.iter().for_each(|msg| msg.free(CALLER));
    aio.free();
}

#[test]
fn a_receive_without_a_request_is_estate() {
    let req = Req::open(Threads::NONE);
    check(&req.recv(), Err(Errno::State), false);
    req.close();
}

#[test]
fn a_second_receive_is_estate_and_the_first_stays() {
    let req = Req::open(Threads::NONE);
    let send = req.send();
    let first = req.recv();
    check(&req.recv(), Err(Errno::State), false);
    first.cancel_operation();
    check(&first, Err(Errno::Canceled), false);
    check(&send, Err(Errno::Canceled), true);
    req.close();
}

#[test]
fn a_second_send_cancels_the_first_and_gives_its_message_back() {
    let req = Req::open(Threads::NONE);
    let (first, second) = (req.send(), req.send());
    check(&first, Err(Errno::Canceled), true);
    second.abort(Errno::TimedOut);
    check(&second, Err(Errno::TimedOut), true);
    req.close();
}

#[test]
fn a_closed_context_gives_its_operations_eclosed_and_the_message_back() {
    let req = Req::open(Threads::NONE);
    let (send, recv) = (req.send(), req.recv());
    assert_eq!(req.ctx.close(), Ok(()));
    assert_eq!(req.ctx.close(), Err(Errno::Closed));
    check(&send, Err(Errno::Closed), true);
    check(&recv, Err(Errno::Closed), false);
    check(&req.send(), Err(Errno::Closed), true);
    req.close();
}

#[test]
fn a_closed_socket_closes_its_contexts() {
    let req = Req::open(Threads::NONE);
    let send = req.send();
    assert_eq!(req.sock.close(), Ok(()));
    assert_eq!(Ctx::open(&req.sock).err(), Some(Errno::Closed));
    check(&send, Err(Errno::Closed), true);
    req.nng.fini();
}

#[test]
fn a_call_that_does_not_wait_is_eagain() {
    let req = Req::open(Threads::NONE);
    let sent = req.ctx.sendmsg(CALLER, Message::tagged(CALLER, TAG), Timeout::Zero);
    let (rv, msg) = sent.expect_err("there is no pipe");
    assert_eq!(rv, Errno::Again);
    msg.free(CALLER);
    let send = req.send();
    assert_eq!(req.ctx.recvmsg(CALLER, Timeout::Zero).err(), Some(Errno::Again));
    send.cancel_operation();
    check(&send, Err(Errno::Canceled), true);
    req.close();
}

#[test]
fn a_call_that_does_not_wait_is_sent_if_a_pipe_is_ready() {
    let req = Req::open(Threads::ONE);
    let link = Socket::connect_script(&req.sock, echo()).expect("the socket is open");
    let sent = req.ctx.sendmsg(CALLER, Message::tagged(CALLER, TAG), Timeout::Zero);
    assert!(sent.is_ok());
    req.close();
    drop(link);
}

#[test]
fn a_timeout_is_etimedout_and_gives_the_message_back() {
    let req = Req::open(Threads { timers: true, ..Threads::NONE });
    let send = req.send_by(|aio| aio.set_timeout(Timeout::After(Duration::from_millis(1))));
    check(&send, Err(Errno::TimedOut), true);
    req.close();
}

#[test]
fn a_stopped_aio_begins_nothing() {
    let req = Req::open(Threads::NONE);
    check(&req.send_by(|aio| aio.stop()), Err(Errno::Canceled), true);
    req.close();
}

#[test]
fn a_send_without_a_message_is_einval() {
    let req = Req::open(Threads::NONE);
    let aio = Aio::alloc(&req.nng, None);
    req.ctx.send(&aio);
    check(&aio, Err(Errno::Inval), false);
    req.close();
}

#[test]
fn an_answer_carries_the_tag_of_its_request() {
    let req = Req::open(Threads::ONE);
    let link = Socket::connect_script(&req.sock, echo()).expect("the socket is open");
    req.ctx.sendmsg(CALLER, Message::tagged(CALLER, TAG), Timeout::Infinite).expect("there is a pipe");
    let reply = req.ctx.recvmsg(CALLER, Timeout::Infinite).expect("the peer echoes");
    assert_eq!(reply.tag(CALLER), Some(TAG));
    reply.free(CALLER);
    check(&req.recv(), Err(Errno::State), false);
    req.close();
    drop(link);
}

/// With one number for all, a late reply to the first request would be accepted as the reply to the second.
#[test]
fn each_request_of_a_chain_has_the_next_number() {
    let req = Req::open(Threads::ONE);
    let sent = Arc::new(Mutex::new(Vec::new()));
    let store = Arc::clone(&sent);
    let script = move |frame: &Frame| {
        store.lock().expect("no test has failed").extend(frame.last().copied());
        vec![frame.clone()]
    };
    let link = Socket::connect_script(&req.sock, Box::new(script)).expect("the socket is open");
    let wrapper = Wrapper::open(&req.nng, &req.sock, CALLER).expect("the socket is open");
    wrapper.chain(TAG, 2, Timeout::Infinite);
    assert_eq!(wrapper.wait(), Some(Ok(())));
    wrapper.retire();
    assert_eq!(*sent.lock().expect("no test has failed"), [2, 3, 4], "the low words of the tags");
    req.close();
    drop(link);
}

#[test]
fn a_pipe_lost_without_resend_is_econnreset_once() {
    let req = Req::open(Threads::ONE);
    let link = Socket::connect_script(&req.sock, Box::new(|_| Vec::new())).expect("the socket is open");
    req.ctx.sendmsg(CALLER, Message::tagged(CALLER, TAG), Timeout::Infinite).expect("there is a pipe");
    let recv = req.recv();
    link.reset();
    check(&recv, Err(Errno::ConnReset), false);
    check(&req.recv(), Err(Errno::State), false);
    req.close();
}

#[test]
fn a_reply_without_a_request_is_estate() {
    let nng = Nng::init(Variant::Fixed, Threads::NONE);
    let rep = nng.rep0_open();
    let ctx = Ctx::open(&rep).expect("the socket is open");
    let aio = Aio::alloc(&nng, None);
    aio.set_msg(CALLER, Message::tagged(CALLER, TAG));
    ctx.send(&aio);
    check(&aio, Err(Errno::State), true);
    assert_eq!(rep.close(), Ok(()));
    nng.fini();
}

/// Connects a req socket with a rep socket, each with a context, and sends a request. `reply` is called with the
/// request that the rep socket's context has received.
fn with_received(reply: impl FnOnce(&Req, &Socket, &Ctx, Message)) {
    let req = Req::open(Threads { reaper: true, ..Threads::ONE });
    let rep = req.nng.rep0_open();
    let ctx = Ctx::open(&rep).expect("the socket is open");
    let link = Socket::connect(&req.sock, &rep, 1).expect("the sockets are open");
    req.ctx.sendmsg(CALLER, Message::tagged(CALLER, TAG), Timeout::Infinite).expect("there is a pipe");
    let request = ctx.recvmsg(CALLER, Timeout::Infinite).expect("a request is on its way");
    assert_eq!(request.tag(CALLER), Some(TAG));
    reply(&req, &rep, &ctx, request);
    assert_eq!((req.sock.close(), rep.close()), (Ok(()), Ok(())));
    req.nng.fini();
    drop(link);
}

#[test]
fn a_second_reply_to_one_request_is_estate() {
    with_received(|req, _, ctx, request| {
        assert!(ctx.sendmsg(CALLER, request, Timeout::Infinite).is_ok());
        let again = ctx.sendmsg(CALLER, Message::tagged(CALLER, TAG), Timeout::Infinite);
        let (rv, msg) = again.expect_err("the request is answered");
        assert_eq!(rv, Errno::State);
        msg.free(CALLER);
        req.ctx.recvmsg(CALLER, Timeout::Infinite).expect("the reply is on its way").free(CALLER);
    });
}

#[test]
fn a_reply_to_a_pipe_that_is_gone_is_a_success() {
    with_received(|_, rep, ctx, request| {
        rep.close_pipes();
        rep.wait_without_pipes();
        assert!(ctx.sendmsg(CALLER, request, Timeout::Infinite).is_ok());
    });
}

#[test]
fn a_second_receive_of_a_server_is_estate_and_the_first_stays() {
    let nng = Nng::init(Variant::Fixed, Threads::NONE);
    let rep = nng.rep0_open();
    let ctx = Ctx::open(&rep).expect("the socket is open");
    let (first, second) = (Aio::alloc(&nng, None), Aio::alloc(&nng, None));
    ctx.recv(&first);
    ctx.recv(&second);
    check(&second, Err(Errno::State), false);
    assert_eq!(ctx.close(), Ok(()));
    check(&first, Err(Errno::Closed), false);
    assert_eq!(rep.close(), Ok(()));
    nng.fini();
}

/// Closes a req socket that has silent peers and an outstanding request; checks how the request's receive ends.
#[track_caller]
fn check_close_with_a_request_out(options: ReqOptions, peers: usize, result: Outcome) {
    let nng = Nng::init(Variant::Fixed, Threads::NNG);
    let sock = nng.req0_open(options);
    let ctx = Ctx::open(&sock).expect("the socket is open");
    let silent = |_| Socket::connect_script(&sock, Box::new(|_| Vec::new())).expect("the socket is open");
    let links: Vec<_> = (0..peers).map(silent).collect();
    ctx.sendmsg(CALLER, Message::tagged(CALLER, TAG), Timeout::Infinite).expect("there is a pipe");
    let recv = Aio::alloc(&nng, None);
    ctx.recv(&recv);
    assert_eq!(sock.close(), Ok(()));
    check(&recv, result, false);
    nng.fini();
    drop(links);
}

#[test]
fn a_socket_that_is_closed_loses_its_pipes_before_its_contexts() {
    check_close_with_a_request_out(ReqOptions::ONCE, 1, Err(Errno::ConnReset));
    check_close_with_a_request_out(ReqOptions::DEFAULT, 2, Err(Errno::Closed));
}

#[test]
fn a_resend_time_is_an_option_of_req_sockets_and_their_contexts() {
    let nng = Nng::init(Variant::Fixed, Threads::NONE);
    let (req, rep) = (nng.req0_open(ReqOptions::ONCE), nng.rep0_open());
    let (asking, replying) = (Ctx::open(&req).expect("it is open"), Ctx::open(&rep).expect("it is open"));
    let time = Some(Duration::from_secs(1));
    assert_eq!((req.set_resend_time(time), asking.set_resend_time(time)), (Ok(()), Ok(())));
    assert_eq!((rep.set_resend_time(time), replying.set_resend_time(time)), (Err(Errno::NotSup), Err(Errno::NotSup)));
    assert_eq!((req.close(), rep.close()), (Ok(()), Ok(())));
    assert_eq!((req.set_resend_time(time), asking.set_resend_time(time)), (Err(Errno::Closed), Err(Errno::Closed)));
    nng.fini();
}

/// Two connections, a request over each, and a reply made of the other request's message.
#[test]
fn a_reply_may_be_made_of_another_request() {
    Check::new("a_reply_may_be_made_of_another_request").schedules(200).run(|| {
        let nng = Nng::init(Variant::Fixed, Threads::NNG);
        let (req, rep) = (nng.req0_open(ReqOptions::ONCE), nng.rep0_open());
        let link = [Socket::connect(&req, &rep, 1), Socket::connect(&req, &rep, 1)];
        let contexts = [&req, &req, &rep, &rep].map(|sock| Ctx::open(sock).expect("the socket is open"));
        let [first, second, near, far] = &contexts;
        for asking in [first, second] {
            asking.sendmsg(CALLER, Message::tagged(CALLER, TAG), Timeout::Infinite).expect("there is a pipe");
        }
        let requests = [near, far].map(|ctx| ctx.recvmsg(CALLER, Timeout::Infinite).expect("a request comes"));
        let [of_near, of_far] = requests;
        near.sendmsg(CALLER, of_far, Timeout::Infinite).expect("it received a request");
        far.sendmsg(CALLER, of_near, Timeout::Infinite).expect("it received a request");
        for asking in [first, second] {
            asking.recvmsg(CALLER, Timeout::Infinite).expect("a reply comes").free(CALLER);
        }
        req.close().expect("it is open");
        rep.close().expect("it is open");
        nng.fini();
        drop(link);
    });
}

#[test]
fn draining_a_reaper_waits_for_what_is_queued_and_for_what_is_under_way() {
    Check::new("drain").schedules(200).run(|| {
        let reaper = Reaper::start(true, None);
        let freed = Arc::new(AtomicUsize::new(0));
        for _ in 0..2 {
            let freed = Arc::clone(&freed);
            reaper.reap(move || {
                thread::yield_now();
                freed.fetch_add(1, Ordering::SeqCst);
            });
        }
        reaper.drain();
        assert_eq!(freed.load(Ordering::SeqCst), 2);
        reaper.fini();
    });
}

/// The wire reads the bytes as SP: the first ones are the greeting, before any request.
#[test]
fn a_fault_within_the_greeting_hits_in_the_handshake() {
    let kind = FaultKind::Stall { ms: 5 };
    let fault = Fault { connection: 0, from: End::Client, after_bytes: 4, after_ms: 0, kind };
    let plan = NetPlan {
        weather: Weather { faults: vec![fault], ..Weather::FAIR },
        callers: vec![vec![Request::Wait]],
        ..NetPlan::quiet()
    };
    let limits = Limits { timer_slack: std::time::Duration::from_millis(5), ..Limits::default() };
    let check = Check::new("greeting").limits(limits).schedules(5);
    let report =
        check.search(move || run_on_network(Variant::Fixed, &plan)).unwrap_or_else(|failure| panic!("{failure}"));
    let stalls = report.faults.get("stall").cloned().unwrap_or_default();
    assert_eq!(stalls, [(Phase::Handshake, 5)].into());
}
