//! `lastref`: hunts through the scenarios, and replays and shrinks what it found.
//!
//! The command line is the package `lastref-hunt`; its main function has the exit codes.

fn main() -> std::process::ExitCode {
    lastref_hunt::main(&scenarios::SCENARIOS)
}
