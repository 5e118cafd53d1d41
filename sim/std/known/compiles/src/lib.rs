//! The package names the crates that are compiled.
