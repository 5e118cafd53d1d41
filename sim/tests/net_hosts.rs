//! Hosts and their network: what a configuration may say, what a restart runs, what is left at the end.
mod network;

use std::io::ErrorKind;
use std::sync::Arc;

use lastref::net::{
    Config, ConfigError, End, Fault, FaultKind, Host, TcpListener, TcpStream, simulate, sleep, timeout,
};
use lastref::time::{Duration, Instant};
use lastref::{Check, thread};
use network::{check, ends, explore, listener};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// 256 names of hosts.
fn names() -> Vec<&'static str> {
    (0..256).map(|nth| &*Box::leak(format!("host.{nth}").into_boxed_str())).collect()
}

#[test]
fn a_configuration_that_makes_no_sense_is_an_error_with_field_and_value() {
    let config = Config::default;
    let cases = [
        (Config { latency_ms: (200, 1), ..config() }, ConfigError::Latency(200, 1), "`latency_ms` is (200, 1)"),
        (Config { hosts: names(), ..config() }, ConfigError::TooManyHosts(256), "`hosts` has 256 names"),
        (Config { hosts: Vec::new(), ..config() }, ConfigError::NoHosts, "`hosts` is empty"),
        (Config { hosts: vec!["a", "b", "a"], ..config() }, ConfigError::SameName("a"), "the name `a` twice"),
        (Config { window: 0, ..config() }, ConfigError::Window, "`window` is 0"),
    ];
    for (config, error, text) in cases {
        assert_eq!(config.check(), Err(error));
        let failed = std::panic::catch_unwind(move || {
            let search = check().schedules(1).search(move || simulate(config.clone(), |_| ()));
            search.map(drop).map_err(|failure| failure.violation.message.clone())
        });
        let told = match failed {
            Ok(found) => found.expect_err("it makes no sense"),
            Err(panic) => panic.downcast_ref::<String>().cloned().unwrap_or_default(),
        };
        assert!(told.contains(text), "{told}");
    }
    let [within, after] = [
        std::panic::catch_unwind(|| {
            let two = || simulate(Config::default(), |_| simulate(Config::default(), |_| ()));
            check().schedules(1).search(two).is_ok()
        }),
        std::panic::catch_unwind(|| {
            let two = || (0..2).for_each(|_| simulate(Config::default(), |_| ()));
            check().schedules(1).search(two).is_ok()
        }),
    ];
    let told = within.expect_err("two networks at once").downcast_ref::<String>().cloned().unwrap_or_default();
    assert!(told.contains("one network at a time"), "{told}");
    assert!(after.is_ok_and(|is_clean| is_clean), "one after the other");
    assert_eq!(Config { hosts: names()[1..].to_vec(), latency_ms: (7, 7), ..config() }.check(), Ok(()));
}

#[test]
fn the_last_of_255_hosts_is_reached() {
    explore(5, || {
        simulate(Config { hosts: names()[1..].to_vec(), ..Config::default() }, |network| {
            let (first, last) = (network.host("host.1"), network.host("host.255"));
            let listener = listener(last);
            let accept = last.spawn("accept", async move { listener.accept().await.is_ok() });
            let connect = first.spawn("connect", async move { TcpStream::connect(last.address(80)).await.is_ok() });
            assert_eq!((accept.join(), connect.join()), (Some(true), Some(true)));
        });
    });
}

/// By `Check`'s own limits the clock may run ahead by 100 s.
#[test]
fn a_network_has_a_timer_slack_of_its_own() {
    Check::new("slack").schedules(300).run(|| {
        let before = Instant::now();
        simulate(Config::default(), |network| {
            let (client, server) = ends(network);
            let listener = listener(server);
            let accept = server.spawn("accept", async move { listener.accept().await.map(drop) });
            let ask = client.spawn("ask", async move {
                timeout(Duration::from_millis(500), TcpStream::connect(server.address(80))).await.is_ok()
            });
            lastref::property::always("a connection takes less than 500 ms", ask.join() == Some(true));
            let _ = accept.join();
        });
        assert!(before.elapsed() < Duration::from_secs(10), "{:?}", before.elapsed());
    });
}

/// A thread may be called as it likes.
#[test]
fn a_task_with_a_slash_in_its_name_has_a_column_of_its_own() {
    let failure = check().search(|| {
        let pool = [7, 8].map(|nth| {
            thread::Builder::new().name(format!("io/{nth}")).spawn(move || {
                lastref::note!("worker {nth} is here");
            })
        });
        pool.into_iter().for_each(thread::JoinHandle::join);
        panic!("a table is wanted");
    });
    let failure = failure.expect_err("it panics");
    let header = failure.table.lines().nth(1).unwrap_or_default().to_owned();
    assert!(header.contains("| io/7") && header.contains("| io/8"), "{failure}");
    assert!(!failure.table.contains("7: worker"), "{failure}");
}

/// The number of times that the host's software has begun to listen.
type Starts = Arc<std::sync::Mutex<u8>>;

/// Answers each connection with that number, and reads to its end.
async fn serve(server: Host, starts: Starts) {
    let listener = TcpListener::bind(server.address(80)).await.expect("the port is free again");
    let start = {
        let mut starts = starts.lock().expect("not poisoned");
        *starts += 1;
        *starts
    };
    while let Ok((mut stream, _)) = listener.accept().await {
        let _ = stream.write_all(&[start]).await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    }
}

/// Makes `serve` the software of the host.
fn run_software(server: Host, starts: &Starts) {
    let counted = Arc::clone(starts);
    server.software("serve", move || serve(server, Arc::clone(&counted)));
}

/// Connects to the server, once it listens.
async fn connect_first(server: Host, starts: Starts) -> TcpStream {
    while *starts.lock().expect("not poisoned") == 0 {
        sleep(Duration::from_millis(1)).await;
    }
    TcpStream::connect(server.address(80)).await.expect("the server listens")
}

async fn which_start(server: Host) -> Option<u8> {
    for _ in 0..20 {
        let mut octet = [0];
        if let Ok(mut stream) = TcpStream::connect(server.address(80)).await
            && stream.read_exact(&mut octet).await.is_ok()
        {
            return Some(octet[0]);
        }
        sleep(Duration::from_millis(5)).await;
    }
    None
}

#[test]
fn a_restart_runs_the_software_of_the_host_again() {
    explore(100, || {
        let starts = Arc::new(std::sync::Mutex::new(0));
        simulate(Config::default(), |network| {
            let (client, server) = ends(network);
            run_software(server, &starts);
            assert_eq!(client.spawn("first", which_start(server)).join(), Some(Some(1)));
            server.crash();
            server.restart();
            assert_eq!(client.spawn("second", which_start(server)).join(), Some(Some(2)));
            // A host that is up crashes first.
            server.restart();
            assert_eq!(client.spawn("third", which_start(server)).join(), Some(Some(3)));
            server.crash();
            network.heal();
            assert_eq!(client.spawn("fourth", which_start(server)).join(), Some(Some(4)));
        });
        assert_eq!(*starts.lock().expect("not poisoned"), 4);
    });
}

/// The client's connection is lost without notice; after the restart, its next segment is answered with RST.
#[test]
fn a_fault_crashes_the_server_and_restarts_its_software() {
    for from in [End::Client, End::Server] {
        let crash = Fault { connection: 0, from, after_bytes: 1, after_ms: 0, kind: FaultKind::Crash { ms: 50 } };
        explore(100, move || {
            let starts = Arc::new(std::sync::Mutex::new(0));
            simulate(Config { faults: vec![crash], ..Config::default() }, |network| {
                let (client, server) = ends(network);
                run_software(server, &starts);
                let awaited = Arc::clone(&starts);
                let ask = client.spawn("ask", async move {
                    let mut stream = connect_first(server, awaited).await;
                    stream.write_all(&[7; 2]).await.expect("its buffer has room");
                    let start = Instant::now();
                    sleep(Duration::from_millis(20)).await;
                    stream.write_all(&[7]).await.expect("the crash gives no notice");
                    let error = loop {
                        if let Err(error) = stream.read(&mut [0; 1]).await {
                            break error.kind();
                        }
                    };
                    (error, start.elapsed() >= Duration::from_millis(40))
                });
                assert_eq!(ask.join(), Some((ErrorKind::ConnectionReset, true)));
                assert_eq!(client.spawn("again", which_start(server)).join(), Some(Some(2)));
            });
            assert_eq!(*starts.lock().expect("not poisoned"), 2);
        });
    }
}

/// Sends bytes to the server until the connection is lost.
async fn send_until_lost(server: Host, starts: Starts) {
    let mut stream = connect_first(server, starts).await;
    while stream.write_all(&[7; 2]).await.is_ok() {
        sleep(Duration::from_millis(5)).await;
    }
}

/// By themselves, or by `heal`, after which they do not restart again.
#[test]
fn two_servers_that_crash_together_restart_once_each() {
    let crash = |connection| Fault {
        connection,
        from: End::Client,
        after_bytes: 1,
        after_ms: 0,
        kind: FaultKind::Crash { ms: 50 },
    };
    for heals in [false, true] {
        explore(100, move || {
            let config =
                Config { faults: vec![crash(0), crash(1)], hosts: vec!["client", "one", "other"], ..Config::default() };
            simulate(config, |network| {
                let client = network.host("client");
                let servers = ["one", "other"].map(|name| (network.host(name), Starts::default()));
                for (server, starts) in &servers {
                    run_software(*server, starts);
                    client.spawn("ask", send_until_lost(*server, Arc::clone(starts)));
                }
                if heals {
                    client.block_on(sleep(Duration::from_millis(20)));
                    network.heal();
                }
                client.block_on(sleep(Duration::from_millis(100)));
                for (server, starts) in servers {
                    assert_eq!(client.spawn("again", which_start(server)).join(), Some(Some(2)), "{heals}");
                    assert_eq!(*starts.lock().expect("not poisoned"), 2, "{heals}");
                }
            });
        });
    }
}

/// The crash by hand is at 20 ms. The fault comes after it, or before it with a restart after it.
#[test]
fn a_host_that_was_crashed_by_hand_stays_down_whatever_a_fault_does() {
    for (after_ms, ms) in [(30, 10), (0, 60)] {
        let kind = FaultKind::Crash { ms };
        let crash = Fault { connection: 0, from: End::Client, after_bytes: 1, after_ms, kind };
        explore(100, move || {
            let starts = Starts::default();
            simulate(Config { faults: vec![crash], ..Config::default() }, |network| {
                let (client, server) = ends(network);
                run_software(server, &starts);
                client.spawn("ask", send_until_lost(server, Arc::clone(&starts)));
                client.block_on(sleep(Duration::from_millis(20)));
                server.crash();
                client.block_on(sleep(Duration::from_millis(100)));
                assert_eq!(*starts.lock().expect("not poisoned"), 1, "it is down");
                server.restart();
                assert_eq!(client.spawn("again", which_start(server)).join(), Some(Some(2)));
            });
        });
    }
}

/// The end of the body ends the outage too, and the host does not restart again.
#[test]
fn a_server_that_a_fault_has_crashed_is_up_after_the_body() {
    let crash = FaultKind::Crash { ms: 60_000 };
    let crash = Fault { connection: 0, from: End::Client, after_bytes: 0, after_ms: 0, kind: crash };
    explore(100, move || {
        simulate(Config { faults: vec![crash], ..Config::default() }, |network| {
            let (client, server) = ends(network);
            let starts = Arc::new(std::sync::Mutex::new(0));
            run_software(server, &starts);
            let awaited = Arc::clone(&starts);
            let ask = client.spawn("ask", async move {
                let mut stream = connect_first(server, awaited).await;
                stream.write_all(&[7; 2]).await.expect("its buffer has room");
                stream.read(&mut [0; 1]).await.map_err(|error| error.kind())
            });
            client.block_on(sleep(Duration::from_millis(50)));
            assert_eq!(*starts.lock().expect("not poisoned"), 1, "it is down");
            drop(ask);
        });
    });
}

/// netstat shows no connection that has ended; its stream is there all the same.
#[test]
fn a_stream_that_is_forgotten_after_its_connection_has_ended_is_a_leak() {
    for is_reset in [false, true] {
        let found = check().search(move || {
            simulate(Config::default(), |network| {
                let (client, server) = ends(network);
                let listener = listener(server);
                let forget = client.spawn("forget", async move {
                    let mut stream = TcpStream::connect(server.address(80)).await.expect("no fault");
                    stream.write_all(b"unread").await.expect("no fault");
                    if !is_reset {
                        stream.shutdown().await.expect("no fault");
                    }
                    let ended = stream.read(&mut [0; 1]).await;
                    std::mem::forget(stream);
                    ended.is_err()
                });
                let close = server.spawn("close", async move {
                    let (mut stream, _) = listener.accept().await.expect("no fault");
                    // Closing with bytes that were not read is a reset.
                    let most = if is_reset { 1 } else { 7 };
                    let mut octets = vec![0; most];
                    while !is_reset && stream.read(&mut octets).await.expect("no fault") > 0 {}
                    sleep(Duration::from_millis(20)).await;
                });
                close.join();
                assert_eq!(forget.join(), Some(is_reset));
            });
        });
        let leak = found.expect_err("its stream is not dropped");
        assert_eq!(leak.violation.property, "every socket is closed at quiescence", "{is_reset}");
        assert!(format!("{leak}").contains("with 10.0.0.2:80, ended, and its stream is not dropped"), "{leak}");
    }
}
