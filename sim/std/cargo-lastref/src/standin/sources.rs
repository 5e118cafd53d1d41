//! The embedded sources; `build.rs` gathers them.

include!(concat!(env!("OUT_DIR"), "/sources.rs"));
