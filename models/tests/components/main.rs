//! Whole components, through their public interface: upstream's result codes, measured facts, planted defects, and the
//! bounds of plans.
//!
//! These tests are a crate of their own, so that the library is compiled once. A unit test that runs a component would
//! make cargo compile the component a second time, for the library's own test binary. A unit test in `models/src`
//! covers one state table, codec or parser.

mod buffer_pool;
mod context_pool;
mod http_pool;
mod image;
mod plans;
mod subchannel;
mod uring_proxy;
