//! Every fault takes one road: at its byte, once, counted, and not after the body.
mod network;

use std::io::ErrorKind;

use lastref::net::{Config, Decoder, End, Fault, FaultKind, Phase, TcpStream, simulate, sleep, timeout};
use lastref::time::{Duration, Instant};
use network::{ask, check, echo_once, ends, explore, listener};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn fault(from: End, after_bytes: u64, kind: FaultKind) -> Fault {
    Fault { connection: 0, from, after_bytes, after_ms: 0, kind }
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// What a server has read of 100 bytes in one segment, how its connection ended, and after how long; the same in every
/// schedule.
#[track_caller]
fn read_of_one_segment(
    faults: Vec<Fault>,
    is_late: impl Fn(Duration) -> bool + Copy + Send + Sync + 'static,
) -> (usize, Option<ErrorKind>) {
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let store = std::sync::Arc::clone(&seen);
    explore(100, move || {
        let read = simulate(Config { faults: faults.clone(), ..Config::default() }, |network| {
            let (client, server) = ends(network);
            let listener = listener(server);
            let read = server.spawn("read", async move {
                let (mut stream, _) = listener.accept().await.expect("no fault of the attempt");
                let start = Instant::now();
                let mut octets = [0; 100];
                let mut read = 0;
                let error = loop {
                    match timeout(ms(400), stream.read(&mut octets)).await {
                        Ok(Ok(0)) => break None,
                        Ok(Ok(more)) => read += more,
                        Ok(Err(error)) => break Some(error.kind()),
                        Err(_) => break Some(ErrorKind::TimedOut),
                    }
                };
                assert!(is_late(start.elapsed()), "{:?}", start.elapsed());
                (read, error)
            });
            let write = client.spawn("write", async move {
                let Ok(mut stream) = TcpStream::connect(server.address(80)).await else { return };
                sleep(ms(10)).await;
                let _ = stream.write_all(&[7; 100]).await;
                let _ = stream.read(&mut [0; 1]).await;
            });
            let read = read.join().expect("not aborted");
            write.join();
            read
        });
        store.lock().expect("not poisoned").push(read);
    });
    let mut seen = seen.lock().expect("not poisoned").clone();
    seen.dedup();
    assert_eq!(seen.len(), 1, "the schedule decides: {seen:?}");
    seen[0]
}

#[test]
fn two_faults_in_one_segment_both_hit_at_their_bytes() {
    let stall = fault(End::Client, 20, FaultKind::Stall { ms: 100 });
    let blackhole = fault(End::Client, 60, FaultKind::Blackhole);
    let read = read_of_one_segment(vec![blackhole, stall], |took| took >= ms(500));
    assert_eq!(read, (60, Some(ErrorKind::TimedOut)));
}

/// A blackhole at byte 30 behind a hold at byte 10: the bytes before each fault pass unaffected.
#[test]
fn a_segment_is_cut_at_each_fault() {
    let hold = fault(End::Client, 10, FaultKind::Hold { ms: 50 });
    let blackhole = fault(End::Client, 30, FaultKind::Blackhole);
    assert_eq!(read_of_one_segment(vec![hold, blackhole], |_| true), (30, Some(ErrorKind::TimedOut)));
}

/// The longer one is shorter than retransmission lasts.
#[test]
fn a_second_shorter_stall_does_not_shorten_the_first() {
    let long = fault(End::Client, 20, FaultKind::Stall { ms: 120 });
    let short = fault(End::Server, 4, FaultKind::Stall { ms: 5 });
    explore(100, move || {
        simulate(Config { faults: vec![long, short], ..Config::default() }, |network| {
            let (client, server) = ends(network);
            let listener = listener(server);
            let greet = server.spawn("greet", async move {
                let (mut stream, _) = listener.accept().await.expect("no fault of the attempt");
                sleep(ms(50)).await;
                stream.write_all(b"hello").await.expect("nothing is lost");
                stream.read_to_end(&mut Vec::new()).await.expect("nothing is lost")
            });
            let hear = client.spawn("hear", async move {
                let mut stream = TcpStream::connect(server.address(80)).await.expect("no fault of the attempt");
                let start = Instant::now();
                stream.write_all(&[7; 40]).await.expect("nothing is lost");
                stream.read_exact(&mut [0; 5]).await.expect("nothing is lost");
                start.elapsed()
            });
            let heard_after = hear.join().expect("not aborted");
            assert!(heard_after >= ms(120), "{heard_after:?}");
            assert_eq!(greet.join(), Some(40));
        });
    });
}

/// The end whose byte is reached writes nothing more: its write side is shut all the same.
#[test]
fn a_finish_hits_at_its_byte_though_its_end_writes_no_more() {
    let half_close = fault(End::Client, 100, FaultKind::HalfClose);
    assert_eq!(read_of_one_segment(vec![half_close], |took| took < ms(100)), (100, None));
    let late = Fault { after_ms: 100, ..fault(End::Client, 40, FaultKind::HalfClose) };
    assert_eq!(read_of_one_segment(vec![late], |took| took >= ms(100)), (100, None));
}

/// Both are due at the same time: the client sends FIN, and the stall delays it.
#[test]
fn two_late_faults_of_one_moment_both_hit() {
    let late = |kind| Fault { after_ms: 100, ..fault(End::Client, 100, kind) };
    let both = vec![late(FaultKind::Stall { ms: 100 }), late(FaultKind::HalfClose)];
    assert_eq!(read_of_one_segment(both, |took| took >= ms(200)), (100, None));
}

/// A write beyond the byte of a half-close triggers it at once. The stall, at a lower byte, still happens.
#[test]
fn a_finish_does_not_use_up_the_fault_before_it() {
    let stall = fault(End::Client, 20, FaultKind::Stall { ms: 100 });
    let half_close = fault(End::Client, 60, FaultKind::HalfClose);
    assert_eq!(read_of_one_segment(vec![stall, half_close], |took| took >= ms(100)), (60, None));
}

/// Each fault is counted once, in its phase, by its name: also those of the attempt, and a FIN.
#[test]
fn a_fault_of_any_kind_is_counted_and_told_of() {
    let cases = [
        (fault(End::Client, 0, FaultKind::Refuse), Phase::Connecting, "SYN, refuse"),
        (fault(End::Client, 0, FaultKind::Hang), Phase::Connecting, "SYN, hang"),
        (fault(End::Client, 4, FaultKind::HalfClose), Phase::Request, "half-close after 4 bytes"),
        (fault(End::Client, 4, FaultKind::Stall { ms: 5 }), Phase::Request, "stall for 5 ms after 4 bytes"),
        (fault(End::Server, 0, FaultKind::Reset), Phase::Connecting, "reset after 0 bytes"),
    ];
    for (fault, phase, told) in cases {
        let body = move || {
            simulate(Config { decoder: Decoder::Lines, faults: vec![fault], ..Config::default() }, |network| {
                let (client, server) = ends(network);
                let echo = server.spawn("echo", echo_once(listener(server)));
                let ask = client.spawn("ask", async move { timeout(ms(900), ask(server, b"ping\r\n")).await });
                ask.join();
                echo.abort();
            });
        };
        let report = check().schedules(20).search(body).unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(report.faults[fault.kind.name()], [(phase, 20)].into(), "{fault:?}");
        let failure = check().search(move || {
            body();
            panic!("a table is wanted");
        });
        let table = &failure.expect_err("it panics").table;
        assert_eq!(table.matches(told).count(), 1, "{fault:?}: {table}");
    }
}

/// Whether a connection that the body leaves behind comes to its end when the body is done, and how long that takes.
#[track_caller]
fn ends_after_the_body(fault: Fault, leave_at: Duration, within: Duration) {
    explore(100, move || {
        let start = Instant::now();
        simulate(Config { faults: vec![fault], ..Config::default() }, |network| {
            let (client, server) = ends(network);
            server.spawn("echo", echo_once(listener(server)));
            client.spawn("ask", async move {
                let before = Instant::now();
                // Later than any timer slack lets it begin before the body is done.
                sleep(ms(20)).await;
                assert_eq!(ask(server, &[7; 100]).await.expect("no fault after the body"), [7; 100]);
                assert!(before.elapsed() < within, "{:?}", before.elapsed());
            });
            client.block_on(sleep(leave_at));
        });
        assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    });
}

#[test]
fn no_fault_happens_after_the_body() {
    // Its byte is reached after the body.
    ends_after_the_body(fault(End::Client, 40, FaultKind::Reset), ms(1), ms(500));
    ends_after_the_body(fault(End::Client, 0, FaultKind::Refuse), ms(1), ms(500));
    ends_after_the_body(fault(End::Server, 10, FaultKind::HalfClose), ms(1), ms(500));
}

#[test]
fn a_fault_that_is_to_happen_later_does_not_after_the_body() {
    let late = Fault { after_ms: 200, ..fault(End::Client, 0, FaultKind::Blackhole) };
    explore(100, move || {
        simulate(Config { faults: vec![late], ..Config::default() }, |network| {
            let (client, server) = ends(network);
            server.spawn("echo", echo_once(listener(server)));
            client.spawn("ask", async move {
                let mut stream = TcpStream::connect(server.address(80)).await.expect("no fault of the attempt");
                sleep(ms(400)).await;
                stream.write_all(b"late").await.expect("no fault after the body");
                stream.shutdown().await.expect("no fault after the body");
                assert_eq!(stream.read(&mut [0; 8]).await.expect("no fault after the body"), 4);
            });
            client.block_on(sleep(ms(50)));
        });
    });
}

#[test]
fn a_stall_ends_with_the_body() {
    ends_after_the_body(fault(End::Client, 0, FaultKind::Stall { ms: 60_000 }), ms(50), ms(500));
    ends_after_the_body(fault(End::Client, 40, FaultKind::Stall { ms: 60_000 }), ms(50), ms(500));
}

#[test]
fn a_broken_link_is_restored_with_the_end_of_the_body_and_not_again() {
    ends_after_the_body(fault(End::Client, 40, FaultKind::Partition { ms: 60_000 }), ms(50), ms(500));
    ends_after_the_body(fault(End::Client, 40, FaultKind::Hold { ms: 60_000 }), ms(50), ms(500));
}

/// The client's acknowledgement of the SYN-ACK is lost, and the client waits for the server to speak first.
#[test]
fn a_repeated_syn_ack_is_answered() {
    let lost = fault(End::Client, 0, FaultKind::Partition { ms: 30 });
    explore(200, move || {
        simulate(Config { faults: vec![lost], ..Config::default() }, |network| {
            let (client, server) = ends(network);
            let listener = listener(server);
            let greet = server.spawn("greet", async move {
                let (mut stream, _) = listener.accept().await?;
                stream.write_all(b"hello").await
            });
            let hear = client.spawn("hear", async move {
                let mut stream = TcpStream::connect(server.address(80)).await?;
                timeout(ms(1_000), stream.read_exact(&mut [0; 5])).await.unwrap_or(Err(ErrorKind::WouldBlock.into()))
            });
            assert_eq!(hear.join().expect("not aborted").expect("the server greets it"), 5);
            greet.join().expect("not aborted").expect("it is accepted");
        });
    });
}

/// A connection that was reset before it was accepted waits no more.
#[test]
fn a_connection_that_has_ended_gives_its_place_in_the_backlog_back() {
    let reset = Fault { after_ms: 10, ..fault(End::Client, 0, FaultKind::Reset) };
    explore(100, move || {
        simulate(Config { backlog: 1, faults: vec![reset], ..Config::default() }, |network| {
            let (client, server) = ends(network);
            let listener = listener(server);
            let first = client.spawn("first", async move {
                let mut stream = TcpStream::connect(server.address(80)).await.expect("there is room for one");
                stream.read(&mut [0; 1]).await.expect_err("it is reset").kind()
            });
            assert_eq!(first.join(), Some(ErrorKind::ConnectionReset));
            client.block_on(sleep(ms(10)));
            let second = client.spawn("second", async move { TcpStream::connect(server.address(80)).await });
            let second = second.join().expect("not aborted").expect("the place of the first is free");
            let third = client.spawn("third", async move { TcpStream::connect(server.address(80)).await });
            assert_eq!(
                third.join().expect("not aborted").expect_err("it is full").kind(),
                ErrorKind::ConnectionRefused
            );
            drop((second, listener));
        });
    });
}
