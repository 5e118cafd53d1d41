//! Reports a stack overflow with the name of the task and the knob, instead of the system's "segmentation fault".
//!
//! Tasks of the scheduled engines run on small stacks with a guard page below each. A touch of that page raises
//! SIGSEGV, for which std has a handler that only knows the stacks of OS threads. Ours runs first: a fault near the
//! stack pointer, while this OS thread executes a run, is an overflow, and is reported before the process ends with
//! 101; any other fault is passed on to the previous handler. Ours runs on the alternate stack that std gives each of
//! its threads, and does not allocate.

use std::sync::Once;

use crate::session;
use crate::watch;

/// Enables the report.
pub(crate) fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(handler::install);
}

/// Writes the report in pieces, without allocating.
fn report(stack_bytes: usize, write: &mut dyn FnMut(&[u8])) {
    write(b"lastref: stack overflow in task ");
    watch::with_current_task(|name| write(name.as_bytes()));
    write(b": its stack has ");
    let mut digits = [0; 20];
    write(decimal(stack_bytes, &mut digits));
    write(b" bytes\n  usual causes   deep recursion, or large arrays on the stack\n");
    write(b"  knob           Limits::stack_bytes\n");
}

fn decimal(mut number: usize, digits: &mut [u8; 20]) -> &[u8] {
    let mut from = digits.len();
    loop {
        from -= 1;
        digits[from] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &digits[from..];
        }
    }
}

/// The stack size of the tasks in the run that this OS thread executes; `None` if it executes none.
fn stack_bytes() -> Option<usize> {
    session::with(|session| session.map(|session| session.stack_bytes.get())).filter(|bytes| *bytes > 0)
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[expect(unsafe_code, reason = "only unsafe code can install a handler of SIGSEGV and read its arguments")]
mod handler {
    use std::mem::MaybeUninit;
    use std::ptr;
    use std::sync::OnceLock;

    /// Largest distance of a fault from the stack pointer that counts as an overflow: a frame's probe touches each
    /// page in turn, so one page would do.
    const NEAR: usize = 64 * 1024;

    /// The previous handler.
    static BEFORE: OnceLock<libc::sigaction> = OnceLock::new();

    pub(super) fn install() {
        let mut before = MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: the new action is fully initialised (all-zero bytes are a valid `sigaction` of libc, and the fields
        // that matter are set), `handle` has the signature that SA_SIGINFO asks for, and `before` is room for one
        // value.
        unsafe {
            let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
            action.sa_sigaction = handle as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            libc::sigemptyset(&raw mut action.sa_mask);
            if libc::sigaction(libc::SIGSEGV, &raw const action, before.as_mut_ptr()) == 0 {
                // Written once: `install` is called once in a process.
                let _ = BEFORE.set(before.assume_init());
            }
        }
    }

    extern "C" fn handle(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
        // SAFETY: the system passes valid pointers to a handler installed with SA_SIGINFO; on x86_64 Linux the context
        // is a `ucontext_t`.
        let (fault, stack_pointer) = unsafe {
            let context = &*context.cast::<libc::ucontext_t>();
            ((*info).si_addr() as usize, context.uc_mcontext.gregs[libc::REG_RSP as usize] as usize)
        };
        if let Some(stack_bytes) = super::stack_bytes()
            && fault.abs_diff(stack_pointer) < NEAR
        {
            super::report(stack_bytes, &mut |bytes| {
                // SAFETY: the slice is valid for its length; `write` may be called in a handler.
                unsafe { libc::write(libc::STDERR_FILENO, bytes.as_ptr().cast(), bytes.len()) };
            });
            // SAFETY: ends the process at once, without destructors, as a handler may.
            unsafe { libc::_exit(101) };
        }
        // SAFETY: the previous handler is restored, and the faulting instruction runs again under it.
        unsafe {
            match BEFORE.get() {
                Some(before) => libc::sigaction(signal, before, ptr::null_mut()),
                None => libc::_exit(101),
            };
        }
    }
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
mod handler {
    /// On other platforms the system decides how an overflow ends.
    pub(super) fn install() {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_names_size_and_knob() {
        let mut text = Vec::new();
        report(262_144, &mut |bytes| text.extend_from_slice(bytes));
        let text = String::from_utf8(text).expect("text");
        assert!(text.contains("has 262144 bytes\n") && text.contains("Limits::stack_bytes"), "{text}");
    }

    #[test]
    fn a_number_is_written_in_decimal() {
        for number in [0, 7, 10, 262_144, usize::MAX] {
            let mut digits = [0; 20];
            assert_eq!(decimal(number, &mut digits), number.to_string().as_bytes());
        }
    }
}
