//! Embeds the sources of the stand-in, which the program compiles with the user's own compiler at first use.
//!
//! The sources are those of this repository: the kernel, the runtime, the macros, and the crates named `std` and
//! `core`. The workspace's manifest is reduced to what they need, and its lock file says which versions of their
//! dependencies.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// The embedded files and folders, as paths in the repository. A folder is embedded with everything in it.
const SOURCES: [&str; 13] = [
    "Cargo.lock",
    "sim/kernel/Cargo.toml",
    "sim/kernel/src",
    "sim/src/ledger",
    "sim/src/property.rs",
    "sim/src/random.rs",
    "sim/src/simulate.rs",
    "sim/std/crates/core",
    "sim/std/crates/std",
    "sim/std/macros/Cargo.toml",
    "sim/std/macros/src",
    "sim/std/runtime/Cargo.toml",
    "sim/std/runtime/src",
];

/// The members of the workspace in which they are built.
const MEMBERS: &str =
    "[workspace]\nresolver = \"3\"\nmembers = [\"sim/kernel\", \"sim/std/macros\", \"sim/std/runtime\"]\n";

fn main() {
    let here = variable("CARGO_MANIFEST_DIR");
    let root = here.ancestors().nth(3).expect("the package is three folders below the root of the repository");
    let mut files: Vec<PathBuf> = Vec::new();
    for source in SOURCES {
        add(&root.join(source), &mut files);
    }
    files.sort();
    let mut texts: Vec<(String, String)> = files.iter().map(|path| (relative(path, root), read(path))).collect();
    texts.push((String::from("Cargo.toml"), workspace(&read(&root.join("Cargo.toml")))));
    println!("cargo::rerun-if-changed={}", root.join("Cargo.toml").display());

    let mut digest = Digest(0xcbf2_9ce4_8422_2325);
    let mut list = String::new();
    for (path, text) in &mut texts {
        if path.ends_with("Cargo.toml") {
            *text = without_tests(text);
        }
        digest.add(path);
        digest.add(text);
        writeln!(list, "    ({path:?}, {text:?}),").expect("a text can be written");
    }
    // The result also depends on the code that builds the sources.
    digest.add(&read(&here.join("src/standin/build.rs")));
    let digest = digest.0;
    let code = format!(
        "/// Paths and texts of the embedded files.\npub(super) static FILES: &[(&str, &str)] = &[\n{list}];\n\n\
         /// Names exactly these texts.\npub(super) const DIGEST: &str = \"{digest:016x}\";\n"
    );
    fs::write(variable("OUT_DIR").join("sources.rs"), code).expect("the folder for generated code can be written");
}

#[expect(clippy::disallowed_methods, reason = "this is how cargo speaks to a build script")]
fn variable(name: &str) -> PathBuf {
    PathBuf::from(env::var_os(name).unwrap_or_else(|| panic!("cargo sets {name}")))
}

/// Adds a file, or all files of a folder.
fn add(path: &Path, files: &mut Vec<PathBuf>) {
    println!("cargo::rerun-if-changed={}", path.display());
    if path.is_dir() {
        let entries = fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for entry in entries {
            add(&entry.expect("a readable folder").path(), files);
        }
    } else {
        files.push(path.to_owned());
    }
}

fn relative(path: &Path, root: &Path) -> String {
    let relative = path.strip_prefix(root).expect("the file is in the repository");
    relative.to_str().expect("names of sources are Unicode").to_owned()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The parts of the workspace's manifest that members refer to.
fn workspace(manifest: &str) -> String {
    const KEPT: [&str; 3] = ["[workspace.package]", "[workspace.dependencies]", "[workspace.lints."];
    MEMBERS.to_owned() + &sections(manifest, |header| KEPT.iter().any(|kept| header.starts_with(kept)))
}

/// The manifest without what only tests and benchmarks need, so that none of it is ever resolved.
fn without_tests(manifest: &str) -> String {
    const LEFT_OUT: [&str; 4] = ["[dev-dependencies", "[[bench]]", "[[example]]", "[[test]]"];
    sections(manifest, |header| !LEFT_OUT.iter().any(|start| header.starts_with(start)))
}

/// The sections whose header is kept.
fn sections(manifest: &str, keep: impl Fn(&str) -> bool) -> String {
    let mut is_kept = keep("");
    let mut text = String::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            is_kept = keep(line);
        }
        if is_kept {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

/// FNV-1a, 64 bits. It distinguishes versions of the sources; it need not resist forgery.
struct Digest(u64);

impl Digest {
    fn add(&mut self, text: &str) {
        // A byte that no text contains marks the end of each text.
        for byte in text.bytes().chain([0xff]) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}
