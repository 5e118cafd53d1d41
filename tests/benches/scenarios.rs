//! Runs of whole scenarios in a second of CPU time, and the memory of a long search. `cargo bench --bench scenarios`
//! prints both; with `LASTREF_UPDATE=1` they are written at the end of docs/performance.md.
//!
//! The growth of memory is asserted: a search keeps nothing of a clean run, so its memory does not grow with the number
//! of runs.

use std::fs;
use std::sync::atomic::AtomicBool;

use lastref::explore::{Budget, Cell, Hunt, Quiet};
use lastref::scenario::defaults;
use rustix::time::{ClockId, clock_gettime};
use scenarios::SCENARIOS;

/// One scenario in memory and one on the network for each component except `http_pool`.
const MEASURED: [&str; 10] = [
    "buffer_pool/answer_of_another",
    "buffer_pool/net_pipelined_clients",
    "context_pool/stale_reply",
    "context_pool/net_rep_clients",
    "image/shm_exhaustion",
    "image/net_lagging_subscribers",
    "subchannel/goaway_with_streams_open",
    "subchannel/net_reset_at_a_byte",
    "uring_proxy/options_at_random",
    "uring_proxy/net_many_receives_one_send",
];

/// The scenario whose search is measured for its memory.
const LONG: &str = "image/shm_exhaustion";

/// Schedules before the first reading of the memory, and between the first and the second.
const SHORT_SEARCH: u64 = 10_000;
const LONG_SEARCH: u64 = 600_000;

/// Maximum growth of the memory between the two readings.
const GROWTH_KIB: u64 = 2 * 1024;

/// Where the part of this benchmark begins in the document. `facade` writes what is before it.
const HEADING: &str = "\n## Scenarios\n";

fn main() {
    let mut page = String::from(HEADING);
    page.push_str(
        "\nWritten by `LASTREF_UPDATE=1 cargo bench --bench scenarios`: the fixed variant, strategy mix, one job, no run\n\
         repeated. The engine is fiber, or turmoil for a scenario on the network. The benchmark uses the\n\
         system's allocator and is not optimised across packages, unlike the program `lastref`.\n\n\
         | scenario | runs | runs in a second of CPU time | ns a step |\n| --- | --: | --: | --: |\n",
    );
    for name in MEASURED {
        let runs = if name.contains("/net_") { 2_000 } else { 10_000 };
        let (seconds, steps) = search(name, runs);
        let (rate, step) = (runs as f64 / seconds, seconds * 1e9 / steps as f64);
        let row = format!("| {name} | {runs} | {rate:.0} | {step:.0} |\n");
        print!("{row}");
        page.push_str(&row);
    }
    // The searches above may have used more memory than these, so the present size is read, not the peak.
    search(LONG, SHORT_SEARCH);
    let before = resident_kib();
    search(LONG, LONG_SEARCH);
    let after = resident_kib();
    let grown = after.saturating_sub(before);
    let row = format!(
        "\nA process that has searched {LONG} for {SHORT_SEARCH} schedules has {before} KiB of memory; after {LONG_SEARCH}\n\
         more, {grown} KiB more. At most {GROWTH_KIB} is asserted.\n"
    );
    print!("{row}");
    page.push_str(&row);
    write(&page);
    assert!(grown <= GROWTH_KIB, "the memory of a search grows with its schedules: {grown} KiB");
}

/// The CPU time of a clean search, in seconds, and its steps.
fn search(name: &str, runs: u64) -> (f64, u64) {
    let scenario = SCENARIOS.find(name).expect("the list has this scenario");
    let case = scenario.case("fixed").expect("every scenario has a fixed variant");
    let engine = scenario.engines()[0];
    let cell = Cell { case, engine, strategy: defaults::STRATEGY, budget: Budget::exactly(runs) };
    let never = AtomicBool::new(false);
    let hunt = Hunt {
        cells: vec![cell],
        seed: defaults::SEED,
        loom: defaults::LOOM,
        recheck_percent: 0,
        deadline: None,
        jobs: 1,
        stop: &never,
        observer: &Quiet,
    };
    let begun = cpu_seconds();
    let reports = hunt.run();
    let seconds = cpu_seconds() - begun;
    let report = &reports[0];
    assert!(report.failure().is_none() && report.schedules == runs, "{name}: the fixed variant is clean");
    (seconds, report.steps)
}

fn cpu_seconds() -> f64 {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}

/// The memory of this process, as Linux counts it.
fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux has this file");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it has this line");
    line.trim().trim_end_matches("kB").trim().parse().expect("a number of kB")
}

#[expect(clippy::disallowed_methods, reason = "how a benchmark is told to write its document")]
fn write(page: &str) {
    if std::env::var_os("LASTREF_UPDATE").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/performance.md");
        let document = fs::read_to_string(path).expect("the document can be read");
        let facade = document.split(HEADING).next().unwrap_or_default();
        fs::write(path, format!("{facade}{page}")).expect("the document can be written");
    }
}
