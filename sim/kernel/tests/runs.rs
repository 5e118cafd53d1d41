//! The kernel by itself: runs that end, runs that are abandoned, and the stacks that the next run gets.
//!
//! `valgrind --error-exitcode=9` on this test's program, with `--test-threads=1`, checks the unsafe code of `fiber.rs`
//! and of `switch`.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;

use lastref_kernel::record::{
    Finished, Keep, Name, ObjectId, Op, OpKind, Progress, RunNumber, TaskId, ViolationKind, Void,
};
use lastref_kernel::strategy::{Forced, Profile, StrategyName};
use lastref_kernel::sync::condvar::Waited;
use lastref_kernel::sync::lock::Mode;
use lastref_kernel::{Bounds, Ended, Kernel, PanicCount, Panics, Setup, Turn};

const STACK_BYTES: usize = 256 * 1024;

fn kernel() -> &'static Kernel {
    Box::leak(Box::new(Kernel::new(Arc::new(Progress::default()))))
}

fn setup(seed: u64, keep: Keep) -> Setup {
    fn bug_of(panic: &(dyn Any + Send)) -> Void {
        Void::Harness(panic.downcast_ref::<String>().cloned().unwrap_or_default())
    }
    fn stuck(what: &str) -> ! {
        panic!("a destructor {what}")
    }
    Setup {
        number: RunNumber(1),
        seed,
        strategy: StrategyName::RANDOM.build(seed, &Profile::default()),
        bounds: Bounds { steps_max: 1_000, slack_ns: 0 },
        keep,
        stack_bytes: STACK_BYTES,
        panics: Panics { bug_of, stuck },
    }
}

fn run(kernel: &'static Kernel, seed: u64, body: impl FnOnce() + 'static) -> (Ended, Finished) {
    let ended = kernel.run(setup(seed, Keep::Events), body);
    let finished = kernel.log(|log| log.finish(None, |_| None));
    (ended, finished)
}

fn here() -> &'static Location<'static> {
    Location::caller()
}

/// Tasks that add to a count under a lock, in two steps.
fn counted(kernel: &'static Kernel, tasks: u32, counts: Rc<RefCell<Vec<u32>>>) {
    let lock = kernel.new_object("lock");
    let spawned: Vec<_> = (0..tasks)
        .map(|_| {
            let counts = Rc::clone(&counts);
            let add = move || {
                for _ in 0..3 {
                    assert!(kernel.lock(lock, Mode::Exclusive, OpKind::Lock, here()));
                    let before = counts.borrow().len() as u32;
                    kernel.point(Op { kind: OpKind::Yield, object: ObjectId::NONE, location: here() });
                    counts.borrow_mut().push(before);
                    kernel.unlock(lock, OpKind::Unlock, here());
                }
            };
            kernel.spawn(None, add, here())
        })
        .collect();
    spawned.into_iter().for_each(|task| kernel.join(task, here()));
}

#[test]
fn a_lock_excludes_in_every_schedule_and_a_seed_has_one_trace() {
    let kernel = kernel();
    let mut hashes = Vec::new();
    for seed in (0..100).chain(0..100) {
        let counts = Rc::new(RefCell::new(Vec::new()));
        let own = Rc::clone(&counts);
        let (ended, finished) = run(kernel, seed, move || counted(kernel, 4, own));
        assert!(ended.is_quiescent && finished.violation.is_none() && finished.void.is_none());
        assert_eq!(*counts.borrow(), (0..12).collect::<Vec<u32>>());
        assert_eq!(Rc::strong_count(&counts), 1, "the captures of the tasks are dropped");
        hashes.push(finished.trace.hash());
    }
    let (first, second) = hashes.split_at(100);
    assert_eq!(first, second);
}

#[test]
fn a_deadlock_is_found_and_its_stacks_serve_the_next_run() {
    let kernel = kernel();
    let mut found = 0;
    for seed in 0..200 {
        let (ended, finished) = run(kernel, seed, move || {
            let locks = [kernel.new_object("lock"), kernel.new_object("lock")];
            let both = move |first: usize| {
                // On the stack when the run is abandoned.
                let kept = [first; 100];
                kernel.lock(locks[first], Mode::Exclusive, OpKind::Lock, here());
                kernel.lock(locks[1 - first], Mode::Exclusive, OpKind::Lock, here());
                kernel.unlock(locks[1 - first], OpKind::Unlock, here());
                kernel.unlock(locks[kept[99]], OpKind::Unlock, here());
            };
            let other = kernel.spawn(Some("other"), move || both(1), here());
            both(0);
            kernel.join(other, here());
        });
        match finished.violation {
            Some(violation) => {
                assert_eq!(violation.kind, ViolationKind::Deadlock);
                assert!(!ended.is_quiescent);
                assert!(violation.facts.iter().any(|(who, _)| who == "other"), "{violation:?}");
                found += 1;
            }
            None => assert!(ended.is_quiescent),
        }
    }
    assert!((1..200).contains(&found), "some schedules deadlock, and some do not: {found}");
}

#[test]
fn a_body_of_any_size_runs() {
    let kernel = kernel();
    let large = [7_u8; 16 * 1024];
    let sum = Rc::new(Cell::new(0));
    let own = Rc::clone(&sum);
    let (ended, _) = run(kernel, 1, move || {
        let small = kernel.spawn(None, move || own.set(large.iter().map(|byte| u32::from(*byte)).sum()), here());
        kernel.join(small, here());
    });
    assert!(ended.is_quiescent);
    assert_eq!(sum.get(), 7 * 16 * 1024);
}

#[test]
fn a_panic_of_a_task_stays_on_its_stack() {
    let kernel = kernel();
    let text = Rc::new(RefCell::new(String::new()));
    let own = Rc::clone(&text);
    let (ended, _) = run(kernel, 1, move || {
        let task = kernel.spawn(
            None,
            move || {
                let caught =
                    catch_unwind(AssertUnwindSafe(|| std::panic::resume_unwind(Box::new(String::from("gone")))));
                let payload: Box<dyn Any + Send> = caught.err().unwrap_or_else(|| Box::new(()));
                *own.borrow_mut() = payload.downcast::<String>().map(|text| *text).unwrap_or_default();
            },
            here(),
        );
        kernel.join(task, here());
    });
    assert!(ended.is_quiescent);
    assert_eq!(*text.borrow(), "gone");
}

#[test]
fn a_run_that_does_not_end_stalls_at_its_bound() {
    let kernel = kernel();
    let (_, finished) = run(kernel, 1, move || {
        loop {
            kernel.yield_now(here());
        }
    });
    let violation = finished.violation.expect("it does not end");
    assert_eq!((violation.kind, finished.steps), (ViolationKind::Stall, 1_001));
}

#[test]
fn a_loop_that_waits_ends_although_it_changes_something_in_each_round() {
    // A high-priority task must not starve the task that it waits for. Its stores count as progress, so it does not
    // count as spinning.
    let kernel = kernel();
    for (seed, strategy) in (0..20).zip(["pct1", "pct3", "urw", "random"].into_iter().cycle()) {
        let strategy: StrategyName = strategy.parse().expect("a strategy");
        let strategy = strategy.build(seed, &Profile::default());
        let bounds = Bounds { steps_max: 50_000, slack_ns: 0 };
        let ended = kernel.run(Setup { strategy, bounds, ..setup(seed, Keep::Hash) }, move || {
            let count = kernel.new_object("count");
            let change = move || kernel.point(Op { kind: OpKind::Store, object: count, location: here() });
            let is_set = Rc::new(Cell::new(false));
            let other = Rc::clone(&is_set);
            let setter = kernel.spawn(
                None,
                move || {
                    change();
                    other.set(true);
                },
                here(),
            );
            while !is_set.get() {
                change();
            }
            kernel.join(setter, here());
        });
        assert!(ended.is_quiescent, "seed {seed}");
        kernel.log(|log| log.finish(None, |_| None));
    }
}

#[test]
fn sleepers_wake_in_the_order_of_their_deadlines() {
    let kernel = kernel();
    let order = Rc::new(RefCell::new(Vec::new()));
    let own = Rc::clone(&order);
    run(kernel, 3, move || {
        let tasks: Vec<_> = [30, 10, 20]
            .map(|ns| {
                let order = Rc::clone(&own);
                let sleep = move || {
                    kernel.sleep(ns, here());
                    order.borrow_mut().push((ns, kernel.now_ns()));
                };
                kernel.spawn(None, sleep, here())
            })
            .into();
        tasks.into_iter().for_each(|task| kernel.join(task, here()));
    });
    assert_eq!(*order.borrow(), [(10, 10), (20, 20), (30, 30)]);
}

#[test]
fn sleepers_with_one_deadline_wake_in_the_order_in_which_they_fell_asleep() {
    let kernel = kernel();
    let order = Rc::new(RefCell::new(Vec::new()));
    let own = Rc::clone(&order);
    kernel.run(Setup { strategy: Box::new(Forced::new(&[])), ..setup(1, Keep::Hash) }, move || {
        let tasks = [1, 2, 3].map(|number| {
            let order = Rc::clone(&own);
            let sleep = move || {
                kernel.sleep(10, here());
                order.borrow_mut().push(number);
            };
            kernel.spawn(None, sleep, here())
        });
        tasks.into_iter().for_each(|task| kernel.join(task, here()));
    });
    kernel.log(|log| log.finish(None, |_| None));
    assert_eq!(*order.borrow(), [1, 2, 3]);
}

#[test]
fn a_parker_keeps_one_permit() {
    let kernel = kernel();
    let taken = Rc::new(RefCell::new(Vec::new()));
    let own = Rc::clone(&taken);
    run(kernel, 5, move || {
        let parker = kernel.new_object("parker");
        kernel.unpark(parker, here());
        kernel.unpark(parker, here());
        let until = |ns| kernel.park(parker, OpKind::Park, Some(ns), here());
        own.borrow_mut().extend([until(5), until(7), kernel.try_take_permit(parker)]);
        kernel.wake(parker);
        own.borrow_mut().push(kernel.try_take_permit(parker));
    });
    assert_eq!(*taken.borrow(), [true, false, false, true]);
    assert_eq!(Name::of("parker").text, "parker");
}

#[test]
fn a_word_holds_its_waiters_until_they_are_woken_or_their_time_is_over() {
    let kernel = kernel();
    let mut orders = std::collections::BTreeSet::new();
    for seed in 0..50 {
        let woken = Rc::new(RefCell::new(Vec::new()));
        let own = Rc::clone(&woken);
        let (ended, _) = run(kernel, seed, move || {
            let word = kernel.new_object("word");
            let op = move |kind| Op { kind, object: word, location: here() };
            let waits = |number: u32| {
                let woken = Rc::clone(&own);
                let wait = move || {
                    assert_eq!(kernel.wait_on_word(word, op(OpKind::Wait), None, || true), Some(Waited::Notified));
                    woken.borrow_mut().push(number);
                };
                kernel.spawn(None, wait, here())
            };
            let tasks: Vec<_> = (0..3).map(waits).collect();
            // Time passes only when every task waits.
            kernel.sleep(10, here());
            assert_eq!(kernel.wait_on_word(word, op(OpKind::Wait), None, || false), None);
            assert_eq!(kernel.wait_on_word(word, op(OpKind::Wait), Some(15), || true), Some(Waited::TimedOut));
            assert_eq!((kernel.now_ns(), own.borrow().len()), (15, 0));
            assert_eq!(kernel.wake_word(word, op(OpKind::NotifyOne), 1), 1);
            kernel.sleep(10, here());
            assert_eq!(own.borrow().len(), 1);
            assert_eq!(kernel.wake_word(word, op(OpKind::NotifyAll), u32::MAX), 2);
            tasks.into_iter().for_each(|task| kernel.join(task, here()));
            assert_eq!(kernel.wake_word(word, op(OpKind::NotifyAll), u32::MAX), 0);
        });
        assert!(ended.is_quiescent);
        orders.insert(woken.borrow().clone());
    }
    assert_eq!(orders.len(), 6, "every order of waking occurs: {orders:?}");
}

#[test]
fn a_task_that_is_never_woken_is_a_deadlock_unless_the_run_ends_with_its_first_task() {
    let kernel = kernel();
    for ends_with_main in [false, true] {
        let (ended, finished) = run(kernel, 1, move || {
            if ends_with_main {
                kernel.end_with_main();
            }
            let word = kernel.new_object("word");
            let wait = move || {
                let op = Op { kind: OpKind::Wait, object: word, location: here() };
                kernel.wait_on_word(word, op, None, || true);
            };
            kernel.spawn(None, wait, here());
        });
        assert_eq!(finished.violation.is_some(), !ends_with_main);
        assert_eq!((ended.is_quiescent, kernel.unfinished()), (ends_with_main, 1));
    }
}

#[test]
fn a_timer_that_is_due_may_fire_while_tasks_can_run() {
    let kernel = kernel();
    let fired = Rc::new(Cell::new(false));
    let own = Rc::clone(&fired);
    let (ended, _) = run(kernel, 1, move || {
        let flag = Rc::clone(&own);
        let sleep = move || {
            kernel.sleep(100, here());
            flag.set(true);
        };
        let task = kernel.spawn(None, sleep, here());
        while !own.get() {
            kernel.pass_time(1);
            kernel.yield_now(here());
        }
        kernel.join(task, here());
    });
    assert!(ended.is_quiescent && fired.get());
}

#[test]
fn with_a_panic_count_of_its_own_a_task_waits_while_it_unwinds() {
    // Replaces std's count, which a test cannot access.
    thread_local! {
        static COUNT: Cell<[usize; 2]> = const { Cell::new([0; 2]) };
    }
    let count = PanicCount { take: || COUNT.take(), set: |count| COUNT.set(count) };
    let own = Kernel::new(Arc::new(Progress::default())).with_panic_count(count);
    let kernel: &'static Kernel = Box::leak(Box::new(own));
    let (ended, _) = run(kernel, 1, move || {
        let other = kernel.spawn(None, || assert_eq!(COUNT.get(), [0; 2]), here());
        COUNT.set([1, 0]);
        struct Waits(TaskId);
        impl Drop for Waits {
            fn drop(&mut self) {
                KERNEL.with(|kernel| kernel.get().expect("set below").join(self.0, here()));
            }
        }
        thread_local! {
            static KERNEL: Cell<Option<&'static Kernel>> = const { Cell::new(None) };
        }
        KERNEL.set(Some(kernel));
        let waits = Waits(other);
        // The panic of this unwinding is real: without its own count the task could not wait in the destructor.
        let caught = catch_unwind(AssertUnwindSafe(move || {
            let _waits = waits;
            std::panic::resume_unwind(Box::new(0_u8))
        }));
        assert!(caught.is_err());
        assert_eq!(COUNT.get(), [1, 0]);
    });
    assert!(ended.is_quiescent);
}

/// Twenty tasks wait at once between their turns, and one stack serves all turns, since no turn is preempted.
#[test]
fn a_task_that_waits_between_its_turns_has_no_stack() {
    let kernel = kernel();
    let places: Rc<RefCell<Vec<usize>>> = Rc::default();
    let seen = Rc::clone(&places);
    let setup = Setup { strategy: Box::new(Forced::new(&[])), ..setup(3, Keep::Events) };
    let ended = kernel.run(setup, move || {
        let parkers: Vec<_> = (0..20).map(|_| kernel.new_object("park")).collect();
        let tasks: Vec<_> = parkers
            .iter()
            .map(|parker| {
                let (parker, seen, mut turns) = (*parker, Rc::clone(&seen), 0);
                let turn = move || {
                    let on_the_stack = 0_u8;
                    seen.borrow_mut().push(std::ptr::from_ref(&on_the_stack).addr());
                    turns += 1;
                    if turns == 3 { Turn::Ends } else { Turn::Waits(parker) }
                };
                kernel.spawn_turns(None, turn, here())
            })
            .collect();
        for _ in 0..2 {
            (0..100).for_each(|_| kernel.yield_now(here()));
            parkers.iter().for_each(|parker| kernel.wake(*parker));
        }
        tasks.into_iter().for_each(|task| kernel.join(task, here()));
    });
    let finished = kernel.log(|log| log.finish(None, |_| None));
    assert_eq!((ended.is_quiescent, finished.violation), (true, None));
    let mut places = places.take();
    assert_eq!(places.len(), 60);
    places.sort_unstable();
    let stacks = 1 + places.windows(2).filter(|pair| pair[1] - pair[0] > STACK_BYTES / 2).count();
    assert_eq!(stacks, 1);
}
