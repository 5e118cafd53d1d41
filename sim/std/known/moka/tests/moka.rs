//! moka 0.12.16: two threads that insert the same key at once leak a value.

use std::sync::Arc;
use std::thread;

#[test]
fn two_threads_get_the_same_key() {
    let cache = Arc::new(moka::sync::Cache::new(10));
    let theirs = Arc::clone(&cache);
    let other = thread::spawn(move || theirs.get_with(1, || 2));
    assert_eq!(cache.get_with(1, || 2), 2);
    assert_eq!(other.join().unwrap(), 2);
}
