//! The status codes of calls, and the results of the pool, on plain threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lastref::ledger::{Owner, Tag};
use lastref::plan::Plan as _;
use lastref::property::always;
use lastref::time::Duration;
use lastref::{Check, Limits};

use models::kit::weather::Weather;
use models::subchannel::iomgr::Iomgr;
use models::subchannel::{
    Act, Backends, Call, ChannelPlan, ClientChannel, ExecCtx, Goaway, Grpc, NetPlan, Plan, PolicyName, Status, Step,
    Subchannel, SubchannelKey, Teardown, Threads, Variant, run_on_network,
};

const KEY: SubchannelKey = SubchannelKey { address: 0, args: 0 };

fn tag(request: u64) -> Tag {
    Tag { peer: 0, request }
}

/// Makes the calls one after the other on a channel to these servers, and checks their status codes.
#[track_caller]
fn check(policy: PolicyName, backends: Backends, calls: &[Call], codes: &[Status]) {
    let grpc = Grpc::init(Variant::Fixed, Threads { pollers: 1, timers: false }, backends.clone(), 8);
    let chand = ClientChannel::open(&grpc, policy, None);
    let keys = (0..backends.len() as u32).map(|address| SubchannelKey { address, args: 0 }).collect();
    ExecCtx::scope(|exec_ctx| chand.update(exec_ctx, keys));
    let ended: Vec<Status> = calls.iter().zip(0..).map(|(call, nth)| chand.call(*call, tag(nth))).collect();
    chand.create_stub(0);
    ExecCtx::scope(|exec_ctx| chand.destroy(exec_ctx));
    // A poller that drains the channel's serializer carries out the destruction, and until then calls are answered.
    let mut late = (99..10_099).map(|nth| chand.call(Call::Wait, tag(nth)));
    assert!(late.any(|status| status == Status::Unavailable), "a call on a destroyed channel fails");
    chand.drop_stub(0);
    grpc.hang_up();
    chand.wait_destroyed();
    assert_eq!(ended, codes);
}

#[test]
fn calls_are_answered_by_either_policy() {
    for policy in [PolicyName::PickFirst, PolicyName::RoundRobin] {
        let servers = vec![vec![vec![Step::Settings]], vec![vec![Step::Settings]]];
        check(policy, servers, &[Call::Wait, Call::Wait, Call::Wait], &[Status::Ok; 3]);
    }
}

#[test]
fn a_call_fails_when_every_address_refuses() {
    let servers = vec![vec![vec![Step::Refuse]], vec![vec![Step::Refuse]]];
    check(PolicyName::PickFirst, servers, &[Call::Wait], &[Status::Unavailable]);
}

#[test]
fn pick_first_goes_to_the_second_address_when_the_first_refuses() {
    let servers = vec![vec![vec![Step::Refuse]], vec![vec![Step::Settings]]];
    check(PolicyName::PickFirst, servers, &[Call::Wait], &[Status::Ok]);
}

#[test]
fn a_call_on_a_connection_that_breaks_is_unavailable_and_the_next_one_connects_again() {
    for last in [Step::Fin, Step::Rst] {
        let servers = vec![vec![vec![Step::Settings, Step::Take(1), last], vec![Step::Settings]]];
        check(PolicyName::PickFirst, servers, &[Call::Wait], &[Status::Unavailable]);
    }
}

#[test]
fn a_call_that_the_server_has_seen_survives_its_goaway() {
    let draining = vec![Step::Settings, Step::Take(1), Step::Goaway(Goaway::NoError), Step::Answer];
    check(PolicyName::PickFirst, vec![vec![draining]], &[Call::Wait], &[Status::Ok]);
}

#[test]
fn a_call_that_is_cancelled_is_cancelled() {
    let servers = vec![vec![vec![Step::Settings, Step::Take(1), Step::Stall]]];
    check(PolicyName::PickFirst, servers, &[Call::Cancel], &[Status::Cancelled]);
}

#[test]
fn one_key_is_one_subchannel_until_it_is_orphaned() {
    let grpc = Grpc::init(Variant::Fixed, Threads::NONE, Vec::new(), 1);
    let holder = |nth| Owner::new("holder", nth);
    let create = |key, nth| ExecCtx::scope(|exec_ctx| Subchannel::create(&grpc, exec_ctx, key, None, holder(nth)));
    let unref = |it: &Arc<Subchannel>, nth| ExecCtx::scope(|exec_ctx| it.unref(exec_ctx, holder(nth)));
    let (first, again) = (create(KEY, 0), create(KEY, 1));
    let other_args = create(SubchannelKey { args: 1, ..KEY }, 2);
    assert!(Arc::ptr_eq(&first, &again) && !Arc::ptr_eq(&first, &other_args));
    unref(&first, 0);
    unref(&again, 1);
    let next = create(KEY, 3);
    assert!(!Arc::ptr_eq(&first, &next));
    unref(&next, 3);
    unref(&other_args, 2);
    grpc.shutdown();
}

/// Without a timer thread, the thread that drains the loop runs the timers.
#[test]
fn a_timer_that_is_left_runs_before_the_loop_is_drained() {
    for timers in [false, true] {
        Check::new("drain").schedules(50).run(move || {
            let iomgr = Iomgr::start(Threads { pollers: 1, timers }, None);
            let has_run = Arc::new(AtomicBool::new(false));
            let flag = Arc::clone(&has_run);
            iomgr.run_after(Duration::from_millis(5), move |_| flag.store(true, Ordering::SeqCst));
            iomgr.drain();
            assert!(has_run.load(Ordering::SeqCst));
        });
    }
}

#[test]
fn a_fault_beyond_its_bounds_is_refused_with_its_place() {
    let check = |act: Act, said: &str| assert_eq!(act.check().map_err(|bad| bad.to_string()), Err(said.to_owned()));
    assert!(Act::Destroy(3).check().is_ok() && Act::HangUp.check().is_ok());
    check(Act::Pause(60_001), "plan.Pause is 60001; at most 60000");
    check(Act::Calls(60_001), "plan.Calls is 60001; at most 60000");
    check(Act::ResetBackoff(4), "plan.ResetBackoff is 4; at most 3");
    check(Act::Destroy(4), "plan.Destroy is 4; at most 3");
    let update = |channel, address, args| Act::Update { channel, addresses: vec![address], args };
    assert!(update(3, 3, 3).check().is_ok());
    check(update(4, 0, 0), "plan.Update.channel is 4; at most 3");
    check(update(0, 4, 0), "plan.Update.addresses[0] is 4; at most 3");
    check(update(0, 0, 4), "plan.Update.args is 4; at most 3");
}

/// The table of a run with one call by round_robin to these servers, which ends with `code`.
fn table_of_a_call(servers: Backends, code: Status) -> String {
    let found = Check::new("round_robin").schedules(1).search(move || {
        check(PolicyName::RoundRobin, servers.clone(), &[Call::Wait], &[code]);
        always("the run fails, so its table is kept", false);
    });
    found.expect_err("the last line of the body fails").full_table
}

/// A request for re-resolution shows only as a row of the table: the resolver is not modelled.
#[test]
fn round_robin_asks_for_new_addresses_when_an_address_fails_and_not_before() {
    let stands = table_of_a_call(vec![vec![vec![Step::Settings]]; 2], Status::Ok);
    assert!(!stands.contains("RequestReresolution"), "{stands}");
    let fails = table_of_a_call(vec![vec![vec![Step::Refuse]]], Status::Unavailable);
    assert!(fails.contains("RequestReresolution"), "{fails}");
}

/// The network has no fault; the call fails because the server sends FIN.
#[test]
fn a_call_may_fail_where_a_server_ends_its_connection() {
    let channel = ChannelPlan { policy: PolicyName::PickFirst, addresses: vec![0], callers: vec![vec![Call::Wait]] };
    let plan = NetPlan::of(Plan {
        threads: Threads { pollers: 1, timers: true },
        backends: vec![vec![vec![Step::Settings, Step::Take(1), Step::Fin]]],
        channels: vec![channel],
        teardown: Teardown::AtRest,
        ..Plan::smallest()
    });
    let limits = Limits { timer_slack: std::time::Duration::from_millis(5), ..Limits::default() };
    let check = Check::new("fin").limits(limits).schedules(20);
    check.run(move || run_on_network(Variant::Fixed, &plan));
}

/// The network decodes the bytes as HTTP/2: the first ones are the preface, before any request.
#[test]
fn a_fault_within_the_preface_hits_in_the_handshake() {
    let kind = lastref::net::FaultKind::Stall { ms: 5 };
    let fault =
        lastref::net::Fault { connection: 0, from: lastref::net::End::Client, after_bytes: 10, after_ms: 0, kind };
    let channel = ChannelPlan { policy: PolicyName::PickFirst, addresses: vec![0], callers: vec![vec![Call::Wait]] };
    let plan = NetPlan::of(Plan {
        threads: Threads { pollers: 1, timers: true },
        channels: vec![channel],
        teardown: Teardown::AtRest,
        ..Plan::smallest()
    });
    let plan = NetPlan { weather: Weather { faults: vec![fault], ..Weather::FAIR }, ..plan };
    let limits = Limits { timer_slack: std::time::Duration::from_millis(5), ..Limits::default() };
    let check = Check::new("preface").limits(limits).schedules(5);
    let report =
        check.search(move || run_on_network(Variant::Fixed, &plan)).unwrap_or_else(|failure| panic!("{failure}"));
    let stalls = report.faults.get("stall").cloned().unwrap_or_default();
    assert_eq!(stalls, [(lastref::net::Phase::Handshake, 5)].into());
}
