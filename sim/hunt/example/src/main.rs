//! `cache-hunt`: the command line for this project's scenarios.

fn main() -> std::process::ExitCode {
    lastref_hunt::main(&cache_hunt::SCENARIOS)
}
