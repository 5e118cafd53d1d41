//! Cancellation: whose completion comes first, and what there is to cancel.

use super::*;

#[test]
fn the_cancellers_completion_comes_before_the_cancelled_ones() {
    check(Lab::armed, |lab| {
        lab.submit(Op::Cancel { target: Target::Fd(lab.fd), all: false }, UserOp::Cancel);
        let cqes = drain(&mut lab.ring);
        let seen: Vec<_> = cqes.iter().map(|cqe| (cqe.user_data.op(), cqe.res)).collect();
        assert_eq!(seen, [(Some(UserOp::Cancel), 0), (Some(UserOp::Recv), Errno::Canceled.res())]);
    });
}

#[test]
fn nothing_to_cancel_is_enoent_and_with_all_a_count_of_0() {
    check(Lab::new, |lab| {
        for target in [Target::Fd(lab.fd), Target::User(data(UserOp::Recv))] {
            assert_eq!(lab.cancel(target, false), [Errno::Noent.res()]);
            assert_eq!(lab.cancel(target, true), [0]);
        }
    });
}

#[test]
fn a_send_that_is_cancelled_part_of_the_way_gives_what_it_sent() {
    check(Lab::narrow, |lab| {
        lab.send(4, true, false);
        assert_eq!(lab.cancel(Target::Fd(lab.fd), false), [0, 3]);
    });
}

#[test]
fn cancelling_takes_one_match_or_all_with_their_count() {
    check(Lab::new, |lab| {
        lab.provide([0]);
        (0..3).for_each(|_| lab.arm(true));
        assert_eq!(lab.cancel(Target::Fd(lab.fd), false), [0, Errno::Canceled.res()]);
        assert_eq!(lab.cancel(Target::Fd(lab.fd), true), [2, Errno::Canceled.res(), Errno::Canceled.res()]);
    });
}

#[test]
fn what_a_worker_has_begun_is_ealready() {
    check(Lab::new, |lab| {
        lab.submit(Op::Shutdown { fd: lab.fd }, UserOp::Shutdown);
        assert!(lab.kernel.pump());
        assert_eq!(lab.cancel(Target::Fd(lab.fd), false), [Errno::Already.res(), 0]);
    });
}

#[test]
fn which_of_several_a_cancellation_finds_is_not_fixed() {
    let found = outcomes(|lab| {
        lab.provide([0]);
        lab.submit(lab.recv(true, false), UserOp::Recv);
        lab.submit(lab.recv(true, false), UserOp::Nop);
        lab.submit(Op::Cancel { target: Target::Fd(lab.fd), all: false }, UserOp::Cancel);
        lab.completions().iter().find(|cqe| cqe.failed_with(Errno::Canceled)).map(|cqe| cqe.user_data.0)
    });
    assert_eq!(found.len(), 2);
}
