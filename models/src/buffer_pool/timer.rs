//! `timer.Timer`: makes calls on another goroutine, at once (`Async`) or later (`AfterFunc`) (v1.5.12, timer.go).
//!
//! Any thread may close a connection, with or without the connection's lock. The callback that must follow (`onClose`)
//! goes to `Async`, which runs such callbacks one after another on a separate goroutine. Deadlines are Go's timers: a
//! deadline that has already fired cannot be stopped, and finds its connection closed.
//!
//! Here one thread does both. A plan for exhaustive exploration may omit it: then no deadlines are set, and the task
//! pool runs the callbacks of `Async`.

use std::collections::VecDeque;
use std::sync::Arc;

use lastref::sync::{Condvar, Mutex};
use lastref::time::Instant;

use super::conn::{Conn, Deadline};
use super::task_pool::Task;

/// The id of a deadline, to stop it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AlarmId(u64);

/// The pending callbacks and deadlines.
pub(super) struct Timer {
    runs: bool,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    async_list: VecDeque<Task>,
    alarms: Vec<Alarm>,
    next: u64,
    stopped: bool,
}

struct Alarm {
    id: AlarmId,
    at: Instant,
    conn: Arc<Conn>,
    which: Deadline,
}

impl Timer {
    /// A timer. If `runs`, the caller must run [`Timer::run`] on a thread.
    pub(super) fn new(runs: bool) -> Timer {
        Timer { runs, state: Mutex::named("asyncMux", State::default()), changed: Condvar::named("Timer") }
    }

    /// `Async`; returns the task if there is no thread to run it.
    #[must_use]
    pub(super) fn call(&self, task: Task) -> Option<Task> {
        if !self.runs {
            return Some(task);
        }
        self.state.lock().async_list.push_back(task);
        self.changed.notify_one();
        None
    }

    /// `AfterFunc`: closes the connection at `at`.
    pub(super) fn after(&self, at: Instant, conn: &Arc<Conn>, which: Deadline) -> Option<AlarmId> {
        if !self.runs {
            return None;
        }
        let mut state = self.state.lock();
        state.next += 1;
        let id = AlarmId(state.next);
        state.alarms.push(Alarm { id, at, conn: Arc::clone(conn), which });
        drop(state);
        self.changed.notify_one();
        Some(id)
    }

    /// `(*time.Timer).Stop`.
    pub(super) fn stop(&self, id: Option<AlarmId>) {
        if let Some(id) = id {
            self.state.lock().alarms.retain(|alarm| alarm.id != id);
        }
    }

    /// Runs the timer's thread until [`Timer::end`].
    pub(super) fn run(&self) {
        let mut state = self.state.lock();
        loop {
            let now = Instant::now();
            let due = state.alarms.iter().position(|alarm| alarm.at <= now);
            if let Some(task) = state.async_list.pop_front() {
                drop(state);
                task();
                state = self.state.lock();
            } else if let Some(due) = due {
                let alarm = state.alarms.remove(due);
                drop(state);
                alarm.conn.expired(alarm.which);
                state = self.state.lock();
            } else if state.stopped {
                state.alarms.clear();
                return;
            } else if let Some(next) = state.alarms.iter().map(|alarm| alarm.at).min() {
                state = self.changed.wait_timeout(state, next.saturating_duration_since(now)).0;
            } else {
                state = self.changed.wait(state);
            }
        }
    }

    /// Ends the thread after the pending callbacks of `Async`.
    pub(super) fn end(&self) {
        self.state.lock().stopped = true;
        self.changed.notify_one();
    }
}
