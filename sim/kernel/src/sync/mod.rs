//! The primitives on which tasks wait, and the orderings of memory: one file each. Each call is a scheduling point,
//! except where its documentation says otherwise.

pub mod atomic;
pub mod cell;
pub mod condvar;
pub mod lock;
pub mod parker;
pub mod word;
