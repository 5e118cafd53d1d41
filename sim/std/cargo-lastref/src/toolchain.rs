//! The user's own compiler: its identity, and the check that lastref works with it.
//!
//! The stand-in is built by the same compiler as the crate, since rlibs of another one cannot be linked. So the
//! compiler is checked before the build, and a wrong one is refused in one sentence.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::environment;
use crate::error::Error;

/// The one system that the runtime is written for.
pub(crate) const HOST: &str = "x86_64-unknown-linux-gnu";
/// The lowest supported minor version of rustc 1, the same as in the kernel's `rust-version`.
const MINOR_MIN: u64 = 95;

/// A compiler and its cargo.
#[derive(Clone, Debug)]
pub(crate) struct Toolchain {
    /// The cargo that called this program, else the one on PATH.
    pub(crate) cargo: PathBuf,
    /// The compiler itself, not rustup's proxy: the proxy chooses by folder, and the stand-in is built in another one.
    pub(crate) rustc: PathBuf,
    /// As in `1.95.0`.
    pub(crate) version: String,
    /// The commit hash, which identifies the compiler. A compiler built from a tarball has none, and its version is
    /// used.
    pub(crate) commit: String,
    /// The folders of the compiler's libraries, which the tests of a proc macro load.
    pub(crate) libraries: Vec<PathBuf>,
}

impl Toolchain {
    /// Queries the compiler that cargo would use in this folder.
    pub(crate) fn find() -> Result<Toolchain, Error> {
        let rustc = environment::path("RUSTC").unwrap_or_else(|| PathBuf::from("rustc"));
        let told = output(&rustc, &["-vV"])?;
        let cargo = environment::path("CARGO").unwrap_or_else(|| PathBuf::from("cargo"));
        let mut toolchain = Toolchain::read(&told, rustc, cargo)?;
        let sysroot = output(&toolchain.rustc, &["--print", "sysroot"])?;
        let sysroot = Path::new(sysroot.trim());
        toolchain.libraries = vec![sysroot.join("lib/rustlib").join(HOST).join("lib"), sysroot.join("lib")];
        let itself = sysroot.join("bin/rustc");
        if itself.is_file() {
            toolchain.rustc = itself;
        }
        Ok(toolchain)
    }

    fn read(told: &str, rustc: PathBuf, cargo: PathBuf) -> Result<Toolchain, Error> {
        let field = |name: &str| {
            let mut lines = told.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            lines.next().map(str::to_owned)
        };
        let (Some(host), Some(version)) = (field("host"), field("release")) else {
            return Err(Error::NotRustc { rustc });
        };
        if host != HOST {
            return Err(Error::Host { host });
        }
        let minor = version.strip_prefix("1.").and_then(|rest| rest.split('.').next()?.parse::<u64>().ok());
        if minor.is_some_and(|minor| minor < MINOR_MIN) {
            return Err(Error::Old { rustc, version, needed: MINOR_MIN });
        }
        let commit = field("commit-hash").filter(|hash| hash != "unknown").unwrap_or_else(|| version.clone());
        Ok(Toolchain { cargo, rustc, version, commit, libraries: Vec::new() })
    }
}

/// The stdout of a program that must succeed.
fn output(program: &Path, arguments: &[&str]) -> Result<String, Error> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .map_err(|source| Error::Start { program: program.to_owned(), source })?;
    if !output.status.success() {
        // rustup's own error, such as a toolchain that is not installed.
        return Err(Error::Project(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(told: &str) -> Result<Toolchain, Error> {
        Toolchain::read(told, PathBuf::from("rustc"), PathBuf::from("cargo"))
    }

    #[track_caller]
    fn check(told: &str, said: &str) {
        assert_eq!(read(told).unwrap_err().to_string(), said);
    }

    #[test]
    fn a_compiler_that_does_not_fit_is_refused_in_a_sentence() {
        check(
            "rustc 1.95.0\nhost: aarch64-apple-darwin\nrelease: 1.95.0\n",
            "lastref runs on x86-64 Linux with glibc (x86_64-unknown-linux-gnu), and this compiler is for \
             aarch64-apple-darwin",
        );
        check(
            "host: x86_64-unknown-linux-musl\nrelease: 1.95.0\n",
            "lastref runs on x86-64 Linux with glibc (x86_64-unknown-linux-gnu), and this compiler is for \
             x86_64-unknown-linux-musl",
        );
        check(
            "host: x86_64-unknown-linux-gnu\nrelease: 1.94.1\n",
            "lastref needs rustc 1.95 or newer, and `rustc` is 1.94.1",
        );
        check("gcc 12", "the output of `rustc -vV` is not that of a Rust compiler");
    }

    #[test]
    fn a_compiler_is_named_by_its_commit() {
        let known = read("host: x86_64-unknown-linux-gnu\nrelease: 1.95.0\ncommit-hash: 5980\n").unwrap();
        assert_eq!((known.commit.as_str(), known.version.as_str()), ("5980", "1.95.0"));
        let packaged = read("host: x86_64-unknown-linux-gnu\nrelease: 1.96.0-nightly\ncommit-hash: unknown\n").unwrap();
        assert_eq!(packaged.commit, "1.96.0-nightly");
    }
}
