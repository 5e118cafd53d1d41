//! Tests of h2 0.4.20: see `tests`.
