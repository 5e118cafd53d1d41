//! smol's own runtime: async-io waits with a poller whose event counter is opened by the number of its system call.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use smol::Timer;
use smol::future::{self, FutureExt};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::{TcpListener, TcpStream};

/// Sends a text to a server that returns it, within a minute.
async fn echo(address: SocketAddr) -> io::Result<()> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(b"hello").await?;
        let mut text = [0; 5];
        stream.read_exact(&mut text).await?;
        assert_eq!(&text, b"hello");
        Ok(())
    };
    let late = async {
        Timer::after(Duration::from_secs(60)).await;
        Err(io::ErrorKind::TimedOut.into())
    };
    exchange.or(late).await
}

#[test]
fn echo_on_smol() {
    smol::block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = smol::spawn(async move {
            let (mut stream, _) = listener.accept().await?;
            let mut text = [0; 5];
            stream.read_exact(&mut text).await?;
            stream.write_all(&text).await
        });
        if let Err(error) = echo(address).await {
            assert!(std::env::var_os("FAULTS").is_some(), "the exchange failed: {error}");
        }
        server.cancel().await;
    });
}

#[test]
fn a_timer_and_a_blocking_task_on_smol() {
    smol::block_on(async {
        let begun = Instant::now();
        let task = smol::unblock(|| 1);
        let (one, _) = future::zip(task, Timer::after(Duration::from_secs(3))).await;
        assert!(one == 1 && begun.elapsed() >= Duration::from_secs(3));
    });
}
