//! `epoll` and `poll`: the system says what is ready, and the waiting is simulated.

use super::outside::{has_children, is_pipe};
use super::{raw, result_of};
use crate::run::current;

/// Polls the system with timeout 0, and waits in the run until a poll returns an event or an error.
///
/// # Safety
/// As for the system call. Its argument at index `timeout_at` is the timeout in milliseconds.
unsafe fn call(
    number: i64,
    mut args: [usize; 6],
    timeout_at: usize,
    timeout_ms: i32,
    awaited: (*const libc::pollfd, usize),
) -> i32 {
    let Some(run) = current() else {
        args[timeout_at] = timeout_ms as isize as usize;
        // SAFETY: the caller's promise.
        return result_of(unsafe { raw(number, args) }) as i32;
    };
    args[timeout_at] = 0;
    let answer = run.host(|| {
        let wait_ns = u64::try_from(timeout_ms).ok().map(|ms| ms * 1_000_000);
        let deadline_ns = wait_ns.map(|wait_ns| run.kernel.now_ns().saturating_add(wait_ns));
        // A copy, since the system writes to the original.
        // SAFETY: the caller passes this many descriptors.
        let awaited = unsafe { std::slice::from_raw_parts(awaited.0, awaited.1) }.to_vec();
        let mut answer = 0;
        let is_answered = || {
            // SAFETY: the caller's promise.
            answer = unsafe { raw(number, args) };
            answer != 0
        };
        let is_of_pipes = !awaited.is_empty() && awaited.iter().all(|one| is_pipe(one.fd as usize));
        let is_quiet = is_of_pipes && has_children();
        match is_quiet {
            true => run.waits_quietly(&awaited, deadline_ns, is_answered),
            false => run.wait_until(&awaited, deadline_ns, is_answered),
        };
        answer
    });
    result_of(answer) as i32
}

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn epoll_wait(poller: i32, events: *mut libc::epoll_event, most: i32, timeout_ms: i32) -> i32 {
    let args = [poller as usize, events.addr(), most as usize, 0, 0, 0];
    let awaited = libc::pollfd { fd: poller, events: libc::POLLIN, revents: 0 };
    // SAFETY: the caller's promise.
    unsafe { call(libc::SYS_epoll_wait, args, 3, timeout_ms, (&raw const awaited, 1)) }
}

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn poll(asked: *mut libc::pollfd, count: u64, timeout_ms: i32) -> i32 {
    let args = [asked.addr(), count as usize, 0, 0, 0, 0];
    let none = std::ptr::NonNull::<libc::pollfd>::dangling().as_ptr().cast_const();
    let awaited = if asked.is_null() { (none, 0) } else { (asked.cast_const(), count as usize) };
    // SAFETY: the caller's promise.
    unsafe { call(libc::SYS_poll, args, 2, timeout_ms, awaited) }
}
