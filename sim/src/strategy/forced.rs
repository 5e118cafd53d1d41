//! No preemption but the ones that are forced: how a shrunk schedule is written down and run.
//!
//! A forced switch is keyed by the task that runs and that task's own step number, not by the step of the whole run:
//! taking one away then leaves the others where they were, and greedy deletion gets to the few that matter.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Strategy, View};
use crate::op::TaskKey;

/// At its own step `turn`, task `from` is followed by task `to`, where an unforced run would have gone on otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Switch {
    /// The task that runs.
    pub from: TaskKey,
    /// Its own step number.
    pub turn: u32,
    /// The task that runs next.
    pub to: TaskKey,
}

/// Follows a list of forced switches. A switch to a task that cannot run is passed over.
#[derive(Debug)]
pub struct Forced {
    switches: BTreeMap<(TaskKey, u32), TaskKey>,
}

impl Forced {
    /// Follows `switches`.
    pub fn new(switches: &[Switch]) -> Forced {
        let switches = switches.iter().map(|switch| ((switch.from, switch.turn), switch.to)).collect();
        Forced { switches }
    }
}

impl Strategy for Forced {
    fn choose(&mut self, view: &View<'_>) -> usize {
        self.switches
            .get(&(view.current_key, view.current_turn))
            .and_then(|to| view.candidates().position(|candidate| candidate.key == *to))
            .unwrap_or_else(|| view.unforced())
    }
}
