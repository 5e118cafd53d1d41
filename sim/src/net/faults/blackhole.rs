//! A blackhole: packets are lost, and neither end is notified.

use super::{FaultRule, Strike};

#[derive(Debug)]
pub(super) struct Rule;

impl FaultRule for Rule {
    fn ends_traffic(&self) -> bool {
        true
    }

    fn happen(&self, strike: &mut Strike<'_>) {
        strike.connection.end_in_blackhole();
    }
}
