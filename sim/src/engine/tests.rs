//! A strategy sees the announced operations, and only tasks that can run.

use std::sync::{Arc as StdArc, LazyLock};
use std::time::Duration;

use kernel::Bounds;
use kernel::record::{Keep, OpKind, TaskId, Void};
use kernel::strategy::{Strategy, View};

use super::scheduled::{Setup, Stacks, execute};
use crate::explore::CaseName;
use crate::sync::{Arc, Mutex};
use crate::thread;
use crate::watch::Watched;

/// A strategy's view at one decision: each candidate's task, its operation, and whether it sleeps.
type Seen = Vec<(u32, Option<OpKind>, bool)>;

/// Chooses the last candidate that is not a sleeper, and keeps what it saw.
#[derive(Debug)]
struct Spy(StdArc<std::sync::Mutex<Vec<Seen>>>);

impl Strategy for Spy {
    fn choose(&mut self, view: &View<'_>) -> usize {
        let seen = view
            .candidates()
            .map(|candidate| (candidate.task.0, candidate.op.map(|op| op.kind), candidate.deadline_ns.is_some()));
        self.0.lock().expect("one thread").push(seen.collect());
        view.ready().saturating_sub(1)
    }

    fn watches(&self) -> bool {
        true
    }
}

static WATCHED: LazyLock<Watched> =
    LazyLock::new(|| Watched { case: StdArc::new(CaseName::default()), patience: Duration::from_secs(10) });

fn setup(strategy: Box<dyn Strategy>) -> Setup<'static> {
    Setup {
        seed: 1,
        strategy,
        bounds: Bounds { steps_max: 1_000, slack_ns: 1_000_000_000 },
        keep: Keep::Hash,
        watched: &WATCHED,
        stack_bytes: 256 * 1024,
        stacks: Stacks::Fiber,
    }
}

fn seen(body: impl Fn() + Send + Sync + 'static) -> Vec<Seen> {
    let kept = StdArc::new(std::sync::Mutex::new(Vec::new()));
    let outcome = execute(setup(Box::new(Spy(StdArc::clone(&kept)))), body);
    assert_eq!(outcome.violation, None);
    let kept = kept.lock().expect("one thread").clone();
    assert_eq!(kept.len() as u32, outcome.steps, "one decision a step");
    kept
}

/// A strategy with a bug: it chooses a candidate that does not exist, or panics, at that decision.
#[derive(Debug)]
struct Wrong {
    decision: u32,
    panics: bool,
}

impl Strategy for Wrong {
    fn choose(&mut self, view: &View<'_>) -> usize {
        if self.decision > 0 {
            self.decision -= 1;
            return 0;
        }
        let beyond = view.len();
        if self.panics { view.candidate(beyond).turn as usize } else { beyond }
    }

    fn watches(&self) -> bool {
        true
    }
}

#[test]
fn a_strategy_with_a_bug_is_a_fault_of_the_harness_and_no_finding() {
    for (decision, panics) in [(0, false), (3, false), (0, true), (3, true)] {
        let outcome = execute(setup(Box::new(Wrong { decision, panics })), || {
            let lock = Arc::new(Mutex::new(0));
            let other = lock.clone();
            let task = thread::spawn(move || *other.lock() += 1);
            *lock.lock() += 1;
            task.join();
        });
        assert_eq!(outcome.violation, None);
        let Some(Void::Harness(text)) = outcome.into_log().void else {
            panic!("decision {decision}: the run has a verdict")
        };
        let word = if panics { "there is no candidate" } else { "chose candidate" };
        assert!(text.contains(word), "{text}");
    }
}

#[test]
fn every_operation_is_announced_before_it_happens() {
    let decisions = seen(|| {
        let value = Arc::new(Mutex::new(0));
        let other = {
            let value = Arc::clone(&value);
            thread::spawn(move || *value.lock() += 1)
        };
        other.join();
        *value.lock() += 1;
    });
    // A task has no operation before its first; after that every candidate has one.
    let mut met: Vec<u32> = Vec::new();
    for decision in &decisions {
        for (task, op, _) in decision {
            assert!(op.is_some() || !met.contains(task), "task {task} without an operation in {decisions:?}");
            if op.is_some() {
                met.push(*task);
            }
        }
    }
    let announced: Vec<OpKind> = decisions.iter().flatten().filter_map(|(_, op, _)| *op).collect();
    for kind in [OpKind::ArcClone, OpKind::Spawn, OpKind::Lock, OpKind::Unlock, OpKind::ArcDrop] {
        assert!(announced.contains(&kind), "{kind} in {announced:?}");
    }
}

#[test]
fn a_task_whose_lock_is_held_is_no_candidate() {
    let decisions = seen(|| {
        let lock = Arc::new(Mutex::new(()));
        let other = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || {
                let _held = lock.lock();
                thread::yield_now();
                thread::yield_now();
            })
        };
        drop(lock.lock());
        other.join();
    });
    for decision in &decisions {
        let held =
            decision.iter().any(|(task, op, _)| *task == 1 && matches!(op, Some(OpKind::Yield | OpKind::Unlock)));
        let waits = decision.iter().any(|(task, op, _)| *task == 0 && *op == Some(OpKind::Lock));
        assert!(!(held && waits), "main is offered the lock that the other holds: {decisions:?}");
    }
}

#[test]
fn one_sleeper_is_offered_and_it_comes_last() {
    let decisions = seen(|| {
        let sleepers: Vec<_> =
            [3, 1, 2].map(|seconds| thread::spawn(move || thread::sleep(Duration::from_millis(seconds)))).into();
        sleepers.into_iter().for_each(thread::JoinHandle::join);
    });
    for decision in &decisions {
        let asleep: Vec<usize> = (0..decision.len()).filter(|place| decision[*place].2).collect();
        assert!(asleep.is_empty() || asleep == [decision.len() - 1], "{decision:?}");
    }
    let woken: Vec<u32> = decisions
        .iter()
        .filter(|decision| decision.len() == 1 && decision[0].2)
        .map(|decision| decision[0].0)
        .collect();
    assert_eq!(woken, [TaskId(2).0, TaskId(3).0, TaskId(1).0], "by deadline: {decisions:?}");
}
