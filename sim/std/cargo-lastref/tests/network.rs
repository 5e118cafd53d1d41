//! TCP inside a run: simulated, with faults on request; and what a test does outside the run.

mod scratch;

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::thread;
use std::time::Duration;

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
fn silent_server() {
    let lock = std::sync::Mutex::new(());
    drop(lock.lock());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let client = thread::spawn(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        let _ = stream.read(&mut [0; 4]);
    });
    let (_stream, _) = listener.accept().unwrap();
    let _ = listener.accept();
    client.join().unwrap();
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
    scratch
        .run(&["test", "--schedules", "20", "--", "--skip", "silent_server"])
        .check(0, &["5 passed", "not simulated: files"]);
    scratch
        .run(&["test", "file", "--schedules", "5", "--outside", "refuse"])
        .check(2, &["the test uses files (`Cargo.toml`), which are not simulated (--outside refuse)"]);
}

#[test]
fn each_call_that_changes_or_lists_files_is_noticed() {
    // The folder does not exist, so each call fails, after it was noticed.
    let suite = r#"use std::fs;
use std::os::unix::fs::{chown, lchown, symlink};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};

macro_rules! tests {
    ($( $name:ident: $call:expr; )*) => {
        $(
            #[test]
            fn $name() {
                assert!($call.is_err());
            }
        )*
    };
}

tests! {
    bind: UnixListener::bind("none/socket");
    chown_: chown("none/file", None, None);
    connect: UnixStream::connect("none/socket");
    copy: fs::copy("none/from", "none/to");
    create_dir: fs::create_dir("none/folder");
    hard_link: fs::hard_link("none/from", "none/to");
    lchown_: lchown("none/file", None, None);
    metadata: fs::metadata("none/file");
    read_dir: fs::read_dir("none");
    remove_dir: fs::remove_dir("none/folder");
    remove_file: fs::remove_file("none/file");
    rename: fs::rename("none/from", "none/to");
    send: UnixDatagram::unbound().unwrap().send_to(b"x", "none/socket");
    set_permissions: fs::set_permissions("none/file", fs::metadata("/").unwrap().permissions());
    symlink_: symlink("none/from", "none/to");
}
"#;
    let scratch = Scratch::new(&[("tests/suite.rs", suite)]);
    let json = scratch.run(&["test", "--schedules", "1", "--outside", "refuse", "--json", "--no-fail-fast"]).json();
    let tests = json["tests"].as_array().expect("the answer lists tests");
    let passed: Vec<_> =
        tests.iter().filter(|test| test["status"] != "misused").filter_map(|test| test["test"].as_str()).collect();
    // It asks, and leaves nothing behind for a later run.
    assert_eq!((passed, tests.len()), (vec!["metadata"], 15), "{json}");
}

#[test]
fn a_named_host_is_in_the_run() {
    let suite = r#"use std::net::{TcpListener, TcpStream};

#[test]
fn hosts() {
    let listener = TcpListener::bind("db:5432").unwrap();
    let client = TcpStream::connect("DB.:5432").unwrap();
    assert_eq!(client.peer_addr().unwrap(), listener.local_addr().unwrap());
    assert!(TcpStream::connect("cache:5432").is_err());
    panic!("{}", listener.local_addr().unwrap());
}
"#;
    let scratch = Scratch::new(&[("tests/suite.rs", suite)]);
    let hosts = ["--host", "db", "--host", "cache", "--outside", "refuse", "--no-shrink"];
    let run = scratch.run(&[&["test", "--schedules", "1"], &hosts[..]].concat());
    run.check(1, &["panic in schedule 1: 127.", ":5432", "replay --outside refuse --host db --host cache lrs"]);
    scratch.run(&["test", "--schedules", "1", "--outside", "refuse"]).check(2, &["the test uses host names (`db`)"]);
}

#[test]
fn operations_of_the_network_are_told_with_their_line() {
    let scratch = suite();
    let line = |code: &str| {
        let from = SUITE.find("fn silent_server").expect("the test");
        let at = from + SUITE[from..].find(code).expect("the code is in the test");
        format!("tests/suite.rs:{}", SUITE[..at].lines().count())
    };
    let (connects, reads) = (line("TcpStream::connect"), line("stream.read"));
    let waits = line("listener.accept();");
    let found = scratch.run(&["test", "--no-shrink", "--", "--exact", "silent_server"]);
    let blocked = [format!("not notified, at {waits}"), format!("wait connection#0, not notified, at {reads}")];
    found.check(1, &["deadlock", &blocked[0], &blocked[1]]);
    let shown = scratch.run(&["show", "--full", found.token()]).stdout;
    let rows: Vec<&str> = shown.lines().filter(|line| line.starts_with("| 0 ")).collect();
    assert!(rows.len() > 8 && rows.iter().all(|row| row.contains("| tests/suite.rs:")), "{shown}");
    for (text, place) in [("rmw listener#0", &waits), ("store descriptor", &connects), ("load connection#0", &connects)]
    {
        assert!(rows.iter().any(|row| row.contains(text) && row.contains(place.as_str())), "{text} {place}\n{shown}");
    }
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
    // The client has received half of an answer. It gets no notice of the server's crash, and waits forever.
    let crash = scratch.run(&["test", "--faults", "crash=50@0.s.4", "--", "--exact", "request"]);
    crash.check(1, &["request:\n  deadlock in schedule ", "crash for 50 ms of connection 0 (127.0.0.1:"]);
    scratch.run(&["replay", crash.token()]).check(1, &["crash for 50 ms"]);
    let exact = scratch.run(&["test", "--faults", "reset@0.s.4", "--no-shrink", "--", "--exact", "request"]);
    exact.check(1, &["after 4 bytes of the server"]);
}

#[test]
fn a_passing_test_tells_in_how_many_runs_faults_happened_and_of_which_kinds() {
    let scratch = suite();
    let passed = scratch.run(&["test", "--faults", "all", "--", "--exact", "careful"]);
    passed.check(0, &["1 passed", "; faults in "]);
    assert!(!passed.stderr.contains("warning"), "{}", passed.stderr);
    let json = scratch.run(&["test", "--faults", "all", "--json", "--", "--exact", "careful"]).json();
    let test = &json["tests"][0];
    let runs = |kind: &str| test["faults"]["kinds"][kind].as_u64().unwrap_or(0);
    for kind in ["reset", "half-close", "blackhole", "stall", "hold", "partition", "crash", "refuse", "hang", "short"] {
        assert!((1..1_000).contains(&runs(kind)), "{kind}: {test}");
    }
    assert!((500..1_000).contains(&test["faults"]["runs"].as_u64().expect("a number")), "{test}");
    assert_eq!(test["no_fault"], false);
    let without = scratch.run(&["test", "--json", "--schedules", "9", "--", "--exact", "careful"]).json();
    assert_eq!(without["tests"][0]["faults"], serde_json::Value::Null);
}

#[test]
fn a_search_that_meets_no_fault_warns() {
    let scratch = suite();
    // The test has no connection; the test has one, and not ten.
    for (plan, test) in [("reset", "file"), ("reset@9.c.0", "careful")] {
        let arguments = ["test", "--schedules", "50", "--faults", plan, "--", "--exact", test];
        let warning = format!("warning: --faults {plan}: no fault happened in any run");
        scratch.run(&arguments).check(0, &["; no fault happened", "; 1 had no fault", &warning]);
    }
    let both = scratch.run(&["test", "--faults", "all", "--schedules", "50", "--", "--exact", "careful", "file"]);
    both.check(0, &["; 1 had no fault"]);
    assert!(!both.stderr.contains("warning"), "{}", both.stderr);
}

/// An address of this machine that is not of the loopback. Nothing is sent.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    socket.local_addr().ok().map(|address| address.ip()).filter(|ip| !ip.is_loopback() && !ip.is_unspecified())
}

/// Answers each byte a little later, by TCP and UDP, until the process ends. Returns both addresses.
#[expect(clippy::disallowed_methods, reason = "the server is outside of every run")]
fn slow_echoes(ip: IpAddr) -> [SocketAddr; 2] {
    let (listener, socket) = (TcpListener::bind((ip, 0)).expect("a port"), UdpSocket::bind((ip, 0)).expect("a port"));
    let addresses = [listener.local_addr(), socket.local_addr()].map(|address| address.expect("it is bound"));
    let pause = || thread::sleep(Duration::from_millis(20));
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut byte = [0];
            while stream.read_exact(&mut byte).is_ok() {
                pause();
                let _ = stream.write_all(&byte);
            }
        }
    });
    thread::spawn(move || {
        let mut byte = [0];
        while let Ok((_, peer)) = socket.recv_from(&mut byte) {
            pause();
            let _ = socket.send_to(&byte, peer);
        }
    });
    addresses
}

#[test]
fn an_answer_of_another_machine_is_awaited_in_real_time() {
    let Some(ip) = own_address() else {
        eprintln!("this machine has only the loopback, so nothing is tested");
        return;
    };
    let [tcp, udp] = slow_echoes(ip);
    let suite = r#"use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(5);

#[test]
fn without_a_limit() {
    let mut stream = TcpStream::connect("TCP").unwrap();
    stream.write_all(b"x").unwrap();
    stream.read_exact(&mut [0]).unwrap();
}

#[test]
fn with_limits() {
    // Waits with `poll`.
    let mut stream = TcpStream::connect_timeout(&"TCP".parse().unwrap(), LIMIT).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.write_all(b"x").unwrap();
    stream.read_exact(&mut [0]).unwrap();
}

#[test]
fn datagrams() {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    socket.send_to(b"x", "UDP").unwrap();
    socket.recv(&mut [0]).unwrap();
    socket.connect("UDP").unwrap();
    socket.send(b"x").unwrap();
    socket.recv(&mut [0]).unwrap();
}
"#;
    let suite = suite.replace("TCP", &tcp.to_string()).replace("UDP", &udp.to_string());
    let scratch = Scratch::new(&[("tests/suite.rs", &suite)]);
    scratch.run(&["test", "--schedules", "3"]).check(0, &["3 passed", "not simulated: other machines"]);
}

#[test]
fn a_server_in_a_child_process_is_reached_over_loopback() {
    let suite = r#"use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};

#[test]
fn asks_the_child() {
    if std::env::var("CHILD").is_ok() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        println!("port {}", listener.local_addr().unwrap().port());
        listener.accept().unwrap().0.write_all(b"answer").unwrap();
        return;
    }
    assert!(TcpStream::connect("127.0.0.1:9").is_err());
    let own = std::env::current_exe().unwrap();
    let mut command = Command::new(own);
    command.args(["--exact", "asks_the_child", "--nocapture"]).env("CHILD", "1").stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let port = lines.find_map(|line| Some(line.unwrap().split_once("port ")?.1.parse::<u16>().unwrap())).unwrap();
    let mut answer = String::new();
    TcpStream::connect(("127.0.0.1", port)).unwrap().read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "answer");
    assert!(child.wait().unwrap().success());
}
"#;
    let scratch = Scratch::new(&[("tests/suite.rs", suite)]);
    scratch.run(&["test", "--schedules", "20"]).check(0, &["1 passed", "child processes"]);
}
