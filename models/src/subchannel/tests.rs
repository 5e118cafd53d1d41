//! The result codes of calls, and what the pool gives, on plain threads.

use std::sync::Arc;

use sim::ledger::{Owner, Tag};

use super::{
    Backends, Call, ClientChannel, ExecCtx, Goaway, Grpc, PolicyName, Status, Step, Subchannel, SubchannelKey, Threads,
    Variant,
};

const KEY: SubchannelKey = SubchannelKey { address: 0, args: 0 };

fn tag(request: u64) -> Tag {
    Tag { peer: 0, request }
}

/// The codes of one call after the other, on a channel to these servers.
#[track_caller]
fn check(policy: PolicyName, backends: Backends, calls: &[Call], codes: &[Status]) {
    let grpc = Grpc::init(Variant::Fixed, Threads { pollers: 1, timers: false }, backends.clone(), 8);
    let chand = ClientChannel::open(&grpc, policy, None);
    let keys = (0..backends.len() as u32).map(|address| SubchannelKey { address, args: 0 }).collect();
    ExecCtx::scope(|exec_ctx| chand.update(exec_ctx, keys));
    let ended: Vec<Status> = calls.iter().zip(0..).map(|(call, nth)| chand.call(*call, tag(nth))).collect();
    chand.create_stub(0);
    ExecCtx::scope(|exec_ctx| chand.destroy(exec_ctx));
    assert_eq!(chand.call(Call::Wait, tag(99)), Status::Unavailable, "a channel that is destroyed makes no call");
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
