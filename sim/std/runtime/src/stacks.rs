//! Backtraces: captured cheaply in the recorded run of a finding, and resolved to names afterwards.

use std::backtrace::Backtrace;
use std::fmt::Write;

use crate::backtrace_lock;

/// A report shows at most this many frames of a stack.
const FRAMES_MAX: usize = 16;

/// Parts of the names of functions that a report leaves out: those of the runtime, of the allocator, and of the
/// standard library's glue.
const UNINTERESTING: [&str; 22] = [
    "lastref_runtime::",
    "lastref_kernel::",
    "__rust_",
    "__rustc::",
    "rust_begin_unwind",
    "rust_panic",
    "std::panicking::",
    "std::panic::",
    "std::backtrace",
    "core::panicking::",
    "core::panic::",
    "core::ops::function::",
    "core::ptr::drop_in_place",
    "core::ptr::drop_glue",
    "core::mem::",
    "alloc::alloc::",
    "alloc::boxed::",
    "alloc::raw_vec::",
    "GlobalAlloc",
    // The start of a task, and of the OS thread below it.
    "start_thread",
    "clone3",
    "<unknown>",
];

/// Disables the backtraces in errors such as anyhow's. std captures one stack at a time, with a lock; an error that
/// allocates during its capture would make the ledger capture another. Called before a search.
pub(crate) fn disable_in_errors() {
    // SAFETY: the other threads of the process, libtest's and the test's, wait for the search.
    unsafe { std::env::set_var("RUST_LIB_BACKTRACE", "0") };
}

/// The current stack. Called by host code, so that its memory is the system's.
pub(crate) fn capture() -> Option<Backtrace> {
    // A task that panics may hold the lock of std's backtraces, if it was not found.
    (!std::thread::panicking() && !backtrace_lock::is_held()).then(Backtrace::force_capture)
}

/// The frames of the program, the innermost first: one line each, with its source location.
pub(crate) fn shown(stack: &Backtrace) -> String {
    let text = stack.to_string();
    let mut lines = text.lines().map(str::trim).peekable();
    let mut shown = String::new();
    let mut frames = 0;
    while let Some(line) = lines.next() {
        let name = line.split_once(": ").map_or(line, |(_, name)| name);
        let place = lines.next_if(|line| line.starts_with("at ")).map(|line| &line[3..]);
        // The standard library's own sources, and calls of libc.
        let is_foreign = place.is_some_and(|place| place.starts_with("/rustc/"));
        let is_call = place.is_none() && !name.contains("::");
        if is_foreign || is_call || UNINTERESTING.iter().any(|part| name.contains(part)) {
            continue;
        }
        if frames == FRAMES_MAX {
            shown.push_str("\n...");
            break;
        }
        let separator = if frames == 0 { "" } else { "\n" };
        // Writing to a string does not fail.
        let _ = match place {
            Some(place) => write!(shown, "{separator}{name} at {}", without_column(place)),
            None => write!(shown, "{separator}{name}"),
        };
        frames += 1;
    }
    shown
}

/// The source location of the program's innermost frame.
pub(crate) fn first_place(stack: &Backtrace) -> Option<String> {
    let shown = shown(stack);
    let (_, place) = shown.lines().next()?.rsplit_once(" at ")?;
    Some(place.to_owned())
}

/// `src/lib.rs:12:5` as `src/lib.rs:12`, without the current folder.
fn without_column(place: &str) -> &str {
    let place = place.strip_prefix("./").unwrap_or(place);
    match place.rsplit_once(':') {
        Some((rest, column)) if rest.contains(':') && column.bytes().all(|digit| digit.is_ascii_digit()) => rest,
        _ => place,
    }
}
