//! Which fault has hit, in which phase: once for each run that it hits, and not at all where it cannot.

use lastref::net::{Config, Decoder, End, Fault, FaultKind, HitCounts, Phase};
use lastref::net::{TcpListener, TcpStream, simulate, sleep, timeout};
use lastref::time::Duration;
use lastref::{Check, Limits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const RUNS: u64 = 20;

/// What is counted over some runs of one request, one answer and an orderly end; ends that are broken give up.
fn hits(backlog: usize, attempts: u32, faults: Vec<Fault>) -> HitCounts {
    // No further ahead of what is ready than a turn of the wire or two.
    let limits = Limits { timer_slack: Duration::from_millis(5), ..Limits::default() };
    let report = Check::new("hits").limits(limits).schedules(RUNS).search(move || {
        let config = Config { decoder: Decoder::Lines, backlog, faults: faults.clone(), ..Config::default() };
        simulate(config, |network| {
            let (client, server) = (network.host("client"), network.host("server"));
            let listener = server.block_on(TcpListener::bind(server.address(80))).expect("the port is free");
            let serve = server.spawn("serve", async move {
                let accepts = timeout(Duration::from_secs(3), async {
                    let (mut stream, _) = listener.accept().await?;
                    stream.read_exact(&mut [0; 6]).await?;
                    stream.write_all(b"pong\r\n").await?;
                    stream.read_to_end(&mut Vec::new()).await?;
                    stream.shutdown().await
                });
                accepts.await.map(|served| served.map_err(|error| error.kind()))
            });
            let asks = (0..attempts).map(|_| {
                client.spawn("ask", async move {
                    let asks = timeout(Duration::from_secs(2), async {
                        let mut stream = TcpStream::connect(server.address(80)).await?;
                        stream.write_all(b"ping\r\n").await?;
                        stream.read_exact(&mut [0; 6]).await?;
                        stream.shutdown().await?;
                        stream.read_to_end(&mut Vec::new()).await
                    });
                    asks.await.map(|asked| asked.map_err(|error| error.kind()))
                })
            });
            let asks: Vec<_> = asks.collect();
            drop(asks.into_iter().map(|ask| ask.join()).collect::<Vec<_>>());
            let _ = serve.join();
            // What a fault has broken is given up by then.
            client.block_on(sleep(Duration::from_secs(5)));
        });
    });
    report.unwrap_or_else(|failure| panic!("{failure}")).faults
}

fn fault(kind: FaultKind, from: End, after_bytes: u64) -> Fault {
    Fault { connection: 0, from, after_bytes, after_ms: 0, kind }
}

#[track_caller]
fn check_hits(faults: &[Fault], expected: &[(&str, Phase)]) {
    let counts: HitCounts =
        expected.iter().map(|(name, phase)| ((*name).to_owned(), [(*phase, RUNS)].into())).collect();
    assert_eq!(hits(128, 1, faults.to_vec()), counts, "{faults:?}");
}

#[test]
fn every_fault_of_the_wire_hits_once_in_the_phase_of_its_byte() {
    let kinds = [
        FaultKind::Reset,
        FaultKind::Blackhole,
        FaultKind::Stall { ms: 20 },
        FaultKind::Partition { ms: 20 },
        FaultKind::Hold { ms: 20 },
        FaultKind::Crash { ms: 20 },
    ];
    for kind in kinds {
        check_hits(&[fault(kind, End::Client, 3)], &[(kind.name(), Phase::Request)]);
        check_hits(&[fault(kind, End::Server, 3)], &[(kind.name(), Phase::Response)]);
    }
}

#[test]
fn faults_of_an_attempt_hit_while_it_is_connecting() {
    check_hits(&[fault(FaultKind::Refuse, End::Client, 0)], &[("refuse", Phase::Connecting)]);
    check_hits(&[fault(FaultKind::Hang, End::Client, 0)], &[("hang", Phase::Connecting)]);
}

#[test]
fn a_fault_that_cannot_happen_hits_nothing() {
    check_hits(&[], &[]);
    check_hits(&[fault(FaultKind::Reset, End::Client, 7)], &[]);
    check_hits(&[Fault { connection: 1, ..fault(FaultKind::Reset, End::Client, 0) }], &[]);
    let late = Fault { after_ms: 4_000, ..fault(FaultKind::Reset, End::Client, 3) };
    check_hits(&[late], &[]);
}

#[test]
fn two_faults_that_pass_hit_each_in_its_phase_and_one_that_ends_the_connection_is_the_last() {
    let stalls =
        [fault(FaultKind::Stall { ms: 20 }, End::Client, 3), fault(FaultKind::Hold { ms: 20 }, End::Server, 3)];
    check_hits(&stalls, &[("hold", Phase::Response), ("stall", Phase::Request)]);
    let over = [fault(FaultKind::Reset, End::Client, 3), fault(FaultKind::Stall { ms: 20 }, End::Server, 3)];
    check_hits(&over, &[("reset", Phase::Request)]);
}

#[test]
fn an_attempt_that_finds_the_backlog_full_is_counted_while_it_is_connecting() {
    let counts = hits(1, 6, Vec::new());
    let full = counts.get("full backlog").cloned().unwrap_or_default();
    assert!(full.keys().all(|phase| *phase == Phase::Connecting) && !full.is_empty(), "{counts:?}");
    assert_eq!(counts.len(), 1, "{counts:?}");
}

/// A fault of one connection breaks the link, which hits every connection over it.
#[test]
fn a_broken_link_hits_each_connection_over_it() {
    let config = Config {
        decoder: Decoder::Lines,
        faults: vec![fault(FaultKind::Hold { ms: 20 }, End::Client, 3)],
        ..Config::default()
    };
    let limits = Limits { timer_slack: Duration::from_millis(5), ..Limits::default() };
    let report = Check::new("link").limits(limits).schedules(RUNS).search(move || {
        simulate(config.clone(), |network| {
            let (client, server) = (network.host("client"), network.host("server"));
            let listener = server.block_on(TcpListener::bind(server.address(80))).expect("the port is free");
            let serve = server.spawn("serve", async move {
                let mut streams = Vec::new();
                for _ in 0..3 {
                    streams.push(listener.accept().await.expect("no fault of the attempt").0);
                }
                for mut stream in streams {
                    stream.read_to_end(&mut Vec::new()).await.expect("nothing is lost");
                }
            });
            let connect = || async move { TcpStream::connect(server.address(80)).await.expect("no fault of it") };
            let mut asks = client.block_on(connect());
            let idle = [client.block_on(connect()), client.block_on(connect())];
            client.block_on(async { asks.write_all(b"ping\r\n").await.expect("it is only held up") });
            drop((asks, idle));
            assert_eq!(serve.join(), Some(()));
        });
    });
    let faults = report.unwrap_or_else(|failure| panic!("{failure}")).faults;
    let each = [(Phase::Request, RUNS), (Phase::Idle, RUNS)];
    assert_eq!(faults, [("hold".to_owned(), each.into())].into(), "that of the fault, and those that are idle");
}
