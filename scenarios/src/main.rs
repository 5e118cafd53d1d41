//! `lastref`: hunts through the scenarios, and replays and shrinks what it found.
//!
//! The binary is a reader of the list, nothing more: it parses, asks `sim` to explore, and prints. One command, one file
//! in `cli`. Each command gives back an [`Answer`](cli::Answer), printed here and only here, so that what goes to stdout
//! is one piece, and a closed pipe ends the program quietly.
//!
//! Exit codes: 0 as expected, 1 a finding or a verdict that is not as expected, 2 bad usage or input, 3 not
//! deterministic, 101 a bug of the harness (a panic).

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    // A loom abort takes its process down, so loom cells run in a child: this very binary, which must answer before it
    // looks at its arguments.
    sim::explore::serve_child(scenarios::case);
    cli::main()
}
