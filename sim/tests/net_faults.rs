//! What goes wrong with connections, links and hosts, as their ends see it; and how plans with faults shrink.
mod network;

use std::io::ErrorKind;

use lastref::Limits;
use lastref::explore::{Case, CaseName, Engine, StrategyName, run_one};
use lastref::net::{Config, Decoder, End, Fault, FaultKind, Phase, TcpStream, simulate, sleep, timeout};
use lastref::replay::{ShrinkLimits, shrink};
use lastref::time::{Duration, Instant};
use network::{ask, check, echo_once, ends, explore, listener};
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The error kinds that the two ends of a connection see, under one fault.
fn errors(fault: Fault) -> (Option<ErrorKind>, Option<ErrorKind>) {
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let store = std::sync::Arc::clone(&seen);
    explore(200, move || {
        let both = simulate(Config { faults: vec![fault], ..Config::default() }, |network| {
            let (client, server) = ends(network);
            let listener = listener(server);
            let echo = server.spawn("echo", async move { timeout(Duration::from_secs(5), echo_once(listener)).await });
            let answer = client.spawn("ask", async move { ask(server, &[7; 100]).await });
            let answer = answer.join().expect("not aborted").err().map(|error| error.kind());
            let echo = echo.join().expect("not aborted");
            (answer, echo.ok().and_then(|echo| echo.err().map(|error| error.kind())))
        });
        store.lock().expect("not poisoned").push(both);
    });
    let mut seen = seen.lock().expect("not poisoned").clone();
    seen.dedup();
    assert_eq!(seen.len(), 1, "the schedule decides: {seen:?}");
    seen[0]
}

#[test]
fn a_reset_at_a_byte_fails_both_ends_with_connection_reset() {
    let fault = Fault { connection: 0, from: End::Client, after_bytes: 40, after_ms: 0, kind: FaultKind::Reset };
    assert_eq!(errors(fault), (Some(ErrorKind::ConnectionReset), Some(ErrorKind::ConnectionReset)));
}

#[test]
fn a_finished_write_side_is_a_broken_pipe_to_its_writer_and_an_end_to_its_reader() {
    let half_close =
        Fault { connection: 0, from: End::Client, after_bytes: 40, after_ms: 0, kind: FaultKind::HalfClose };
    explore(200, move || {
        simulate(Config { faults: vec![half_close], ..Config::default() }, |network| {
            let (client, server) = ends(network);
            let echo = server.spawn("echo", echo_once(listener(server)));
            let ask = client.spawn("ask", async move {
                let mut stream = TcpStream::connect(server.address(80)).await.expect("no fault of the attempt");
                let error = stream.write_all(&[7; 100]).await.expect_err("its write side is shut");
                // It reads on: a stream that is dropped would answer the echo by a reset.
                let mut echoed = Vec::new();
                stream.read_to_end(&mut echoed).await.expect("no fault of the other direction");
                (error.kind(), echoed.len())
            });
            assert_eq!(ask.join(), Some((ErrorKind::BrokenPipe, 40)));
            echo.join().expect("not aborted").expect("it reads an end");
        });
    });
}

#[test]
fn a_cut_connection_times_out_where_something_was_to_be_acknowledged() {
    let fault = Fault { connection: 0, from: End::Client, after_bytes: 40, after_ms: 0, kind: FaultKind::Blackhole };
    assert_eq!(errors(fault).0, Some(ErrorKind::TimedOut));
}

#[test]
fn a_stall_delays_and_loses_nothing() {
    let fault =
        Fault { connection: 0, from: End::Client, after_bytes: 40, after_ms: 0, kind: FaultKind::Stall { ms: 50 } };
    assert_eq!(errors(fault), (None, None));
}

#[test]
fn a_stall_of_one_connection_does_not_hold_up_another() {
    explore(100, || {
        let stall = Fault {
            connection: 0,
            from: End::Client,
            after_bytes: 4,
            after_ms: 0,
            kind: FaultKind::Stall { ms: 1_000 },
        };
        simulate(Config { faults: vec![stall], ..Config::default() }, |network| {
            let (client, server) = ends(network);
            let listener = listener(server);
            let serve = server.spawn("serve", async move {
                let stalled = listener.accept().await.expect("no fault");
                let (mut stream, _) = listener.accept().await.expect("no fault");
                stream.write_all(b"now").await.expect("no fault");
                stalled
            });
            let before = Instant::now();
            let asked = client.spawn("ask", async move {
                let mut stalled = TcpStream::connect(server.address(80)).await.expect("no fault");
                stalled.write_all(b"stalled").await.expect("no fault");
                let mut stream = TcpStream::connect(server.address(80)).await.expect("no fault");
                stream.read_exact(&mut [0; 3]).await.expect("no fault");
                stalled
            });
            let stalled = asked.join();
            assert!(before.elapsed() < Duration::from_millis(1_000), "{:?}", before.elapsed());
            drop((stalled, serve.join()));
        });
    });
}

/// For 50 ms, where a segment that is lost is given up after more than 100.
#[test]
fn a_link_that_a_fault_breaks_for_a_while_loses_nothing_and_takes_as_long() {
    for kind in [FaultKind::Partition { ms: 50 }, FaultKind::Hold { ms: 50 }] {
        let fault = Fault { connection: 0, from: End::Server, after_bytes: 40, after_ms: 0, kind };
        assert_eq!(errors(fault), (None, None), "{kind}");
        explore(100, move || {
            simulate(Config { faults: vec![fault], ..Config::default() }, |network| {
                let (client, server) = ends(network);
                let echo = server.spawn("echo", echo_once(listener(server)));
                let before = Instant::now();
                client.spawn("ask", async move { ask(server, &[7; 100]).await }).join();
                assert!(before.elapsed() >= Duration::from_millis(50), "{kind}: {:?}", before.elapsed());
                echo.join();
            });
        });
    }
}

#[test]
fn a_partition_for_longer_than_retransmissions_last_ends_its_connections() {
    let kind = FaultKind::Partition { ms: 2_000 };
    let fault = Fault { connection: 0, from: End::Client, after_bytes: 40, after_ms: 0, kind };
    assert_eq!(errors(fault).0, Some(ErrorKind::TimedOut));
}

/// In each phase once, by the byte and the time after it: that is how `faults` of a report counts it.
#[test]
fn a_fault_is_counted_in_the_phase_in_which_it_hits() {
    let cases = [
        (End::Client, 0, 0, Phase::Connecting),
        (End::Client, 4, 0, Phase::Request),
        (End::Server, 4, 0, Phase::Response),
        (End::Server, 6, 100, Phase::Idle),
        (End::Server, 6, 250, Phase::Closing),
    ];
    for (from, after_bytes, after_ms, phase) in cases {
        let fault = Fault { connection: 0, from, after_bytes, after_ms, kind: FaultKind::Reset };
        let report = check().schedules(50).search(move || {
            let config = Config { decoder: Decoder::Lines, faults: vec![fault], ..Config::default() };
            let (asked, answered) = simulate(config, |network| {
                let (client, server) = ends(network);
                let listener = listener(server);
                let answer = server.spawn("answer", async move {
                    let (mut stream, _) = listener.accept().await?;
                    stream.read_exact(&mut [0; 6]).await?;
                    stream.write_all(b"pong\r\n").await?;
                    stream.read_to_end(&mut Vec::new()).await?;
                    sleep(Duration::from_millis(200)).await;
                    stream.write_all(b"late\r\n").await?;
                    stream.shutdown().await
                });
                let ask = client.spawn("ask", async move {
                    let mut stream = TcpStream::connect(server.address(80)).await?;
                    stream.write_all(b"ping\r\n").await?;
                    stream.read_exact(&mut [0; 6]).await?;
                    sleep(Duration::from_millis(200)).await;
                    stream.shutdown().await?;
                    stream.read_to_end(&mut Vec::new()).await
                });
                (ask.join().expect("not aborted"), answer.join().expect("not aborted"))
            });
            let kinds = [asked.err().map(|error| error.kind()), answered.err().map(|error| error.kind())];
            assert!(kinds.contains(&Some(ErrorKind::ConnectionReset)), "{fault:?}: {kinds:?}");
        });
        let report = report.unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(report.faults["reset"], [(phase, 50)].into(), "{fault:?}");
    }
}

#[test]
fn an_attempt_may_hang_and_times_out() {
    let fault = Fault { connection: 0, from: End::Client, after_bytes: 0, after_ms: 0, kind: FaultKind::Hang };
    assert_eq!(errors(fault).0, Some(ErrorKind::TimedOut));
}

#[test]
fn a_refused_attempt_is_told_at_once() {
    let fault = Fault { connection: 0, from: End::Client, after_bytes: 0, after_ms: 0, kind: FaultKind::Refuse };
    assert_eq!(errors(fault).0, Some(ErrorKind::ConnectionRefused));
}

/// Linux gives up such a socket after a minute: it has no owner, and all its data is sent.
#[test]
fn a_fin_that_never_comes_leaves_no_socket_to_one_that_has_closed() {
    explore(50, || {
        simulate(Config::default(), |network| {
            let (client, server) = ends(network);
            let listener = listener(server);
            let accept = server.spawn("accept", async move { listener.accept().await.expect("no fault").0 });
            let close = client.spawn("close", async move {
                let mut stream = TcpStream::connect(server.address(80)).await.expect("no fault");
                stream.shutdown().await.expect("no fault");
            });
            close.join().expect("not aborted");
            let stream = accept.join().expect("not aborted");
            client.block_on(sleep(Duration::from_millis(50)));
            network.partition(client, server);
            drop(stream);
            client.block_on(sleep(Duration::from_secs(1)));
        });
    });
}

#[test]
fn a_partition_that_heals_loses_nothing() {
    explore(200, || {
        simulate(Config::default(), |network| {
            let (client, server) = ends(network);
            let echo = server.spawn("echo", echo_once(listener(server)));
            let answer = client.spawn("ask", async move { ask(server, &[7; 100]).await });
            lastref::thread::sleep(Duration::from_millis(3));
            network.partition(client, server);
            lastref::thread::sleep(Duration::from_millis(40));
            network.heal();
            assert_eq!(answer.join().expect("not aborted").expect("healed"), [7; 100]);
            echo.join().expect("not aborted").expect("healed");
        });
    });
}

#[test]
fn a_crash_is_silent_and_a_restart_answers_with_a_reset() {
    explore(200, || {
        simulate(Config::default(), |network| {
            let (client, server) = ends(network);
            let echo = server.spawn("echo", echo_once(listener(server)));
            let done = client.spawn("ask", async move {
                let mut stream = TcpStream::connect(server.address(80)).await.expect("it is up");
                let before = Instant::now();
                server.crash();
                stream.write_all(b"anybody?").await.expect("nobody has said that it is gone");
                let gone = stream.read(&mut [0; 8]).await.expect_err("nobody answers").kind();
                (gone, before.elapsed())
            });
            let (gone, after) = done.join().expect("not aborted");
            assert_eq!(gone, ErrorKind::TimedOut);
            assert!(after >= Duration::from_millis(50), "{after:?}");
            assert!(echo.join().is_none(), "its tasks end with it");
        });
    });
}

/// The acknowledgement of what came before is lost, and the segment that is sent again has more in it than that.
#[test]
fn a_segment_that_grew_since_it_was_acknowledged_in_vain_arrives() {
    explore(500, || {
        let breaks = Fault {
            connection: 0,
            from: End::Server,
            after_bytes: 4,
            after_ms: 0,
            kind: FaultKind::Partition { ms: 30 },
        };
        simulate(Config { faults: vec![breaks], ..Config::default() }, |network| {
            let (client, server) = ends(network);
            let listener = listener(server);
            let write = server.spawn("write", async move {
                let (mut stream, _) = listener.accept().await?;
                stream.write_all(b"abc").await?;
                sleep(Duration::from_millis(2)).await;
                stream.write_all(b"defg").await?;
                stream.shutdown().await?;
                stream.read(&mut [0; 1]).await
            });
            let read = client.spawn("read", async move { ask(server, b"").await });
            assert_eq!(read.join().expect("not aborted").expect("no end gives up"), b"abcdefg");
            assert_eq!(write.join().expect("not aborted").expect("no end gives up"), 0);
        });
    });
}

#[test]
fn a_host_that_comes_back_knows_of_no_connection() {
    explore(200, || {
        simulate(Config::default(), |network| {
            let (client, server) = ends(network);
            let echo = server.spawn("echo", echo_once(listener(server)));
            let done = client.spawn("ask", async move {
                let mut stream = TcpStream::connect(server.address(80)).await.expect("it is up");
                stream.write_all(b"?").await.expect("it is up");
                stream.read_exact(&mut [0; 1]).await.expect("it is up");
                // Until nothing is under way: what arrives later is answered by RST.
                sleep(Duration::from_millis(20)).await;
                server.crash();
                sleep(Duration::from_millis(5)).await;
                server.restart();
                let silent = timeout(Duration::from_millis(500), stream.read(&mut [0; 8])).await.is_err();
                stream.write_all(b"anybody?").await.expect("nobody has said that it is gone");
                (silent, stream.read(&mut [0; 8]).await.expect_err("nobody knows of it").kind())
            });
            assert_eq!(done.join().expect("not aborted"), (true, ErrorKind::ConnectionReset));
            assert!(echo.join().is_none(), "its tasks end with it");
        });
    });
}

/// Its window is closed when its peer goes, so that nothing is under way that could time out.
#[test]
fn a_writer_that_waits_for_room_at_a_peer_that_is_gone_times_out() {
    let blackhole =
        Fault { connection: 0, from: End::Client, after_bytes: 64, after_ms: 20, kind: FaultKind::Blackhole };
    for (faults, crashes) in [(vec![blackhole], false), (Vec::new(), true)] {
        explore(100, move || {
            simulate(Config { window: 64, faults: faults.clone(), ..Config::default() }, |network| {
                let (client, server) = ends(network);
                let listener = listener(server);
                let hold = server.spawn("hold", async move {
                    let stream = listener.accept().await.expect("no fault");
                    sleep(Duration::from_secs(5)).await;
                    drop(stream);
                });
                let write = client.spawn("write", async move {
                    let mut stream = TcpStream::connect(server.address(80)).await?;
                    stream.write_all(&[7; 300]).await
                });
                client.block_on(sleep(Duration::from_millis(40)));
                if crashes {
                    server.crash();
                }
                let error = write.join().expect("not aborted").expect_err("nobody reads it");
                assert_eq!(error.kind(), ErrorKind::TimedOut);
                hold.join();
            });
        });
    }
}

#[test]
fn room_that_was_told_of_in_vain_is_told_of_again() {
    explore(300, || {
        simulate(Config { window: 64, ..Config::default() }, |network| {
            let (client, server) = ends(network);
            let listener = listener(server);
            let read = server.spawn("read", async move {
                let (mut stream, _) = listener.accept().await.expect("no fault");
                sleep(Duration::from_millis(30)).await;
                let mut all = Vec::new();
                stream.read_to_end(&mut all).await.expect("no end gives up");
                all.len()
            });
            let write = client.spawn("write", async move {
                let mut stream = TcpStream::connect(server.address(80)).await?;
                stream.write_all(&[7; 300]).await?;
                stream.shutdown().await
            });
            // It is while it lasts that the reader makes room.
            client.block_on(sleep(Duration::from_millis(25)));
            network.partition(client, server);
            client.block_on(sleep(Duration::from_millis(20)));
            network.heal();
            assert_eq!(read.join(), Some(300));
            write.join().expect("not aborted").expect("no end gives up");
        });
    });
}

#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct Plan {
    faults: Vec<Fault>,
}

lastref::bounds!(Plan { faults: lastref::plan::List(0..=8, lastref::plan::Part) });

/// Two faults at least, and one of them is enough.
#[test]
fn a_shrunk_plan_has_no_fault_that_is_not_needed() {
    let plans = || {
        let kind = prop_oneof![Just(FaultKind::Reset), Just(FaultKind::Stall { ms: 5 })];
        let fault = (0..2_u32, 0..90_u64, kind).prop_map(|(connection, after_bytes, kind)| Fault {
            connection,
            from: End::Client,
            after_bytes,
            after_ms: 0,
            kind,
        });
        prop::collection::vec(fault, 2..=4).prop_map(|faults| Plan { faults })
    };
    let name = CaseName { component: "test".to_owned(), scenario: "faults".to_owned(), variant: "fixed".to_owned() };
    let case = Case::new(name, plans, |plan: &Plan| {
        let config = Config { faults: plan.faults.clone(), ..Config::default() };
        let answer = simulate(config, |network| {
            let (client, server) = ends(network);
            let echo = server.spawn("echo", echo_once(listener(server)));
            let answer = client.spawn("ask", async move { ask(server, &[7; 100]).await }).join();
            echo.abort();
            answer.expect("not aborted")
        });
        lastref::property::always("the question is answered", answer.is_ok());
    })
    .limits(Limits { timer_slack: Duration::from_millis(5), ..Limits::default() })
    .network();
    let failure = (0..100).find_map(|seed| run_one(&case, Engine::Turmoil, StrategyName::MIX, seed).failure().cloned());
    let shrunk =
        shrink(&case, &failure.expect("a reset is among them"), ShrinkLimits::default()).expect("it fails again");
    let plan: Plan = serde_json::from_value(shrunk.repro.plan).expect("the plan is of its type");
    assert_eq!(
        plan.faults,
        [Fault { connection: 0, from: End::Client, after_bytes: 0, after_ms: 0, kind: FaultKind::Reset }]
    );
}
