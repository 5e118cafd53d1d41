//! What the facade costs: the same program on the facade and on bare shuttle, in one run, as ratios.
//!
//! `cargo bench` times each variant with criterion, then pairs facade and bare shuttle round by round, so that a machine
//! that slows down slows both, and asserts the median of the ratios: steps per second without ledger at least 0.95 of
//! bare shuttle's, with ledger and recorded trace at least 0.75.

#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use proptest::prelude::Just;
use sim::explore::{Engine, Recording, drive};
use sim::ledger::{Owner, Resource};
use sim::{Case, CaseName, StrategyName};

const THREADS: usize = 3;
const ROUNDS: usize = 100;
/// Executions per timed batch: long enough to outweigh the clock.
const EXECUTIONS: u64 = 40;
/// Paired batches.
const PAIRS: usize = 41;

/// Mutual exclusion and a counter, on the facade.
fn counter(with_ledger: bool) -> Case {
    let name = CaseName {
        component: "bench".to_owned(),
        scenario: if with_ledger { "counter_with_ledger" } else { "counter" }.to_owned(),
        variant: "fixed".to_owned(),
    };
    Case::new(
        name,
        || Just(()),
        move |()| {
            use sim::sync::atomic::{AtomicUsize, Ordering};
            use sim::sync::{Arc, Mutex};
            let shared = Arc::new((Mutex::new(0_usize), AtomicUsize::new(0)));
            let tasks: Vec<_> = (0..THREADS)
                .map(|id| {
                    let shared = Arc::clone(&shared);
                    sim::thread::spawn(move || {
                        let me = Owner::new("thread", id as u32);
                        let buffer = with_ledger.then(|| Resource::acquire("buffer", me));
                        for _ in 0..ROUNDS {
                            *shared.0.lock() += 1;
                            shared.1.fetch_add(1, Ordering::SeqCst);
                            if let Some(buffer) = buffer {
                                buffer.access(me);
                            }
                        }
                        if let Some(buffer) = buffer {
                            buffer.release(me);
                        }
                    })
                })
                .collect();
            tasks.into_iter().for_each(sim::thread::JoinHandle::join);
            assert_eq!(*shared.0.lock(), THREADS * ROUNDS);
        },
    )
}

/// The same on bare shuttle; returns its steps.
fn bare(executions: u64) -> u64 {
    use shuttle::sync::atomic::{AtomicUsize, Ordering};
    use shuttle::sync::{Arc, Mutex};
    static STEPS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    STEPS.store(0, std::sync::atomic::Ordering::Relaxed);
    let mut config = shuttle::Config::new();
    config.silence_warnings = true;
    let scheduler = shuttle::scheduler::RandomScheduler::new_from_seed(1, executions as usize);
    shuttle::Runner::new(scheduler, config).run(|| {
        let shared = Arc::new((Mutex::new(0_usize), AtomicUsize::new(0)));
        let tasks: Vec<_> = (0..THREADS)
            .map(|_| {
                let shared = Arc::clone(&shared);
                shuttle::thread::spawn(move || {
                    for _ in 0..ROUNDS {
                        *shared.0.lock().expect("no thread panics") += 1;
                        shared.1.fetch_add(1, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.join().expect("no thread panics");
        }
        assert_eq!(*shared.0.lock().expect("no thread panics"), THREADS * ROUNDS);
        let steps = shuttle::current::context_switches() as u64;
        STEPS.fetch_add(steps, std::sync::atomic::Ordering::Relaxed);
    });
    STEPS.load(std::sync::atomic::Ordering::Relaxed)
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn rate(batch: impl FnOnce() -> u64) -> (f64, Duration) {
    let start = Instant::now();
    let steps = black_box(batch());
    let took = start.elapsed();
    (steps as f64 / took.as_secs_f64(), took)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Steps per second, and executions per second, relative to bare shuttle: the medians over paired batches.
fn ratios(case: &Case, recording: Recording) -> (f64, f64) {
    let mut by_steps = Vec::new();
    let mut by_executions = Vec::new();
    for _ in 0..PAIRS {
        let (facade, facade_took) = rate(|| drive(case, Engine::Fiber, StrategyName::Random, EXECUTIONS, recording));
        let (shuttle, shuttle_took) = rate(|| bare(EXECUTIONS));
        by_steps.push(facade / shuttle);
        by_executions.push(shuttle_took.as_secs_f64() / facade_took.as_secs_f64());
    }
    (median(by_steps), median(by_executions))
}

fn main() {
    let plain = counter(false);
    let ledger = counter(true);
    let variants: [(&str, &Case, Recording); 3] = [
        ("facade, no ledger, hash only", &plain, Recording::Hash),
        ("facade, no ledger, trace recorded", &plain, Recording::Events),
        ("facade, ledger, trace recorded", &ledger, Recording::Events),
    ];
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("counter");
    group.measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_secs(1));
    group.throughput(Throughput::Elements(bare(1)));
    group.bench_function("bare shuttle", |bencher| bencher.iter(|| bare(1)));
    for (name, case, recording) in variants {
        group.throughput(Throughput::Elements(drive(case, Engine::Fiber, StrategyName::Random, 1, recording)));
        group.bench_function(name, |bencher| bencher.iter(|| drive(case, Engine::Fiber, StrategyName::Random, 1, recording)));
    }
    group.finish();
    for ((name, case, recording), least) in variants.into_iter().zip([0.95, 0.0, 0.75]) {
        let (steps, executions) = ratios(case, recording);
        println!("{name}: {steps:.2} of bare shuttle's steps/s, {executions:.2} of its executions/s");
        assert!(steps >= least, "{name}: {steps:.2} of bare shuttle's steps per second, at least {least} is asked for");
    }
    criterion.final_summary();
}
