//! Compares context_pool's library with libnng: req and rep contexts over TCP.
//!
//! The recorded scripts ran on NNG 1.10.1. The model has its own transport, which buffers like TCP and closes like
//! inproc: its peer sees a closed connection at once.

pub mod driver;
#[cfg(target_os = "linux")]
mod ffi;
mod model;
#[cfg(target_os = "linux")]
pub mod real;
pub mod script;
#[cfg(target_os = "linux")]
mod settle;

use std::path::Path;

use lastref::Limits;
use proptest::strategy::BoxedStrategy;

#[cfg(target_os = "linux")]
pub use ffi::LoadError;

use super::{Missing, Real, Seen, Subject};
use script::Step;

/// The model of NNG, and the library.
#[derive(Debug)]
pub struct Nng;

impl Subject for Nng {
    type Step = Step;
    const NAME: &'static str = "nng";
    /// Each step settles, so only a few orders remain open, such as which of two requests is received first.
    const SCHEDULES: u64 = 40;
    const RECORDED: &'static str = include_str!("../../../conformance/nng.txt");
    const DEVIATIONS: &'static str = include_str!("../../../conformance/nng.deviations.json");

    fn scripts() -> BoxedStrategy<Vec<Step>> {
        script::scripts()
    }

    fn limits() -> Limits {
        model::limits()
    }

    fn model(variant: &str, script: &[Step], seen: &mut Seen<'_, Step>) {
        model::run(variant, script, seen);
    }

    fn agrees(_step: &Step, real: &str, model: &str) -> bool {
        real.trim_end() == model.trim_end()
    }

    #[cfg(target_os = "linux")]
    fn real(lib: Option<&Path>) -> Result<Box<dyn Real<Step>>, Missing> {
        real::Libnng::find(lib).map(|libnng| -> Box<dyn Real<Step>> { Box::new(libnng) })
    }

    #[cfg(not(target_os = "linux"))]
    fn real(_lib: Option<&Path>) -> Result<Box<dyn Real<Step>>, Missing> {
        Err(Missing("the driver needs Linux's /proc to see whether a library has settled".to_owned()))
    }
}
