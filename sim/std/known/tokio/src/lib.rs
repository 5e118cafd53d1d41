//! Tests of tokio 1.13.0: see `tests`.
