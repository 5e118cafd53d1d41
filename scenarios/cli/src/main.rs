//! `lastref`: hunts through the scenarios, and replays and shrinks what it found.
//!
//! The command line is the package `lastref-hunt`; its main function has the exit codes.

/// A run allocates and frees many small values, for which glibc's allocator takes longer
/// (docs/your-own-project.md has figures).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    lastref_hunt::main(&scenarios::SCENARIOS)
}
