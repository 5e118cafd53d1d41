//! Futures on the simulated network: timers wake their wakers, spawns do not switch, tasks are awaited.
mod network;

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use futures_util::FutureExt;
use futures_util::future::{join, join_all, select_all};
use futures_util::stream::{FuturesUnordered, StreamExt, iter};
use lastref::cell::RaceCell;
use lastref::net::{Config, TcpStream, block_on, simulate, sleep, timeout};
use lastref::sync::atomic::AtomicUsize;
use lastref::time::{Duration, Instant};
use network::{check, ends, explore, listener};

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Runs a body outside and inside a network: a timer needs none.
#[track_caller]
fn explore_both(body: impl AsyncFn() + Copy + Send + Sync + 'static) {
    explore(20, move || block_on(body()));
    explore(20, move || {
        simulate(Config::default(), |network| network.host("client").block_on(body()));
    });
}

#[test]
fn a_set_of_futures_is_told_of_its_sleeps() {
    explore_both(async || {
        let mut set: FuturesUnordered<_> = [3, 1, 2].map(|nth| sleep(ms(nth)).map(move |()| nth)).into_iter().collect();
        let mut order = Vec::new();
        while let Some(nth) = set.next().await {
            order.push(nth);
        }
        assert_eq!(order, [1, 2, 3]);
    });
}

/// From 31 futures on `join_all` is a set with a waker for each.
#[test]
fn joining_more_than_thirty_sleeps_ends() {
    explore_both(async || {
        let before = Instant::now();
        join_all((0..40).map(|nth| sleep(ms(nth)))).await;
        assert_eq!(before.elapsed(), ms(39));
    });
}

#[test]
fn a_selection_among_sleeps_ends_with_the_first() {
    explore_both(async || {
        let before = Instant::now();
        let (_, _, rest) = select_all([30, 1, 20].map(|nth| Box::pin(sleep(ms(nth))))).await;
        assert_eq!((before.elapsed(), rest.len()), (ms(1), 2));
    });
}

#[test]
fn a_buffered_stream_of_sleeps_runs_to_its_end() {
    explore_both(async || {
        let slept = iter((0..9).map(|nth| sleep(ms(10 - nth)).map(move |()| nth))).buffer_unordered(3);
        let order: Vec<u64> = slept.collect().await;
        assert_eq!(order.len(), 9);
    });
}

/// The task that polled the timer last has ended when its time comes.
#[test]
fn a_timer_outlives_the_task_that_polled_it() {
    explore(100, || {
        simulate(Config::default(), |network| {
            let (client, _) = ends(network);
            let shared = sleep(ms(20)).shared();
            let one = client.spawn("one", shared.clone());
            client.block_on(sleep(ms(2)));
            let other = client.spawn("other", shared);
            client.block_on(sleep(ms(2)));
            one.abort();
            assert_eq!((one.join(), other.join()), (None, Some(())));
        });
    });
}

#[test]
fn a_timer_that_is_dropped_moves_no_clock() {
    explore(50, || {
        let start = Instant::now();
        simulate(Config::default(), |network| {
            let (client, _) = ends(network);
            let quick = client.spawn("quick", timeout(Duration::from_secs(3_600), sleep(ms(3))));
            assert_eq!(quick.join(), Some(Ok(())));
        });
        assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
    });
}

/// The alarm sleeps for the timers; a deadlock is of the component's tasks alone.
#[test]
fn a_deadlock_report_does_not_list_the_alarm() {
    let found = check().search(|| {
        block_on(async {
            sleep(ms(1)).await;
            poll_fn(|_| Poll::<()>::Pending).await;
        });
    });
    let message = found.expect_err("it is never woken").violation.message;
    assert_eq!(message, "no task can go on: main is blocked");
}

/// hyper-util's pool does this: it calls its executor while it holds a lock of std.
#[test]
fn a_spawn_within_a_poll_is_no_switch() {
    explore(200, || {
        let held = Arc::new(std::sync::Mutex::new(0));
        simulate(Config::default(), |network| {
            let (client, _) = ends(network);
            let tasks = ["a", "b"].map(|name| {
                let held = Arc::clone(&held);
                client.spawn(name, async move {
                    let child = {
                        let mut spawned = held.try_lock().expect("a spawn under the lock has switched away from it");
                        *spawned += 1;
                        let held = Arc::clone(&held);
                        client.spawn("child", async move {
                            *held.try_lock().expect("a spawn under the lock has switched away from it") += 1;
                        })
                    };
                    child.await
                })
            });
            tasks.into_iter().for_each(|task| assert_eq!(task.join(), Some(Some(()))));
        });
        assert_eq!(*held.lock().expect("not poisoned"), 4);
    });
}

#[test]
fn a_task_is_awaited_by_another_and_in_a_set() {
    explore(200, || {
        simulate(Config::default(), |network| {
            let (client, server) = ends(network);
            let sum = client.spawn("sum", async move {
                let mut tasks: FuturesUnordered<_> =
                    [1, 2, 3].map(|nth| server.spawn("part", sleep(ms(nth)).map(move |()| nth))).into_iter().collect();
                let mut sum = 0;
                while let Some(part) = tasks.next().await {
                    sum += part.expect("not aborted");
                }
                sum
            });
            assert_eq!(sum.join(), Some(6));
        });
    });
}

#[test]
fn a_task_that_is_aborted_gives_nothing_to_the_one_that_awaits_it() {
    explore(100, || {
        simulate(Config::default(), |network| {
            let (client, server) = ends(network);
            let never = server.spawn("never", poll_fn(|_| Poll::<()>::Pending));
            let waits = client.spawn("waits", async move {
                let aborts = async {
                    sleep(ms(10)).await;
                    never.abort();
                };
                let (given, ()) = join(timeout(ms(100), sleep(ms(50))), aborts).await;
                (given.is_ok(), never.await)
            });
            assert_eq!(waits.join(), Some((true, None)));
        });
    });
}

/// As after a join: without it the cell would be a data race.
#[test]
fn what_a_task_did_happened_before_what_follows_its_await() {
    explore(200, || {
        simulate(Config::default(), |network| {
            let (client, server) = ends(network);
            let cell = Arc::new(RaceCell::new(0));
            let turn = Arc::new(AtomicUsize::new(0));
            let own = Arc::clone(&cell);
            let reads = client.spawn("reads", async move {
                let writes = server.spawn("writes", {
                    let (cell, turn) = (Arc::clone(&own), Arc::clone(&turn));
                    async move {
                        turn.load(std::sync::atomic::Ordering::Relaxed);
                        cell.set(7);
                    }
                });
                // Some schedules end the task before it is polled for the first time, some after.
                turn.load(std::sync::atomic::Ordering::Relaxed);
                writes.await;
                own.get()
            });
            assert_eq!(reads.join(), Some(7));
        });
    });
}

#[test]
fn a_task_is_finished_once_its_future_is_done() {
    network::explore(50, || {
        simulate(Config::default(), |network| {
            let client = network.host("client");
            let task = client.spawn("sleeps", sleep(ms(20)));
            assert!(!task.is_finished());
            client.block_on(sleep(ms(50)));
            assert!(task.is_finished());
            assert_eq!(task.join(), Some(()));
        });
    });
}

#[test]
fn a_daemon_is_ended_by_the_network() {
    explore(100, || {
        simulate(Config::default(), |network| {
            let (client, server) = ends(network);
            let listener = listener(server);
            server.daemon("accepts", async move {
                loop {
                    drop(listener.accept().await);
                }
            });
            let asks = client.spawn("asks", async move { TcpStream::connect(server.address(80)).await.is_ok() });
            assert_eq!(asks.join(), Some(true));
        });
    });
}

/// It would end after 15 s; the default grace is 10 s.
#[test]
fn grace_is_what_the_configuration_says() {
    let late = |grace| {
        check().schedules(20).search(move || {
            simulate(Config { grace, ..Config::default() }, |network| {
                let (client, _) = ends(network);
                client.spawn("late", sleep(Duration::from_secs(15)));
            });
        })
    };
    let found = late(Config::default().grace).expect_err("it is late");
    assert_eq!(found.violation.property, "every task of a host has ended at quiescence");
    assert!(late(Duration::from_secs(20)).is_ok());
}
