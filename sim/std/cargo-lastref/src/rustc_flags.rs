//! The flags that put the stand-in into a build, beside the flags that the user already gives to rustc.
//!
//! cargo takes rustc's flags from one source only: the environment, else `target.*.rustflags`, else `build.rustflags`.
//! A flag added to one source hides the later sources. So ours join the source in use. This is the environment if it
//! has flags, and otherwise the table of the target, which cargo merges with the user's own. If the user has no table
//! of a target, the flags of `build` are copied into ours.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use toml::{Table, Value};

use crate::environment;
use crate::error::Error;
use crate::toolchain::HOST;

/// The compiler and the documentation tool have flags of their own, by the same rules.
const KINDS: [(&str, &str); 2] = [("RUSTFLAGS", "rustflags"), ("RUSTDOCFLAGS", "rustdocflags")];
/// Caps lints: a crate may deny lints that the stand-in triggers, such as `unused_extern_crates` for `extern crate
/// std`.
const LINTS: &str = "--cap-lints=warn";
/// Separates flags in the encoded form of the variable, so that a path may have blanks.
const SEPARATOR: &str = "\u{1f}";

/// cargo's configuration files, the nearest first.
#[derive(Debug)]
pub(crate) struct Configuration {
    files: Vec<(PathBuf, Table)>,
}

impl Configuration {
    /// Reads the files that cargo reads when it is called in `folder`.
    pub(crate) fn read(folder: &Path) -> Result<Configuration, Error> {
        let home = environment::path("CARGO_HOME")
            .or_else(|| environment::path("HOME").map(|home| home.join(".cargo")))
            .into_iter();
        let folders = folder.ancestors().map(|folder| folder.join(".cargo")).chain(home);
        let mut files: Vec<(PathBuf, Table)> = Vec::new();
        for folder in folders {
            // The name without an extension is older, and takes precedence if both exist.
            let Some(path) =
                ["config", "config.toml"].map(|name| folder.join(name)).into_iter().find(|it| it.is_file())
            else {
                continue;
            };
            if files.iter().any(|(known, _)| *known == path) {
                continue;
            }
            let wrong = |reason: String| Error::Config { path: path.clone(), reason };
            let text = std::fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
            let table = text.parse::<Table>().map_err(|error| wrong(error.message().to_owned()))?;
            files.push((path, table));
        }
        Ok(Configuration { files })
    }

    /// The value at a path of keys in the nearest file that has one, and that file.
    pub(crate) fn value(&self, keys: &[&str]) -> Option<(&Path, &Value)> {
        self.files.iter().find_map(|(path, table)| Some((path.as_path(), at(table, keys)?)))
    }

    /// The variables of the tables `env`, as cargo sets them for a program that it starts: not those that are set
    /// already, unless the entry has `force`. An entry of a nearer file hides the others of its name.
    pub(crate) fn variables(&self, is_set: impl Fn(&str) -> bool) -> Vec<(String, OsString)> {
        let mut variables: BTreeMap<&str, Option<OsString>> = BTreeMap::new();
        for (path, table) in &self.files {
            for (name, entry) in at(table, &["env"]).and_then(Value::as_table).into_iter().flatten() {
                let is_on = |key: &str| entry.get(key).and_then(Value::as_bool).unwrap_or(false);
                let text = entry.as_str().or_else(|| entry.get("value")?.as_str());
                let value = text.filter(|_| is_on("force") || !is_set(name)).map(|text| {
                    // Relative to the folder that contains `.cargo`.
                    let folder = path.parent().and_then(Path::parent).filter(|_| is_on("relative"));
                    folder.map_or_else(|| OsString::from(text), |folder| folder.join(text).into_os_string())
                });
                variables.entry(name).or_insert(value);
            }
        }
        variables.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }

    /// The flags of `build`, those of farther files first, in the order in which cargo joins them.
    fn of_build(&self, name: &str) -> Vec<String> {
        let lists = self.files.iter().rev().filter_map(|(_, table)| at(table, &["build", name]));
        let mut flags: Vec<String> = lists.flat_map(list).collect();
        let variable = format!("CARGO_BUILD_{}", name.to_uppercase());
        flags.extend(environment::text(&variable).iter().flat_map(|text| text.split_whitespace().map(str::to_owned)));
        flags
    }

    /// Whether a table of this target, or a table with a condition, has flags. A condition counts even if it does not
    /// hold here: a user with such a table and flags of `build` loses the latter.
    fn has_target(&self, name: &str) -> bool {
        let tables = self.files.iter().filter_map(|(_, table)| at(table, &["target"])?.as_table());
        let mut ours = tables.flatten().filter(|(key, _)| key.as_str() == HOST || key.starts_with("cfg("));
        ours.any(|(_, target)| target.get(name).is_some()) || environment::variable(&of_target(name)).is_some()
    }
}

/// The variable that has flags of this target.
fn of_target(name: &str) -> String {
    format!("CARGO_TARGET_{}_{}", HOST.to_uppercase().replace('-', "_"), name.to_uppercase())
}

/// The value at a path of keys.
pub(crate) fn at<'a>(table: &'a Table, keys: &[&str]) -> Option<&'a Value> {
    let (first, rest) = keys.split_first()?;
    rest.iter().try_fold(table.get(*first)?, |value, key| value.get(key))
}

/// Flags in cargo's two forms: a list, or words in a text.
fn list(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => text.split_whitespace().map(str::to_owned).collect(),
        Value::Array(values) => values.iter().filter_map(|value| value.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    }
}

/// The flags that put the stand-in of this folder into a build.
fn ours(stand_in: &Path) -> Vec<String> {
    let folder = stand_in.display();
    vec![
        format!("--extern=std={folder}/libstd.rlib"),
        format!("--extern=core={folder}/libcore.rlib"),
        format!("-Ldependency={folder}"),
        String::from("--cfg=lastref"),
        // Without it `#[cfg(lastref)]` in a crate causes a warning, since cargo does not know the condition.
        String::from("--check-cfg=cfg(lastref)"),
        // rustix then calls libc. By itself it makes system calls, which are not simulated.
        String::from("--cfg=rustix_use_libc"),
    ]
}

/// The flags of the environment, and the variable that has them. An empty variable counts: for cargo it hides the flags
/// of the configuration, and ours would be hidden with them.
fn of_environment(variable: &str) -> Option<(String, Vec<String>)> {
    let encoded = format!("CARGO_ENCODED_{variable}");
    if environment::is_set(&encoded) {
        let text = environment::text(&encoded).unwrap_or_default();
        let flags = text.split(SEPARATOR).filter(|flag| !flag.is_empty()).map(str::to_owned).collect();
        return Some((encoded, flags));
    }
    if !environment::is_set(variable) {
        return None;
    }
    let text = environment::text(variable).unwrap_or_default();
    Some((variable.to_owned(), text.split_whitespace().map(str::to_owned).collect()))
}

/// Adds the flags to a command of cargo's.
pub(crate) fn add_to(command: &mut Command, configuration: &Configuration, stand_in: &Path) -> Result<(), Error> {
    for (variable, name) in KINDS {
        let mut ours = ours(stand_in);
        if name == "rustflags" {
            ours.push(LINTS.to_owned());
        }
        if let Some((origin, mut flags)) = of_environment(variable) {
            refuse_abort(&origin, &flags)?;
            flags.extend(ours);
            command.env(format!("CARGO_ENCODED_{variable}"), flags.join(SEPARATOR));
            continue;
        }
        let mut flags = Vec::new();
        if !configuration.has_target(name) {
            flags = configuration.of_build(name);
            refuse_abort(&format!("`build.{name}` of cargo's configuration"), &flags)?;
        }
        flags.extend(ours);
        // cargo cannot merge a list into a text, but it appends the words of this variable to the text.
        if configuration.value(&["target", HOST, name]).is_some_and(|(_, value)| value.is_str()) {
            let variable = of_target(name);
            flags.splice(0..0, environment::text(&variable));
            command.env(variable, flags.join(" "));
            continue;
        }
        let list = Value::Array(flags.into_iter().map(Value::String).collect());
        command.arg("--config").arg(format!("target.{HOST}.{name}={list}"));
    }
    Ok(())
}

/// A panic that aborts ends the process instead of the run.
fn refuse_abort(origin: &str, flags: &[String]) -> Result<(), Error> {
    let has_abort = flags.iter().any(|flag| flag.ends_with("panic=abort"));
    if has_abort { Err(Error::AbortFlag { origin: origin.to_owned() }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configuration(texts: &[&str]) -> Configuration {
        let files = texts.iter().map(|text| (PathBuf::from("config.toml"), text.parse().unwrap())).collect();
        Configuration { files }
    }

    /// The arguments for cargo if the environment has no flags.
    fn arguments(configuration: &Configuration) -> Vec<String> {
        let mut command = Command::new("cargo");
        add_to(&mut command, configuration, Path::new("/a b")).unwrap();
        command.get_args().map(|word| word.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn ours_join_the_flags_of_build_and_keep_a_blank_in_a_path() {
        let own = configuration(&["build.rustflags = ['-Cnear']", "build.rustflags = '-C far'"]);
        let told = arguments(&own);
        assert_eq!(told[0], "--config");
        let start =
            "target.x86_64-unknown-linux-gnu.rustflags=[\"-C\", \"far\", \"-Cnear\", \"--extern=std=/a b/libstd.rlib\"";
        assert!(told[1].starts_with(start), "{told:?}");
        assert!(told[3].starts_with("target.x86_64-unknown-linux-gnu.rustdocflags=[\"--extern=std="), "{told:?}");
        // cargo reads it as TOML.
        assert!(told[1].parse::<Table>().is_ok(), "{told:?}");
    }

    #[test]
    fn a_table_of_a_target_hides_the_flags_of_build_as_for_cargo() {
        let both = configuration(&["build.rustflags = ['-Cx']\n[target.'cfg(unix)']\nrustflags = ['-Cy']"]);
        assert!(arguments(&both)[1].contains("rustflags=[\"--extern=std="));
    }

    #[test]
    fn a_flag_that_aborts_is_refused() {
        for text in ["build.rustflags = ['-Cpanic=abort']", "build.rustflags = '-C panic=abort'"] {
            let mut command = Command::new("cargo");
            let error = add_to(&mut command, &configuration(&[text]), Path::new("/a")).unwrap_err();
            assert!(error.to_string().contains("`build.rustflags` of cargo's configuration has `panic=abort`"));
        }
    }
}
