//! An attempt without an answer. The client's host keeps trying, and all its packets are lost.

use super::{FaultRule, Strike};

#[derive(Debug)]
pub(super) struct Rule;

impl FaultRule for Rule {
    fn happen(&self, strike: &mut Strike<'_>) {
        strike.connection.drop_packets();
    }
}
