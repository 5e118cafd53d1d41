//! Waiting: park, sleep, yield.

use std::io;
use std::num::NonZero;
use std::panic::Location;
use std::thread as real;
use std::time::{Duration, Instant};

use lastref_kernel::as_ns;
use lastref_kernel::record::OpKind;

use super::handle::current;
use crate::run::{Run, current as current_run};

/// The number of processors of a simulated machine. With two, thread pools stay small and their threads still race.
const PROCESSORS: usize = 2;

impl Run {
    fn park(&'static self, timeout: Option<Duration>, location: &'static Location<'static>) {
        let Some(parker) = current().parker() else { return };
        self.host(|| {
            self.notes_wait();
            // A deadline beyond the range of the clock never comes.
            let deadline_ns = timeout.and_then(|timeout| self.kernel.now_ns().checked_add(as_ns(timeout)));
            self.kernel.park(parker, OpKind::Park, deadline_ns, location);
            self.waited();
        });
    }
}

#[track_caller]
pub fn park() {
    match current_run() {
        Some(run) => run.park(None, Location::caller()),
        None => real::park(),
    }
}

#[track_caller]
pub fn park_timeout(timeout: Duration) {
    match current_run() {
        Some(run) => run.park(Some(timeout), Location::caller()),
        None => real::park_timeout(timeout),
    }
}

#[track_caller]
#[deprecated = "replaced by `std::thread::park_timeout`"]
pub fn park_timeout_ms(ms: u32) {
    park_timeout(Duration::from_millis(u64::from(ms)));
}

#[track_caller]
pub fn yield_now() {
    match current_run() {
        Some(run) => run.yields(Location::caller()),
        None => real::yield_now(),
    }
}

#[track_caller]
pub fn sleep(duration: Duration) {
    let location = Location::caller();
    match current_run() {
        Some(run) => run.host(|| {
            run.notes_wait();
            run.kernel.sleep(as_ns(duration), location);
            run.waited();
        }),
        #[expect(clippy::disallowed_methods, reason = "outside a run time is real")]
        None => real::sleep(duration),
    }
}

#[track_caller]
pub fn sleep_until(deadline: Instant) {
    #[expect(clippy::disallowed_methods, reason = "inside a run this clock is the virtual one")]
    let now = Instant::now();
    if let Some(left) = deadline.checked_duration_since(now) {
        sleep(left);
    }
}

#[track_caller]
#[deprecated = "replaced by `std::thread::sleep`"]
pub fn sleep_ms(ms: u32) {
    sleep(Duration::from_millis(u64::from(ms)));
}

pub fn available_parallelism() -> io::Result<NonZero<usize>> {
    match NonZero::new(PROCESSORS) {
        Some(processors) if current_run().is_some() => Ok(processors),
        _ => real::available_parallelism(),
    }
}
