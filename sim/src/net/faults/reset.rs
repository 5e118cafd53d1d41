//! A reset: RST to both ends.

use super::{FaultRule, Strike};

#[derive(Debug)]
pub(super) struct Rule;

impl FaultRule for Rule {
    fn ends_traffic(&self) -> bool {
        true
    }

    fn happen(&self, strike: &mut Strike<'_>) {
        strike.passed.send(strike.connection.reset(strike.fault.from));
    }
}
