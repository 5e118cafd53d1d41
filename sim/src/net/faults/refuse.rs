//! A refused attempt: RST in place of SYN-ACK.

use super::{FaultRule, Strike, Strikes};

#[derive(Debug)]
pub(super) struct Rule;

impl FaultRule for Rule {
    fn strikes(&self) -> Strikes {
        Strikes::Attempt
    }

    fn happen(&self, strike: &mut Strike<'_>) {
        strike.connection.refuse(strike.passed);
    }
}
