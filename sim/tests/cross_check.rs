//! Our own coroutines do what shuttle's do: the same seed gives the same trace under both.

use std::time::Duration;

use lastref::explore::{Engine, run_one};
use lastref::sync::atomic::{AtomicU64, Ordering};
use lastref::sync::{Arc, Condvar, Mutex, RwLock, mpsc};
use lastref::{Case, CaseName, Limits, StrategyName};
use proptest::collection::vec;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

/// One step of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Step {
    Add(usize),
    Lock(usize),
    /// Takes both locks, this one first.
    Both(usize),
    Read,
    Write,
    Notify,
    Wait,
    Send,
    Receive,
    Sleep(u64),
    Yield,
    /// Starts a task with these steps, and joins it.
    Child(Vec<Step>),
    /// Starts a future that yields, sleeps and adds, and joins it; or lets it run.
    Future(u64, bool),
    Panic,
}

/// What each task does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Program(Vec<Vec<Step>>);

impl lastref::plan::Plan for Program {}

struct Shared {
    counts: [AtomicU64; 2],
    locks: [Mutex<u64>; 2],
    state: RwLock<u64>,
    given: Condvar,
    sender: mpsc::Sender<u64>,
    receiver: Mutex<mpsc::Receiver<u64>>,
}

fn step() -> impl Strategy<Value = Step> {
    let leaf = prop_oneof![
        8 => (0..2_usize).prop_map(Step::Add),
        8 => (0..2_usize).prop_map(Step::Lock),
        8 => (0..2_usize).prop_map(Step::Both),
        2 => Just(Step::Read),
        2 => Just(Step::Write),
        2 => Just(Step::Notify),
        2 => Just(Step::Wait),
        2 => Just(Step::Send),
        2 => Just(Step::Receive),
        3 => (1..20_u64).prop_map(Step::Sleep),
        2 => Just(Step::Yield),
        1 => Just(Step::Panic),
        3 => (1..20_u64, any::<bool>()).prop_map(|(sleeps, joins)| Step::Future(sleeps, joins)),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| vec(inner, 0..3).prop_map(Step::Child))
}

fn run(steps: &[Step], shared: &Arc<Shared>) {
    for step in steps {
        match step {
            Step::Add(which) => {
                shared.counts[*which].fetch_add(1, Ordering::Relaxed);
            }
            Step::Lock(which) => *shared.locks[*which].lock() += 1,
            Step::Both(first) => {
                let _first = shared.locks[*first].lock();
                *shared.locks[1 - first].lock() += 1;
            }
            Step::Read => {
                let _read = *shared.state.read();
            }
            Step::Write => *shared.state.write() += 1,
            Step::Notify => shared.given.notify_one(),
            Step::Wait => {
                let guard = shared.locks[0].lock();
                drop(shared.given.wait_timeout(guard, Duration::from_millis(5)));
            }
            Step::Send => drop(shared.sender.send(1)),
            Step::Receive => drop(shared.receiver.lock().try_recv()),
            Step::Sleep(milliseconds) => lastref::thread::sleep(Duration::from_millis(*milliseconds)),
            Step::Yield => lastref::thread::yield_now(),
            Step::Child(steps) => {
                let (steps, shared) = (steps.clone(), Arc::clone(shared));
                lastref::thread::spawn(move || run(&steps, &shared)).join();
            }
            Step::Future(milliseconds, joins) => {
                let (sleeps, shared) = (Duration::from_millis(*milliseconds), Arc::clone(shared));
                let task = lastref::task::spawn(async move {
                    lastref::task::yield_now().await;
                    lastref::task::sleep(sleeps).await;
                    *shared.locks[0].lock() += 1;
                });
                if *joins {
                    task.join();
                }
            }
            Step::Panic => assert!(shared.counts[0].load(Ordering::Relaxed) < 3, "the count is small"),
        }
    }
}

fn program(Program(tasks): &Program) {
    let (sender, receiver) = mpsc::channel();
    let shared = Arc::new(Shared {
        counts: [AtomicU64::new(0), AtomicU64::new(0)],
        locks: [Mutex::new(0), Mutex::new(0)],
        state: RwLock::new(0),
        given: Condvar::new(),
        sender,
        receiver: Mutex::new(receiver),
    });
    let tasks: Vec<_> = tasks
        .iter()
        .map(|steps| {
            let (steps, shared) = (steps.clone(), Arc::clone(&shared));
            lastref::thread::spawn(move || run(&steps, &shared))
        })
        .collect();
    tasks.into_iter().for_each(lastref::thread::JoinHandle::join);
}

#[test]
fn one_seed_has_one_trace_under_both_sources_of_coroutines() {
    let name = CaseName { component: "sim".into(), scenario: "program".into(), variant: "any".into() };
    let limits = Limits { steps_max: 2_000, ..Limits::default() };
    let case = Case::new(name, || vec(vec(step(), 0..8), 1..5).prop_map(Program), program).limits(limits);
    let mut kinds = std::collections::BTreeSet::new();
    for seed in 0..400 {
        let [ours, theirs] =
            [Engine::Fiber, Engine::Shuttle].map(|engine| run_one(&case, engine, StrategyName::MIX, seed));
        assert_eq!(ours.full_table, theirs.full_table, "seed {seed}");
        assert_eq!((ours.trace_hash, ours.steps), (theirs.trace_hash, theirs.steps), "seed {seed}");
        let kind = |report: &lastref::explore::Report| report.failure().map(|failure| failure.violation.kind);
        assert_eq!(kind(&ours), kind(&theirs), "seed {seed}");
        kinds.insert(kind(&ours));
    }
    // Runs that end early are among them: those are abandoned in the middle of their tasks.
    assert!(kinds.len() >= 3, "clean, panic and deadlock: {kinds:?}");
}
