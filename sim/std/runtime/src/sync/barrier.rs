//! `std::sync::Barrier`.

use std::fmt;
use std::panic::Location;
use std::sync as real;
use std::sync::BarrierWaitResult;

use lastref_kernel::record::OpKind;

use super::operate;

pub struct Barrier(real::Barrier);

impl Barrier {
    #[inline]
    pub const fn new(threads: usize) -> Self {
        Barrier(real::Barrier::new(threads))
    }

    #[track_caller]
    pub fn wait(&self) -> BarrierWaitResult {
        operate(OpKind::Wait, self, "Barrier", Location::caller(), || self.0.wait())
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
