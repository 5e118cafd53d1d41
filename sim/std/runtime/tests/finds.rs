//! Programs with a planted bug and their correct twins: the bug is found, the twin stays clean.
//!
//! They are written against the runtime's own types. `tests/standin.rs` shows that a plain program, whose `std` is the
//! stand-in, reaches the same types.

mod programs;

use std::sync::{Arc, Mutex};

use lastref_runtime::atomic::{AtomicUsize, Ordering};
use lastref_runtime::testing::{Explored, explore};
use lastref_runtime::{is_simulated, thread};
use libtest_mimic::{Arguments, Failed, Trial};
use programs::{clean, endless, heap, sockets, system, waiting};

type Code = fn();
type Check = fn() -> Result<(), Failed>;

/// Each program with a bug: its name, the kind of its finding, a part of the finding's text, and the correct twin.
const TWINS: [(&str, &str, &str, Code, Code); 24] = [
    ("a lost wake-up", "deadlock", "wait Condvar#0", waiting::lost_wake_up, waiting::kept_wake_up),
    ("two locks in two orders", "deadlock", "last taken by", waiting::ab_ba, waiting::ab_ab),
    ("a lost unpark", "deadlock", "park thread#", waiting::lost_unpark, waiting::kept_unpark),
    ("a receiver whose sender stays", "deadlock", "use Channel#0", waiting::kept_sender, waiting::dropped_sender),
    ("a read for which nobody writes", "deadlock", "wait descriptor#0", sockets::silence, sockets::pair),
    ("a deadlock beside a heartbeat", "stall", "last taken by", endless::ab_ba, endless::ab_ab),
    ("a flag without synchronisation", "panic", "left: 1", waiting::racy_count, waiting::atomic_count),
    ("a weak exchange that fails", "panic", "spurious failures", waiting::weak_once, waiting::weak_alone),
    ("a use after free", "use_after_free", "a freed block of 8 bytes", heap::use_after_free, heap::use_before_free),
    ("a write after free", "use_after_free", "freed block", heap::write_after_free, heap::use_before_free),
    ("an atomic that was freed", "use_after_free", "freed block", heap::freed_atomic, heap::use_before_free),
    ("a double free", "double_free", "stack of the first free", heap::double_free, heap::single_free),
    ("a leak", "leak", "a block of 40 bytes", heap::leak, heap::reachable),
    ("a leak before many allocations", "leak", "not kept", heap::leak_long_ago, heap::reachable),
    ("an overrun", "overrun", "a block of 24 bytes", heap::overrun, heap::within),
    ("a free with another layout", "bad_free", "another layout", heap::other_layout, heap::single_free),
    ("a free of a stack variable", "bad_free", "on the stack of main", heap::free_of_stack, heap::single_free),
    ("a free of a static", "bad_free", "a static or a constant", heap::free_of_static, heap::single_free),
    ("a vector on another stack that grows", "bad_free", "the stack of main", heap::growth_of_stack, heap::single_free),
    ("a thread-local value that panics", "crash", "aborts: in the destructor", clean::loud_local, clean::quiet_local),
    ("a panic after a backtrace", "panic", "a backtrace has frames", heap::panic_after_backtrace, heap::within),
    ("an access near null", "crash", "near null", heap::null, heap::within),
    ("a jump to a wrong address", "crash", "not mapped", heap::wild_jump, heap::within),
    ("a stack that overflows", "crash", "overflows its stack", heap::deep, heap::flat),
];

/// Correct programs that use the types and calls that the stand-in replaces.
const CLEAN: [(&str, Code); 41] = [
    ("locks, barriers and cells", clean::primitives),
    ("channels", clean::channels),
    ("scopes and handles", clean::threads),
    ("threads without memory for their stacks", clean::stacks_without_memory),
    ("thread-local values", clean::locals),
    ("time", clean::time),
    ("a stress test whose threads poll and write", clean::polls_that_write),
    ("a timer of the program's own under stress", clean::own_timer),
    ("a stress test that a sleeper stops", clean::work_while_another_sleeps),
    ("time limits of many exchanges", clean::limits_of_many_exchanges),
    ("signals", clean::signals),
    ("statics start afresh", clean::statics),
    ("a panic in a thread", clean::panics),
    ("connections over loopback", sockets::loopback),
    ("an event that is reported once", sockets::edge),
    ("an event that comes while a task begins to wait", sockets::late_event),
    ("a copy between a pipe and a socket", sockets::copy_of_pipe),
    ("a copy from a pipe to a pair of sockets", sockets::copy_to_pair),
    ("small writes in a row", sockets::small_writes),
    ("copies of a descriptor", sockets::copies),
    ("flags of a call", sockets::flags),
    ("writes larger than a buffer", sockets::large_writes),
    ("writes of several parts larger than a buffer", sockets::large_vectored_writes),
    ("system calls by number", system::by_number),
    ("pipes without flags", system::old_pipes),
    ("files that stay open", system::files_left_open),
    ("a child process that is polled", system::polled_child),
    ("sleeps of libc", system::sleeps),
    ("times of files", system::file_times),
    ("a lock on a file", system::file_lock),
    ("an event of a file", system::file_event),
    ("the working directory", system::folder),
    ("futexes with bits", system::futexes),
    ("clocks and times that Linux refuses", system::clocks),
    ("a timer with a descriptor", system::timer),
    ("the time stamp of a message", system::stamped_message),
    ("signals, the umask and standard output", system::changed_process),
    ("errno", system::errno),
    ("full queues of Unix sockets", sockets::full_queues),
    ("a poller that is polled", sockets::polled_poller),
    ("a run that uses much memory", heap::much),
];

fn check(name: &str, kind: Option<&str>, settings: &[(&str, &str)], code: Code) -> Result<Explored, Failed> {
    let explored = explore(name, settings, code)?;
    if explored.kind.as_deref() != kind {
        return Err(format!("expected {kind:?}, found {:?}: {}", explored.kind, explored.text).into());
    }
    Ok(explored)
}

/// The bug is found, its token finds it again with the same trace, and the twin is clean.
fn twins((name, kind, part, buggy, correct): (&str, &str, &str, Code, Code)) -> Result<(), Failed> {
    let found = check(name, Some(kind), &[], buggy)?;
    if !found.text.contains(part) {
        return Err(format!("`{part}` is not in {}", found.text).into());
    }
    let again = check(name, Some(kind), &[("LASTREF_REPLAY", &found.token)], buggy)?;
    if (again.trace_hash, &again.token) != (found.trace_hash, &found.token) {
        return Err(format!("the replay is another run: {found:?} and {again:?}").into());
    }
    let clean = check(name, None, &[("LASTREF_SCHEDULES", "300")], correct)?;
    // The twin must have been run.
    if clean.schedules != 300 {
        return Err(format!("the correct program made {} runs", clean.schedules).into());
    }
    Ok(())
}

/// Nothing is found, and every run ends within the bound on steps.
fn clean(name: &str, schedules: &str, code: Code) -> Result<(), Failed> {
    let explored = check(name, None, &[("LASTREF_SCHEDULES", schedules)], code)?;
    if explored.json.contains("\"skipped\"") {
        return Err(explored.json.into());
    }
    Ok(())
}

/// Memory from before the run may be freed in each run.
fn earlier_memory() -> Result<(), Failed> {
    heap::allocate_earlier();
    check("earlier", None, &[("LASTREF_SCHEDULES", "300")], heap::free_of_earlier).map(drop)
}

/// A closure with captured state: a reference from it to memory of the run is reported.
fn escaped_state() -> Result<(), Failed> {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let explored = explore("escaped", &[], move || {
        if let Ok(mut kept) = kept.lock() {
            kept.push(1_u64);
        }
    })?;
    if explored.kind.as_deref() != Some("escaped_state") {
        return Err(format!("{explored:?}").into());
    }
    Ok(())
}

/// Shrinking removes switches and keeps the finding; its token is that of the shorter run.
fn shrinks() -> Result<(), Failed> {
    let found = check("shrinks", Some("deadlock"), &[], waiting::ab_ba)?;
    let settings = [("LASTREF_REPLAY", found.token.as_str()), ("LASTREF_SHRINK", "1")];
    let shrunk = check("shrinks", Some("deadlock"), &settings, waiting::ab_ba)?;
    let switches = shrunk.token.matches('.').count() / 2;
    if !shrunk.token.contains(",shrunk,") || switches > 3 {
        return Err(format!("{switches} switches: {}", shrunk.token).into());
    }
    let again = check("shrinks", Some("deadlock"), &[("LASTREF_REPLAY", &shrunk.token)], waiting::ab_ba)?;
    if again.trace_hash != shrunk.trace_hash {
        return Err("the replay of the shrunk run is another run".into());
    }
    Ok(())
}

/// The search for a shorter run ends at its time limit with what it has.
fn shrinks_for_a_time() -> Result<(), Failed> {
    let found = check("shrinks", Some("deadlock"), &[], waiting::ab_ba)?;
    let settings = [("LASTREF_REPLAY", found.token.as_str()), ("LASTREF_SHRINK", "1")];
    let [no_time, time] = ["0", "60000"].map(|time| {
        let settings = [&settings[..], &[("LASTREF_FOR_MS", time)]].concat();
        check("shrinks", Some("deadlock"), &settings, waiting::ab_ba)
    });
    let [no_time, time] = [no_time?.token, time?.token];
    if !no_time.contains(",shrunk,") || no_time.len() <= time.len() {
        return Err(format!("without time {no_time}, with time {time}").into());
    }
    Ok(())
}

/// Guard pages change the kind of the finding. The later questions about its run are then about that kind.
fn another_kind_with_guards() -> Result<(), Failed> {
    let settings = [("LASTREF_EXPLORE_TIME", "1"), ("LASTREF_FAULTS", "short"), ("LASTREF_STRATEGY", "random")];
    let found = check("guards", Some("use_after_free"), &settings, heap::panic_after_free)?;
    if !found.text.contains("guard=1")
        || found.json.contains("\"early_timer_needed\":true")
        || found.token.contains("short")
    {
        return Err(found.json.into());
    }
    Ok(())
}

/// A spurious failure is in the table of a finding that needs it, and is left out of one that does not.
fn spurious_failures() -> Result<(), Failed> {
    let pins = [("LASTREF_SETTINGS", "guard=0")];
    let needed = check("weak", Some("panic"), &pins, waiting::weak_once)?;
    if !needed.json.contains("the exchange fails spuriously") || !needed.text.contains("weak=1") {
        return Err(needed.text.into());
    }
    // Weak exchanges fail in about half of these runs, and the finding does not depend on it.
    for seed in ["1", "2", "3", "4", "5", "6", "7", "8"] {
        let run = [("LASTREF_STRATEGY", "random"), ("LASTREF_RUN", seed)];
        let other = check("weak", Some("panic"), &run, waiting::weak_by_the_way)?;
        if other.json.contains("spurious failures") {
            return Err(other.text.into());
        }
    }
    Ok(())
}

/// Timers fire early only on request, and the report says that the finding needs an early timer.
fn early_timers() -> Result<(), Failed> {
    check("timers", None, &[], waiting::sleeps_for_order)?;
    let found = check("timers", Some("panic"), &[("LASTREF_EXPLORE_TIME", "1")], waiting::sleeps_for_order)?;
    // Work also advances the time.
    let worked = check("timers", Some("panic"), &[], waiting::sleeps_for_work)?;
    for found in [found, worked] {
        if !found.json.contains("\"early_timer_needed\":true") {
            return Err(found.text.into());
        }
    }
    Ok(())
}

/// Every run but the reference runs stalls: the test can end, but a later run does not.
fn late_stall() -> Result<(), Failed> {
    // A real counter, which no run restores.
    let runs = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let explored = explore("late stall", &[("LASTREF_STEPS", "250000")], move || {
        if runs.fetch_add(1, Ordering::SeqCst) >= 4 {
            loop {
                thread::yield_now();
            }
        }
    })?;
    if explored.kind.as_deref() != Some("stall") || explored.schedules != 1 {
        return Err(format!("{explored:?}").into());
    }
    // The report holds only the end of the run. With all of millions of events it would take longer than `--hang`
    // allows.
    let rows = explored.json.matches("\"source\":").count();
    if rows != 100_000 {
        return Err(format!("{rows} rows of a run of 250,000 steps").into());
    }
    Ok(())
}

/// Runs that reach their bound: the finding names what waits, what is active, and the token repeats it.
fn stalls() -> Result<(), Failed> {
    let endless: [(Code, &[&str]); 5] = [
        (
            endless::lock_twice,
            &["; main is blocked", "lock Mutex#0, last taken by main", "task.1: active", "stack of main"],
        ),
        (endless::no_answer, &["; main is blocked", "main: use Channel#", "task.1: active", "stack of main"]),
        (endless::spin_lock_twice, &["polls a value", "main: active, last operation: "]),
        (endless::try_lock_in_vain, &["polls a value", "main: active, last operation: "]),
        (endless::sleep_in_vain, &["polls a value", "main: active, last operation: "]),
    ];
    for (nth, (code, parts)) in endless.into_iter().enumerate() {
        let name = format!("stall {nth}");
        let found = check(&name, Some("stall"), &[], code)?;
        if let Some(part) = parts.iter().find(|part| !found.text.contains(*part)) {
            return Err(format!("`{part}` is not in {}", found.text).into());
        }
        let again = check(&name, Some("stall"), &[("LASTREF_REPLAY", &found.token)], code)?;
        if again.trace_hash != found.trace_hash {
            return Err(format!("the replay is another run: {}", again.text).into());
        }
    }
    Ok(())
}

/// Long tests are skipped, and the report says what they were doing and how the bound is raised.
fn long_tests() -> Result<(), Failed> {
    for (code, part) in [
        (endless::late_answer as Code, "main: use Channel#"),
        (endless::many_steps, "task.1: active, last operation: rmw AtomicUsize#0"),
        (endless::joins_a_sleeper, "main: join task.1"),
    ] {
        let explored = check("long", None, &[], code)?;
        let has = |part: &str| explored.json.contains(part);
        if !has("\"skipped\":\"step limit: the first run did not end within 200000 steps (--steps") || !has(part) {
            return Err(explored.json.into());
        }
    }
    Ok(())
}

/// The report of a run with many objects takes seconds, not minutes.
fn many_objects() -> Result<(), Failed> {
    let explored = check("many objects", Some("panic"), &[], || {
        let many: Vec<AtomicUsize> = (0..100_000).map(AtomicUsize::new).collect();
        let sum: usize = many.iter().map(|one| one.load(Ordering::Relaxed)).sum();
        panic!("the sum is {sum}");
    })?;
    if !explored.json.contains("AtomicUsize#99999") {
        return Err("the last object is not in the report".into());
    }
    let (_, seconds) = explored.json.split_once("\"cpu_seconds\":").ok_or("no CPU time")?;
    let seconds: f64 = seconds.split(',').next().unwrap_or_default().parse()?;
    if seconds > 5.0 {
        return Err(format!("{seconds} s").into());
    }
    Ok(())
}

/// Without faults the program is clean. A fault is found, its connection is in the report, and its plan is in the
/// token.
fn faults() -> Result<(), Failed> {
    check("faults", None, &[("LASTREF_SCHEDULES", "300")], sockets::loopback)?;
    for (plan, part) in [("reset", "reset of connection "), ("refuse", "refuse of connection ")] {
        let found = check("faults", Some("panic"), &[("LASTREF_FAULTS", plan)], sockets::loopback)?;
        if !found.text.contains(part) || !found.token.contains(&format!(",{plan}@")) {
            return Err(found.text.into());
        }
        let again = check("faults", Some("panic"), &[("LASTREF_REPLAY", &found.token)], sockets::loopback)?;
        if again.trace_hash != found.trace_hash {
            return Err(format!("the replay is another run: {}", again.text).into());
        }
    }
    // Short reads and writes may transfer fewer bytes than requested, which the program handles.
    check("faults", None, &[("LASTREF_FAULTS", "short")], sockets::loopback).map(drop)
}

/// A time limit that has passed after the reference runs still allows one run: a search without a schedule must not
/// pass.
fn one_schedule_at_least() -> Result<(), Failed> {
    let explored = check("brief", None, &[("LASTREF_FOR_MS", "0")], clean::primitives)?;
    if explored.schedules != 1 {
        return Err(format!("{} schedules in no time", explored.schedules).into());
    }
    Ok(())
}

/// A pinned setting holds in every run, and the token carries it into the replay.
fn pinned_settings() -> Result<(), Failed> {
    let clean = check("leak", None, &[("LASTREF_SETTINGS", "leaks=0")], heap::leak)?;
    if clean.schedules != 1_000 {
        return Err(format!("{} schedules", clean.schedules).into());
    }
    check("leak", None, &[("LASTREF_SETTINGS", "heap=0")], heap::leak)?;
    let pins = [("LASTREF_SETTINGS", "after=0,latency=0"), ("LASTREF_STRATEGY", "pct3")];
    let found = check("pins", Some("deadlock"), &pins, waiting::ab_ba)?;
    if !found.token.contains(",after:0;") || !found.token.contains(";latency:0,") {
        return Err(found.token.into());
    }
    let again = check("pins", Some("deadlock"), &[("LASTREF_REPLAY", &found.token)], waiting::ab_ba)?;
    if (again.trace_hash, &again.token) != (found.trace_hash, &found.token) {
        return Err(format!("the replay is another run: {found:?} and {again:?}").into());
    }
    Ok(())
}

/// A rare schedule among few ones needs guard pages too. Once schedules repeat, more runs have them, so nearly every
/// seed finds the access. The token of such a run repeats it.
fn few_schedules() -> Result<(), Failed> {
    let mut found = 0;
    for seed in 1..=20 {
        let seed = seed.to_string();
        let explored = explore("few", &[("LASTREF_SEED", &seed)], heap::quiet_use_after_free)?;
        found += u32::from(explored.kind.is_some());
        if explored.kind.is_some() {
            let again = explore("few", &[("LASTREF_REPLAY", &explored.token)], heap::quiet_use_after_free)?;
            if (again.kind, again.trace_hash) != (explored.kind, explored.trace_hash) {
                return Err(format!("the replay is another run: {}", again.text).into());
            }
        }
    }
    if found < 19 { Err(format!("{found} of 20 seeds find it").into()) } else { Ok(()) }
}

/// A search with nothing to choose says so.
fn nothing_to_choose() -> Result<(), Failed> {
    let explored = check("alone", None, &[("LASTREF_SCHEDULES", "50")], || drop(Box::new(1)))?;
    if explored.distinct != 1 {
        return Err(format!("{} distinct schedules of a program without a choice", explored.distinct).into());
    }
    Ok(())
}

/// Outside a run the types are the real ones.
fn real_outside() -> Result<(), Failed> {
    let count = Arc::new(AtomicUsize::new(0));
    let other = Arc::clone(&count);
    let thread = thread::spawn(move || other.fetch_add(1, Ordering::SeqCst));
    let joined = thread.join().map_err(|_| "the thread panicked")?;
    if (joined, count.load(Ordering::SeqCst), is_simulated()) != (0, 1, false) {
        return Err("a real thread adds one".into());
    }
    Ok(())
}

/// The error for a malformed setting names the variable.
fn malformed() -> Result<(), Failed> {
    let settings =
        [("LASTREF_SCHEDULES", "many"), ("LASTREF_SEED", "0xg"), ("LASTREF_STRATEGY", "best"), ("LASTREF_REPLAY", "x")];
    for (variable, value) in settings {
        match explore("malformed", &[(variable, value)], || ()) {
            Err(error) if error.starts_with(variable) && !error.contains('\n') => {}
            other => return Err(format!("{variable}={value}: {other:?}").into()),
        }
    }
    Ok(())
}

fn main() {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let mut trials: Vec<Trial> = Vec::new();
    for twin in TWINS {
        trials.push(Trial::test(format!("{} is found", twin.0), move || twins(twin)));
    }
    for (name, code) in CLEAN {
        let schedules = match name {
            _ if name.contains("child") => "1",
            _ if name.contains("memory") => "5",
            _ if name.contains("stress") => "50",
            _ => "1000",
        };
        trials.push(Trial::test(format!("{name}: nothing is found"), move || clean(name, schedules, code)));
    }
    let others: [(&str, Check); 18] = [
        ("a run is shrunk", shrinks),
        ("a run is shrunk for a time", shrinks_for_a_time),
        ("guard pages change the kind of a finding", another_kind_with_guards),
        ("a use after free in a rare schedule is found", few_schedules),
        ("memory from before the run is freed in each run: nothing is found", earlier_memory),
        ("a pinned setting holds in every run", pinned_settings),
        ("timers overtake on request", early_timers),
        ("faults of connections are found", faults),
        ("a stall after runs that ended is found", late_stall),
        ("a run at its bound that is stuck is found", stalls),
        ("a long test is skipped and says so", long_tests),
        ("a report of many objects is made in seconds", many_objects),
        ("a search with nothing to choose says so", nothing_to_choose),
        ("a search has one schedule at least", one_schedule_at_least),
        ("spurious failures", spurious_failures),
        ("outside a run everything is real", real_outside),
        ("malformed settings are refused by name", malformed),
        // Last, since escaped state stays in the process.
        ("state that escapes is reported", escaped_state),
    ];
    trials.extend(others.map(|(name, code)| Trial::test(name, code)));
    libtest_mimic::run(&arguments, trials).exit();
}
