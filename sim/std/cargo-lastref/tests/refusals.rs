//! Impossible requests are refused in one sentence, with exit code 2, before anything is built.

mod scratch;

use scratch::{Run, Scratch};

/// Exit code 2, nothing on stdout, and on stderr exactly this line.
#[track_caller]
fn check(run: &Run, said: &str) {
    assert_eq!((run.stdout.as_str(), run.stderr.trim_end(), run.code), ("", said, Some(2)));
}

/// A program that answers as a compiler would.
fn compiler(scratch: &Scratch, told: &str) -> String {
    use std::os::unix::fs::PermissionsExt;
    scratch.write("fake-rustc", &format!("#!/bin/sh\nprintf '{told}'\n"));
    let path = scratch.path().join("fake-rustc");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("our own file");
    path.display().to_string()
}

#[test]
fn a_folder_without_a_crate() {
    let scratch = Scratch::new(&[]);
    std::fs::remove_file(scratch.path().join("Cargo.toml")).expect("it is there");
    let folder = scratch.path().canonicalize().expect("it is there");
    let said = format!("could not find `Cargo.toml` in `{}` or any parent directory", folder.display());
    check(&scratch.run(&["test"]), &format!("cargo lastref: {said}"));
}

#[test]
fn a_compiler_for_another_system_an_old_one_and_none() {
    let scratch = Scratch::new(&[]);
    let with = |told: &str| {
        let path = compiler(&scratch, told);
        (Run::of(scratch.command(&["test"]).env("RUSTC", &path).output().expect("it starts")), path)
    };
    let (run, _) = with("rustc\\nhost: aarch64-unknown-linux-gnu\\nrelease: 1.95.0\\n");
    check(
        &run,
        "cargo lastref: lastref runs on x86-64 Linux with glibc (x86_64-unknown-linux-gnu), and this compiler is for \
         aarch64-unknown-linux-gnu",
    );
    let (run, path) = with("rustc\\nhost: x86_64-unknown-linux-gnu\\nrelease: 1.80.1\\n");
    check(&run, &format!("cargo lastref: lastref needs rustc 1.95 or newer, and `{path}` is 1.80.1"));
    let (run, path) = with("hello\\n");
    check(&run, &format!("cargo lastref: the output of `{path} -vV` is not that of a Rust compiler"));
    let run = Run::of(scratch.command(&["test"]).env("RUSTC", "/none").output().expect("it starts"));
    check(&run, "cargo lastref: `/none` cannot be started: No such file or directory (os error 2)");
}

#[test]
fn a_profile_that_aborts() {
    let scratch = Scratch::new(&[("src/main.rs", "fn main() {}\n")]);
    let manifest = std::fs::read_to_string(scratch.path().join("Cargo.toml")).expect("it is there");
    scratch.write(
        "Cargo.toml",
        &format!("{manifest}[profile.release]\npanic = 'abort'\n[profile.own]\ninherits = 'release'\n"),
    );
    let root = scratch.path().canonicalize().expect("it is there");
    let said = |variable: &str| {
        format!(
            "cargo lastref: profile `release` of `{}/Cargo.toml` says panic=abort, and lastref observes panics as they \
             unwind; set `panic = \"unwind\"`, or run it with {variable}=unwind",
            root.display()
        )
    };
    check(&scratch.run(&["build", "--release"]), &said("CARGO_PROFILE_RELEASE_PANIC"));
    check(&scratch.run(&["run", "--profile", "own"]), &said("CARGO_PROFILE_OWN_PANIC"));
    let mut command = scratch.command(&["test"]);
    let run = Run::of(command.env("RUSTFLAGS", "-C panic=abort").output().expect("it starts"));
    check(
        &run,
        "cargo lastref: RUSTFLAGS has `panic=abort`, and lastref observes panics as they unwind; remove that flag",
    );
}

#[test]
fn a_target_of_another_system() {
    let scratch = Scratch::new(&[]);
    check(
        &scratch.run(&["test", "--target", "wasm32-wasip1"]),
        "cargo lastref: tests run on this machine, so `--target wasm32-wasip1` cannot be chosen; leave the flag out",
    );
}

#[test]
fn a_cache_that_cannot_be_written() {
    let scratch = Scratch::new(&[]);
    let mut command = scratch.command(&["test"]);
    let run = Run::of(command.env("LASTREF_CACHE", "/dev/null/cache").output().expect("it starts"));
    check(&run, "cargo lastref: `/dev/null/cache` cannot be written: Not a directory (os error 20)");
}

#[test]
fn a_configuration_that_does_not_parse() {
    let scratch = Scratch::new(&[(".cargo/config.toml", "build = [\n")]);
    let run = scratch.run(&["test"]);
    assert_eq!((run.stdout.as_str(), run.code), ("", Some(2)));
    assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
    assert!(run.stderr.starts_with("cargo lastref: ") && run.stderr.contains("config.toml"), "{}", run.stderr);
}

#[test]
fn flags_and_tokens_that_are_none() {
    let scratch = Scratch::new(&[]);
    for (arguments, said) in [
        (&["test", "--schedules", "0"][..], "invalid value '0' for '--schedules <N>': the minimum is 1"),
        (&["test", "--lib", "--nope"], "unexpected argument '--nope' found"),
        (&["test", "--", "--format=json"], "unexpected argument '--format' found"),
        (&["test", "--", "--ignored", "--include-ignored"], "cannot be used with"),
        (&["test", "--strategy", "fifo"], "`fifo` is not a strategy: one of "),
        (&["replay", "abc"], "`abc` is not a token of `cargo lastref`: a token begins with `lrs1/`"),
        (&["shrink", "lrs1/scratch/lib"], "`lrs1/scratch/lib` is truncated: it has 3 of 6 fields"),
        (&["show", "lrs1/a/lib/b/c/d"], "`lrs1/a/lib/b/c/d` is damaged: its check digits do not match"),
        (&["replay"], "the following required arguments were not provided: <TOKEN>"),
        (&["bench"], "unrecognized subcommand 'bench'"),
    ] {
        let run = scratch.run(arguments);
        assert_eq!((run.stdout.as_str(), run.code), ("", Some(2)), "{arguments:?}");
        assert!(
            run.stderr.starts_with("cargo lastref: ") && run.stderr.contains(said),
            "{arguments:?}: {}",
            run.stderr
        );
        assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
    }
}

#[test]
fn help_and_version_are_answers() {
    let scratch = Scratch::new(&[]);
    scratch.run(&["--help"]).check(0, &["replay", "shrink", "130  interrupted"]);
    scratch.run(&["test", "--help"]).check(0, &["--schedules", "--features", "--explore-time"]);
    scratch.run(&["--version"]).check(0, &["cargo lastref 0.1.0"]);
    scratch.run(&[]).check(2, &["Usage: cargo lastref"]);
}
