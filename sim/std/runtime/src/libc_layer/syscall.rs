//! System calls by number, as C libraries and rustix make them: those that the run simulates go to the same functions
//! as the calls of libc.

use super::{clock, descriptor, fail, file, futex, poll, process, random, socket, timer, transfer};
use crate::run::{Run, current};

/// Carries out a simulated call, with its result in libc's form. `None`: the run does not simulate this call, or not
/// with these arguments.
///
/// # Safety
/// As for the system call.
pub(super) unsafe fn simulated(run: &'static Run, number: i64, args: [usize; 6]) -> Option<isize> {
    let [a, b, c, ..] = args;
    // SAFETY: the arguments are those of the call with this number.
    unsafe {
        match number {
            libc::SYS_futex => futex::call(run, args),
            libc::SYS_getrandom => Some(random::getrandom(a as *mut u8, b, c as u32)),
            libc::SYS_gettid => Some(run.host(|| run.task()).0 as isize + process::FIRST_THREAD),
            _ => of_time(number, args).or_else(|| of_descriptor(number, args)).or_else(|| of_socket(number, args)),
        }
    }
}

unsafe fn of_time(number: i64, [a, b, c, d, ..]: [usize; 6]) -> Option<isize> {
    // SAFETY: the caller's promise.
    let result = unsafe {
        match number {
            libc::SYS_clock_gettime => clock::clock_gettime(a as i32, b as *mut libc::timespec),
            libc::SYS_nanosleep => clock::nanosleep(a as *const libc::timespec, b as *mut libc::timespec),
            libc::SYS_clock_nanosleep => {
                // libc's function returns its error, and the system call of that name fails with it.
                match clock::clock_nanosleep(a as i32, b as i32, c as *const libc::timespec, d as *mut libc::timespec) {
                    0 => 0,
                    error => fail(error) as i32,
                }
            }
            libc::SYS_sched_yield => clock::sched_yield(),
            libc::SYS_timerfd_create => timer::timerfd_create(a as i32, b as i32),
            libc::SYS_timerfd_settime => {
                let (new, old) = (c as *const libc::itimerspec, d as *mut libc::itimerspec);
                timer::timerfd_settime(a as i32, b as i32, new, old)
            }
            libc::SYS_timerfd_gettime => timer::timerfd_gettime(a as i32, b as *mut libc::itimerspec),
            _ => return None,
        }
    };
    Some(result as isize)
}

unsafe fn of_descriptor(number: i64, [a, b, c, d, e, _]: [usize; 6]) -> Option<isize> {
    let (first, second, third) = (a as i32, b as i32, c as i32);
    // SAFETY: the caller's promise.
    let result = unsafe {
        match number {
            libc::SYS_read => return Some(descriptor::read(first, b as *mut u8, c)),
            libc::SYS_readv => return Some(descriptor::readv(first, b as *const libc::iovec, third)),
            libc::SYS_write => return Some(descriptor::write(first, b as *const u8, c)),
            libc::SYS_writev => return Some(descriptor::writev(first, b as *const libc::iovec, third)),
            libc::SYS_close => descriptor::close(first),
            libc::SYS_fcntl => descriptor::fcntl(first, second, c),
            libc::SYS_dup => descriptor::dup(first),
            libc::SYS_eventfd2 => descriptor::eventfd(a as u32, second),
            libc::SYS_dup2 => descriptor::dup2(first, second),
            libc::SYS_dup3 => descriptor::dup3(first, second, third),
            libc::SYS_pipe => descriptor::pipe(a as *mut i32),
            libc::SYS_pipe2 => descriptor::pipe2(a as *mut i32, second),
            libc::SYS_epoll_create => poll::epoll_create(first),
            libc::SYS_epoll_create1 => descriptor::epoll_create1(first),
            libc::SYS_epoll_ctl => poll::epoll_ctl(first, second, third, d as *mut libc::epoll_event),
            libc::SYS_epoll_wait => poll::epoll_wait(first, b as *mut libc::epoll_event, third, d as i32),
            libc::SYS_epoll_pwait => {
                poll::epoll_pwait(first, b as *mut libc::epoll_event, third, d as i32, e as *const libc::sigset_t)
            }
            libc::SYS_epoll_pwait2 => {
                let (events, timeout) = (b as *mut libc::epoll_event, d as *const libc::timespec);
                poll::epoll_pwait2(first, events, third, timeout, e as *const libc::sigset_t)
            }
            libc::SYS_poll => poll::poll(a as *mut libc::pollfd, b as u64, third),
            libc::SYS_ppoll => {
                let (timeout, signals) = (c as *const libc::timespec, d as *const libc::sigset_t);
                poll::ppoll(a as *mut libc::pollfd, b as u64, timeout, signals)
            }
            libc::SYS_flock => file::flock(first, second),
            _ => return None,
        }
    };
    Some(result as isize)
}

unsafe fn of_socket(number: i64, [a, b, c, d, e, f]: [usize; 6]) -> Option<isize> {
    let (first, second, third) = (a as i32, b as i32, c as i32);
    // SAFETY: the caller's promise.
    let result = unsafe {
        match number {
            libc::SYS_sendto => {
                return Some(transfer::sendto(first, b as *const u8, c, d as i32, e as *const u8, f as u32));
            }
            libc::SYS_recvfrom => {
                return Some(transfer::recvfrom(first, b as *mut u8, c, d as i32, e as *mut u8, f as *mut u32));
            }
            libc::SYS_sendmsg => return Some(transfer::sendmsg(first, b as *const libc::msghdr, third)),
            libc::SYS_recvmsg => return Some(transfer::recvmsg(first, b as *mut libc::msghdr, third)),
            libc::SYS_sendmmsg => transfer::sendmmsg(first, b as *mut libc::mmsghdr, c as u32, d as i32),
            libc::SYS_recvmmsg => {
                let (messages, timeout) = (b as *mut libc::mmsghdr, e as *mut libc::timespec);
                transfer::recvmmsg(first, messages, c as u32, d as i32, timeout)
            }
            libc::SYS_socket => socket::socket(first, second, third),
            libc::SYS_socketpair => socket::socketpair(first, second, third, d as *mut i32),
            libc::SYS_bind => socket::bind(first, b as *const u8, c as u32),
            libc::SYS_listen => socket::listen(first, second),
            libc::SYS_connect => socket::connect(first, b as *const u8, c as u32),
            libc::SYS_accept4 => socket::accept4(first, b as *mut u8, c as *mut u32, d as i32),
            libc::SYS_accept => socket::accept(first, b as *mut u8, c as *mut u32),
            libc::SYS_getsockname => socket::getsockname(first, b as *mut u8, c as *mut u32),
            libc::SYS_getpeername => socket::getpeername(first, b as *mut u8, c as *mut u32),
            libc::SYS_setsockopt => socket::setsockopt(first, second, third, d as *const u8, e as u32),
            libc::SYS_getsockopt => socket::getsockopt(first, second, third, d as *mut u8, e as *mut u32),
            libc::SYS_shutdown => socket::shutdown(first, second),
            _ => return None,
        }
    };
    Some(result as isize)
}

/// `syscall`.
///
/// Stable Rust cannot define a variadic function. A function with seven parameters has the same calling
/// convention: the first six arguments are in registers, the seventh is on the stack.
///
/// # Safety
/// As for the system call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syscall(number: i64, a: usize, b: usize, c: usize, d: usize, e: usize, f: usize) -> isize {
    let args = [a, b, c, d, e, f];
    // SAFETY: the caller's promise.
    let simulated = current().and_then(|run| unsafe { simulated(run, number, args) });
    // SAFETY: the caller's promise.
    simulated.unwrap_or_else(|| super::result_of(unsafe { super::raw(number, args) }))
}
