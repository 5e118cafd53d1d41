//! Programs whose runs do not end, or end late: a deadlock beside a timer, a loop that polls in vain, and long tests.

use std::sync::Arc;
use std::time::Duration;

use lastref_runtime::atomic::{AtomicBool, AtomicUsize, Ordering};
use lastref_runtime::sync::Mutex;
use lastref_runtime::{mpsc, spin_loop, thread};

const TICK: Duration = Duration::from_millis(100);

/// A thread that sleeps in a loop, as a heartbeat does.
fn ticks() {
    thread::spawn(|| {
        loop {
            thread::sleep(TICK);
        }
    });
}

/// The main task locks a mutex twice.
pub(crate) fn lock_twice() {
    ticks();
    let lock = Mutex::new(());
    let _first = lock.lock().expect("not poisoned");
    let _second = lock.lock().expect("not poisoned");
}

/// Two tasks take two locks in opposite orders.
pub(crate) fn ab_ba() {
    ticks();
    super::waiting::ab_ba();
}

/// Two tasks take two locks in the same order, and the run ends although the heartbeat goes on.
pub(crate) fn ab_ab() {
    ticks();
    super::waiting::ab_ab();
}

/// The worker polls its channel with a time limit, and the main task waits for an answer that the worker never sends.
pub(crate) fn no_answer() {
    let (asks, asked) = mpsc::channel();
    let (answers, answered) = mpsc::channel::<u32>();
    thread::spawn(move || {
        let _answers = answers;
        while asked.recv_timeout(TICK) != Err(mpsc::RecvTimeoutError::Disconnected) {}
    });
    asks.send(1).expect("the worker lives");
    let _ = answered.recv();
}

/// A spin lock that its owner locks again.
pub(crate) fn spin_lock_twice() {
    let lock = AtomicBool::new(false);
    for _ in 0..2 {
        while lock.swap(true, Ordering::SeqCst) {
            spin_loop();
        }
    }
}

/// The main task tries to take a lock that it holds.
pub(crate) fn try_lock_in_vain() {
    let lock = Mutex::new(());
    let _held = lock.lock().expect("not poisoned");
    while lock.try_lock().is_err() {
        thread::yield_now();
    }
}

/// The main task polls a count, with sleeps, that another task has left at one.
pub(crate) fn sleep_in_vain() {
    let count = Arc::new(AtomicUsize::new(0));
    let own = Arc::clone(&count);
    thread::spawn(move || own.store(1, Ordering::SeqCst));
    while count.load(Ordering::SeqCst) < 2 {
        thread::sleep(Duration::from_millis(1));
    }
}

/// A worker sleeps as often as no default bound allows, and then answers.
pub(crate) fn late_answer() {
    let (answers, answered) = mpsc::channel();
    thread::spawn(move || {
        for _ in 0..100_000 {
            thread::sleep(Duration::from_millis(1));
        }
        answers.send(1).expect("the main task waits");
    });
    assert_eq!(answered.recv(), Ok(1));
}

/// Two tasks count up to a number that no default bound allows.
pub(crate) fn many_steps() {
    let count = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..200_000 {
                    count.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
    });
}

/// The main task joins a thread that sleeps in a loop, which may end at any time.
pub(crate) fn joins_a_sleeper() {
    let sleeper = thread::spawn(|| {
        for _ in 0..10_000_000 {
            thread::sleep(TICK);
        }
    });
    sleeper.join().expect("it does not panic");
}
