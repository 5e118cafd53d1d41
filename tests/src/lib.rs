//! Code that the tests of the workspace share: the cells of the suite, the canaries, and how a cell is searched.
//!
//! The comparison of models with the real library or kernel is here too, with its command (`conformance`).
//!
//! The tests themselves are in `tests/`: `suite` (one test per scenario, variant and engine), `tripwires` (determinism,
//! replay, canaries), `snapshots` (the interleavings and tables that people review), `conformance`, `detection` and
//! `faults` (the generated documents), `fuzz` (wild input, a bounded run of the program of that name) and `tidy` (the
//! shape of the source).
//! The command line is tested in its own package, where cargo builds the binary for its tests.

pub mod canaries;
pub mod cells;
pub mod conformance;
pub mod detection;
pub mod environment;
pub mod faults;
pub mod fuzz;
pub mod moved;
pub mod numbered;
pub mod search;
