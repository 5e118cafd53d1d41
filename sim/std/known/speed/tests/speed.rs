//! The programs on std's types.

known_speed::programs!(std);

#[test]
fn atomic_20() {
    atomic();
}

#[test]
fn mutex_10() {
    mutex();
}
