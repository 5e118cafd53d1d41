//! `epoll` and `poll`: the system reports which real descriptors are ready, the network reports which sockets of the
//! run are ready, and waiting is simulated.

use super::clock::is_valid;
use super::descriptor::epoll_create1;
use super::outside::{has_children, is_pipe};
use super::socket::{Place, place};
use super::{fail, raw, result_of};
use crate::net::sockets::Target;
use crate::run::{Run, current};

/// Waits in the run until `look` returns an event or an error.
fn waits(
    run: &'static Run,
    timeout_ms: i32,
    awaited: &[libc::pollfd],
    is_quiet: bool,
    mut look: impl FnMut() -> isize,
) -> isize {
    run.note_call();
    let wait_ns = u64::try_from(timeout_ms).ok().map(|ms| ms * 1_000_000);
    let deadline_ns = wait_ns.map(|wait_ns| run.kernel.now_ns().saturating_add(wait_ns));
    let mut answer = 0;
    let is_answered = || {
        answer = look();
        answer != 0
    };
    match is_quiet {
        true => run.waits_quietly(awaited, deadline_ns, is_answered),
        false => run.wait_until(awaited, deadline_ns, is_answered),
    };
    answer
}

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn epoll_wait(poller: i32, events: *mut libc::epoll_event, most: i32, timeout_ms: i32) -> i32 {
    let system = |events: *mut libc::epoll_event, most: i32, timeout_ms: i32| {
        let args = [poller as usize, events.addr(), most as usize, timeout_ms as isize as usize, 0, 0];
        // SAFETY: the caller's promise.
        unsafe { raw(libc::SYS_epoll_wait, args) }
    };
    let Some(run) = current() else { return result_of(system(events, most, timeout_ms)) as i32 };
    if most <= 0 {
        return fail(libc::EINVAL) as i32;
    }
    let answer = run.host(|| {
        let awaited = libc::pollfd { fd: poller, events: libc::POLLIN, revents: 0 };
        waits(run, timeout_ms, &[awaited], false, || {
            let own = run.network.borrow_mut().events(poller, most.max(0) as usize);
            let count = own.len();
            // SAFETY: the caller passes a place for `most` events, and there are at most as many.
            unsafe { events.copy_from_nonoverlapping(own.as_ptr(), count) };
            if count as i32 == most {
                return count as isize;
            }
            // SAFETY: as above; the rest of the place is free.
            match system(unsafe { events.add(count) }, most - count as i32, 0) {
                error if error < 0 && count == 0 => error,
                others => others.max(0) + count as isize,
            }
        })
    });
    result_of(answer) as i32
}

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn epoll_pwait(
    poller: i32,
    events: *mut libc::epoll_event,
    most: i32,
    timeout_ms: i32,
    signals: *const libc::sigset_t,
) -> i32 {
    if current().is_none() {
        let args = [poller as usize, events.addr(), most as usize, timeout_ms as isize as usize, signals.addr(), 8];
        // SAFETY: the caller's promise.
        return result_of(unsafe { raw(libc::SYS_epoll_pwait, args) }) as i32;
    }
    // SAFETY: the caller's promise. No signal is simulated, so the mask has no effect.
    unsafe { epoll_wait(poller, events, most, timeout_ms) }
}

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn epoll_pwait2(
    poller: i32,
    events: *mut libc::epoll_event,
    most: i32,
    timeout: *const libc::timespec,
    signals: *const libc::sigset_t,
) -> i32 {
    if current().is_none() {
        let args = [poller as usize, events.addr(), most as usize, timeout.addr(), signals.addr(), 8];
        // SAFETY: the caller's promise.
        return result_of(unsafe { raw(libc::SYS_epoll_pwait2, args) }) as i32;
    }
    // SAFETY: the caller's promise. No signal is simulated, so the mask has no effect.
    unsafe {
        match in_ms(timeout) {
            Some(timeout_ms) => epoll_wait(poller, events, most, timeout_ms),
            None => fail(libc::EINVAL) as i32,
        }
    }
}

/// The number of descriptors is a hint that Linux ignores.
#[unsafe(no_mangle)]
pub extern "C" fn epoll_create(count: i32) -> i32 {
    if count <= 0 {
        return fail(libc::EINVAL) as i32;
    }
    // SAFETY: the argument is plain.
    unsafe { epoll_create1(0) }
}

/// A timeout in milliseconds, rounded up; -1 if there is none. `None` if Linux refuses it.
///
/// # Safety
/// `timeout` is null or a valid place.
unsafe fn in_ms(timeout: *const libc::timespec) -> Option<i32> {
    // SAFETY: the caller's promise.
    let Some(time) = (unsafe { timeout.as_ref() }) else { return Some(-1) };
    is_valid(time).then(|| {
        let ms = time.tv_sec.saturating_mul(1_000).saturating_add((time.tv_nsec + 999_999) / 1_000_000);
        i32::try_from(ms).unwrap_or(i32::MAX)
    })
}

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn epoll_ctl(poller: i32, operation: i32, descriptor: i32, event: *mut libc::epoll_event) -> i32 {
    match place(descriptor) {
        Place::Simulated(run) => {
            // SAFETY: the caller passes an event, or null to remove a descriptor.
            let event = unsafe { event.as_ref() }.copied();
            let result = run.host(|| {
                let controlled = run.network.borrow_mut().control(poller, operation, descriptor, event);
                // A task may already wait with this poller.
                run.wake_waiters();
                controlled
            });
            result.map_or_else(|error| fail(error) as i32, |()| 0)
        }
        Place::Real(real) => {
            let args = [poller as usize, operation as usize, real as usize, event.addr(), 0, 0];
            // SAFETY: the caller's promise.
            let result = result_of(unsafe { raw(libc::SYS_epoll_ctl, args) }) as i32;
            if let Some(run) = current() {
                run.host(|| run.wake_waiters());
            }
            result
        }
    }
}

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn poll(asked: *mut libc::pollfd, count: u64, timeout_ms: i32) -> i32 {
    let Some(run) = current().filter(|_| !asked.is_null() || count == 0) else {
        let args = [asked.addr(), count as usize, timeout_ms as isize as usize, 0, 0, 0];
        // SAFETY: the caller's promise.
        return result_of(unsafe { raw(libc::SYS_poll, args) }) as i32;
    };
    let answer = run.host(|| {
        let mut all: &mut [libc::pollfd] = &mut [];
        if count > 0 {
            // SAFETY: the caller passes this many descriptors.
            all = unsafe { std::slice::from_raw_parts_mut(asked, count as usize) };
        }
        // For the system: it skips a negative descriptor.
        let real = |descriptor: i32| match run.network.borrow().target(descriptor) {
            Some(Target::Real(real)) => real,
            Some(Target::Simulated) => -1,
            None => descriptor,
        };
        let mut others: Vec<libc::pollfd> = all.iter().map(|one| libc::pollfd { fd: real(one.fd), ..*one }).collect();
        let awaited: Vec<libc::pollfd> = others.iter().filter(|one| one.fd >= 0).copied().collect();
        let is_of_pipes = !others.is_empty() && others.iter().all(|one| one.fd >= 0 && is_pipe(one.fd as usize));
        let is_quiet = is_of_pipes && has_children();
        waits(run, timeout_ms, &awaited, is_quiet, || {
            // SAFETY: the descriptors are valid for the call.
            let result = unsafe { raw(libc::SYS_poll, [others.as_mut_ptr().addr(), others.len(), 0, 0, 0, 0]) };
            if result < 0 {
                return result;
            }
            let always = libc::POLLERR | libc::POLLHUP;
            for (one, other) in all.iter_mut().zip(&others) {
                let network = run.network.borrow();
                let is_simulated = network.target(one.fd) == Some(Target::Simulated);
                let ready = network.ready_of(one.fd).filter(|_| is_simulated);
                // The system knows only the descriptors of a poller that are its own.
                let has_event = one.events & libc::POLLIN != 0 && network.has_event(one.fd);
                let others = other.revents | if has_event { libc::POLLIN } else { 0 };
                one.revents = ready.map_or(others, |ready| ready as i16 & (one.events | always));
            }
            all.iter().filter(|one| one.revents != 0).count() as isize
        })
    });
    result_of(answer) as i32
}

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ppoll(
    asked: *mut libc::pollfd,
    count: u64,
    timeout: *const libc::timespec,
    signals: *const libc::sigset_t,
) -> i32 {
    if current().is_none() {
        let args = [asked.addr(), count as usize, timeout.addr(), signals.addr(), 8, 0];
        // SAFETY: the caller's promise.
        return result_of(unsafe { raw(libc::SYS_ppoll, args) }) as i32;
    }
    // SAFETY: the caller's promise. No signal is simulated, so the mask has no effect.
    unsafe {
        match in_ms(timeout) {
            Some(timeout_ms) => poll(asked, count, timeout_ms),
            None => fail(libc::EINVAL) as i32,
        }
    }
}
