//! Tests of moka 0.12.16: see `tests`.
