//! Channels behave as std's do, under every engine that can run them.
mod searches;

use std::time::Duration;

use lastref::sync::atomic::{AtomicBool, Ordering};
use lastref::sync::{Arc, mpsc};
use lastref::{Check, Engine, property, thread};
use searches::{ALL, clean};

#[test]
fn channels_deliver_in_order_and_tell_the_end() {
    clean(&ALL, || {
        let (sender, receiver) = mpsc::channel();
        let other = thread::spawn(move || {
            for number in 0..2 {
                sender.send(number).expect("the receiver is there");
            }
        });
        assert_eq!(receiver.recv(), Ok(0));
        assert_eq!(receiver.recv(), Ok(1));
        assert_eq!(receiver.recv(), Err(mpsc::RecvError));
        other.join();
    });
    clean(&ALL, || {
        let (sender, receiver) = mpsc::sync_channel(1);
        let other = thread::spawn(move || sender.send(1).is_ok() && sender.send(2).is_ok());
        assert_eq!(receiver.recv(), Ok(1));
        drop(receiver);
        other.join();
    });
    clean(&[Engine::Fiber, Engine::Threads], || {
        let (sender, receiver) = mpsc::sync_channel(0);
        let other = thread::spawn(move || sender.send(1));
        assert_eq!(receiver.recv(), Ok(1));
        assert_eq!(other.join(), Ok(()));
    });
}

#[test]
fn a_receive_may_time_out_before_the_value_comes_or_not() {
    fn race() -> bool {
        let (sender, receiver) = mpsc::channel();
        let other = thread::spawn(move || {
            thread::sleep(Duration::from_secs(1));
            // The receiver may have given up.
            let _ = sender.send(());
        });
        let came = receiver.recv_timeout(Duration::from_secs(1)).is_ok();
        drop(receiver);
        other.join();
        came
    }
    for sentence in ["it comes", "it never comes"] {
        let search = move || property::always(sentence, race() == (sentence == "it comes"));
        let failure = Check::new("race").search(search).expect_err("either may happen");
        assert_eq!(failure.violation.property, sentence);
    }
}

#[test]
fn a_send_on_a_channel_without_a_buffer_ends_after_the_value_is_taken() {
    clean(&[Engine::Fiber], || {
        let (sender, receiver) = mpsc::sync_channel(0);
        let returned = Arc::new(AtomicBool::new(false));
        let other = {
            let returned = Arc::clone(&returned);
            thread::spawn(move || {
                sender.send(1).expect("the receiver is there");
                returned.store(true, Ordering::SeqCst);
            })
        };
        thread::yield_now();
        assert!(!returned.load(Ordering::SeqCst), "nothing is received yet");
        assert_eq!(receiver.recv(), Ok(1));
        other.join();
    });
}

/// Each value that is taken wakes one sender: none is left waiting while there is room.
#[test]
fn every_sender_that_waits_for_room_gets_it() {
    clean(&[Engine::Fiber, Engine::Threads], || {
        let (sender, receiver) = mpsc::sync_channel(1);
        let senders: Vec<_> = (0..5)
            .map(|number| {
                let sender = sender.clone();
                thread::spawn(move || sender.send(number))
            })
            .collect();
        let mut received: Vec<u32> = (0..5).map(|_| receiver.recv().expect("five are sent")).collect();
        received.sort_unstable();
        assert_eq!(received, [0, 1, 2, 3, 4]);
        assert!(senders.into_iter().all(|sender| sender.join().is_ok()));
    });
}

#[test]
fn a_try_send_says_why_the_value_is_not_sent() {
    fn tries() {
        let (sender, receiver) = mpsc::sync_channel(2);
        assert_eq!((sender.try_send(1), sender.try_send(2)), (Ok(()), Ok(())));
        assert_eq!(sender.try_send(3), Err(mpsc::TrySendError::Full(3)));
        assert_eq!((receiver.recv(), receiver.try_recv()), (Ok(1), Ok(2)));
        assert_eq!(receiver.try_recv(), Err(mpsc::TryRecvError::Empty));
        assert_eq!(sender.try_send(4), Ok(()));
        drop(receiver);
        assert_eq!(sender.try_send(5), Err(mpsc::TrySendError::Disconnected(5)));
        // Nothing waits in a channel of bound 0.
        let (sender, receiver) = mpsc::sync_channel(0);
        assert_eq!(sender.try_send(1), Err(mpsc::TrySendError::Full(1)));
        drop(sender);
        assert_eq!(receiver.try_recv(), Err(mpsc::TryRecvError::Disconnected));
    }
    clean(&ALL, tries);
    tries();
}

#[test]
fn a_try_send_wakes_the_receiver() {
    clean(&ALL, || {
        let (sender, receiver) = mpsc::sync_channel(1);
        let other = thread::spawn(move || receiver.recv());
        assert_eq!(sender.try_send(7), Ok(()));
        assert_eq!(other.join(), Ok(7));
    });
}
