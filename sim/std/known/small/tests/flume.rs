//! flume 0.12.0: of two tasks that receive asynchronously, one sleeps for ever beside a message in the queue.

mod block_on;

use block_on::block_on;
use std::thread;

#[test]
fn each_of_two_receivers_gets_one_of_two_messages() {
    let (sender, receiver) = flume::unbounded();
    let receivers = [receiver.clone(), receiver.clone()]
        .map(|receiver| thread::spawn(move || block_on(receiver.recv_async()).unwrap()));
    sender.send(1).unwrap();
    sender.send(2).unwrap();
    // The channel stays open: `sender` and `receiver` live until all have received.
    let sum: i32 = receivers.into_iter().map(|receiver| receiver.join().unwrap()).sum();
    assert_eq!(sum, 3);
}
