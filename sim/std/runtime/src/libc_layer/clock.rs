//! Clocks and sleeps: virtual time.
//!
//! Virtual time passes when every task waits: it then jumps to the next deadline. It also passes a little with each
//! reading of the clock and each yield; otherwise a loop that polls the clock would never end. A reading takes longer
//! the more readings there were since the last wait, so such a loop needs thousands of steps, not millions. It still
//! takes little time: a program that keeps its own timers, as tokio does, would otherwise find them expired while it
//! still has work.
//!
//! Threads may also work until a sleeping thread wakes and stops them. So, while a thread sleeps and the others stay
//! ready, time starts to pass after many steps, faster and faster: a sleep of one second ends after 124,000 such steps.
//! Work makes a timer fire only after steps of the timer's own, one for each 100 µs of its time and at most 10,000: a
//! time limit on one exchange does not expire because of the exchanges before it. After a reading of the clock, time
//! passes slowly: the thread may be about to wait for the deadline that it computes. In a test with few steps, a timer
//! still fires only when every thread waits.

use std::panic::Location;
use std::ptr;

use super::{fail, raw, result_of};
use crate::run::{Run, current};

/// The real-time clock at the start of a run: 2026-11-01 00:00:00 UTC. Certificates in the fixtures of tests are more
/// often valid then than in an earlier year.
pub(super) const REALTIME_NS: u64 = 1_793_491_200_000_000_000;
/// The monotonic clock at the start of a run. It is not 0, since programs subtract from it.
const MONOTONIC_NS: u64 = 1_000_000_000_000;
/// After a wait, this many readings last one nanosecond each.
const FREE_READS: u32 = 64;
/// The maximum duration of a reading.
const READ_NS_MAX: u64 = 10_000;
/// The maximum duration of a yield. It is longer than that of a reading: a thread that yields waits for others, while a
/// thread that reads the clock works.
pub(crate) const YIELD_NS_MAX: u64 = 100_000;
/// Number of steps since every thread last waited, after which work advances the time.
const FREE_STEPS: u32 = 10_000;
/// Work advances the time once in this many steps.
const WORK_STEPS: u32 = 1_000;
/// Work advances the time by 1/`WORK_SHARE` of the time since every thread last waited, and at least by `WORK_NS`.
const WORK_NS: u64 = 1_000_000;
const WORK_SHARE: u64 = 16;
/// Upper bound of that advance, so that the clock does not overflow in a run of the maximum length.
const WORK_NS_MAX: u64 = 1_000_000_000;
/// Upper bound of an advance after a reading of the clock, in `WORK_NS`.
const READ_SHARE_MAX: u32 = 20;
/// Work can make a timer fire only after one step for each `STEP_NS` of its time, up to `FREE_STEPS`.
const STEP_NS: u64 = 100_000;
/// Deadlines that differ by less belong to one timer: a runtime that waits again rounds the rest of its time.
const SAME_TIMER_NS: u64 = 2_000_000;

/// The work since every thread last waited.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Work {
    since_step: u32,
    since_ns: u64,
    /// The step at which time may pass next.
    next_step: u32,
    /// The time as of the last advance by work, a reading or a yield. A different clock means that every thread has
    /// waited since.
    now_ns: u64,
    timer: Timer,
    /// A task has read the clock since the last step at which time could pass. It may be about to wait for a deadline.
    is_read: bool,
}

/// The next timer.
#[derive(Clone, Copy, Debug, Default)]
struct Timer {
    deadline_ns: u64,
    /// The step from which work can make it fire.
    matures: u32,
}

impl Work {
    /// Notes the next timer, which is due in this time. Returns whether work can make it fire.
    fn is_mature(&mut self, now_ns: u64, in_ns: u64, step: u32) -> bool {
        let deadline_ns = now_ns.saturating_add(in_ns);
        if self.timer.deadline_ns.abs_diff(deadline_ns) >= SAME_TIMER_NS {
            let steps = (in_ns / STEP_NS).min(FREE_STEPS.into()) as u32;
            self.timer.matures = step.saturating_add(steps);
        }
        self.timer.deadline_ns = deadline_ns;
        step >= self.timer.matures
    }
}

impl Run {
    /// Advances the time for a reading or a yield. Called by host code.
    pub(crate) fn passes(&self, most_ns: u64) {
        let reads = self.idle_reads.get().saturating_add(1);
        self.idle_reads.set(reads);
        let doublings = reads.saturating_sub(FREE_READS).min(20);
        self.work.set(Work { is_read: true, ..self.work.get() });
        self.passes_by((1 << doublings).min(most_ns));
    }

    /// Advances the time although a thread is ready.
    fn passes_by(&self, duration_ns: u64) {
        let before_ns = self.kernel.now_ns();
        self.kernel.pass_time(duration_ns);
        let work = self.work.get();
        if work.now_ns == before_ns {
            self.work.set(Work { now_ns: self.kernel.now_ns(), ..work });
        }
    }

    /// Advances the time if the threads have worked for many steps. Called by host code after each operation.
    #[inline]
    pub(crate) fn works(&self, step: u32) {
        if step >= self.work.get().next_step {
            self.works_on(step);
        }
    }

    #[cold]
    fn works_on(&self, step: u32) {
        let (mut work, now_ns) = (self.work.get(), self.kernel.now_ns());
        if work.now_ns != now_ns {
            work = Work { since_step: step, since_ns: now_ns, now_ns, ..work };
        }
        work.next_step = step.saturating_add(WORK_STEPS);
        let is_read = std::mem::take(&mut work.is_read);
        let next_in_ns = self.kernel.next_deadline_in_ns();
        let is_mature = next_in_ns.is_some_and(|in_ns| work.is_mature(now_ns, in_ns, step));
        self.work.set(work);
        let worked = step - work.since_step;
        let Some(in_ns) = next_in_ns.filter(|_| worked >= FREE_STEPS && self.work_passes.get()) else { return };
        let mut most_ns = WORK_NS_MAX;
        if is_read {
            // Slowly, and yet a sleep of one second ends within the default bound on steps.
            most_ns = WORK_NS * u64::from((worked / FREE_STEPS).min(READ_SHARE_MAX));
        }
        if !is_mature {
            most_ns = most_ns.min(in_ns / 2);
        }
        self.has_passed.set(true);
        self.passes_by(((now_ns - work.since_ns) / WORK_SHARE).max(WORK_NS).min(most_ns));
    }

    /// Notes that the current task is about to wait. Called by host code.
    pub(crate) fn notes_wait(&self) {
        self.idle_reads.set(0);
        if self.has_stacks.get() {
            let stack = crate::stacks::capture();
            let task = self.task();
            self.tasks.borrow_mut().of(task).waits_at = stack;
        }
    }

    /// Notes that the wait of the current task is over.
    pub(crate) fn waited(&self) {
        if self.has_stacks.get() {
            let task = self.task();
            self.tasks.borrow_mut().of(task).waits_at = None;
        }
    }
}

pub(super) fn as_ns(time: &libc::timespec) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(time.tv_nsec).unwrap_or(0))
}

fn base(is_realtime: bool) -> u64 {
    if is_realtime { REALTIME_NS } else { MONOTONIC_NS }
}

/// Converts the time argument of a system call to a deadline of the kernel.
pub(super) fn as_deadline(run: &'static Run, time: &libc::timespec, is_relative: bool, is_realtime: bool) -> u64 {
    if is_relative {
        run.host(|| run.kernel.now_ns()).saturating_add(as_ns(time))
    } else {
        as_ns(time).saturating_sub(base(is_realtime))
    }
}

pub(super) fn is_realtime(clock: i32) -> bool {
    use libc::{CLOCK_REALTIME, CLOCK_REALTIME_ALARM, CLOCK_REALTIME_COARSE, CLOCK_TAI};
    matches!(clock, CLOCK_REALTIME | CLOCK_REALTIME_ALARM | CLOCK_REALTIME_COARSE | CLOCK_TAI)
}

/// Whether the clock shows virtual time in a run. The clocks of CPU time, those of other processes and threads
/// included, are real, and Linux refuses an unknown clock.
pub(super) fn is_simulated(clock: i32) -> bool {
    use libc::{CLOCK_BOOTTIME, CLOCK_BOOTTIME_ALARM, CLOCK_MONOTONIC, CLOCK_MONOTONIC_COARSE, CLOCK_MONOTONIC_RAW};
    let monotonic =
        [CLOCK_BOOTTIME, CLOCK_BOOTTIME_ALARM, CLOCK_MONOTONIC, CLOCK_MONOTONIC_COARSE, CLOCK_MONOTONIC_RAW];
    is_realtime(clock) || monotonic.contains(&clock)
}

/// Whether Linux accepts this duration or point in time.
pub(super) fn is_valid(time: &libc::timespec) -> bool {
    time.tv_sec >= 0 && (0..1_000_000_000).contains(&time.tv_nsec)
}

/// Whether Linux has sleeps by this clock of virtual time.
pub(super) fn has_sleeps(clock: i32) -> bool {
    !matches!(clock, libc::CLOCK_MONOTONIC_RAW | libc::CLOCK_MONOTONIC_COARSE | libc::CLOCK_REALTIME_COARSE)
}

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(clock: i32, time: *mut libc::timespec) -> i32 {
    match current() {
        Some(run) if is_simulated(clock) => {
            let now_ns = run.host(|| {
                run.passes(READ_NS_MAX);
                run.kernel.now_ns()
            });
            let now_ns = now_ns.saturating_add(base(is_realtime(clock)));
            let (tv_sec, tv_nsec) = ((now_ns / 1_000_000_000) as i64, (now_ns % 1_000_000_000) as i64);
            // SAFETY: the caller passes a place for the time.
            unsafe { time.write(libc::timespec { tv_sec, tv_nsec }) };
            0
        }
        // SAFETY: the arguments are the caller's.
        _ => result_of(unsafe { raw(libc::SYS_clock_gettime, [clock as usize, time.addr(), 0, 0, 0, 0]) }) as i32,
    }
}

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_nanosleep(
    clock: i32,
    flags: i32,
    time: *const libc::timespec,
    left: *mut libc::timespec,
) -> i32 {
    match current() {
        // SAFETY: the caller passes a valid place.
        Some(_) if !is_simulated(clock) || !is_valid(unsafe { &*time }) => libc::EINVAL,
        Some(_) if !has_sleeps(clock) => libc::EOPNOTSUPP,
        Some(run) => {
            // SAFETY: as above.
            let time = unsafe { &*time };
            let deadline_ns = as_deadline(run, time, flags & libc::TIMER_ABSTIME == 0, is_realtime(clock));
            run.sleeps_until(deadline_ns);
            0
        }
        None => {
            let args = [clock as usize, flags as usize, time.addr(), left.addr(), 0, 0];
            // SAFETY: the arguments are the caller's. This call returns its error.
            let error = unsafe { raw(libc::SYS_clock_nanosleep, args) };
            -error as i32
        }
    }
}

impl Run {
    fn sleeps_until(&'static self, deadline_ns: u64) {
        let location = self.doing.get().location;
        self.host(|| {
            self.notes_wait();
            self.kernel.sleep(deadline_ns.saturating_sub(self.kernel.now_ns()), location);
            self.waited();
        });
    }
}

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nanosleep(time: *const libc::timespec, left: *mut libc::timespec) -> i32 {
    match current() {
        // SAFETY: the arguments are the caller's; the rest of a sleep that no signal interrupts is not written.
        Some(_) => match unsafe { clock_nanosleep(libc::CLOCK_MONOTONIC, 0, time, ptr::null_mut()) } {
            0 => 0,
            // The other call returns its error.
            error => fail(error) as i32,
        },
        // SAFETY: the arguments are the caller's.
        None => result_of(unsafe { raw(libc::SYS_nanosleep, [time.addr(), left.addr(), 0, 0, 0, 0]) }) as i32,
    }
}

/// Glibc's own function would sleep for real.
#[unsafe(no_mangle)]
pub extern "C" fn sleep(seconds: u32) -> u32 {
    let time = libc::timespec { tv_sec: i64::from(seconds), tv_nsec: 0 };
    let mut left = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: both places are valid.
    if unsafe { nanosleep(&time, &mut left) } == 0 { 0 } else { left.tv_sec as u32 }
}

/// Like [`sleep`].
#[unsafe(no_mangle)]
pub extern "C" fn usleep(microseconds: u32) -> i32 {
    let (seconds, rest) = (microseconds / 1_000_000, microseconds % 1_000_000);
    let time = libc::timespec { tv_sec: i64::from(seconds), tv_nsec: i64::from(rest) * 1_000 };
    // SAFETY: the time is valid.
    unsafe { nanosleep(&time, ptr::null_mut()) }
}

/// The real-time clock: of the run, or of the system.
fn realtime() -> libc::timespec {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the place is valid.
    unsafe { clock_gettime(libc::CLOCK_REALTIME, &mut now) };
    now
}

/// # Safety
/// As for libc's: `at` is null or a place for the time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn time(at: *mut i64) -> i64 {
    let now = realtime();
    // SAFETY: the caller's promise.
    if let Some(at) = unsafe { at.as_mut() } {
        *at = now.tv_sec;
    }
    now.tv_sec
}

/// # Safety
/// As for libc's. The time zone, which is obsolete, is not written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gettimeofday(at: *mut libc::timeval, _zone: *mut libc::c_void) -> i32 {
    let now = realtime();
    // SAFETY: the caller's promise.
    if let Some(at) = unsafe { at.as_mut() } {
        *at = libc::timeval { tv_sec: now.tv_sec, tv_usec: now.tv_nsec / 1_000 };
    }
    0
}

/// Lets other threads run.
#[unsafe(no_mangle)]
pub extern "C" fn sched_yield() -> i32 {
    match current() {
        Some(run) => {
            run.yields(Location::caller());
            0
        }
        // SAFETY: the call has no arguments.
        None => result_of(unsafe { raw(libc::SYS_sched_yield, [0; 6]) }) as i32,
    }
}

/// CPU time of this OS thread in nanoseconds.
pub(crate) fn cpu_ns() -> u64 {
    real_ns(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// The real monotonic clock in nanoseconds.
pub(crate) fn real_monotonic_ns() -> u64 {
    real_ns(libc::CLOCK_MONOTONIC)
}

pub(super) fn real_ns(clock: i32) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the place is valid.
    unsafe { raw(libc::SYS_clock_gettime, [clock as usize, (&raw mut time).addr(), 0, 0, 0, 0]) };
    as_ns(&time)
}
