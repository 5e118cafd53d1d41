//! deadpool 0.13.1, unmanaged pools: `close` at the same time makes `get` and `try_get` panic.

mod block_on;

use block_on::block_on;
use deadpool::unmanaged::Pool;
use std::thread;

#[test]
fn close_against_try_get() {
    let pool = Pool::from(vec![1]);
    let theirs = pool.clone();
    let closer = thread::spawn(move || theirs.close());
    // The object, or an error: the documentation names no panic.
    let _ = pool.try_get();
    closer.join().unwrap();
}

#[test]
fn close_against_get() {
    let pool = Pool::from(vec![1]);
    let theirs = pool.clone();
    let closer = thread::spawn(move || theirs.close());
    let _ = block_on(pool.get());
    closer.join().unwrap();
}
