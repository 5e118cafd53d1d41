//! A stall: packets of one connection are late.

use super::{FaultRule, Strike};
use crate::net::packet_steps::Step;

#[derive(Debug)]
pub(super) struct Rule;

impl FaultRule for Rule {
    fn happen(&self, strike: &mut Strike<'_>) {
        strike.passed.steps.push(Step::Stall(strike.until()));
    }
}
