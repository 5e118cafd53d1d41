//! The state of a run's checks, apart from its log: custody, properties, connection faults, timers.

use std::collections::BTreeMap;
use std::task::Waker;

use kernel::record::Hits;

use crate::ledger::book::Ledger;
use crate::property::Properties;

/// The checks of one run.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    pub(crate) ledger: Ledger,
    pub(crate) properties: Properties,
    pub(crate) hits: Hits,
    pub(crate) timers: Timers,
}

/// The timers of one run that have not expired.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    pub(crate) pending: BTreeMap<TimerKey, Waker>,
    pub(crate) is_served: bool,
}

/// The key of a timer: its deadline in nanoseconds of virtual time, and its number.
pub(crate) type TimerKey = (u64, u64);

impl Timers {
    pub(crate) fn earliest(&self) -> Option<u64> {
        self.pending.first_key_value().map(|((deadline, _), _)| *deadline)
    }

    pub(crate) fn take_due(&mut self, now_ns: u64) -> Vec<Waker> {
        let mut due = Vec::new();
        while let Some(entry) = self.pending.first_entry().filter(|entry| entry.key().0 <= now_ns) {
            due.push(entry.remove());
        }
        due
    }
}
