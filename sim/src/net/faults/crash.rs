//! A crash of the server's host, which restarts after a while.

use super::{FaultRule, Strike};
use crate::net::packet_steps::Step;

#[derive(Debug)]
pub(super) struct Rule;

impl FaultRule for Rule {
    fn happen(&self, strike: &mut Strike<'_>) {
        strike.passed.steps.push(Step::Crash(strike.ms()));
    }
}
