//! The tests of `small` with fixed versions.
