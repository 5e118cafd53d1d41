//! Cancellation: whose completion comes first, and what there is to cancel.

use super::*;

#[test]
fn the_cancellers_completion_comes_before_the_cancelled_ones() {
    check(|| {
        let mut lab = Lab::armed();
        lab.submit(Op::Cancel { target: Target::Fd(lab.fd), all: false }, UserOp::Cancel);
        let cqes = drain(&mut lab.ring);
        let seen: Vec<_> = cqes.iter().map(|cqe| (cqe.user_data.op(), cqe.res)).collect();
        assert_eq!(seen, [(Some(UserOp::Cancel), 0), (Some(UserOp::Recv), Errno::Canceled.res())]);
        lab.end();
    });
}

#[test]
fn nothing_to_cancel_is_enoent() {
    check(|| {
        let mut lab = Lab::new(false);
        for target in [Target::Fd(lab.fd), data(UserOp::Recv).into()] {
            lab.submit(Op::Cancel { target, all: false }, UserOp::Cancel);
            assert_eq!(lab.results(), [Errno::Noent.res()]);
        }
        lab.end();
    });
}

#[test]
fn a_send_that_is_cancelled_part_of_the_way_gives_what_it_sent() {
    check(|| {
        let mut lab = Lab::over(3, false, 64);
        lab.send(4, true, false);
        lab.submit(Op::Cancel { target: Target::Fd(lab.fd), all: false }, UserOp::Cancel);
        assert_eq!(lab.results(), [0, 3]);
        lab.end();
    });
}

#[test]
fn cancelling_takes_the_first_match_or_all_with_their_count() {
    check(|| {
        let mut lab = Lab::new(false);
        lab.provide([0]);
        (0..3).for_each(|_| lab.arm(true));
        lab.submit(Op::Cancel { target: Target::Fd(lab.fd), all: false }, UserOp::Cancel);
        assert_eq!(lab.results(), [0, Errno::Canceled.res()]);
        lab.submit(Op::Cancel { target: Target::Fd(lab.fd), all: true }, UserOp::Cancel);
        assert_eq!(lab.results(), [2, Errno::Canceled.res(), Errno::Canceled.res()]);
        lab.end();
    });
}

#[test]
fn what_a_worker_has_begun_is_ealready() {
    check(|| {
        let mut lab = Lab::new(false);
        let fd = lab.fd;
        lab.submit(Op::Shutdown { fd }, UserOp::Shutdown);
        assert!(lab.kernel.pump());
        lab.submit(Op::Cancel { target: Target::Fd(fd), all: false }, UserOp::Cancel);
        assert_eq!(lab.results(), [Errno::Already.res(), 0]);
        lab.end();
    });
}
