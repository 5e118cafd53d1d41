//! TCP inside a run: simulated, with faults on request; and what a test does outside the run.

mod scratch;

use scratch::Scratch;

const SUITE: &str = r#"use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

/// Answers each client with what it has sent.
fn echoes(listener: TcpListener, clients: usize) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let served: Vec<_> = (0..clients)
            .map(|_| {
                let (mut stream, _) = listener.accept().unwrap();
                thread::spawn(move || {
                    let mut bytes = vec![0; 64 * 1024];
                    while let Ok(count @ 1..) = stream.read(&mut bytes) {
                        if stream.write_all(&bytes[..count]).is_err() {
                            return;
                        }
                    }
                })
            })
            .collect();
        served.into_iter().for_each(|thread| thread.join().unwrap());
    })
}

#[test]
fn megabytes() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = echoes(listener, 1);
    let mut stream = TcpStream::connect(address).unwrap();
    let mut reads = stream.try_clone().unwrap();
    let sent: Vec<u8> = (0..3_000_000_u32).map(|nth| (nth % 251) as u8).collect();
    let expected = sent.clone();
    let reader = thread::spawn(move || {
        let mut got = Vec::new();
        reads.read_to_end(&mut got).unwrap();
        assert!(got == expected);
    });
    stream.write_all(&sent).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    reader.join().unwrap();
    server.join().unwrap();
}

#[test]
fn names() {
    let listener = TcpListener::bind("db.localhost:5432").unwrap();
    assert!(listener.local_addr().unwrap().ip().is_loopback());
    let server = echoes(listener, 1);
    assert!(TcpStream::connect("cache.localhost:5432").is_err());
    let mut stream = TcpStream::connect("db.localhost:5432").unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    drop(stream);
    server.join().unwrap();
}

#[test]
fn request() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(echoes(listener, 1));
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"question").unwrap();
    let mut answer = [0; 8];
    stream.read_exact(&mut answer).unwrap();
}

#[test]
fn careful() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(echoes(listener, 1));
    let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_secs(3)) else { return };
    stream.set_read_timeout(Some(Duration::from_secs(3))).unwrap();
    if stream.write_all(b"question").is_ok() {
        let mut answer = [0; 8];
        let _ = stream.read_exact(&mut answer);
    }
}

#[test]
fn file() {
    let _ = std::fs::read("Cargo.toml").unwrap();
}
"#;

fn suite() -> Scratch {
    Scratch::new(&[("tests/suite.rs", SUITE)])
}

#[test]
fn without_faults_the_network_delivers_everything_and_runs_repeat() {
    let scratch = suite();
    scratch.run(&["test", "--schedules", "20"]).check(0, &["5 passed", "not simulated: files"]);
    scratch
        .run(&["test", "file", "--schedules", "5", "--outside", "refuse"])
        .check(2, &["the test uses files (`Cargo.toml`), which are not simulated (--outside refuse)"]);
}

#[test]
fn a_fault_is_found_reported_with_its_place_and_replayed() {
    let scratch = suite();
    for (plan, kind, told) in [
        ("reset", "panic", "reset of connection 0 (127.0.0.1:"),
        ("refuse", "panic", "refuse of connection 0 (127.0.0.1:"),
        ("blackhole", "panic", "blackhole of connection 0 (127.0.0.1:"),
        ("half-close", "panic", "half-close of connection 0 (127.0.0.1:"),
    ] {
        let run = scratch.run(&["test", "--faults", plan, "--", "--exact", "request"]);
        run.check(1, &[&format!("request:\n  {kind} in schedule "), told, "fault "]);
        let token = run.token().to_owned();
        assert!(token.contains(&format!("{plan}@0.")), "{token}");
        let replayed = scratch.run(&["replay", &token]);
        replayed.check(1, &[told]);
        assert_eq!(replayed.token(), token);
    }
    let exact = scratch.run(&["test", "--faults", "reset@0.s.4", "--no-shrink", "--", "--exact", "request"]);
    exact.check(1, &["after 4 bytes of the server"]);
    scratch.run(&["test", "--faults", "all", "--", "--exact", "careful"]).check(0, &["1 passed"]);
}
