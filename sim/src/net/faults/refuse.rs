//! A refused attempt: RST in place of SYN-ACK.

use super::{FaultRule, Strike};

#[derive(Debug)]
pub(super) struct Rule;

impl FaultRule for Rule {
    fn happen(&self, strike: &mut Strike<'_>) {
        strike.connection.refuse(strike.passed);
    }
}
