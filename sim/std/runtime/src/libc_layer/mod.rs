//! Calls of libc, defined in the executable. Real std, and other code linked into the executable, calls them in place
//! of glibc's. For code of a task a call is simulated; for all other code it is the real system call.
//!
//! glibc itself, and shared libraries, call glibc's own functions: they block for real.

pub mod clock;
pub mod descriptor;
pub mod file;
mod futex;
pub mod names;
pub(crate) mod opened;
pub(crate) mod outside;
pub mod paths;
pub mod poll;
pub mod process;
pub mod random;
mod short_write;
pub mod signals;
pub mod socket;
pub mod syscall;
pub mod timer;
pub mod transfer;

use std::arch::asm;

/// The system call itself, without glibc. A failure is a negative number.
///
/// # Safety
/// As for the system call.
#[inline]
pub(crate) unsafe fn raw(number: i64, args: [usize; 6]) -> isize {
    let result: isize;
    let [a, b, c, d, e, f] = args;
    // SAFETY: the calling convention of Linux on x86-64; the effects are the caller's responsibility.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            lateout("rcx") _, lateout("r11") _,
        );
    }
    result
}

/// The result of a system call in libc's form.
fn result_of(result: isize) -> isize {
    if result < 0 {
        set_errno(-result as i32);
        return -1;
    }
    result
}

fn set_errno(error: i32) {
    // SAFETY: the address of this thread's errno is always valid.
    unsafe { *libc::__errno_location() = error };
}

/// Fails in libc's form.
fn fail(error: i32) -> isize {
    set_errno(error);
    -1
}
