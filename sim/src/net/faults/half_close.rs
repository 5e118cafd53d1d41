//! A half-close: the socket sends FIN after its data, as after `shutdown`.

use super::{FaultRule, Strike, Strikes};
use crate::net::packet_steps::Step;

#[derive(Debug)]
pub(super) struct Rule;

impl FaultRule for Rule {
    fn strikes(&self) -> Strikes {
        Strikes::Socket
    }

    fn happen(&self, strike: &mut Strike<'_>) {
        strike.connection.half_close_by(strike.fault);
        strike.passed.steps.push(Step::Shut(strike.fault.from));
    }
}
