//! `cargo lastref`: runs the tests of any crate, unmodified, under many schedules.
//!
//! cargo builds the crate with lastref's `std` and `core` in place of the real ones, by flags of stable rustc only.
//! Each test then runs in a process of its own, which explores schedules and writes a report. This program builds that
//! `std` at first use, drives cargo, runs the processes, and reports their findings. It schedules nothing itself.
//!
//! Exit codes: 0 clean, 1 a finding or a failed test, 2 bad usage or input, 3 not deterministic, 101 a bug of the
//! harness, 130 and 143 when a signal ended a search.

mod answer;
mod args;
mod cargo_flags;
mod clock;
mod commands;
mod environment;
mod error;
mod executable;
mod finding;
mod harness_flags;
mod json;
mod outcome;
mod process;
mod profile;
mod progress;
mod project;
mod queue;
mod report;
mod rustc_flags;
mod search;
mod standin;
mod table;
mod terminal;
mod token;
mod toolchain;

// On another system the calls of `process.rs` do not exist. A compiler for another Linux is refused at run time.
#[cfg(not(target_os = "linux"))]
compile_error!("lastref runs on x86-64 Linux with glibc (x86_64-unknown-linux-gnu)");

use std::process::ExitCode;

fn main() -> ExitCode {
    // cargo calls `cargo-lastref lastref test …`; a direct call may leave the second word out.
    let mut arguments: Vec<_> = std::env::args_os().collect();
    if arguments.get(1).is_some_and(|word| word == "lastref") {
        arguments.remove(1);
    }
    commands::answer(arguments).print()
}
