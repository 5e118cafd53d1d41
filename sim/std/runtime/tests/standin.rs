//! The stand-in as a whole: `std` and `core` are built, and plain programs are compiled with them.
//!
//! No registry is needed, only what the workspace has built anyway.

#[path = "standin/documented.rs"]
mod documented;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

const EDITIONS: [&str; 4] = ["2015", "2018", "2021", "2024"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../")
}

/// A folder for what these tests build: that of cargo's other intermediate files.
fn scratch() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

/// The output of a command that succeeds.
#[track_caller]
fn succeeds(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {text}{}", String::from_utf8_lossy(&output.stdout));
    output
}

/// Builds the stand-in once.
fn standin() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let out = scratch().join("standin");
        // rustc finds dependencies by name in it, so it must not hold those of an older build.
        let _ = fs::remove_dir_all(&out);
        let mut build = Command::new(folder().join("build.sh"));
        succeeds(build.arg(&out).env("CARGO_TARGET_DIR", scratch()).env("CARGO_NET_OFFLINE", "true"));
        out
    })
}

/// Compiles a suite with the stand-in.
#[track_caller]
fn compiled(source: &str, edition: &str, level: &str) -> PathBuf {
    /// Those that this process has compiled.
    static PROGRAMS: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    let program = scratch().join(format!("{source}-{edition}-{level}"));
    let mut programs = PROGRAMS.lock().unwrap_or_else(PoisonError::into_inner);
    if programs.contains(&program) {
        return program;
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/standin").join(format!("{source}.rs"));
    let lib = standin();
    let dependency = format!("dependency={}", lib.display());
    let [std, core] = ["std", "core"].map(|name| format!("{name}={}", lib.join(format!("lib{name}.rlib")).display()));
    let mut rustc = Command::new("rustc");
    rustc.args(["--test", "--edition", edition, "-C", &format!("opt-level={level}"), "-C", "debuginfo=1"]);
    rustc.args(["--extern", &std, "--extern", &core, "-L", &dependency, "--cfg", "lastref", "-A", "warnings"]);
    succeeds(rustc.arg(source).arg("-o").arg(&program));
    programs.insert(program.clone());
    program
}

/// The output of a test of a suite, and its report.
fn run(program: &Path, test: &str, settings: &[(&str, &str)]) -> (bool, String, String) {
    run_by(Command::new(program), program, test, settings)
}

/// Like [`run`], by a command that starts the program.
fn run_by(mut command: Command, program: &Path, test: &str, settings: &[(&str, &str)]) -> (bool, String, String) {
    // Tests run side by side, and several run one program.
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    let nth = RUNS.fetch_add(1, Ordering::Relaxed);
    let report = scratch().join(format!("{}-{test}-{nth}.json", program.file_name().unwrap_or_default().display()));
    let _ = fs::remove_file(&report);
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env("LASTREF_REPORT", &report);
    let output = command.envs(settings.iter().copied()).output().expect("the program starts");
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.success(), text, fs::read_to_string(&report).unwrap_or_default())
}

#[track_caller]
fn check(program: &Path, test: &str, passes: bool, parts: &[&str]) {
    let (passed, text, report) = run(program, test, &[("LASTREF_SCHEDULES", "200")]);
    assert_eq!(passed, passes, "{test}: {text}{report}");
    for part in parts {
        assert!(report.contains(part), "{test}: `{part}` is not in {report}");
    }
}

#[test]
fn every_replaced_name_is_ours_in_every_edition() {
    for edition in EDITIONS {
        let program = compiled("paths", edition, "0");
        for test in ["names", "test_by_path", "calls"] {
            check(&program, test, true, &["\"verdict\":\"clean\"", "\"schedules\":200"]);
        }
        check(&compiled("bare", edition, "0"), "is_simulated", true, &["\"verdict\":\"clean\""]);
    }
}

/// The names that the crate `std` or `core` takes from the runtime, without their modules.
fn replaced(name: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(folder().join("crates").join(name).join("lib.rs")).expect("the crate is there");
    // `pub use lastref_runtime::thread::{spawn, ...};`, over several lines.
    let uses = text.split("pub use lastref_runtime::").skip(1).map(|rest| &rest[..rest.find(';').unwrap_or(0)]);
    let words = uses.flat_map(|list| list.split(|character: char| !character.is_alphanumeric() && character != '_'));
    let modules = ["atomic", "mpsc", "sync", "thread", ""];
    words.filter(|word| !modules.contains(word)).map(str::to_owned).collect()
}

/// A replaced name that `paths.rs` does not check could silently be the real one.
#[test]
fn the_proof_looks_at_every_replaced_name() {
    let paths = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/standin/paths.rs"));
    let paths = paths.expect("the proof is there");
    for name in ["std", "core"] {
        let names = replaced(name);
        assert!(names.len() > 15, "{name}: {names:?}");
        for replaced in names {
            let path = |separator| format!("{name}::{separator}{replaced}");
            let modules = ["", "sync::", "sync::atomic::", "sync::mpsc::", "thread::", "hint::"];
            // Not a part of a longer name: `park` is not checked where `park_timeout` is.
            let ends = |rest: &str| !rest.starts_with(|letter: char| letter.is_alphanumeric() || letter == '_');
            let is_named = modules.iter().any(|module| paths.split(path(module).as_str()).skip(1).any(ends));
            assert!(is_named, "{name}: {replaced} is replaced, and paths.rs does not look at it");
        }
    }
}

/// The stable items that the stand-in leaves real, in modules of which it replaces others. An item that is neither here
/// nor replaced is new: replace it if it blocks, schedules or counts; otherwise add it here.
const REAL: [(&str, &str); 9] = [
    // All modules of std, so that a new one is noticed.
    (
        "std",
        "alloc any arch array ascii backtrace borrow boxed char clone cmp collections cell convert default env error f32 \
         f64 ffi fmt fs future hash hint i128 i16 i32 i64 i8 io isize iter marker mem net num ops option os panic path pin \
         prelude primitive process ptr range rc result slice str string sync task thread time u128 u16 u32 u64 u8 usize vec",
    ),
    // The guards and errors of the stand-in's locks are real std's, and so are the locks inside. Arc cannot be
    // replaced.
    (
        "std::sync",
        "Arc BarrierWaitResult LockResult MutexGuard OnceState PoisonError RwLockReadGuard RwLockWriteGuard TryLockError \
         TryLockResult WaitTimeoutResult Weak atomic mpsc",
    ),
    ("std::sync::atomic", "Ordering compiler_fence"),
    ("std::sync::mpsc", "RecvError RecvTimeoutError SendError TryRecvError TrySendError"),
    ("std::thread", "Result panicking"),
    ("std::hint", "assert_unchecked black_box cold_path select_unpredictable unreachable_unchecked"),
    ("core::sync", "atomic"),
    ("core::sync::atomic", "Ordering compiler_fence"),
    ("core::hint", "assert_unchecked black_box cold_path select_unpredictable unreachable_unchecked"),
];

/// Documented items of the replaced types that the stand-in's types lack.
const MISSING: [&str; 2] = [
    // The stand-in's types have no `Drop` of their own, since their fields do the work. Programs do not use `Drop` as a
    // bound.
    "std::sync::LazyLock: std::ops::Drop for std::sync::LazyLock<u8, fn() -> u8>",
    "std::sync::OnceLock: std::ops::Drop for std::sync::OnceLock<u8>",
];

#[expect(clippy::disallowed_methods, reason = "how much is tested may depend on the environment; no run sees it")]
fn is_thorough() -> bool {
    std::env::var_os("LASTREF_THOROUGH").is_some()
}

/// The folder of the compiler's documents, which a minimal installation lacks.
fn documents() -> Option<PathBuf> {
    let found = documented::folder();
    assert!(found.is_some() || !is_thorough(), "rust-docs is not installed: rustup component add rust-docs");
    if found.is_none() {
        eprintln!("rust-docs is not installed, so nothing is compared: rustup component add rust-docs");
    }
    found
}

#[test]
fn every_stable_item_of_the_installed_compiler_is_replaced_or_known_to_stay_real() {
    let Some(folder) = documents() else { return };
    let mut differences = Vec::new();
    for (module, real) in REAL {
        let name = module.split("::").next().unwrap_or(module);
        let replaced = replaced(name);
        let real: BTreeSet<&str> = real.split_whitespace().collect();
        let listed = documented::items(&folder, module);
        // Of the root only its modules: its macros and primitive types hold no state.
        let listed: Vec<_> = listed.iter().filter(|item| module != "std" || item.kind == "mod").collect();
        assert!(!listed.is_empty(), "{module}");
        let names: BTreeSet<&str> = listed.iter().map(|item| item.name.as_str()).collect();
        let new = names.iter().filter(|name| !real.contains(**name) && !replaced.contains(**name));
        differences.extend(new.map(|name| format!("{module}::{name} is new")));
        differences.extend(real.difference(&names).map(|name| format!("{module}::{name} is gone")));
    }
    assert!(differences.is_empty(), "{differences:#?}");
}

/// The names of the probes that do not compile with these arguments of rustc. Probes of traits are functions, and rustc
/// does not look at the bodies of other functions once one of their bounds fails: the two kinds need a file each.
fn failing(probes: &[documented::Probe], arguments: &[String]) -> BTreeSet<String> {
    let (traits, members): (Vec<_>, Vec<_>) = probes.iter().partition(|probe| probe.code.starts_with("fn "));
    let of_traits = failing_in("traits", &traits, arguments, |code| code.to_owned());
    let of_members = failing_in("members", &members, arguments, |code| format!("fn probe() {{ {code} }}"));
    of_traits.union(&of_members).cloned().collect()
}

fn failing_in(
    kind: &str,
    probes: &[&documented::Probe],
    arguments: &[String],
    function: impl Fn(&str) -> String,
) -> BTreeSet<String> {
    // A probe a line: the number of a line in an error is the number of the probe.
    let code = probes.iter().zip(0..).map(|(probe, nth)| format!("mod probe{nth} {{ {} }}\n", function(&probe.code)));
    let file = scratch().join(format!("{kind}-{}.rs", arguments.len()));
    let text = format!("#![allow(warnings)] extern crate alloc;\n{}", code.collect::<String>());
    fs::write(&file, text).expect("the folder can be written");
    let mut rustc = Command::new("rustc");
    rustc.args(["--edition", "2024", "--crate-type", "lib", "--emit", "metadata", "--error-format", "short"]);
    let output = rustc.args(arguments).arg(&file).arg("--out-dir").arg(scratch()).output().expect("rustc starts");
    let text = String::from_utf8_lossy(&output.stderr);
    let errors = text.lines().filter(|line| line.contains(": error"));
    let line_of = |line: &str| line.split(':').nth(1)?.parse::<usize>().ok();
    errors.filter_map(|line| probes.get(line_of(line)?.checked_sub(2)?)).map(|probe| probe.name.clone()).collect()
}

#[test]
fn the_replaced_types_have_the_methods_and_traits_that_the_installed_compiler_documents() {
    let Some(folder) = documents() else { return };
    let replaced = replaced("std");
    let is_type = |item: &&documented::Item| item.kind == "struct" && replaced.contains(&item.name);
    let mut probes = Vec::new();
    for (module, _) in REAL.iter().filter(|(module, _)| module.starts_with("std::")) {
        let items = documented::items(&folder, module);
        probes.extend(items.iter().filter(is_type).flat_map(|item| documented::probes(module, item)));
    }
    for known in ["std::sync::Mutex::lock", "std::thread::Builder::spawn_scoped"] {
        assert!(probes.iter().any(|probe| probe.name == known), "no probe for {known}");
    }
    let lib = standin();
    let [std, core] =
        ["std", "core"].map(|name| format!("--extern={name}={}", lib.join(format!("lib{name}.rlib")).display()));
    // A name that no type has: the probes notice it.
    let unknown = |name: &str, code: &str| documented::Probe { name: name.to_owned(), code: code.to_owned() };
    let unknown = [
        unknown("member", "let _ = <std::sync::Once>::nothing;"),
        unknown("trait", "fn probe() where std::sync::Once: std::marker::Copy {}"),
    ];
    assert_eq!(failing(&unknown, &[]).len(), 2);
    let with_standin = failing(&probes, &[std, core, format!("-Ldependency={}", lib.display())]);
    let with_real = failing(&probes, &[]);
    // These are probes with a type that only a caller can supply, and probes of unstable traits.
    assert!(with_real.len() * 5 < probes.len(), "{} of {} probes: {with_real:#?}", with_real.len(), probes.len());
    let missing: Vec<&str> = with_standin.difference(&with_real).map(String::as_str).collect();
    assert_eq!(missing, MISSING, "{} probes", probes.len());
}

#[test]
fn a_plain_suite_keeps_its_meaning_under_many_schedules() {
    let program = compiled("suite", "2021", "0");
    check(&program, "correct", true, &["\"test\":\"correct\"", "\"verdict\":\"clean\""]);
    check(&program, "result", true, &["clean"]);
    check(&program, "panics", true, &["clean"]);
    check(&program, "panics_with_text", true, &["clean"]);
    check(&program, "lost_wake_up", false, &["\"kind\":\"deadlock\"", "wait Condvar#0", "\"events\":[{"]);
    check(&program, "result_is_an_error", false, &["\"kind\":\"panic\"", "returned Error: ParseIntError"]);
    check(&program, "panics_with_another_text", false, &["\"kind\":\"panic\"", "as it should"]);
    check(&program, "does_not_panic", false, &["should have panicked"]);
    let (passed, text, report) = run(&program, "ignored", &[]);
    assert!(passed && text.contains("1 ignored") && report.is_empty(), "{text}{report}");
}

#[test]
fn without_schedules_a_suite_runs_once_on_real_threads() {
    let program = compiled("suite", "2021", "0");
    let (passed, text, report) = run(&program, "correct", &[("LASTREF_SCHEDULES", "0")]);
    assert!(passed && report.is_empty(), "{text}{report}");
}

#[test]
fn malformed_settings_are_one_line_and_exit_code_2() {
    let program = compiled("suite", "2021", "0");
    for (variable, value) in [("LASTREF_STEPS", "-1"), ("LASTREF_SETTINGS", "cold=1"), ("LASTREF_REPLAY", "ls1,mix")] {
        let mut command = Command::new(&program);
        let output = command.args(["--exact", "correct", "--nocapture"]).env(variable, value).output();
        let output = output.expect("the program starts");
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{variable}: {text}");
        assert_eq!(text.lines().filter(|line| line.contains(variable)).count(), 1, "{text}");
    }
}

/// The value of a field of a report.
fn field<'a>(report: &'a str, name: &str) -> &'a str {
    let start = report.find(&format!("\"{name}\":")).map_or(0, |at| at + name.len() + 3);
    let rest = &report[start..];
    &rest[..rest.find([',', '}']).unwrap_or(rest.len())]
}

/// A command that starts the program at fixed addresses; `None` where the system does not allow it, as in some
/// containers.
fn without_aslr(program: &Path) -> Option<Command> {
    let starts = |program: &Path| {
        let mut command = Command::new("setarch");
        command.arg("-R").arg(program);
        command
    };
    let is_allowed = starts(Path::new("true")).status().is_ok_and(|status| status.success());
    is_allowed.then(|| starts(program))
}

#[test]
fn a_seed_has_the_same_trace_in_every_process_at_every_level_and_at_any_address() {
    let programs = ["0", "3"].map(|level| compiled("suite", "2021", level));
    for test in ["correct", "lost_wake_up"] {
        let mut traces = BTreeSet::new();
        let mut orders = BTreeSet::new();
        let random = programs.iter().map(|program| (Command::new(program), program));
        let again = programs.iter().map(|program| (Command::new(program), program));
        let fixed = programs.iter().filter_map(|program| Some((without_aslr(program)?, program)));
        for (command, program) in random.chain(again).chain(fixed) {
            let settings = [("LASTREF_SEED", "0x2a"), ("LASTREF_SCHEDULES", "300")];
            let (_, text, report) = run_by(command, program, test, &settings);
            traces.insert(["traces_hash", "schedules", "steps"].map(|name| field(&report, name).to_owned()));
            orders.insert(text.lines().filter(|line| line.contains("order [")).collect::<String>());
        }
        assert_eq!((traces.len(), orders.len()), (1, 1), "{test}: {traces:?} {orders:?}");
        let (_, _, other) = run(&programs[0], test, &[("LASTREF_SEED", "0x2b"), ("LASTREF_SCHEDULES", "300")]);
        let other = field(&other, "traces_hash").to_owned();
        // The finding of the other test may come in a reference run, which has no seed of its own.
        assert!(test == "lost_wake_up" || traces.iter().all(|trace| trace[0] != other), "another seed, other traces");
    }
}
