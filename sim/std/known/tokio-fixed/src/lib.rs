//! The tests of `tokio` with a fixed version.
