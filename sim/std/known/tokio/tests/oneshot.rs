//! RUSTSEC-2021-0124: both halves of a closed channel take the value.

use std::thread;
use tokio::sync::oneshot;

#[test]
fn send_against_try_recv_after_close() {
    let (sender, mut receiver) = oneshot::channel();
    let sending = thread::spawn(move || {
        let _ = sender.send(Box::new(1));
    });
    receiver.close();
    let _ = receiver.try_recv();
    sending.join().unwrap();
}

#[tokio::test]
async fn send_against_await_after_close() {
    let (sender, mut receiver) = oneshot::channel();
    let sending = thread::spawn(move || {
        let _ = sender.send(Box::new(1));
    });
    receiver.close();
    let _ = receiver.await;
    sending.join().unwrap();
}
