//! `lastref`: hunts through the scenarios, and replays and shrinks what it found.
//!
//! The command line itself is the library of this package, where tests call it too.
//!
//! Exit codes: 0 decided and as expected, 1 a finding or a verdict that is not as expected, 2 bad usage or input, 3 not
//! deterministic, 4 undecided, 101 a bug of the harness (a panic), 130 and 143 when a signal ended a search.

use std::process::ExitCode;

fn main() -> ExitCode {
    // A loom abort takes its process down, so loom cells run in a child: this very binary, which must answer before it
    // looks at its arguments.
    lastref::explore::serve_child(scenarios::case);
    scenarios_cli::main()
}
