//! A crate without std: its `#[test]` comes from a prelude of `core`, and is the stand-in's.

#![no_std]

extern crate std;

#[test]
fn is_simulated() {
    assert!(std::__lastref::is_simulated());
}
