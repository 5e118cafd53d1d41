//! The cost of a schedule: small programs on the facade under the engine `fiber` and on bare shuttle, both with random
//! choices, as ratios of schedules per CPU second; and the facade outside any run, compared with std.
//!
//! The two are timed in turn, in one process, so a machine that slows down slows both; a row is the median over the
//! pairs. Every row is printed, and a row that misses its bound fails the benchmark. With `LASTREF_UPDATE=1` the
//! rows are also written to docs/performance.md.

use std::hint::black_box;

use lastref::explore::{Engine, Recording, drive};
use lastref::{Case, CaseName, StrategyName};
use proptest::prelude::Just;
use rustix::time::{ClockId, clock_gettime};

/// Pairs of timed batches.
const PAIRS: usize = 21;
/// Approximate CPU time of a batch.
const BATCH_NS: f64 = 12_000_000.0;

/// The programs, written once: the facade and shuttle differ only in the results of `lock` and `join`.
macro_rules! programs {
    ($facade:ident, $($helper:item)*) => {
        use std::sync::Arc;

        use $facade::sync::atomic::{AtomicUsize, Ordering};
        use $facade::sync::{Mutex, MutexGuard, mpsc};
        use $facade::thread::{JoinHandle, spawn};

        $($helper)*

        /// Tasks that add to one atomic.
        pub(super) fn atomic<const TASKS: usize, const OPERATIONS: usize>() {
            let count = Arc::new(AtomicUsize::new(0));
            let add = |count: Arc<AtomicUsize>| {
                move || (0..OPERATIONS).for_each(|_| _ = count.fetch_add(1, Ordering::SeqCst))
            };
            let tasks: Vec<_> = (0..TASKS).map(|_| spawn(add(Arc::clone(&count)))).collect();
            tasks.into_iter().for_each(join);
        }

        /// One task that adds to an atomic: no choice, and no switch.
        pub(super) fn alone<const OPERATIONS: usize>() {
            let count = AtomicUsize::new(0);
            (0..OPERATIONS).for_each(|_| _ = count.fetch_add(1, Ordering::SeqCst));
        }

        /// Tasks that take one mutex.
        pub(super) fn mutex<const TASKS: usize, const LOCKS: usize>() {
            let count = Arc::new(Mutex::new(0_usize));
            let add = |count: Arc<Mutex<usize>>| move || (0..LOCKS).for_each(|_| *lock(&count) += 1);
            let tasks: Vec<_> = (0..TASKS).map(|_| spawn(add(Arc::clone(&count)))).collect();
            tasks.into_iter().for_each(join);
        }

        /// Tasks that send to a channel which has room for one value.
        pub(super) fn senders<const TASKS: usize>() {
            let (sender, receiver) = mpsc::sync_channel(1);
            let tasks: Vec<_> = (0..TASKS)
                .map(|nth| {
                    let sender = sender.clone();
                    spawn(move || _ = sender.send(nth))
                })
                .collect();
            (0..TASKS).for_each(|_| _ = receiver.recv());
            tasks.into_iter().for_each(join);
        }
    };
}

mod on_facade {
    programs! {
        lastref,
        fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> { mutex.lock() }
        fn join<T>(task: JoinHandle<T>) { _ = task.join(); }
    }
}

mod on_shuttle {
    programs! {
        shuttle,
        fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> { mutex.lock().expect("no task panics") }
        fn join<T>(task: JoinHandle<T>) { _ = task.join(); }
    }
}

fn ours(program: fn(), schedules: u64) {
    let name = CaseName { component: "bench".into(), scenario: "program".into(), variant: "fixed".into() };
    let case = Case::new(name, || Just(()), move |()| program());
    black_box(drive(&case, Engine::Fiber, StrategyName::RANDOM, schedules, Recording::Hash));
}

fn theirs(program: fn(), schedules: u64) {
    let mut config = shuttle::Config::new();
    config.silence_warnings = true;
    let scheduler = shuttle::scheduler::RandomScheduler::new_from_seed(1, schedules as usize);
    shuttle::Runner::new(scheduler, config).run(program);
}

/// CPU time of this process in nanoseconds.
fn cpu_ns() -> f64 {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    now.tv_sec as f64 * 1e9 + now.tv_nsec as f64
}

/// The CPU time of one repetition in nanoseconds.
fn cost(repetitions: u64, batch: impl FnOnce(u64)) -> f64 {
    let start = cpu_ns();
    batch(repetitions);
    (cpu_ns() - start) / repetitions as f64
}

/// The number of repetitions in a batch.
fn batch_of(batch: impl Fn(u64)) -> u64 {
    batch(1);
    let one = cost(4, batch);
    (BATCH_NS / one).clamp(1.0, 1e9) as u64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The median cost of a repetition of each, and the median ratio of the second to the first.
fn paired(first: impl Fn(u64), second: impl Fn(u64)) -> (f64, f64, f64) {
    let (one, other) = (batch_of(&first), batch_of(&second));
    let pairs: Vec<(f64, f64)> = (0..PAIRS).map(|_| (cost(one, &first), cost(other, &second))).collect();
    let of = |value: fn(&(f64, f64)) -> f64| median(pairs.iter().map(value).collect());
    (of(|pair| pair.0), of(|pair| pair.1), of(|pair| pair.1 / pair.0))
}

/// The program that is executed repeatedly under the engine, for a profiler.
fn profiled(name: &str) -> Option<fn()> {
    use on_facade as f;
    Some(match name {
        "atomic" => f::atomic::<2, 20>,
        "small" => f::atomic::<2, 1>,
        "many" => f::atomic::<10, 10>,
        "mutex" => f::mutex::<3, 100>,
        "senders" => f::senders::<200>,
        _ => return None,
    })
}

/// The printed lines.
#[derive(Default)]
struct Page(String);

impl Page {
    fn line(&mut self, line: &str) {
        println!("{line}");
        self.0.push_str(line);
        self.0.push('\n');
    }

    /// A row of the first table: the ratio, and whether it meets its bound.
    fn schedules(&mut self, name: &str, bound: f64, program: fn(), twin: fn(), operations: u64) -> (f64, bool) {
        let (ours, theirs, ratio) = paired(|schedules| ours(program, schedules), |schedules| theirs(twin, schedules));
        let each = ours / operations as f64;
        self.line(&format!("| {name} | {ours:.0} | {theirs:.0} | {each:.0} | {ratio:.2} | {bound} |"));
        (ratio, ratio >= bound)
    }

    /// A row of the second table: whether it meets its bound.
    fn outside(&mut self, name: &str, bound: f64, facade: impl Fn(u64), std: impl Fn(u64)) -> bool {
        let (facade, std, ratio) = paired(facade, std);
        let ratio = 1.0 / ratio;
        self.line(&format!("| {name} | {facade:.1} | {std:.1} | {ratio:.2} | {bound} |"));
        ratio <= bound
    }

    /// The third table: where a schedule's time goes, by the differences between programs.
    fn parts(&mut self) {
        type Both = (fn(), fn());
        let both = |(ours_do, theirs_do): Both| {
            let (ours, theirs, _) =
                paired(|schedules| ours(ours_do, schedules), |schedules| theirs(theirs_do, schedules));
            [ours, theirs]
        };
        use {on_facade as f, on_shuttle as s};
        let (empty, alone) = (both((|| (), || ())), both((f::alone::<100>, s::alone::<100>)));
        let (idle, busy) =
            (both((f::atomic::<10, 0>, s::atomic::<10, 0>)), both((f::atomic::<10, 100>, s::atomic::<10, 100>)));
        self.line("\n| part of a schedule | ns | on shuttle | measured as |");
        self.line("| --- | --: | --: | --- |");
        let mut row = |name: &str, ns: [f64; 2], how: &str| {
            let [ours, theirs] = ns;
            self.line(&format!("| {name} | {ours:.0} | {theirs:.0} | {how} |"));
        };
        let each = |more: [f64; 2], less: [f64; 2], count: f64| [0, 1].map(|side| (more[side] - less[side]) / count);
        row("a run by itself", empty, "a body that does nothing");
        row(
            "a task: spawn, first and last step, join",
            each(idle, empty, 10.0),
            "10 tasks without an operation, a tenth",
        );
        row("an operation without a choice", each(alone, empty, 100.0), "100 operations of one task, a hundredth");
        row(
            "an operation with a choice, mostly with a switch",
            each(busy, idle, 1_000.0),
            "10 tasks x 100, a thousandth",
        );
    }

    #[expect(clippy::disallowed_methods, reason = "how a benchmark is told to write its document")]
    fn write(&self) {
        if std::env::var_os("LASTREF_UPDATE").is_some() {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/performance.md");
            // The benchmark of the scenarios writes the rest.
            let document = std::fs::read_to_string(path).unwrap_or_default();
            let rest = document.find("\n## Scenarios\n").map_or("", |at| &document[at..]);
            std::fs::write(path, format!("{}{rest}", self.0)).expect("the document can be written");
        }
    }
}

fn main() {
    if let Some(program) = std::env::args().nth(1).and_then(|name| profiled(&name)) {
        let count = std::env::args().nth(2).and_then(|n| n.parse().ok());
        return ours(program, count.unwrap_or(200_000));
    }
    let mut page = Page::default();
    page.line(
        "# What a schedule costs\n\n\
         Written by `LASTREF_UPDATE=1 cargo bench --bench facade`. Times are medians of CPU time, and depend on the machine; the\n\
         ratios are medians of pairs that were timed in turn in one process. In the first table a ratio above 1 means that\n\
         lastref makes more schedules than bare shuttle with its random scheduler; in the table\n\
         `outside any run`, that the facade is slower than std. The columns `at least` and `at most` are what the\n\
         benchmark asserts.\n",
    );
    page.line("| program | ns a schedule | on shuttle | ns an operation | ratio | at least |");
    page.line("| --- | --: | --: | --: | --: | --: |");
    use {on_facade as f, on_shuttle as s};
    let atomics = [
        page.schedules("2 tasks x 1 atomic operation", 4.3, f::atomic::<2, 1>, s::atomic::<2, 1>, 2),
        page.schedules("2 tasks x 20", 4.2, f::atomic::<2, 20>, s::atomic::<2, 20>, 40),
        page.schedules("10 tasks x 10", 4.5, f::atomic::<10, 10>, s::atomic::<10, 10>, 100),
        page.schedules("50 tasks x 10", 5.2, f::atomic::<50, 10>, s::atomic::<50, 10>, 500),
    ];
    let mean = atomics.iter().map(|(ratio, _)| ratio.ln()).sum::<f64>() / atomics.len() as f64;
    page.line(&format!("| geometric mean of these | | | | {:.2} | 4.7 |", mean.exp()));
    let mut kept: Vec<bool> = atomics.iter().map(|(_, kept)| *kept).chain([mean.exp() >= 4.7]).collect();
    for (name, bound, program, twin, operations) in [
        ("3 tasks on a mutex, 1 time each", 4.4, f::mutex::<3, 1> as fn(), s::mutex::<3, 1> as fn(), 3),
        ("3 tasks on a mutex, 10 times", 5.8, f::mutex::<3, 10>, s::mutex::<3, 10>, 30),
        ("3 tasks on a mutex, 100 times", 7.2, f::mutex::<3, 100>, s::mutex::<3, 100>, 300),
        ("64 tasks on a mutex, 100 times", 20.0, f::mutex::<64, 100>, s::mutex::<64, 100>, 6_400),
        ("200 senders on a channel with room for one", 2.7, f::senders::<200>, s::senders::<200>, 200),
    ] {
        kept.push(page.schedules(name, bound, program, twin, operations).1);
    }

    page.parts();
    page.line("\n| outside any run | ns on the facade | ns on std | ratio | at most |");
    page.line("| --- | --: | --: | --: | --: |");
    let (ours, theirs) = (lastref::sync::Mutex::new(0_u64), std::sync::Mutex::new(0_u64));
    kept.push(page.outside(
        "mutex: lock and unlock",
        1.6,
        |times| (0..times).for_each(|_| *black_box(&ours).lock() += 1),
        |times| (0..times).for_each(|_| *black_box(&theirs).lock().expect("no thread panics") += 1),
    ));
    use std::sync::atomic::Ordering::Relaxed;
    let (ours, theirs) = (lastref::sync::atomic::AtomicU64::new(0), std::sync::atomic::AtomicU64::new(0));
    kept.push(page.outside(
        "atomic: relaxed load",
        2.3,
        |times| (0..times).for_each(|_| _ = black_box(black_box(&ours).load(Relaxed))),
        |times| (0..times).for_each(|_| _ = black_box(black_box(&theirs).load(Relaxed))),
    ));
    let (ours, theirs) = (lastref::sync::Arc::new(0_u64), std::sync::Arc::new(0_u64));
    kept.push(page.outside(
        "Arc: clone and drop",
        1.3,
        |times| (0..times).for_each(|_| drop(black_box(lastref::sync::Arc::clone(black_box(&ours))))),
        |times| (0..times).for_each(|_| drop(black_box(std::sync::Arc::clone(black_box(&theirs))))),
    ));
    page.write();
    let missed = kept.iter().filter(|kept| !**kept).count();
    assert!(missed == 0, "{missed} rows miss their bounds");
}
