//! Signals of a crash: a task's bad access, its overflow of the stack, an illegal instruction.
//!
//! The handler ends the run with a finding, as if the task had called the runtime: it switches to the host's stack and
//! does not return to the crashed instruction. This is sound only if the task's own code was executing. A crash in the
//! runtime, in glibc on behalf of the runtime, or outside a run ends the process as it would without the handler.

use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::finding::{Finding, FindingKind};
use crate::report::Report;
use crate::run::{Run, current};

const SIGNALS: [i32; 5] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGTRAP];
/// The handler's own stack: a task that has overflowed its stack cannot run it. Unwinding needs some space.
const STACK_BYTES: usize = 1 << 20;
/// An access within this distance of the stack pointer is an access to the stack.
const STACK_REACH: usize = 1 << 16;
/// A word of poison: the value of a register after a read of freed memory.
const POISON_WORD: u64 = 0xdede_dede_dede_dede;

/// The report for a crash outside the code of a task.
struct CrashReport {
    test: String,
    report: PathBuf,
}

/// The run whose crash the handler describes, null otherwise: unwinding a damaged stack may crash again.
static HANDLING: AtomicPtr<Run> = AtomicPtr::new(ptr::null_mut());

/// The report of the current search; null if there is no search, or if it writes no report.
static CRASH_REPORT: AtomicPtr<CrashReport> = AtomicPtr::new(ptr::null_mut());

/// Installs the handler for this process, and its stack for this OS thread.
pub(crate) fn install(test: &str, report: Option<&Path>) {
    if let Some(report) = report {
        let told = Box::new(CrashReport { test: test.to_owned(), report: report.to_owned() });
        CRASH_REPORT.store(Box::into_raw(told), Ordering::Release);
    }
    // SAFETY: the stack is mapped here and never unmapped; the handler has the signature that `SA_SIGINFO` requires.
    unsafe {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let stack = libc::mmap(ptr::null_mut(), STACK_BYTES, protection, flags, -1, 0);
        if stack == libc::MAP_FAILED {
            return;
        }
        libc::sigaltstack(&libc::stack_t { ss_sp: stack, ss_flags: 0, ss_size: STACK_BYTES }, ptr::null_mut());
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_signal as extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void) as usize;
        // The signal stays unblocked, since the handler does not return.
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
        for signal in SIGNALS {
            libc::sigaction(signal, &action, ptr::null_mut());
        }
    }
}

extern "C" fn on_signal(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    match current() {
        Some(run) => {
            run.leave();
            // SAFETY: the system passes valid structures to the handler.
            let (address, registers) = unsafe {
                let context = &*context.cast::<libc::ucontext_t>();
                ((*info).si_addr().addr(), context.uc_mcontext.gregs)
            };
            HANDLING.store(std::ptr::from_ref(run).cast_mut(), Ordering::Relaxed);
            let finding = run.crashed(signal, address, &registers);
            HANDLING.store(ptr::null_mut(), Ordering::Relaxed);
            run.fail(finding)
        }
        None => {
            // SAFETY: the pointer is null or that of the run, which lasts as long as the process.
            if let Some(run) = unsafe { HANDLING.swap(ptr::null_mut(), Ordering::Relaxed).as_ref() } {
                let message = format!("{}: a crash that has damaged the task's stack", name(signal));
                run.fail(Finding::new(FindingKind::Crash, message).facts(run.here()));
            }
            tell(signal);
            // The instruction executes again, and its signal now ends the process.
            // SAFETY: the default action is always valid.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
    }
}

/// Appends a report of a crash outside the code of a task. If the crashed code holds a lock of the allocator, this
/// function deadlocks, and the alarm ends the process.
fn tell(signal: i32) {
    let told = CRASH_REPORT.swap(ptr::null_mut(), Ordering::AcqRel);
    // SAFETY: the pointer is null or came from a box that is not freed.
    let Some(told) = (unsafe { told.as_ref() }) else { return };
    // SAFETY: the call has a plain argument.
    unsafe { libc::alarm(5) };
    let message = format!("{}: a crash outside the code of a task: in the runtime, or on another thread", name(signal));
    // If the report cannot be written, it is lost: a signal handler has no other output.
    let _ = Report::broken(&told.test, message).append(&told.report);
}

/// Whether this address is mapped: the system call fails if it is not.
fn is_readable(address: usize) -> bool {
    let mut byte = 0_u8;
    let near = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    let far = libc::iovec { iov_base: ptr::with_exposed_provenance_mut(address), iov_len: 1 };
    // SAFETY: the process reads its own memory; the system checks the address.
    unsafe { libc::process_vm_readv(libc::getpid(), &near, 1, &far, 1, 0) == 1 }
}

fn name(signal: i32) -> &'static str {
    match signal {
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGBUS => "SIGBUS",
        libc::SIGILL => "SIGILL",
        libc::SIGFPE => "SIGFPE",
        _ => "SIGTRAP",
    }
}

impl Run {
    fn crashed(&'static self, signal: i32, address: usize, registers: &[i64]) -> Finding {
        let stack_pointer = registers[libc::REG_RSP as usize] as usize;
        let is_of_stack = signal == libc::SIGSEGV && address.abs_diff(stack_pointer) < STACK_REACH;
        // The unwinder reads the code at the address of the crash; after a jump to a wrong address there is no code.
        let code = registers[libc::REG_RIP as usize] as usize;
        let stack = if !is_of_stack && is_readable(code) { self.stack() } else { None };
        if let Some(finding) = self.explains(address) {
            return self.with_life_at(finding.stack("the access", stack), address);
        }
        let name = name(signal);
        let is_poison = |value: &i64| (*value as u64).wrapping_sub(POISON_WORD).wrapping_add(1 << 16) < 1 << 17;
        let (kind, message) = if is_of_stack {
            (FindingKind::Crash, "the task overflows its stack".to_owned())
        } else if registers.iter().any(is_poison) {
            (FindingKind::UseAfterFree, "a pointer read from freed memory is dereferenced".to_owned())
        } else if address < 4096 {
            (FindingKind::Crash, format!("{name}: an access to address {address:#x}, near null"))
        } else {
            (FindingKind::Crash, format!("{name}: an access to an address that is not mapped"))
        };
        Finding::new(kind, message).facts(self.here()).stack("the access", stack)
    }
}
