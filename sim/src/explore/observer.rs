//! Progress reports of a hunt.

use super::report::Report;

/// Receives the progress of a hunt, from any of its threads.
pub trait Observer: Sync {
    /// `schedules` more runs of cell number `cell` are done, in `seconds` of one thread's time.
    fn progress(&self, cell: usize, schedules: u64, seconds: f64);
    /// Cell number `cell` has ended. A cell that the hunt leaves open, because it was stopped or its time
    /// was over, is not reported here.
    fn finished(&self, cell: usize, report: &Report);
}

/// An observer that ignores everything.
#[derive(Clone, Copy, Debug)]
pub struct Quiet;

impl Observer for Quiet {
    fn progress(&self, _: usize, _: u64, _: f64) {}

    fn finished(&self, _: usize, _: &Report) {}
}
