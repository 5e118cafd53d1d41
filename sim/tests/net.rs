//! The simulated network, as a program on it sees it when nothing goes wrong.
mod network;

use std::future::poll_fn;
use std::io::ErrorKind;

use lastref::net::{Config, Decoder, TcpListener, TcpStream, simulate, sleep, timeout};
use lastref::time::Duration;
use network::{ask, check, echo_once, ends, explore, listener};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadBuf};

#[test]
fn what_is_sent_arrives_in_order_whatever_the_split() {
    explore(300, || {
        simulate(Config { short: true, decoder: Decoder::Bytes, ..Config::default() }, |network| {
            let (client, server) = ends(network);
            let echo = server.spawn("echo", echo_once(listener(server)));
            let answer = client.spawn("ask", async move { ask(server, b"one two three").await }).join();
            assert_eq!(answer.expect("not aborted").expect("no fault"), b"one two three");
            echo.join().expect("not aborted").expect("no fault");
        });
    });
}

/// Reads that free less than half of a full buffer at a time, which is when turmoil-net says nothing of the room.
#[test]
fn a_reader_of_small_pieces_does_not_stall_its_sender() {
    explore(100, || {
        simulate(Config { window: 64, ..Config::default() }, |network| {
            let (client, server) = ends(network);
            let listener = listener(server);
            let read = server.spawn("read", async move {
                let (mut stream, _) = listener.accept().await.expect("no fault");
                let mut all = Vec::new();
                let mut piece = [0; 5];
                loop {
                    sleep(Duration::from_millis(2)).await;
                    match stream.read(&mut piece).await.expect("no fault") {
                        0 => return all,
                        read => all.extend_from_slice(&piece[..read]),
                    }
                }
            });
            let write = client.spawn("write", async move {
                let mut stream = TcpStream::connect(server.address(80)).await?;
                stream.write_all(&[7; 300]).await?;
                stream.shutdown().await?;
                stream.read(&mut [0; 1]).await
            });
            assert_eq!(read.join().expect("not aborted"), [7; 300]);
            assert_eq!(write.join().expect("not aborted").expect("no fault"), 0);
        });
    });
}

#[test]
fn a_peek_says_that_there_is_something_and_takes_nothing() {
    explore(100, || {
        simulate(Config::default(), |network| {
            let (client, server) = ends(network);
            let listener = listener(server);
            let read = server.spawn("read", async move {
                let (mut stream, _) = listener.accept().await.expect("no fault");
                let mut octet = [0; 1];
                let peeked = poll_fn(|context| stream.poll_peek(context, &mut ReadBuf::new(&mut octet))).await;
                let mut all = Vec::new();
                stream.read_to_end(&mut all).await.expect("no fault");
                let end = poll_fn(|context| stream.poll_peek(context, &mut ReadBuf::new(&mut octet))).await;
                (peeked.expect("no fault"), all, end.expect("no fault"))
            });
            let write = client.spawn("write", async move {
                let mut stream = TcpStream::connect(server.address(80)).await?;
                stream.write_all(b"once").await?;
                stream.shutdown().await
            });
            assert_eq!(read.join().expect("not aborted"), (1, b"once".to_vec(), 0));
            write.join().expect("not aborted").expect("no fault");
        });
    });
}

#[test]
fn a_dropped_attempt_leaves_no_socket() {
    explore(300, || {
        simulate(Config::default(), |network| {
            let (client, server) = ends(network);
            network.hold(client, server);
            let given_up = client.spawn("connect", async move {
                timeout(Duration::from_millis(5), TcpStream::connect(server.address(80))).await.is_err()
            });
            assert_eq!(given_up.join(), Some(true));
        });
    });
}

/// The other host uses sockets of its own when the attempt is given up.
#[test]
fn a_dropped_attempt_is_closed_on_its_own_host() {
    explore(300, || {
        simulate(Config::default(), |network| {
            let (client, server) = ends(network);
            network.hold(client, server);
            let busy = server.spawn("busy", async move {
                for _ in 0..10 {
                    let listener = TcpListener::bind(server.address(80)).await.expect("the port is free");
                    sleep(Duration::from_millis(1)).await;
                    drop(listener);
                }
            });
            let given_up = client.spawn("connect", async move {
                timeout(Duration::from_millis(5), TcpStream::connect(server.address(80))).await.is_err()
            });
            assert_eq!((given_up.join(), busy.join()), (Some(true), Some(())));
        });
    });
}

/// Both ends, ended at any await point that a millisecond falls into: where they connect, accept, read, write or shut
/// down. That nothing is left is for `simulate` to say.
#[test]
fn a_future_that_is_dropped_at_any_await_point_leaves_no_socket() {
    for (client_ms, server_ms) in (0..24).flat_map(|ms| [(ms, 60), (60, ms), (ms, ms)]) {
        explore(10, move || {
            simulate(Config { short: true, window: 64, ..Config::default() }, |network| {
                let (client, server) = ends(network);
                let listener = listener(server);
                let echo = server.spawn("echo", async move {
                    let _ = timeout(Duration::from_millis(server_ms), echo_once(listener)).await;
                });
                let asked = client.spawn("ask", async move {
                    let _ = timeout(Duration::from_millis(client_ms), ask(server, &[7; 300])).await;
                });
                asked.join();
                echo.join();
            });
        });
    }
}

#[test]
fn a_socket_that_is_left_is_a_leak_with_its_address() {
    let leak = check().search(|| {
        simulate(Config::default(), |network| {
            let (_, server) = ends(network);
            let listener = server.spawn("listen", async move { TcpListener::bind(server.address(80)).await });
            std::mem::forget(listener.join());
        });
    });
    let leak = leak.expect_err("a listener is left");
    assert_eq!(leak.violation.property, "every socket is closed at quiescence");
    assert!(format!("{leak}").contains("10.0.0.2:80"), "{leak}");
}

/// A stream, or an attempt, that is forgotten while its peer has closed keeps its socket.
#[test]
fn what_is_forgotten_is_a_leak() {
    for is_attempt in [false, true] {
        let found = check().search(move || {
            simulate(Config::default(), |network| {
                let (client, server) = ends(network);
                let listener = listener(server);
                let forget = client.spawn("forget", async move {
                    let mut attempt = Box::pin(TcpStream::connect(server.address(80)));
                    if is_attempt {
                        let _ = timeout(Duration::from_millis(1), &mut attempt).await;
                        std::mem::forget(attempt);
                    } else {
                        std::mem::forget(attempt.await.expect("no fault"));
                    }
                });
                let accepted = server.block_on(listener.accept());
                forget.join();
                drop(accepted);
            });
        });
        let property = found.expect_err("nobody closes it").violation.property;
        assert_eq!(property, "every socket is closed at quiescence", "{is_attempt}");
    }
}

#[test]
fn any_order_of_ready_futures_is_reachable() {
    let orders = std::sync::Arc::new(std::sync::Mutex::new(std::collections::BTreeSet::new()));
    let store = std::sync::Arc::clone(&orders);
    explore(300, move || {
        let order = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
        simulate(Config::default(), |network| {
            let (client, _) = ends(network);
            let tasks = ["a", "b", "c"].map(|name| {
                let order = std::sync::Arc::clone(&order);
                client.spawn(name, async move {
                    sleep(Duration::from_millis(1)).await;
                    order.lock().expect("not poisoned").push_str(name);
                })
            });
            tasks.into_iter().for_each(|task| assert!(task.join().is_some()));
        });
        let order = order.lock().expect("not poisoned").clone();
        store.lock().expect("not poisoned").insert(order);
    });
    assert_eq!(orders.lock().expect("not poisoned").len(), 6);
}

#[test]
fn a_task_that_is_switched_away_in_the_middle_of_a_poll_keeps_its_deadline() {
    explore(300, || {
        let lock = std::sync::Arc::new(lastref::sync::Mutex::new(0));
        simulate(Config::default(), |network| {
            let (client, _) = ends(network);
            let tasks = [1, 2].map(|nth| {
                let lock = std::sync::Arc::clone(&lock);
                client.spawn(&format!("sleeper.{nth}"), async move {
                    let mut slept = std::pin::pin!(sleep(Duration::from_millis(nth)));
                    std::future::poll_fn(|context| {
                        let polled = slept.as_mut().poll(context);
                        // A scheduling point behind the sleep's own poll.
                        *lock.lock() += 1;
                        polled
                    })
                    .await;
                })
            });
            tasks.into_iter().for_each(|task| assert!(task.join().is_some()));
        });
    });
}

#[test]
fn a_full_backlog_refuses_at_once_and_an_accepted_connection_makes_room() {
    explore(200, || {
        simulate(Config { backlog: 1, ..Config::default() }, |network| {
            let (client, server) = ends(network);
            let listener = listener(server);
            let first = client.spawn("first", async move { TcpStream::connect(server.address(80)).await });
            let first = first.join().expect("not aborted").expect("there is room for one");
            let second = client.spawn("second", async move { TcpStream::connect(server.address(80)).await });
            let refused = second.join().expect("not aborted").expect_err("it is full").kind();
            assert_eq!(refused, ErrorKind::ConnectionRefused);
            let accepted = server.spawn("accept", async move { listener.accept().await.map(|it| (it, listener)) });
            let accepted = accepted.join().expect("not aborted").expect("one waits");
            let third = client.spawn("third", async move { TcpStream::connect(server.address(80)).await });
            assert!(third.join().expect("not aborted").is_ok());
            drop((first, accepted));
        });
    });
}

#[test]
fn a_table_has_a_column_for_each_host() {
    let failure = check().search(|| {
        simulate(Config::default(), |network| {
            let (client, server) = ends(network);
            let echo = server.spawn("echo", echo_once(listener(server)));
            let answer = client.spawn("ask", async move {
                let answer = ask(server, b"1234").await;
                lastref::note!("answered");
                answer
            });
            assert!(answer.join().is_none(), "it is answered");
            echo.join();
        });
    });
    let failure = failure.expect_err("it is answered");
    let header = failure.table.lines().nth(1).unwrap_or_default().to_owned();
    assert!(header.contains("| wire") && header.contains("| client") && !header.contains("client/ask"), "{failure}");
    assert!(failure.table.contains("ask: answered"), "{failure}");
    assert!(failure.table.contains("tcp#0 client -> server: 4 bytes"), "{failure}");
}

#[test]
fn a_panic_in_a_task_of_a_host_is_the_runs_failure_with_its_text() {
    let failure = check().search(|| {
        simulate(Config::default(), |network| {
            let (client, _) = ends(network);
            client.spawn("panics", async { panic!("nobody has looked at me") });
        });
    });
    assert!(failure.expect_err("it panics").violation.message.contains("nobody has looked at me"));
}

#[test]
fn a_task_that_never_ends_is_named() {
    let failure = check().search(|| {
        simulate(Config::default(), |network| {
            let (_, server) = ends(network);
            let listener = listener(server);
            server.spawn("accepts", async move { listener.accept().await.is_ok() });
        });
    });
    let failure = failure.expect_err("nobody connects");
    assert_eq!(failure.violation.property, "every task of a host has ended at quiescence");
    assert!(format!("{failure}").contains("server/accepts"), "{failure}");
}

/// Data for a stream that was dropped is answered by RST: its sender learns of it, and no socket stays behind.
#[test]
fn data_for_a_dropped_stream_is_answered_by_a_reset() {
    explore(100, || {
        simulate(Config { window: 64, ..Config::default() }, |network| {
            let (client, server) = ends(network);
            let listener = listener(server);
            let drop = server.spawn("drop", async move {
                let _ = listener.accept().await.expect("no fault");
            });
            let write = client.spawn("write", async move {
                let mut stream = TcpStream::connect(server.address(80)).await?;
                sleep(Duration::from_millis(20)).await;
                stream.write_all(&[7; 300]).await
            });
            drop.join();
            let error = write.join().expect("not aborted").expect_err("nobody reads it");
            assert!(matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{error}");
        });
    });
}
