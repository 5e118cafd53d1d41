//! Stacks, and the switch from one to another.
//!
//! Code that is suspended keeps its registers on its own stack, and a switch is a jump from the place where one task
//! suspends to the place where the next was suspended. On x86-64 the jump is ours, a dozen instructions. Elsewhere, and
//! with the feature `portable-switch`, corosensei makes it: its coroutines return to the code that resumed them, so each
//! switch is a return and a resumption.
//!
//! All unsafe code that switches stacks is in this folder and in `fiber.rs`.

mod memory;
#[cfg(any(feature = "portable-switch", not(all(target_arch = "x86_64", unix))))]
mod portable;
#[cfg(all(target_arch = "x86_64", unix, not(feature = "portable-switch")))]
mod x86_64;

pub(crate) use memory::Memory;
#[cfg(any(feature = "portable-switch", not(all(target_arch = "x86_64", unix))))]
pub(crate) use portable::{Code, Home};
#[cfg(all(target_arch = "x86_64", unix, not(feature = "portable-switch")))]
pub(crate) use x86_64::{Code, Home};
