//! Programs that wait for each other.

use std::sync::Arc;
use std::time::Duration;

use lastref_runtime::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use lastref_runtime::sync::{Condvar, Mutex};
use lastref_runtime::{mpsc, thread};

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().expect("no task panics with the lock")
}

/// A producer that sets a flag and notifies.
fn produce(shared: &Arc<(Mutex<bool>, Condvar)>) -> thread::JoinHandle<()> {
    let shared = Arc::clone(shared);
    thread::spawn(move || {
        *lock(&shared.0) = true;
        shared.1.notify_one();
    })
}

/// The consumer looks at the flag and locks again to wait: the notification may come in between.
pub(crate) fn lost_wake_up() {
    let shared = Arc::new((Mutex::new(false), Condvar::new()));
    let producer = produce(&shared);
    let is_set = *lock(&shared.0);
    if !is_set {
        drop(shared.1.wait(lock(&shared.0)).expect("not poisoned"));
    }
    producer.join().expect("the producer does not panic");
}

/// The consumer looks and waits under one lock.
pub(crate) fn kept_wake_up() {
    let shared = Arc::new((Mutex::new(false), Condvar::new()));
    let producer = produce(&shared);
    let mut is_set = lock(&shared.0);
    while !*is_set {
        is_set = shared.1.wait(is_set).expect("not poisoned");
    }
    drop(is_set);
    producer.join().expect("the producer does not panic");
}

fn both(locks: &[Mutex<u32>; 2], order: [usize; 2]) {
    let mut first = lock(&locks[order[0]]);
    let mut second = lock(&locks[order[1]]);
    (*first, *second) = (*first + 1, *second + 1);
}

fn two_tasks(orders: [[usize; 2]; 2]) {
    let locks = Arc::new([Mutex::new(0), Mutex::new(0)]);
    let own = Arc::clone(&locks);
    let other = thread::spawn(move || both(&own, orders[1]));
    both(&locks, orders[0]);
    other.join().expect("the other does not panic");
    assert_eq!(*lock(&locks[0]), 2);
}

/// Two tasks take two locks in opposite orders.
pub(crate) fn ab_ba() {
    two_tasks([[0, 1], [1, 0]]);
}

/// Two tasks take two locks in the same order.
pub(crate) fn ab_ab() {
    two_tasks([[0, 1], [0, 1]]);
}

fn parks(again: bool) {
    let flag = Arc::new(AtomicBool::new(false));
    let (own, waiter) = (Arc::clone(&flag), thread::current());
    let setter = thread::spawn(move || {
        waiter.unpark();
        own.store(true, Ordering::SeqCst);
        if again {
            waiter.unpark();
        }
    });
    while !flag.load(Ordering::SeqCst) {
        thread::park();
    }
    setter.join().expect("the setter does not panic");
}

/// The waiter is unparked before the flag is set, and parks again.
pub(crate) fn lost_unpark() {
    parks(false);
}

/// The waiter is unparked once more after the flag is set.
pub(crate) fn kept_unpark() {
    parks(true);
}

fn receives(keeps: bool) {
    let (sender, receiver) = mpsc::channel();
    let own = sender.clone();
    let sends = thread::spawn(move || own.send(1).is_ok());
    let kept = keeps.then_some(sender);
    assert_eq!(receiver.iter().sum::<u32>(), 1);
    drop(kept);
    assert!(sends.join().expect("the sender does not panic"));
}

/// The receiver waits for the end of a sender that it holds itself.
pub(crate) fn kept_sender() {
    receives(true);
}

/// The receiver ends when the last sender is dropped.
pub(crate) fn dropped_sender() {
    receives(false);
}

fn counts(adds: fn(&AtomicUsize)) {
    let count = Arc::new(AtomicUsize::new(0));
    let own = Arc::clone(&count);
    let other = thread::spawn(move || adds(&own));
    adds(&count);
    other.join().expect("the other does not panic");
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

/// Two tasks load, add and store.
pub(crate) fn racy_count() {
    counts(|count| count.store(count.load(Ordering::SeqCst) + 1, Ordering::SeqCst));
}

/// Two tasks add in one step.
pub(crate) fn atomic_count() {
    counts(|count| {
        count.fetch_add(1, Ordering::SeqCst);
    });
}

/// A program that relies on its sleeps for the order of its operations. It is correct as long as no timer fires early.
pub(crate) fn sleeps_for_order() {
    let flag = Arc::new(AtomicBool::new(false));
    let own = Arc::clone(&flag);
    let sets = thread::spawn(move || {
        for _ in 0..3 {
            thread::yield_now();
        }
        own.store(true, Ordering::SeqCst);
    });
    thread::sleep(Duration::from_millis(10));
    assert!(flag.load(Ordering::SeqCst), "ten milliseconds are enough");
    sets.join().expect("the other does not panic");
}

/// A program that relies on a sleep to be longer than the work of another thread, which has many steps.
pub(crate) fn sleeps_for_work() {
    const STEPS: usize = 50_000;
    let count = Arc::new(AtomicUsize::new(0));
    let own = Arc::clone(&count);
    let works = thread::spawn(move || {
        for _ in 0..STEPS {
            own.fetch_add(1, Ordering::SeqCst);
        }
    });
    thread::sleep(Duration::from_millis(10));
    assert_eq!(count.load(Ordering::SeqCst), STEPS, "ten milliseconds are enough");
    works.join().expect("the other does not panic");
}

/// A weak exchange that is not repeated: it may fail although the value is as expected.
pub(crate) fn weak_once() {
    let count = AtomicU32::new(0);
    thread::scope(|scope| {
        scope.spawn(thread::yield_now);
        exchange_weak(&count);
    });
}

/// Weak exchanges in a loop, as usual, before a panic that does not depend on them.
pub(crate) fn weak_by_the_way() {
    let count = AtomicU32::new(0);
    thread::scope(|scope| {
        // A weak exchange fails by chance only while another task exists.
        scope.spawn(|| (0..200).for_each(|_| thread::yield_now()));
        for nth in 0..100 {
            while count.compare_exchange_weak(nth, nth + 1, Ordering::SeqCst, Ordering::SeqCst).is_err() {}
        }
    });
    panic!("it counts to {}", count.load(Ordering::SeqCst));
}

/// The same without another thread: a test of a single thread may rely on the success, as crossbeam-deque's do.
pub(crate) fn weak_alone() {
    let count = AtomicU32::new(0);
    thread::scope(|scope| {
        scope.spawn(thread::yield_now).join().expect("it does not panic");
    });
    for _ in 0..20 {
        exchange_weak(&count);
    }
}

fn exchange_weak(count: &AtomicU32) {
    let before = count.load(Ordering::SeqCst);
    let exchanged = count.compare_exchange_weak(before, before + 1, Ordering::SeqCst, Ordering::SeqCst);
    assert!(exchanged.is_ok(), "the weak exchange failed");
}
