//! RUSTSEC-2025-0024: dropping the last receiver while the first messages are sent frees the first block twice.

use std::thread;

#[test]
fn receiver_is_dropped_during_the_first_sends() {
    let (sender, receiver) = crossbeam_channel::unbounded();
    let senders = [sender.clone(), sender].map(|sender| {
        thread::spawn(move || {
            // The receiver may be gone.
            let _ = sender.send(1);
        })
    });
    drop(receiver);
    for sender in senders {
        sender.join().unwrap();
    }
}
