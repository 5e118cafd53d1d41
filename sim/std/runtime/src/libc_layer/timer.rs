//! `timerfd_create` and the calls on its descriptors, in virtual time; see `net::timer`.

use super::clock::{as_deadline, as_ns, has_sleeps, is_realtime, is_simulated, is_valid};
use super::descriptor::open;
use super::{fail, raw, result_of};
use crate::run::current;

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn timerfd_create(clock: i32, flags: i32) -> i32 {
    let Some(run) = current() else {
        // SAFETY: the arguments are plain.
        return result_of(unsafe { raw(libc::SYS_timerfd_create, [clock as usize, flags as usize, 0, 0, 0, 0]) })
            as i32;
    };
    if !is_simulated(clock) || !has_sleeps(clock) || clock == libc::CLOCK_TAI {
        return fail(libc::EINVAL) as i32;
    }
    // SAFETY: the arguments are plain. Both kinds of descriptors have the same flags.
    let opened = unsafe { open(libc::SYS_eventfd2, [0, flags as usize, 0, 0, 0, 0]) };
    if opened >= 0 {
        run.host(|| run.network.borrow_mut().adds_timer(opened, is_realtime(clock)));
    }
    opened
}

fn as_time(ns: u64) -> libc::timespec {
    libc::timespec { tv_sec: (ns / 1_000_000_000) as i64, tv_nsec: (ns % 1_000_000_000) as i64 }
}

/// `TFD_TIMER_CANCEL_ON_SET` has no effect: the real-time clock of a run is never set.
///
/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn timerfd_settime(
    descriptor: i32,
    flags: i32,
    new: *const libc::itimerspec,
    old: *mut libc::itimerspec,
) -> i32 {
    let timer = current().and_then(|run| Some((run, run.host(|| run.network.borrow().timer_is_realtime(descriptor))?)));
    let Some((run, is_realtime)) = timer else {
        let args = [descriptor as usize, flags as usize, new.addr(), old.addr(), 0, 0];
        // SAFETY: the caller's promise.
        return result_of(unsafe { raw(libc::SYS_timerfd_settime, args) }) as i32;
    };
    // SAFETY: the caller passes a valid setting.
    let new = unsafe { &*new };
    if !is_valid(&new.it_value) || !is_valid(&new.it_interval) {
        return fail(libc::EINVAL) as i32;
    }
    if !old.is_null() {
        // SAFETY: the caller passes a place.
        unsafe { timerfd_gettime(descriptor, old) };
    }
    let is_relative = flags & libc::TFD_TIMER_ABSTIME == 0;
    let deadline_ns = (as_ns(&new.it_value) > 0).then(|| as_deadline(run, &new.it_value, is_relative, is_realtime));
    run.host(|| {
        run.note_call();
        // Expirations of the old setting are forgotten.
        let (mut asked, mut count) = (libc::pollfd { fd: descriptor, events: libc::POLLIN, revents: 0 }, 0_u64);
        // SAFETY: the places are valid. The read does not block, since there is something to read.
        unsafe {
            if raw(libc::SYS_poll, [(&raw mut asked).addr(), 1, 0, 0, 0, 0]) > 0 {
                raw(libc::SYS_read, [descriptor as usize, (&raw mut count).addr(), 8, 0, 0, 0]);
            }
        }
        run.network.borrow_mut().sets_timer(descriptor, deadline_ns, as_ns(&new.it_interval));
        run.advances();
        // The tasks that wait for descriptors have a new deadline.
        run.wake_waiters();
    });
    0
}

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn timerfd_gettime(descriptor: i32, setting: *mut libc::itimerspec) -> i32 {
    let timer = current().filter(|run| run.host(|| run.network.borrow().timer_is_realtime(descriptor)).is_some());
    let Some(run) = timer else {
        let args = [descriptor as usize, setting.addr(), 0, 0, 0, 0];
        // SAFETY: the caller's promise.
        return result_of(unsafe { raw(libc::SYS_timerfd_gettime, args) }) as i32;
    };
    let (left_ns, interval_ns) = run.host(|| {
        run.advances();
        run.network.borrow().timer(descriptor, run.kernel.now_ns())
    });
    // SAFETY: the caller passes a place.
    unsafe { setting.write(libc::itimerspec { it_interval: as_time(interval_ns), it_value: as_time(left_ns) }) };
    0
}
