//! An exchange between a client and its server, which ends within a minute of virtual time.

// Each file of tests is a crate of its own, and uses a part of this one.
#![allow(dead_code)]

use std::fmt::Debug;
use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;

/// Whether an exchange may fail, as it may under faults. A panic inside a crate, a leak, a wrong answer and a task that
/// waits for ever are findings all the same.
fn may_fail() -> bool {
    std::env::var_os("FAULTS").is_some()
}

/// The result of an exchange; none if it failed and may fail.
pub async fn result<T, E: Debug>(exchange: impl Future<Output = Result<T, E>>) -> Option<T> {
    match tokio::time::timeout(Duration::from_secs(60), exchange).await {
        Ok(Ok(value)) => return Some(value),
        Ok(Err(error)) => assert!(may_fail(), "the exchange failed: {error:?}"),
        Err(_) => assert!(may_fail(), "the exchange did not end within 60 s"),
    }
    None
}

/// A listener on a free port, and its address.
pub async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}
