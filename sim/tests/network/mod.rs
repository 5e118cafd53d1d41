//! What the tests of the simulated network share: a search, two hosts, and a program for each.
#![allow(dead_code, reason = "each test program uses a part of it")]

use lastref::net::{Host, Network, TcpListener, TcpStream};
use lastref::time::Duration;
use lastref::{Check, Limits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The clock of a network runs no further ahead of what is ready than a turn of the wire or two.
pub(crate) fn check() -> Check {
    Check::new("net").limits(Limits { timer_slack: Duration::from_millis(5), ..Limits::default() })
}

pub(crate) fn explore(schedules: u64, body: impl Fn() + Send + Sync + 'static) {
    let found = check().schedules(schedules).search(body);
    if let Err(failure) = found {
        panic!("{failure}");
    }
}

pub(crate) fn ends(network: &Network) -> (Host, Host) {
    (network.host("client"), network.host("server"))
}

/// A listener that is there before anybody connects.
pub(crate) fn listener(server: Host) -> TcpListener {
    server.block_on(TcpListener::bind(server.address(80))).expect("the port is free")
}

pub(crate) async fn echo_once(listener: TcpListener) -> std::io::Result<()> {
    let (mut stream, _) = listener.accept().await?;
    let mut octets = [0; 64];
    loop {
        let read = stream.read(&mut octets).await?;
        if read == 0 {
            return stream.shutdown().await;
        }
        stream.write_all(&octets[..read]).await?;
    }
}

pub(crate) async fn ask(server: Host, text: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server.address(80)).await?;
    stream.write_all(text).await?;
    stream.shutdown().await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(answer)
}
