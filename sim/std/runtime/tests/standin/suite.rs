//! An ordinary test suite, compiled with the stand-in: it does not mention lastref.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

#[test]
fn lost_wake_up() {
    let pair = Arc::new((Mutex::new(false), Condvar::new()));
    let other = pair.clone();
    let sets = thread::spawn(move || {
        *other.0.lock().unwrap() = true;
        other.1.notify_one();
    });
    let is_set = *pair.0.lock().unwrap();
    if !is_set {
        drop(pair.1.wait(pair.0.lock().unwrap()).unwrap());
    }
    sets.join().unwrap();
}

#[test]
fn correct() {
    let count = Arc::new(AtomicUsize::new(0));
    let adds: Vec<_> = (0..3)
        .map(|_| {
            let count = count.clone();
            thread::spawn(move || count.fetch_add(1, SeqCst))
        })
        .collect();
    for added in adds {
        added.join().unwrap();
    }
    let seen: std::collections::HashMap<usize, usize> = (0..20).map(|key| (key, count.load(SeqCst))).collect();
    // The order of a map is the run's: it is the same in another process.
    println!("order {:?}", seen.keys().collect::<Vec<_>>());
    assert_eq!(seen.values().sum::<usize>(), 60);
}

#[test]
fn result() -> Result<(), std::num::ParseIntError> {
    assert_eq!("7".parse::<u32>()?, 7);
    Ok(())
}

#[test]
fn result_is_an_error() -> Result<(), std::num::ParseIntError> {
    "seven".parse::<u32>().map(drop)
}

#[test]
#[should_panic]
fn panics() {
    panic!("as it should");
}

#[test]
#[should_panic(expected = "as it should")]
fn panics_with_text() {
    panic!("as it should");
}

#[test]
#[should_panic(expected = "not this")]
fn panics_with_another_text() {
    panic!("as it should");
}

#[test]
#[should_panic]
fn does_not_panic() {}

#[test]
#[ignore = "it would fail"]
fn ignored() {
    panic!("ignored tests do not run");
}
