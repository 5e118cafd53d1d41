//! Replay and shrinking.
//!
//! A [`Token`] names an execution by its seed. A [`Repro`] file holds an execution that no seed produces, since its
//! plan and its schedule were shrunk: the plan itself and the forced switches.

#[cfg(feature = "net")]
mod faults;
mod repro;
mod shrink;
mod strict;
#[cfg(test)]
mod tests;
mod token;

pub use repro::{Repro, ReproError, replay_repro};
pub use shrink::{ShrinkLimits, Shrunk, shrink, shrink_repro};
pub use token::{Token, TokenError};

pub use crate::explore::run_one;
