//! Receives: empty rings, the last buffer, refilling, bundles, incremental buffers, a full completion queue.

use super::*;

#[test]
fn arming_on_an_empty_ring_gives_enobufs_at_once_data_or_not() {
    check(|| {
        let mut lab = Lab::new(false);
        for multishot in [false, true] {
            lab.arm(multishot);
            assert_eq!(drain(&mut lab.ring).iter().map(|cqe| cqe.res).collect::<Vec<_>>(), [Errno::NoBufs.res()]);
        }
        lab.arrive(3);
        lab.arm(true);
        assert_eq!(lab.results(), [Errno::NoBufs.res()]);
        lab.end();
    });
}

#[test]
fn the_last_buffer_used_exactly_leaves_a_multishot_armed_and_the_next_byte_ends_it() {
    check(|| {
        let mut lab = Lab::new(false);
        lab.provide([0]);
        lab.arrive(BUF_SIZE);
        lab.arm(true);
        let cqes = lab.completions();
        assert_eq!((cqes[0].res, cqes[0].has(Cqe::F_MORE | Cqe::F_BUFFER), cqes.len()), (4, true, 1));
        assert!(cqes[0].has(Cqe::F_MORE));
        lab.arrive(1);
        let cqes = lab.completions();
        assert_eq!((cqes[0].res, cqes[0].flags, cqes.len()), (Errno::NoBufs.res(), 0, 1));
        lab.end();
    });
}

#[test]
fn refilling_alone_never_arms_again() {
    check(|| {
        let mut lab = Lab::armed();
        lab.arrive(10);
        assert_eq!(lab.results().last(), Some(&Errno::NoBufs.res()));
        lab.provide([1, 2, 3]);
        lab.arrive(1);
        assert_eq!(lab.results(), Vec::<i32>::new());
        lab.end();
    });
}

#[test]
fn refilling_and_arming_loses_no_byte() {
    check(|| {
        let mut lab = Lab::armed();
        lab.arrive(10);
        let mut cqes = lab.completions();
        lab.provide([1, 2, 3]);
        lab.arm(true);
        cqes.extend(lab.completions());
        assert_eq!(lab.bytes(&cqes), (0..10).collect::<Vec<_>>());
        lab.end();
    });
}

#[test]
fn a_receive_bundle_is_split_as_the_kernel_likes_with_totals_and_ids_in_order() {
    let splits = Arc::new(Mutex::new(BTreeSet::new()));
    let seen = Arc::clone(&splits);
    check(move || {
        let mut lab = Lab::new(false);
        lab.provide([5, 2, 7, 0]);
        lab.arrive(10);
        lab.submit(Op::Recv { fd: lab.fd, group: GROUP, multishot: true, bundle: true }, UserOp::Recv);
        let cqes = lab.completions();
        let mut order = [5, 2, 7].into_iter();
        for cqe in &cqes {
            assert_eq!(order.next(), Some(cqe.bid()));
            // What is left of the buffers that the completion stands for.
            (1..(cqe.res as u32).div_ceil(BUF_SIZE)).for_each(|_| assert!(order.next().is_some()));
        }
        assert_eq!(order.next(), None);
        let split: Vec<i32> = cqes.iter().map(|cqe| cqe.res).collect();
        assert_eq!(split.iter().sum::<i32>(), 10);
        seen.lock().expect("no test has failed").insert(split);
        lab.end();
    });
    let splits = splits.lock().expect("no test has failed").clone();
    assert_eq!(splits, BTreeSet::from([vec![10], vec![8, 2], vec![4, 6], vec![4, 4, 2]]));
}

#[test]
fn buffers_are_taken_in_the_order_of_the_ring_and_not_of_their_ids() {
    check(|| {
        let mut lab = Lab::new(false);
        lab.provide([5, 2, 7]);
        lab.arrive(12);
        lab.arm(true);
        let cqes = lab.completions();
        assert_eq!(cqes.iter().map(Cqe::bid).collect::<Vec<_>>(), [5, 2, 7]);
        assert_eq!(lab.bytes(&cqes), (0..12).collect::<Vec<_>>());
        lab.end();
    });
}

#[test]
fn a_buffer_is_the_kernels_when_the_tail_has_advanced_and_not_before() {
    check(|| {
        let mut lab = Lab::new(false);
        lab.bufs[3].transfer(held_by_conn(0), held_by_group(GROUP));
        lab.br.add(held_by_conn(0), buf(3), 0);
        lab.arrive(1);
        lab.arm(false);
        assert_eq!(lab.results(), [Errno::NoBufs.res()]);
        lab.br.advance(1);
        lab.arm(false);
        let cqes = lab.completions();
        assert_eq!((cqes[0].res, cqes[0].bid(), cqes.len()), (1, 3, 1));
        lab.end();
    });
}

#[test]
fn a_single_shot_receive_completes_once_with_what_there_is_and_without_more() {
    check(|| {
        let mut lab = Lab::new(false);
        lab.provide([0, 1]);
        lab.arrive(3);
        lab.arm(false);
        lab.arrive(1);
        let cqes = lab.completions();
        assert_eq!((cqes[0].res, cqes[0].flags, cqes.len()), (3, Cqe::with_buffer(0), 1));
        lab.end();
    });
}

#[test]
fn an_incremental_buffer_says_buf_more_until_it_is_full() {
    check(|| {
        let mut lab = Lab::new(true);
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
        lab.end();
    });
}

#[test]
fn a_full_completion_queue_ends_a_multishot_and_loses_nothing() {
    check(|| {
        let mut lab = Lab::with_queue(false, 2);
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
        lab.end();
    });
}
