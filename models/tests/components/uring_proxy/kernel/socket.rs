//! Ends: FIN, RST, shutting down and closing.

use super::*;

#[test]
fn a_fin_with_an_empty_ring_is_reported_when_armed_again_with_buffers() {
    check(Lab::armed, |lab| {
        lab.arrive(1);
        assert_eq!(lab.completions().len(), 1);
        lab.fin();
        assert!(lab.results().iter().all(|res| *res == Errno::NoBufs.res()));
        lab.provide([1]);
        assert_eq!(lab.results(), Vec::<i32>::new());
        lab.arm(true);
        assert_eq!(lab.results_and_flags(), [(0, 0)]);
    });
}

#[test]
fn a_fin_is_a_receive_of_no_bytes_without_a_buffer() {
    check(Lab::armed, |lab| {
        lab.fin();
        assert_eq!(lab.results_and_flags(), [(0, 0)]);
        lab.arm(false);
        assert_eq!(lab.results(), [0], "and so is every receive behind it");
    });
}

#[test]
fn after_a_reset_a_receive_gives_econnreset_and_then_the_end() {
    check(Lab::armed, |lab| {
        lab.reset();
        assert_eq!(lab.results(), [Errno::ConnReset.res()]);
        for _ in 0..2 {
            lab.arm(true);
            assert_eq!(lab.results(), [0]);
        }
    });
}

#[test]
fn after_a_reset_was_told_a_send_gives_epipe() {
    check(Lab::armed, |lab| {
        lab.reset();
        assert_eq!(lab.results(), [Errno::ConnReset.res()]);
        lab.send(1, true, false);
        assert_eq!(lab.results(), [Errno::Pipe.res()]);
        assert_eq!(lab.shutdown(), [Errno::NotConn.res()]);
    });
}

#[test]
fn data_that_came_before_a_reset_is_completed_first() {
    check(Lab::new, |lab| {
        lab.provide([0, 1, 2]);
        lab.arrive(6);
        lab.reset();
        lab.arm(true);
        assert_eq!(lab.results(), [4, 2, Errno::ConnReset.res()]);
    });
}

#[test]
fn of_two_armed_receives_the_later_gets_the_first_data_and_fin_ends_both() {
    check(Lab::new, |lab| {
        lab.provide(0..8);
        lab.submit(lab.recv(true, false), UserOp::Recv);
        lab.submit(lab.recv(true, false), UserOp::Nop);
        lab.arrive(5);
        let cqes = lab.completions();
        // What arrives in a second piece may go to the other: each wake-up puts the receive that it served behind.
        assert_eq!(cqes[0].user_data.op(), Some(UserOp::Nop));
        assert_eq!(cqes.iter().map(|cqe| cqe.res).sum::<i32>(), 5);
        lab.fin();
        assert_eq!(lab.results(), [0, 0]);
    });
}

#[test]
fn closing_completes_nothing_and_data_arrives_until_the_receive_is_cancelled() {
    check(Lab::new, |lab| {
        lab.provide([0, 1, 2, 3]);
        lab.arm(true);
        assert_eq!(lab.close(), [0]);
        lab.arrive(3);
        assert_eq!(lab.results().iter().sum::<i32>(), 3);
        assert_eq!(lab.read(), Read::Nothing);
        assert_eq!(lab.cancel(Target::User(data(UserOp::Recv)), false), [0, Errno::Canceled.res()]);
        assert_eq!(lab.read(), Read::End);
        assert_eq!(lab.close(), [Errno::Badf.res()]);
    });
}

#[test]
fn a_shutdown_that_fails_does_not_cancel_the_close_that_is_linked_to_it() {
    check(Lab::new, |lab| {
        lab.reset();
        assert_eq!(lab.shut_and_close(), [Errno::NotConn.res(), 0]);
    });
}

#[test]
fn a_shutdown_of_a_closed_descriptor_cancels_the_close_that_is_linked_to_it() {
    check(Lab::new, |lab| {
        assert_eq!(lab.close(), [0]);
        assert_eq!(lab.shut_and_close(), [Errno::Badf.res(), Errno::Canceled.res()]);
    });
}

#[test]
fn behind_a_fin_a_reset_is_told_by_sends_and_not_by_receives() {
    check(Lab::new, |lab| {
        lab.provide([0]);
        lab.fin();
        lab.reset();
        lab.arm(true);
        assert_eq!(lab.results(), [0]);
        lab.send(1, true, false);
        assert_eq!(lab.results(), [Errno::Pipe.res()]);
    });
}

#[test]
fn after_fin_both_ways_a_shutdown_is_enotconn() {
    check(Lab::new, |lab| {
        assert_eq!(lab.shutdown(), [0]);
        lab.fin();
        assert_eq!(lab.shutdown(), [Errno::NotConn.res()]);
    });
}

#[test]
fn bytes_behind_a_shutdown_reset_both_ends() {
    check(Lab::new, |lab| {
        lab.provide([0]);
        assert_eq!(lab.shutdown(), [0]);
        lab.arrive(3);
        assert_eq!(lab.net(|net, peer| net.write(peer, &[octet(3)])), None);
        lab.arm(false);
        assert_eq!(lab.results(), [Errno::ConnReset.res()]);
        assert_eq!(lab.shutdown(), [Errno::NotConn.res()]);
    });
}

#[test]
fn a_single_shot_that_finds_nothing_waits_as_the_newest() {
    check(Lab::new, |lab| {
        lab.provide(0..8);
        lab.arm(false);
        lab.submit(lab.recv(true, false), UserOp::Nop);
        lab.arrive(1);
        lab.arrive(1);
        let seen: Vec<_> = lab.completions().iter().map(|cqe| cqe.user_data.op()).collect();
        assert_eq!(seen, [Some(UserOp::Nop), Some(UserOp::Recv)]);
    });
}

#[test]
fn a_shutdown_that_succeeds_is_silent_and_the_close_follows() {
    check(Lab::new, |lab| {
        assert_eq!(lab.shut_and_close(), [0]);
        assert_eq!(lab.read(), Read::End);
    });
}
