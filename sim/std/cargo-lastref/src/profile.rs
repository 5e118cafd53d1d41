//! The profile in use: its `panic` setting, and the debug information that stacks need.
//!
//! lastref observes a panic as it unwinds, so a program that aborts instead is refused before the build. Tests unwind
//! under any profile, since cargo ignores the setting for them, so the check concerns only `run`, `build` and
//! `check`.
//!
//! A stack in an optimised program names functions that were inlined only if there is debug information.

use std::path::Path;

use toml::Table;

use crate::cargo_flags::CargoFlags;
use crate::environment;
use crate::error::Error;
use crate::rustc_flags::{Configuration, at};

/// Profiles may inherit; a chain longer than this is a cycle, which cargo itself refuses.
const DEPTH_MAX: usize = 16;

/// Settings of the profile in use. There is no link-time optimisation: cargo builds the stand-in without the bitcode
/// that it needs. An optimised profile gets line tables and the whole names of functions; `dev` has more by default.
pub(crate) fn debug_information(flags: &CargoFlags) -> Vec<String> {
    let name = name(flags);
    let mut settings = vec!["lto=false"];
    if name != "dev" && name != "test" {
        settings.extend(["debug=\"limited\"", "strip=\"none\""]);
    }
    settings.into_iter().flat_map(|it| [String::from("--config"), format!("profile.{name}.{it}")]).collect()
}

fn name(flags: &CargoFlags) -> String {
    match flags.value("profile") {
        Some(name) => name.to_owned(),
        None if flags.has("release") => String::from("release"),
        None => String::from("dev"),
    }
}

/// Refuses a profile with `panic = "abort"`.
pub(crate) fn refuse_abort(flags: &CargoFlags, configuration: &Configuration, root: &Path) -> Result<(), Error> {
    let path = root.join("Cargo.toml");
    // cargo has read the file already, so this fails only if the file has changed since.
    let manifest = std::fs::read_to_string(&path).ok().and_then(|text| text.parse::<Table>().ok()).unwrap_or_default();
    let mut name = name(flags);
    let variable = format!("CARGO_PROFILE_{}_PANIC", name.to_uppercase().replace('-', "_"));
    if let Some(value) = environment::text(&variable) {
        return if value == "abort" { Err(Error::Abort { origin: variable.clone(), variable }) } else { Ok(()) };
    }
    for _ in 0..DEPTH_MAX {
        let keys = ["profile", name.as_str(), "panic"];
        let configured = configuration.value(&keys).map(|(path, value)| (path.to_owned(), value));
        let found = configured.or_else(|| at(&manifest, &keys).map(|value| (path.clone(), value)));
        if let Some((path, value)) = found {
            let origin = format!("profile `{name}` of `{}`", path.display());
            return if value.as_str() == Some("abort") { Err(Error::Abort { origin, variable }) } else { Ok(()) };
        }
        match at(&manifest, &["profile", name.as_str(), "inherits"]).and_then(toml::Value::as_str) {
            Some(parent) => name = parent.to_owned(),
            None => break,
        }
    }
    Ok(())
}
