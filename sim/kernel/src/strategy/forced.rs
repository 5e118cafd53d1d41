//! No preemption except forced ones: the form in which a shrunk schedule is written and run.
//!
//! A forced switch is keyed by the running task and that task's own step number, not by the step of the whole run:
//! removing one switch then leaves the others in place, and greedy deletion reaches the few that matter.

use std::collections::BTreeMap;

use super::{Strategy, View};
use crate::record::TaskKey;

/// At its own step `turn`, task `from` is followed by task `to`, in place of the unforced successor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct Switch {
    /// The task that runs.
    pub from: TaskKey,
    /// Its own step number.
    pub turn: u32,
    /// The task that runs next.
    pub to: TaskKey,
}

/// Follows a list of forced switches. A switch to a task that cannot run is skipped.
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
            .get(&(view.current_key(), view.current_turn()))
            .and_then(|to| view.candidates().position(|candidate| candidate.key == *to))
            .unwrap_or_else(|| view.unforced())
    }
}
