//! The cost of the network: the same h2 exchange on it and on bare turmoil, in one process, as ratios.
//!
//! `cargo bench -p lastref --bench network` pairs both round by round, so that a machine that slows down slows both,
//! and asserts the median of the ratios: at least 0.8 of bare turmoil's runs per second. It also prints the cost with
//! more hosts, connections, bytes and idle time.

#![allow(missing_docs, reason = "a program")]

use std::net::IpAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use lastref::explore::{Engine, Recording, drive};
use lastref::net::{Config, Network, TcpListener, TcpStream, block_on, simulate, sleep};
use lastref::{Case, CaseName, Limits, StrategyName};
use proptest::prelude::Just;
use tokio::io::{AsyncRead, AsyncWrite};

/// Runs in one timed batch.
const RUNS: u64 = 20;
/// Paired batches.
const PAIRS: usize = 41;
/// Requests of an exchange.
const REQUESTS: usize = 5;

/// Echoes the body of each request, until the client closes.
async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin) {
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        let mut body = request.into_body();
        let mut octets = Vec::new();
        while let Some(Ok(part)) = body.data().await {
            octets.extend_from_slice(&part);
        }
        let mut stream = respond.send_response(http::Response::new(()), false).expect("the client is there");
        stream.send_data(Bytes::from(octets), true).expect("the client is there");
    }
}

async fn call(mut sender: h2::client::SendRequest<Bytes>, requests: usize, bytes: usize) {
    for _ in 0..requests {
        sender = sender.ready().await.expect("the server is there");
        let request = http::Request::post("http://server/").body(()).expect("a request");
        let (response, mut body) = sender.send_request(request, false).expect("the server is there");
        body.send_data(Bytes::from(vec![7; bytes]), true).expect("the server is there");
        let mut answer = response.await.expect("an answer").into_body();
        while let Some(part) = answer.data().await {
            let part = part.expect("an answer");
            answer.flow_control().release_capacity(part.len()).expect("it was received");
        }
    }
}

/// The parameters that are increased.
#[derive(Clone, Copy, Debug)]
struct Load {
    hosts: usize,
    connections: usize,
    bytes: usize,
    idle_s: u64,
}

const ONE: Load = Load { hosts: 2, connections: 1, bytes: 16, idle_s: 0 };

const NAMES: [&str; 10] = ["server", "a", "b", "c", "d", "e", "f", "g", "h", "i"];

fn ours(load: Load) -> Case {
    let name = CaseName { component: "bench".to_owned(), scenario: "h2".to_owned(), variant: "fixed".to_owned() };
    let case = Case::new(
        name,
        || Just(()),
        move |()| {
            let config = Config { hosts: NAMES[..load.hosts].to_vec(), latency_ms: (1, 1), ..Config::default() };
            simulate(config, |network| exchange(network, load));
        },
    );
    let timer_slack = Duration::from_millis(5);
    case.limits(Limits { timer_slack, steps_max: 1_000_000, ..Limits::default() })
}

fn exchange(network: &Network, load: Load) {
    let server = network.host("server");
    let listener = server.block_on(TcpListener::bind(server.address(80))).expect("the port is free");
    let accepting = server.spawn("accept", async move {
        let mut serving = Vec::new();
        for _ in 0..load.connections {
            let (stream, _) = listener.accept().await.expect("a client");
            serving.push(server.spawn("serve", serve(stream)));
        }
        serving
    });
    let calling: Vec<_> = (0..load.connections)
        .map(|nth| {
            let client = network.host(NAMES[1 + nth % (load.hosts - 1)]);
            client.thread("call", move || {
                let connection = block_on(async move {
                    let stream = TcpStream::connect(server.address(80)).await.expect("the server listens");
                    let (sender, connection) = h2::client::handshake(stream).await.expect("both speak h2");
                    let connection = client.spawn("connection", async move { connection.await.is_ok() });
                    sleep(Duration::from_secs(load.idle_s)).await;
                    call(sender, REQUESTS, load.bytes).await;
                    // Joined below instead of awaited here: the calling thread waits for the connection's end.
                    Some(connection)
                });
                connection.map(lastref::net::Task::join);
            })
        })
        .collect();
    calling.into_iter().for_each(lastref::thread::JoinHandle::join);
    accepting.join().expect("not aborted").into_iter().for_each(|task| task.join().unwrap_or_default());
}

#[expect(clippy::disallowed_types, reason = "turmoil's clock begins somewhere, or at the wall clock's time")]
const EPOCH: std::time::SystemTime = std::time::SystemTime::UNIX_EPOCH;

/// The same exchange with one connection on bare turmoil.
fn bare(runs: u64) {
    for seed in 0..runs {
        let mut sim = turmoil::Builder::new()
            .rng_seed(seed)
            .epoch(EPOCH)
            .tick_duration(Duration::from_millis(1))
            .min_message_latency(Duration::from_millis(1))
            .max_message_latency(Duration::from_millis(1))
            .build();
        sim.host("server", || async {
            let listener = turmoil::net::TcpListener::bind((IpAddr::from([0, 0, 0, 0]), 80)).await?;
            loop {
                let (stream, _) = listener.accept().await?;
                tokio::spawn(serve(stream));
            }
        });
        sim.client("a", async {
            let stream = turmoil::net::TcpStream::connect(("server", 80)).await?;
            let (sender, connection) = h2::client::handshake(stream).await?;
            let connection = tokio::spawn(connection);
            call(sender, REQUESTS, ONE.bytes).await;
            connection.await??;
            Ok(())
        });
        sim.run().expect("the exchange is done");
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn took(batch: impl FnOnce()) -> f64 {
    let start = Instant::now();
    batch();
    start.elapsed().as_secs_f64()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let run = |case: &Case| {
        took(|| {
            drive(case, Engine::Turmoil, StrategyName::RANDOM, RUNS, Recording::Hash);
        })
    };
    let one = ours(ONE);
    let ratio = median((0..PAIRS).map(|_| took(|| bare(RUNS)) / run(&one)).collect());
    println!("h2, {REQUESTS} requests: {ratio:.2} of bare turmoil's runs/s");
    let base = median((0..PAIRS).map(|_| run(&one)).collect()) / RUNS as f64;
    println!("{:.0} runs/s with {ONE:?}", 1.0 / base);
    for load in [
        Load { hosts: 10, ..ONE },
        Load { hosts: 10, connections: 9, ..ONE },
        Load { bytes: 16 * 1024, ..ONE },
        Load { idle_s: 1_000, ..ONE },
    ] {
        let case = ours(load);
        let times = median((0..5).map(|_| run(&case)).collect()) / RUNS as f64 / base;
        println!("{times:.1} times the time with {load:?}");
    }
    assert!(ratio >= 0.8, "{ratio:.2} of bare turmoil's runs per second, at least 0.8 is asked for");
}
