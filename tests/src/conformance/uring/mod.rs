//! Compares uring_proxy's simulated kernel with the real kernel: provided-buffer rings over TCP.
//!
//! The order of completions is ignored where the kernel guarantees none: after a shutdown, after a cancellation of
//! several requests, and after a shutdown with a linked close.

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
    /// Half of the time a stream arrives in pieces, so a script with many deliveries has many possible outcomes.
    const SCHEDULES: u64 = 3_000;
    const RECORDED: &'static str = include_str!("../../../conformance/uring.txt");
    const DEVIATIONS: &'static str = include_str!("../../../conformance/uring.deviations.json");

    fn scripts() -> BoxedStrategy<Vec<Step>> {
        script::scripts()
    }

    /// The simulated kernel has no variants: only the proxy has defects.
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
    fn real(lib: Option<&Path>) -> Result<Box<dyn Real<Step>>, Missing> {
        if lib.is_some() {
            return Err(Missing("io_uring is a part of Linux, so `--lib` names nothing".to_owned()));
        }
        real::Kernel::open().map(|kernel| -> Box<dyn Real<Step>> { Box::new(kernel) })
    }

    #[cfg(not(target_os = "linux"))]
    fn real(_lib: Option<&Path>) -> Result<Box<dyn Real<Step>>, Missing> {
        Err(Missing("io_uring is Linux's".to_owned()))
    }
}

/// The completions of a step, sorted.
fn sorted(seen: &str) -> Vec<&str> {
    let mut completions: Vec<&str> = seen.split_inclusive(')').map(str::trim).collect();
    completions.sort_unstable();
    completions
}
