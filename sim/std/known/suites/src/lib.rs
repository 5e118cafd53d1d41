//! The package names the crates whose tests are run.
