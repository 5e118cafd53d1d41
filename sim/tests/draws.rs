//! What a model draws depends on its seed and not on its schedule, whatever its environment draws beside it.
mod network;

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use lastref::net::{Config, TcpStream, simulate};
use lastref::time::Duration;
use lastref::{StrategyName, random, thread};
use network::{ask, check, echo_once, ends, listener};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The numbers that the body gives, by the first number of its run, which tells the runs of one seed from those of
/// others (a strategy's reference runs are among them): each seed must have one set of numbers, whatever the schedule.
#[track_caller]
fn check_numbers(body: impl Fn() -> Vec<u64> + Clone + Send + Sync + 'static) {
    let strategies = [StrategyName::RANDOM, StrategyName::pct(2), StrategyName::pct(5), StrategyName::URW];
    let seen: Arc<Mutex<BTreeMap<u64, Vec<Vec<u64>>>>> = Arc::default();
    for (seed, strategy) in (0..40).flat_map(|seed| strategies.map(|strategy| (seed, strategy))) {
        let (body, store) = (body.clone(), Arc::clone(&seen));
        check().strategy(strategy).seed(seed).schedules(1).run(move || {
            let of_seed = random::u64();
            let numbers = body();
            store.lock().expect("not poisoned").entry(of_seed).or_default().push(numbers);
        });
    }
    let seen = seen.lock().expect("not poisoned");
    assert!(seen.len() >= 40, "{} seeds", seen.len());
    for runs in seen.values() {
        assert!(runs.len() >= strategies.len(), "one run a strategy: {runs:?}");
        assert!(runs.iter().all(|numbers| *numbers == runs[0]), "the schedule decides what the model draws: {runs:?}");
    }
}

#[test]
fn a_notification_takes_no_number_of_the_model() {
    check_numbers(|| {
        let state = Arc::new((lastref::sync::Mutex::new(0), lastref::sync::Condvar::new()));
        let waiters: Vec<_> = (0..3)
            .map(|_| {
                let state = Arc::clone(&state);
                thread::spawn(move || {
                    let mut given = state.0.lock();
                    while *given == 0 {
                        given = state.1.wait(given);
                    }
                    *given -= 1;
                })
            })
            .collect();
        let numbers = (0..3)
            .map(|_| {
                *state.0.lock() += 1;
                state.1.notify_one();
                random::u64()
            })
            .collect();
        waiters.into_iter().for_each(thread::JoinHandle::join);
        numbers
    });
}

/// Two exchanges on one task: each wakes the other up in vain, as often as the schedule says.
#[test]
fn short_reads_and_writes_take_no_number_of_the_model() {
    check_numbers(|| {
        simulate(Config { short: true, window: 64, ..Config::default() }, |network| {
            let (client, server) = ends(network);
            let listener = listener(server);
            let serve = server.spawn("serve", async move {
                for nth in 0..2 {
                    let (mut stream, _) = listener.accept().await.expect("no fault");
                    server.spawn(&format!("echo.{nth}"), async move {
                        let mut octets = [0; 40];
                        while stream.read_exact(&mut octets).await.is_ok() {
                            stream.write_all(&octets).await.expect("no fault");
                        }
                    });
                }
            });
            let numbers = client.spawn("ask", async move {
                let numbers = Mutex::new(Vec::new());
                let exchange = async || {
                    let mut stream = TcpStream::connect(server.address(80)).await.expect("no fault");
                    for _ in 0..4 {
                        stream.write_all(&[7; 40]).await.expect("no fault");
                        stream.read_exact(&mut [0; 40]).await.expect("no fault");
                        numbers.lock().expect("not poisoned").push(random::u64());
                    }
                };
                both(exchange(), exchange()).await;
                numbers.into_inner().expect("not poisoned")
            });
            let numbers = numbers.join().expect("not aborted");
            serve.join();
            numbers
        })
    });
}

/// Polls both whenever either is woken.
async fn both(one: impl Future<Output = ()>, other: impl Future<Output = ()>) {
    let (mut one, mut other) = (pin!(one), pin!(other));
    let mut done = [false; 2];
    poll_fn(|context| {
        done[0] = done[0] || one.as_mut().poll(context).is_ready();
        done[1] = done[1] || other.as_mut().poll(context).is_ready();
        if done == [true; 2] { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

#[test]
fn packets_that_a_link_has_held_take_no_number_of_the_task_that_releases_them() {
    check_numbers(|| {
        simulate(Config::default(), |network| {
            let (client, server) = ends(network);
            let echo = server.spawn("echo", echo_once(listener(server)));
            network.hold(client, server);
            let asks = [1, 2].map(|nth| client.spawn(&format!("ask.{nth}"), ask(server, b"once")));
            thread::sleep(Duration::from_millis(2));
            network.release(client, server);
            let number = random::u64();
            echo.join();
            asks.iter().for_each(lastref::net::Task::abort);
            vec![number]
        })
    });
}
