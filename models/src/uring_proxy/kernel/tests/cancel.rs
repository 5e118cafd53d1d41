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
        for target in [Target::Fd(lab.fd), data(UserOp::Recv).into()] {
            for (all, res) in [(false, Errno::Noent.res()), (true, 0)] {
                lab.submit(Op::Cancel { target, all }, UserOp::Cancel);
                assert_eq!(lab.results(), [res]);
            }
        }
    });
}

#[test]
fn a_send_that_is_cancelled_part_of_the_way_gives_what_it_sent() {
    check(Lab::narrow, |lab| {
        lab.send(4, true, false);
        lab.submit(Op::Cancel { target: Target::Fd(lab.fd), all: false }, UserOp::Cancel);
        assert_eq!(lab.results(), [0, 3]);
    });
}

#[test]
fn cancelling_takes_one_match_or_all_with_their_count() {
    check(Lab::new, |lab| {
        lab.provide([0]);
        (0..3).for_each(|_| lab.arm(true));
        lab.submit(Op::Cancel { target: Target::Fd(lab.fd), all: false }, UserOp::Cancel);
        assert_eq!(lab.results(), [0, Errno::Canceled.res()]);
        lab.submit(Op::Cancel { target: Target::Fd(lab.fd), all: true }, UserOp::Cancel);
        assert_eq!(lab.results(), [2, Errno::Canceled.res(), Errno::Canceled.res()]);
    });
}

#[test]
fn what_a_worker_has_begun_is_ealready() {
    check(Lab::new, |lab| {
        let fd = lab.fd;
        lab.submit(Op::Shutdown { fd }, UserOp::Shutdown);
        assert!(lab.kernel.pump());
        lab.submit(Op::Cancel { target: Target::Fd(fd), all: false }, UserOp::Cancel);
        assert_eq!(lab.results(), [Errno::Already.res(), 0]);
    });
}

#[test]
fn which_of_several_a_cancellation_finds_is_not_fixed() {
    let found = Arc::new(Mutex::new(BTreeSet::new()));
    let seen = Arc::clone(&found);
    check(Lab::new, move |lab| {
        lab.provide([0]);
        let recv = Op::Recv { fd: lab.fd, group: GROUP, multishot: true, bundle: false };
        lab.submit(recv.clone(), UserOp::Recv);
        lab.submit(recv, UserOp::Nop);
        lab.submit(Op::Cancel { target: Target::Fd(lab.fd), all: false }, UserOp::Cancel);
        let cancelled =
            lab.completions().iter().find(|cqe| cqe.failed_with(Errno::Canceled)).map(|cqe| cqe.user_data.0);
        seen.lock().expect("no test has failed").insert(cancelled);
    });
    assert_eq!(found.lock().expect("no test has failed").len(), 2);
}
