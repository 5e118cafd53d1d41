//! Crashes by faults: the hosts whose tasks the wire's task has to end, and the times at which hosts restart.

use crate::time::Instant;

/// The outages of hosts that faults have caused.
#[derive(Debug, Default)]
pub(super) struct Outages {
    /// The hosts that are down, and whose tasks still run.
    crashed: Vec<usize>,
    restarts: Vec<(Instant, usize)>,
}

impl Outages {
    /// The host has crashed, and restarts at that time, or at the end of an earlier outage, whichever is later.
    pub(super) fn crash(&mut self, host: usize, restart: Instant) {
        let earlier = self.restarts.iter().find(|(_, other)| *other == host).map(|(at, _)| *at);
        self.forget_restart_of(host);
        self.restarts.push((earlier.map_or(restart, |earlier| earlier.max(restart)), host));
        self.crashed.push(host);
    }

    /// The hosts that have crashed since the last call.
    pub(super) fn take_crashed(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.crashed)
    }

    /// A host whose restart is due. One at a time: a restart is a scheduling point, at which the others may be
    /// cancelled.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<usize> {
        let place = self.restarts.iter().position(|(at, _)| *at <= now)?;
        Some(self.restarts.remove(place).1)
    }

    /// The time of the next restart.
    pub(super) fn next_restart(&self) -> Option<Instant> {
        self.restarts.iter().map(|(at, _)| *at).min()
    }

    /// Whether a fault has crashed this host, which restarts by itself.
    pub(super) fn has_restart_of(&self, host: usize) -> bool {
        self.restarts.iter().any(|(_, other)| *other == host)
    }

    /// Cancels the scheduled restart of this host.
    pub(super) fn forget_restart_of(&mut self, host: usize) {
        self.restarts.retain(|(_, other)| *other != host);
    }

    /// Cancels the scheduled restarts.
    pub(super) fn forget_restarts(&mut self) {
        self.restarts.clear();
    }
}
