//! uring_proxy's simulated kernel against the kernel: provided-buffer rings over TCP.
//!
//! Order does not matter where the kernel fixes none: what a shutdown or a cancellation of several requests wakes, and
//! what a close that is linked to a shutdown completes with it.

pub mod application;
mod model;
#[cfg(target_os = "linux")]
mod real;
#[cfg(target_os = "linux")]
mod ring;
pub mod script;

use std::path::Path;

use proptest::strategy::BoxedStrategy;

use super::{Missing, Real, Seen, Subject};
use script::Step;

/// The simulated kernel, and the real one.
#[derive(Debug)]
pub struct Uring;

impl Subject for Uring {
    type Step = Step;
    const NAME: &'static str = "uring";
    /// A stream arrives in pieces half of the time, so an outcome over many deliveries is one of many.
    const SCHEDULES: u64 = 3_000;
    const RECORDED: &'static str = include_str!("../../../conformance/uring.txt");
    const DEVIATIONS: &'static str = include_str!("../../../conformance/uring.deviations.json");

    fn scripts() -> BoxedStrategy<Vec<Step>> {
        script::scripts()
    }

    /// The kernel has no variants: defects are the proxy's.
    fn model(_variant: &str, script: &[Step], seen: &mut Seen<'_, Step>) {
        model::run(script, seen);
    }

    fn agrees(step: &Step, real: &str, model: &str) -> bool {
        match step {
            Step::Shutdown(_)
            | Step::ShutClose(_)
            | Step::CancelUser { all: true, .. }
            | Step::CancelFd { all: true, .. } => sorted(real) == sorted(model),
            _ => real == model,
        }
    }

    #[cfg(target_os = "linux")]
    fn real(_lib: Option<&Path>) -> Result<Box<dyn Real<Step>>, Missing> {
        real::Kernel::open().map(|kernel| -> Box<dyn Real<Step>> { Box::new(kernel) })
    }

    #[cfg(not(target_os = "linux"))]
    fn real(_lib: Option<&Path>) -> Result<Box<dyn Real<Step>>, Missing> {
        Err(Missing("io_uring is Linux's".to_owned()))
    }
}

/// The completions of a step, in one order for all.
fn sorted(seen: &str) -> Vec<&str> {
    let mut completions: Vec<&str> = seen.split_inclusive(')').map(str::trim).collect();
    completions.sort_unstable();
    completions
}
