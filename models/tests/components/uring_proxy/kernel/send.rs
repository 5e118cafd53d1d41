//! Sends: bundles, short ones, zero copy.

use super::*;

#[test]
fn a_send_bundle_is_one_completion() {
    check(Lab::new, |lab| {
        lab.provide([0, 1, 2]);
        lab.arm(true);
        lab.arrive(9);
        let got = lab.completions().iter().filter(|cqe| cqe.res > 0).count() as u16;
        lab.queue(0..got);
        lab.send_group(true, true);
        let cqes: Vec<Cqe> =
            lab.completions().into_iter().filter(|cqe| cqe.user_data.op() == Some(UserOp::Send)).collect();
        assert_eq!((cqes.len(), cqes[0].res, cqes[0].bid()), (1, i32::from(got), 0));
    });
}

#[test]
fn a_send_from_an_empty_group_is_enobufs() {
    check(Lab::new, |lab| {
        lab.send_group(true, true);
        assert_eq!(lab.results(), [Errno::NoBufs.res()]);
    });
}

#[test]
fn a_send_is_short_where_there_is_no_room_unless_it_waits_for_all() {
    check(Lab::narrow, |lab| {
        lab.send(4, false, false);
        assert_eq!(lab.results(), [3]);
        lab.send(4, true, false);
        assert_eq!(lab.results(), Vec::<i32>::new());
        while let Read::Octets(_) = lab.read() {}
        assert_eq!(lab.results(), [4]);
    });
}

#[test]
fn a_send_that_waits_for_all_is_short_if_the_connection_breaks() {
    check(Lab::narrow, |lab| {
        lab.send(4, true, false);
        lab.reset();
        assert_eq!(lab.results(), [3]);
    });
}

#[test]
fn a_zero_copy_send_completes_with_more_and_is_notified_when_its_memory_is_no_longer_read() {
    check(Lab::new, |lab| {
        lab.send(2, true, true);
        let first = drain(&mut lab.ring);
        assert_eq!((first[0].res, first[0].flags, first.len()), (2, Cqe::F_MORE, 1));
        let mut more = Vec::new();
        while more.is_empty() && lab.kernel.pump() {
            more = drain(&mut lab.ring);
        }
        assert_eq!((more[0].res, more[0].flags, more.len()), (0, Cqe::F_NOTIF, 1));
        let read = lab.net(|net, peer| net.read(peer));
        assert!(matches!(read, Read::Octets(octets) if octets.len() == 2), "all bytes have left the memory");
    });
}

#[test]
fn a_zero_copy_send_that_fails_is_notified_too() {
    check(Lab::new, |lab| {
        lab.reset();
        lab.send(2, true, true);
        assert_eq!(lab.results_and_flags(), [(Errno::ConnReset.res(), Cqe::F_MORE), (0, Cqe::F_NOTIF)]);
    });
}

#[test]
fn a_zero_copy_send_on_a_closed_descriptor_is_notified_too() {
    check(Lab::new, |lab| {
        assert_eq!(lab.close(), [0]);
        lab.send(2, true, true);
        assert_eq!(lab.results_and_flags(), [(Errno::Badf.res(), Cqe::F_MORE), (0, Cqe::F_NOTIF)]);
    });
}

#[test]
fn a_send_from_a_group_that_fails_has_used_its_buffers_up() {
    for (bundle, left) in [(false, 1), (true, 0)] {
        check(Lab::new, move |lab| {
            lab.queue([0, 1]);
            lab.fin();
            lab.reset();
            lab.send_group(bundle, false);
            assert_eq!(lab.results_and_flags(), [(Errno::Pipe.res(), Cqe::with_buffer(0))]);
            assert_eq!(lab.ring.available(OUT), Some(left));
        });
    }
}
