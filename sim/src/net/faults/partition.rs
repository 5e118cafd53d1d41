//! A partition: packets between two hosts are lost for a while.

use super::{FaultRule, Strike};
use crate::net::link::Link;
use crate::net::packet_steps::Step;

#[derive(Debug)]
pub(super) struct Rule;

impl FaultRule for Rule {
    fn happen(&self, strike: &mut Strike<'_>) {
        strike.passed.steps.push(Step::Break(Link::Partitioned, strike.ms()));
    }
}
