//! Timers of `timerfd_create`. A timer is an event counter of the system, so that reads, `poll` and `epoll` treat it
//! like any other descriptor, and a deadline in virtual time, at which the run adds the number of expirations to the
//! counter.

use std::collections::BTreeMap;

use super::Network;
use crate::libc_layer::raw;

/// The timers of a run.
#[derive(Debug, Default)]
pub(super) struct Timers {
    all: Vec<Timer>,
    /// The timer of each of its descriptors.
    ids: BTreeMap<i32, usize>,
}

#[derive(Debug)]
struct Timer {
    is_realtime: bool,
    /// The next expiration, by the kernel's clock.
    deadline_ns: Option<u64>,
    /// The time between two expirations; 0 if there is only one.
    interval_ns: u64,
}

impl Timers {
    pub(super) fn clear(&mut self) {
        self.all.clear();
        self.ids.clear();
    }

    /// The time of the next expiration.
    pub(super) fn next_ns(&self) -> Option<u64> {
        self.all.iter().filter_map(|timer| timer.deadline_ns).min()
    }

    /// Lets the timers expire that are due; returns whether there was one.
    pub(super) fn advance(&mut self, now_ns: u64) -> bool {
        let mut has_expired = false;
        for (descriptor, nth) in &self.ids {
            let timer = &mut self.all[*nth];
            let Some(late_ns) = timer.deadline_ns.and_then(|deadline_ns| now_ns.checked_sub(deadline_ns)) else {
                continue;
            };
            let count = 1 + late_ns.checked_div(timer.interval_ns).unwrap_or(0);
            let next_ns = (now_ns - late_ns).saturating_add(count.saturating_mul(timer.interval_ns));
            timer.deadline_ns = (timer.interval_ns > 0).then_some(next_ns);
            // SAFETY: the place is valid, and the descriptor is that of the counter.
            unsafe { raw(libc::SYS_write, [*descriptor as usize, (&raw const count).addr(), 8, 0, 0, 0]) };
            has_expired = true;
        }
        has_expired
    }

    pub(super) fn copies(&mut self, descriptor: i32, copy: i32) {
        if let Some(nth) = self.ids.get(&descriptor) {
            self.ids.insert(copy, *nth);
        }
    }

    /// A timer without a descriptor never expires.
    pub(super) fn forgets(&mut self, descriptor: i32) {
        if let Some(nth) = self.ids.remove(&descriptor)
            && !self.ids.values().any(|other| *other == nth)
        {
            self.all[nth].deadline_ns = None;
        }
    }
}

impl Network {
    /// Adds a timer without a deadline, whose event counter has this descriptor.
    pub(crate) fn adds_timer(&mut self, descriptor: i32, is_realtime: bool) {
        self.timers.ids.insert(descriptor, self.timers.all.len());
        self.timers.all.push(Timer { is_realtime, deadline_ns: None, interval_ns: 0 });
    }

    /// Whether the clock of this timer is the real-time clock; `None` if the descriptor is not a timer of the run.
    pub(crate) fn timer_is_realtime(&self, descriptor: i32) -> Option<bool> {
        self.timers.ids.get(&descriptor).map(|nth| self.timers.all[*nth].is_realtime)
    }

    /// The time until the next expiration, 0 if there is none, and the interval.
    pub(crate) fn timer(&self, descriptor: i32, now_ns: u64) -> (u64, u64) {
        let Some(timer) = self.timers.ids.get(&descriptor).map(|nth| &self.timers.all[*nth]) else { return (0, 0) };
        (timer.deadline_ns.map_or(0, |deadline_ns| deadline_ns.saturating_sub(now_ns).max(1)), timer.interval_ns)
    }

    /// Sets or removes the deadline.
    pub(crate) fn sets_timer(&mut self, descriptor: i32, deadline_ns: Option<u64>, interval_ns: u64) {
        if let Some(nth) = self.timers.ids.get(&descriptor) {
            let timer = &mut self.timers.all[*nth];
            (timer.deadline_ns, timer.interval_ns) = (deadline_ns, interval_ns);
        }
    }
}
