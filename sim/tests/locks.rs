//! Tasks that wait for locks and condition variables: for a writer that is suspended, and for at most a timeout.
mod searches;

use std::time::Duration;

use lastref::cell::RaceCell;
use lastref::sync::{Arc, Condvar, Mutex, RwLock};
use lastref::{Engine, ViolationKind, thread};
use searches::{ALL, clean, found};

/// The documentation of std's `RwLock` warns of it: the second read waits for the writer, and the writer for the first.
#[test]
fn a_read_lock_taken_twice_beside_a_writer_may_be_a_deadlock() {
    found(&[Engine::Fiber], ViolationKind::Deadlock, || {
        let lock = Arc::new(RwLock::new(()));
        let other = Arc::clone(&lock);
        let task = thread::spawn(move || drop(other.write()));
        let (one, two) = (lock.read(), lock.read());
        drop((one, two));
        task.join();
    });
}

/// The writer holds its lock while the others run, so that both of them wait for it.
#[test]
fn readers_that_have_waited_for_a_writer_go_on_after_it() {
    clean(&ALL, || {
        let lock = Arc::new(RwLock::new(0));
        let of = |reads: bool| {
            let lock = Arc::clone(&lock);
            thread::spawn(move || match reads {
                true => assert_ne!(*lock.read(), 1, "a writer is in between"),
                false => {
                    let mut held = lock.write();
                    *held = 1;
                    thread::yield_now();
                    *held = 2;
                }
            })
        };
        [false, true, true].map(of).into_iter().for_each(thread::JoinHandle::join);
        assert_eq!(*lock.read(), 2);
    });
}

#[test]
fn a_wait_with_a_timeout_says_how_it_ended() {
    clean(&[Engine::Fiber, Engine::Threads], || {
        let pair = Arc::new((Mutex::new(false), Condvar::new()));
        let (held, ended) = pair.1.wait_timeout(pair.0.lock(), Duration::from_millis(1));
        assert!(ended.timed_out(), "nobody notifies it");
        drop(held);
        let other = {
            let pair = Arc::clone(&pair);
            thread::spawn(move || {
                *pair.0.lock() = true;
                pair.1.notify_one();
            })
        };
        let mut held = pair.0.lock();
        while !*held {
            let (again, ended) = pair.1.wait_timeout(held, Duration::from_secs(3_600));
            assert!(!ended.timed_out(), "no clock runs ahead by an hour");
            held = again;
        }
        drop(held);
        other.join();
    });
}

#[test]
fn a_lock_that_is_taken_again_orders_what_others_did_under_it() {
    clean(&[Engine::Fiber], || {
        let shared = std::sync::Arc::new((RwLock::new(()), RaceCell::new(0)));
        let uses = |shared: &(RwLock<()>, RaceCell<u32>)| {
            for _ in 0..2 {
                let reading = shared.0.read();
                shared.1.get();
                drop(reading);
                let _writing = shared.0.write();
                shared.1.set(1);
            }
        };
        let other = std::sync::Arc::clone(&shared);
        let task = thread::spawn(move || uses(&other));
        uses(&shared);
        task.join();
    });
}
