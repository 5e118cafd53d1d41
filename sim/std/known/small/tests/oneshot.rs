//! faern/oneshot#87: the sender uses a channel that the dropped receiver has freed.

mod block_on;

use std::future::{Future, IntoFuture};
use std::pin::pin;
use std::task::Context;
use std::thread;

#[test]
fn receiver_is_polled_once_and_dropped_during_the_send() {
    let (sender, receiver) = oneshot::channel();
    let polled = thread::spawn(move || {
        // As a `select` does whose other branch is ready first.
        let mut receiver = pin!(receiver.into_future());
        let _ = receiver.as_mut().poll(&mut Context::from_waker(&block_on::waker()));
    });
    let _ = sender.send(1);
    polled.join().unwrap();
}
