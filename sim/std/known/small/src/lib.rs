//! Tests of small crates with known bugs: see `tests`.
