//! RUSTSEC-2025-0023: two receivers clone one value at the same time, although it need not be `Sync`.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use tokio::sync::broadcast;

/// A value with a flag that only one thread at a time can use: `Send`, and not `Sync`.
struct Value {
    is_being_cloned: Cell<bool>,
    clones: Arc<AtomicUsize>,
}

impl Clone for Value {
    fn clone(&self) -> Value {
        assert!(!self.is_being_cloned.replace(true), "two threads clone a value that is not Sync");
        self.clones.fetch_add(1, Ordering::Relaxed);
        let clone = Value { is_being_cloned: Cell::new(false), clones: Arc::clone(&self.clones) };
        self.is_being_cloned.set(false);
        clone
    }
}

#[test]
fn two_receivers_clone_one_value() {
    let (sender, mut ours) = broadcast::channel(2);
    let mut theirs = sender.subscribe();
    let value = Value { is_being_cloned: Cell::new(false), clones: Arc::default() };
    assert!(sender.send(value).is_ok());
    let other = thread::spawn(move || theirs.try_recv().is_ok());
    assert!(ours.try_recv().is_ok());
    assert!(other.join().unwrap());
}
