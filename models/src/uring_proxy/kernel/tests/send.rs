//! Sends: bundles, short ones, zero copy.

use super::*;

#[test]
fn a_send_bundle_is_one_completion() {
    check(Lab::new, |lab| {
        lab.provide([0, 1, 2]);
        lab.arm(true);
        lab.arrive(9);
        let got = lab.completions().iter().filter(|cqe| cqe.res > 0).count() as u16;
        for bid in 0..got {
            lab.bufs[usize::from(bid)].transfer(held_by_conn(0), held_by_group(OUT));
            lab.out.add(held_by_conn(0), Buf { len: 1, ..buf(bid) }, 0);
            lab.out.advance(1);
        }
        let from = Source::Group { group: OUT, bundle: true };
        lab.submit(Op::Send { fd: lab.fd, from, waitall: true, zero_copy: false }, UserOp::Send);
        let cqes: Vec<Cqe> =
            lab.completions().into_iter().filter(|cqe| cqe.user_data.op() == Some(UserOp::Send)).collect();
        assert_eq!((cqes.len(), cqes[0].res, cqes[0].bid()), (1, i32::from(got), 0));
    });
}

#[test]
fn a_send_from_an_empty_group_is_enobufs() {
    check(Lab::new, |lab| {
        let from = Source::Group { group: OUT, bundle: true };
        lab.submit(Op::Send { fd: lab.fd, from, waitall: true, zero_copy: false }, UserOp::Send);
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
        lab.net(|net, peer| net.reset(peer));
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
        lab.net(|net, peer| net.reset(peer));
        lab.settle();
        lab.send(2, true, true);
        let cqes = lab.completions();
        let seen: Vec<_> = cqes.iter().map(|cqe| (cqe.res, cqe.flags)).collect();
        assert_eq!(seen, [(Errno::ConnReset.res(), Cqe::F_MORE), (0, Cqe::F_NOTIF)]);
    });
}

#[test]
fn a_zero_copy_send_on_a_closed_descriptor_is_notified_too() {
    check(Lab::new, |lab| {
        let fd = lab.fd;
        lab.submit(Op::Close { fd }, UserOp::Close);
        assert_eq!(lab.results(), [0]);
        lab.send(2, true, true);
        let seen: Vec<_> = lab.completions().iter().map(|cqe| (cqe.res, cqe.flags)).collect();
        assert_eq!(seen, [(Errno::Badf.res(), Cqe::F_MORE), (0, Cqe::F_NOTIF)]);
    });
}

#[test]
fn a_send_from_a_group_that_fails_has_used_its_buffers_up() {
    for (bundle, left) in [(false, 1), (true, 0)] {
        check(Lab::new, move |lab| {
            for bid in [0, 1] {
                lab.bufs[usize::from(bid)].transfer(held_by_conn(0), held_by_group(OUT));
                lab.out.add(held_by_conn(0), Buf { len: 1, ..buf(bid) }, 0);
                lab.out.advance(1);
            }
            lab.net(|net, peer| net.shut_write(peer));
            lab.settle();
            lab.net(|net, peer| net.reset(peer));
            lab.settle();
            let from = Source::Group { group: OUT, bundle };
            lab.submit(Op::Send { fd: lab.fd, from, waitall: false, zero_copy: false }, UserOp::Send);
            let seen: Vec<_> = lab.completions().iter().map(|cqe| (cqe.res, cqe.flags)).collect();
            assert_eq!(seen, [(Errno::Pipe.res(), Cqe::with_buffer(0))]);
            let available = lab.kernel.lock().rings[0].group(OUT).map(|group| group.available());
            assert_eq!(available, Some(left));
        });
    }
}
