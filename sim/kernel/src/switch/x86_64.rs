//! The switch of x86-64, for systems with the calling convention of System V.

use std::arch::{asm, naked_asm};
use std::cell::Cell;
use std::ptr;

use corosensei::stack::Stack;

use super::Memory;

/// The stack pointer of suspended code. On top of its stack lie the address of its next instruction, and the registers
/// that the switch saves.
type SavedPointer = Cell<*mut usize>;

/// A stack, and the code on it.
pub(crate) struct Code {
    memory: Memory,
    at: SavedPointer,
}

/// The stack of the OS thread, while other code runs.
pub(crate) struct Home {
    at: SavedPointer,
}

impl Default for Home {
    fn default() -> Home {
        Home { at: Cell::new(ptr::null_mut()) }
    }
}

/// The alignment of a stack when a function is called, and of the body that is moved to it.
const ALIGNMENT: usize = 16;

impl Code {
    /// A stack without code.
    pub(crate) fn new(memory: Memory) -> Code {
        Code { memory, at: Cell::new(ptr::null_mut()) }
    }

    /// The size of the stack in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.memory.bytes()
    }

    /// Puts suspended code on this stack, which begins with `body`.
    ///
    /// # Safety
    /// The previous content of the stack is lost: its code must not run again. `body` must neither unwind nor return.
    #[inline]
    #[expect(unsafe_code, reason = "writes to the stack; see the argument at the block")]
    pub(crate) unsafe fn begin<F: FnOnce()>(&self, body: F) {
        const { assert!(align_of::<F>() <= ALIGNMENT) };
        let first_instruction: unsafe extern "sysv64" fn() = start;
        let entry: unsafe extern "sysv64" fn(*mut F) -> ! = enter::<F>;
        let body_at = (self.memory.base().get() - size_of::<F>()) & !(ALIGNMENT - 1);
        let words = (body_at - 2 * size_of::<usize>()) as *mut usize;
        // SAFETY: the caller guarantees that the stack is free. It has more than a page, of which the body takes a
        // part: the kernel moves larger bodies to the heap. Both addresses are aligned for the values written there.
        unsafe {
            (body_at as *mut F).write(body);
            words.write(first_instruction as usize);
            words.add(1).write(entry as usize);
        }
        self.at.set(words);
    }

    /// Suspends this code, and continues `next`. Returns when something switches back.
    ///
    /// # Safety
    /// This must be the code that runs, and `next` code that is suspended.
    #[inline(always)]
    #[expect(unsafe_code, reason = "see the contract")]
    pub(crate) unsafe fn switch(&self, next: &Code) {
        // SAFETY: the same contract.
        unsafe { switch(&self.at, &next.at) }
    }

    /// Suspends this code, and continues that of the OS thread, which waits at [`Home::leave`].
    ///
    /// # Safety
    /// This must be the code that runs, and `home` have been left.
    #[expect(unsafe_code, reason = "see the contract")]
    pub(crate) unsafe fn go_home(&self, home: &Home) {
        // SAFETY: the same contract.
        unsafe { switch(&self.at, &home.at) }
    }
}

impl Home {
    /// Suspends the code of the OS thread, and continues `next`. Returns at [`Code::go_home`].
    ///
    /// # Safety
    /// This must be the code that runs, and `next` code that is suspended.
    #[expect(unsafe_code, reason = "see the contract")]
    pub(crate) unsafe fn leave(&self, next: &Code) {
        // SAFETY: the same contract.
        unsafe { switch(&self.at, &next.at) }
    }
}

/// The first instructions on a stack. `switch` arrives here with the stack pointer in `rsi`; they call the entry with
/// the body. The CFI directive marks this frame as the outermost one.
#[unsafe(naked)]
#[allow(unsafe_code, reason = "has a register convention of its own; `expect` cannot stand beside `naked`")]
unsafe extern "sysv64" fn start() {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_undefined rip",
        "lea rdi, [rsi + 16]",
        "mov rax, [rsi + 8]",
        "mov rsp, rsi",
        "xor ebp, ebp",
        "call rax",
        "ud2",
        ".cfi_endproc",
    )
}

/// Runs the body that lies at the base of the stack.
#[expect(unsafe_code, reason = "takes the body from the stack; see the argument at the block")]
unsafe extern "sysv64" fn enter<F: FnOnce()>(body: *mut F) -> ! {
    // SAFETY: `begin` has written it there, and this is called once for it.
    let body = unsafe { body.read() };
    body();
    unreachable!("invariant: the body of a stack does not return")
}

/// Suspends the current code at `from`, and continues the code that was suspended at `to`.
///
/// # Safety
/// `to` must hold the stack pointer of suspended code.
#[inline(always)]
#[expect(unsafe_code, reason = "changes the stack; see the argument at the block")]
unsafe fn switch(from: &SavedPointer, to: &SavedPointer) {
    // SAFETY: the two registers that no operand and no clobber can name are pushed; all others are declared as lost, so
    // the compiler keeps nothing there. The direction flag is clear, and the control words of the floating-point units
    // are the thread's, as every call leaves them. A `jmp` replaces `ret`: the processor's return address predictor
    // would predict the return address of another task.
    unsafe {
        asm!(
            "push rbx",
            "push rbp",
            "lea rax, [rip + 2f]",
            "push rax",
            "mov [rdi], rsp",
            "mov rsp, rsi",
            "pop rax",
            "jmp rax",
            "2:",
            "pop rbp",
            "pop rbx",
            inout("rdi") from.as_ptr() => _,
            inout("rsi") to.get() => _,
            lateout("r12") _,
            lateout("r13") _,
            lateout("r14") _,
            lateout("r15") _,
            clobber_abi("sysv64"),
        );
    }
}
