//! Variables of the environment: only this file reads them.
//!
//! No run depends on them. They name the compiler, the cache folder and the flags that the user already gives to rustc.

use std::ffi::OsString;
use std::path::PathBuf;

/// A variable that is set and not empty.
#[expect(clippy::disallowed_methods, reason = "where the tools are, and which flags the user gives them")]
pub(crate) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Whether a variable is set, even to an empty value.
#[expect(clippy::disallowed_methods, reason = "cargo's configuration does not replace a variable of the user")]
pub(crate) fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some()
}

/// A variable as text; a value that is not Unicode counts as unset.
pub(crate) fn text(name: &str) -> Option<String> {
    variable(name)?.into_string().ok()
}

/// A variable as a path.
pub(crate) fn path(name: &str) -> Option<PathBuf> {
    variable(name).map(PathBuf::from)
}

/// The names of all variables that begin with one of these.
pub(crate) fn names(prefixes: &[&str]) -> impl Iterator<Item = String> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    names.filter(|name| prefixes.iter().any(|prefix| name.starts_with(prefix)))
}
