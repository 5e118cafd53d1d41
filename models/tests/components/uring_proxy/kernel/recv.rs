//! Receives: empty rings, the last buffer, refilling, bundles, incremental buffers, a full completion queue.

use super::*;

#[test]
fn arming_on_an_empty_ring_gives_enobufs_at_once_data_or_not() {
    check(Lab::new, |lab| {
        for multishot in [false, true] {
            lab.arm(multishot);
            assert_eq!(drain(&mut lab.ring).iter().map(|cqe| cqe.res).collect::<Vec<_>>(), [Errno::NoBufs.res()]);
        }
        lab.arrive(3);
        lab.arm(true);
        assert_eq!(lab.results(), [Errno::NoBufs.res()]);
    });
}

#[test]
fn the_last_buffer_used_exactly_leaves_a_multishot_armed_and_the_next_byte_ends_it() {
    check(Lab::new, |lab| {
        lab.provide([0]);
        lab.arrive(BUF_SIZE);
        lab.arm(true);
        assert_eq!(lab.results_and_flags(), [(4, Cqe::F_MORE | Cqe::with_buffer(0))]);
        lab.arrive(1);
        assert_eq!(lab.results_and_flags(), [(Errno::NoBufs.res(), 0)]);
    });
}

#[test]
fn refilling_alone_never_arms_again() {
    check(Lab::armed, |lab| {
        lab.arrive(10);
        assert_eq!(lab.results().last(), Some(&Errno::NoBufs.res()));
        lab.provide([1, 2, 3]);
        lab.arrive(1);
        assert_eq!(lab.results(), Vec::<i32>::new());
    });
}

#[test]
fn refilling_and_arming_loses_no_byte() {
    check(Lab::armed, |lab| {
        lab.arrive(10);
        let mut cqes = lab.completions();
        lab.provide([1, 2, 3]);
        lab.arm(true);
        cqes.extend(lab.completions());
        assert_eq!(lab.bytes(&cqes), (0..10).collect::<Vec<_>>());
    });
}

/// What a bundle completes with, over many seeds: results, and whether more will come.
#[track_caller]
fn bundles(provided: u16, bytes: u32, before: u32) -> BTreeSet<Vec<(i32, bool)>> {
    outcomes(move |lab| {
        if before > 0 {
            lab.provide([7, 6, 5]);
            lab.arrive(before);
            lab.submit(lab.recv(true, true), UserOp::Recv);
            assert_eq!(lab.results().iter().sum::<i32>(), before as i32);
            lab.cancel(Target::Fd(lab.fd), true);
        }
        lab.provide(0..provided);
        lab.arrive(bytes);
        lab.submit(lab.recv(true, true), UserOp::Recv);
        lab.completions().iter().map(|cqe| (cqe.res, cqe.has(Cqe::F_MORE))).collect()
    })
}

#[test]
fn a_receive_bundle_takes_one_buffer_and_then_what_the_rest_fills() {
    // Of 10 bytes 4, then one buffer of the 6 that are left, since the next would not be full; then these 2.
    assert_eq!(bundles(4, 10, 0), BTreeSet::from([vec![(8, true), (2, true)]]));
    assert_eq!(bundles(4, 12, 0), BTreeSet::from([vec![(12, true)]]));
}

#[test]
fn a_receive_bundle_that_takes_the_last_buffer_ends_its_multishot() {
    assert_eq!(bundles(1, 9, 0), BTreeSet::from([vec![(4, false)]]));
    assert_eq!(bundles(2, 9, 0), BTreeSet::from([vec![(8, false)]]));
    // That it is the last is not seen where the bytes fill it exactly.
    assert_eq!(bundles(2, 8, 0), BTreeSet::from([vec![(8, true)]]));
}

#[test]
fn a_receive_bundle_may_map_as_many_buffers_at_first_as_one_before_it() {
    let one = vec![(4, true), (1, true)];
    assert_eq!(bundles(4, 5, 0), BTreeSet::from([one.clone()]));
    assert_eq!(bundles(4, 5, 12), BTreeSet::from([one, vec![(5, true)]]));
}

#[test]
fn a_receive_bundle_that_was_armed_on_the_last_buffer_ends_with_its_first_completion() {
    check(Lab::new, |lab| {
        lab.provide([0]);
        lab.submit(lab.recv(true, true), UserOp::Recv);
        lab.provide([1, 2]);
        lab.arrive(1);
        assert_eq!(lab.results_and_flags(), [(1, Cqe::with_buffer(0))]);
    });
}

#[test]
fn a_receive_bundle_counts_a_fin_as_a_byte() {
    check(Lab::new, |lab| {
        lab.provide(0..4);
        lab.arrive(5);
        lab.fin();
        lab.submit(lab.recv(true, true), UserOp::Recv);
        assert_eq!(lab.results(), [5, 0]);
    });
}

#[test]
fn all_receives_that_wait_are_woken_and_an_older_one_may_find_no_buffer() {
    check(Lab::new, |lab| {
        lab.provide([0]);
        lab.arm(true);
        lab.submit(lab.recv(false, true), UserOp::Nop);
        lab.arrive(1);
        let seen: Vec<_> = lab.completions().iter().map(|cqe| (cqe.user_data.op(), cqe.res)).collect();
        assert_eq!(seen, [(Some(UserOp::Nop), 1), (Some(UserOp::Recv), Errno::NoBufs.res())]);
    });
}

#[test]
fn without_a_group_a_receive_is_enobufs_and_a_bundle_enoent() {
    check(Lab::new, |lab| {
        lab.ring.unregister_buf_ring(GROUP);
        lab.arm(false);
        lab.submit(lab.recv(false, true), UserOp::Recv);
        assert_eq!(lab.results(), [Errno::NoBufs.res(), Errno::Noent.res()]);
    });
}

#[test]
fn buffers_are_taken_in_the_order_of_the_ring_and_not_of_their_ids() {
    check(Lab::new, |lab| {
        lab.provide([5, 2, 7]);
        lab.arrive(12);
        lab.arm(true);
        let cqes = lab.completions();
        assert_eq!(cqes.iter().map(Cqe::bid).collect::<Vec<_>>(), [5, 2, 7]);
        assert_eq!(lab.bytes(&cqes), (0..12).collect::<Vec<_>>());
    });
}

#[test]
fn a_buffer_is_the_kernels_when_the_tail_has_advanced_and_not_before() {
    check(Lab::new, |lab| {
        lab.bufs[3].transfer(lab.owner(), held_by_group(GROUP));
        lab.br.add(lab.owner(), buf(3), 0);
        lab.arrive(1);
        lab.arm(false);
        assert_eq!(lab.results(), [Errno::NoBufs.res()]);
        lab.br.advance(1);
        lab.arm(false);
        assert_eq!(lab.results_and_flags(), [(1, Cqe::with_buffer(3))]);
    });
}

#[test]
fn a_single_shot_receive_completes_once_with_what_there_is_and_without_more() {
    check(Lab::new, |lab| {
        lab.provide([0, 1]);
        lab.arrive(3);
        lab.arm(false);
        lab.arrive(1);
        assert_eq!(lab.results_and_flags(), [(3, Cqe::with_buffer(0))]);
    });
}

#[test]
fn an_incremental_buffer_says_buf_more_until_it_is_full() {
    let incremental = || Lab::over(64, true, 64);
    check(incremental, |lab| {
        lab.provide([3, 4]);
        lab.arm(true);
        for (bytes, bid, more) in [(3, 3, true), (1, 3, false), (4, 4, false)] {
            let mut left = bytes;
            lab.arrive(bytes);
            for cqe in lab.completions() {
                left -= cqe.res as u32;
                assert_eq!(cqe.bid(), bid);
                assert_eq!(cqe.has(Cqe::F_BUF_MORE), more || left > 0);
            }
            assert_eq!(left, 0);
        }
    });
}

#[test]
fn a_full_completion_queue_ends_a_multishot_and_loses_nothing() {
    let with_a_short_queue = || Lab::over(64, false, 2);
    check(with_a_short_queue, |lab| {
        lab.provide(0..8);
        lab.arrive(16);
        lab.arm(true);
        let mut cqes = lab.completions();
        cqes.extend(lab.completions());
        let seen: Vec<_> = cqes.iter().map(|cqe| (cqe.res, cqe.has(Cqe::F_MORE))).collect();
        assert_eq!(seen, [(4, true), (4, true), (4, false)]);
        lab.arm(true);
        cqes.extend(lab.completions());
        assert_eq!(lab.bytes(&cqes), (0..16).collect::<Vec<_>>());
    });
}
