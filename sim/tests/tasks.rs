//! Futures as tasks, without a network: order, waiting, ending, sets, and what works outside a run.

use std::collections::BTreeSet;
use std::future::{Future, poll_fn};
use std::sync::{Arc as StdArc, Mutex as StdMutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use lastref::sync::{Arc, Mutex};
use lastref::task::{self, JoinSet};
use lastref::time::Instant;
use lastref::{Check, Engine, property, thread};

/// A one-shot event, as a library would write it: on std's lock, without the facade.
#[derive(Clone, Default)]
struct Event(StdArc<StdMutex<(bool, Vec<Waker>)>>);

impl Event {
    fn set(&self) {
        let mut state = self.0.lock().expect("not poisoned");
        state.0 = true;
        state.1.drain(..).for_each(Waker::wake);
    }

    fn wait(&self) -> impl Future<Output = ()> + use<> {
        let event = self.clone();
        poll_fn(move |context| {
            let mut state = event.0.lock().expect("not poisoned");
            if state.0 {
                return Poll::Ready(());
            }
            state.1.push(context.waker().clone());
            Poll::Pending
        })
    }
}

#[test]
fn the_strategy_orders_futures_as_it_orders_threads() {
    let orders = StdArc::new(StdMutex::new(BTreeSet::new()));
    let seen = StdArc::clone(&orders);
    Check::new("orders").schedules(200).run(move || {
        let order = Arc::new(Mutex::new(Vec::new()));
        let tasks: Vec<_> = (0..3)
            .map(|number| {
                let order = Arc::clone(&order);
                task::spawn(async move {
                    task::yield_now().await;
                    order.lock().push(number);
                })
            })
            .collect();
        tasks.into_iter().for_each(|task| assert_eq!(task.join(), Some(())));
        seen.lock().expect("not poisoned").insert(order.lock().clone());
    });
    assert_eq!(orders.lock().expect("not poisoned").len(), 6, "every order of three");
}

#[test]
fn a_task_is_awaited_or_ended_and_a_set_returns_each_output_once() {
    Check::new("tasks").schedules(300).run(|| {
        let output = task::block_on(async {
            let never = task::spawn(std::future::pending::<()>());
            let event = Event::default();
            let waits = task::spawn(event.wait());
            let mut set = JoinSet::new();
            (1..=3_u64).for_each(|number| {
                set.spawn(async move {
                    task::sleep(Duration::from_millis(number)).await;
                    number
                });
            });
            assert_eq!((set.len(), set.is_empty()), (3, false));
            event.set();
            assert_eq!(waits.await, Some(()));
            never.abort();
            assert_eq!(never.await, None, "its future was dropped");
            let mut sum = 0;
            while let Some(number) = set.join_next().await {
                sum += number.expect("not aborted");
            }
            assert!(set.is_empty());
            sum
        });
        assert_eq!(output, 6);
    });
}

#[test]
fn a_set_that_is_aborted_still_ends() {
    Check::new("aborted").schedules(100).run(|| {
        task::block_on(async {
            let mut set = JoinSet::new();
            (0..3).for_each(|_| set.spawn(std::future::pending::<()>()));
            set.abort_all();
            while let Some(output) = set.join_next().await {
                assert_eq!(output, None);
            }
        });
    });
}

#[test]
fn a_future_that_is_never_woken_is_named_in_the_deadlock() {
    let failure = Check::new("never").schedules(10).search(|| {
        let waits = task::spawn(Event::default().wait());
        waits.join();
    });
    let failure = failure.expect_err("nothing sets the event");
    assert_eq!(failure.violation.property, "no task waits forever");
    let facts: Vec<String> = failure.violation.facts.iter().map(|(who, what)| format!("{who}: {what}")).collect();
    assert!(facts.iter().any(|fact| fact.starts_with("task.1: wait future#0, not notified")), "{facts:?}");
}

#[test]
fn a_timeout_of_a_task_takes_virtual_time() {
    Check::new("timeout").schedules(50).run(|| {
        let start = Instant::now();
        let elapsed = task::block_on(task::timeout(Duration::from_secs(60), std::future::pending::<()>()));
        assert!(elapsed.is_err());
        property::always("a minute has passed", start.elapsed() >= Duration::from_secs(60));
    });
}

/// The longest duration ends with virtual time, on a task as on a thread.
#[test]
fn a_sleep_and_a_timeout_of_the_longest_duration_end() {
    use lastref::sync::mpsc;
    use lastref::time::{Elapsed, timeout};

    let bodies: [fn(); 3] = [
        || task::block_on(task::sleep(Duration::MAX)),
        || assert_eq!(timeout(Duration::MAX, || None::<()>), Err(Elapsed)),
        || {
            let (_sender, receiver) = mpsc::channel::<()>();
            assert_eq!(receiver.recv_timeout(Duration::MAX), Err(mpsc::RecvTimeoutError::Timeout));
        },
    ];
    for body in bodies {
        Check::new("longest").schedules(10).run(body);
    }
}

fn woken_by_a_thread() -> u32 {
    let event = Event::default();
    let waits = event.clone();
    let other = thread::spawn(move || task::block_on(waits.wait()));
    event.set();
    other.join();
    7
}

/// The waker unparks the thread that polls, by whatever means the engine has.
#[test]
fn a_future_is_polled_under_loom_on_real_threads_and_outside_any_run() {
    for engine in [Engine::Fiber, Engine::Shuttle, Engine::Loom, Engine::Threads] {
        Check::new("blocked").engine(engine).schedules(20).run(|| {
            woken_by_a_thread();
        });
    }
    assert_eq!(woken_by_a_thread(), 7);
    assert_eq!(task::spawn(async { 3 }).join(), Some(3));
}

#[test]
fn outside_any_run_a_task_that_panics_is_not_awaited_forever() {
    fn fails() -> u32 {
        panic!("its own panic")
    }
    let awaited = std::panic::catch_unwind(|| task::block_on(task::spawn(async { fails() })));
    let text = awaited.expect_err("there is no output").downcast_ref::<&str>().copied().unwrap_or_default();
    assert_eq!(text, "the awaited task panicked");
}

#[test]
fn a_waker_that_panics_at_its_deadline_is_a_finding() {
    struct Bomb;
    impl std::task::Wake for Bomb {
        fn wake(self: StdArc<Self>) {
            panic!("bomb");
        }
    }
    let failure = Check::new("waker").search(|| {
        let waker = Waker::from(StdArc::new(Bomb));
        let mut sleep = Box::pin(task::sleep(Duration::from_secs(1)));
        let _ = Future::poll(sleep.as_mut(), &mut std::task::Context::from_waker(&waker));
        thread::sleep(Duration::from_secs(2));
    });
    assert_eq!(failure.expect_err("it panics").violation.message, "bomb");
}

/// Increments the value when it is woken.
struct Counts(Arc<Mutex<u32>>);

impl Wake for Counts {
    fn wake(self: StdArc<Self>) {
        *self.0.lock() += 1;
    }
}

/// The alarm, which wakes on behalf of all timers, then waits for the lock. Another timer must not put it to sleep.
#[test]
fn a_waker_may_wait_for_a_lock_while_another_timer_is_set() {
    Check::new("waker").schedules(200).run(|| {
        let woken = Arc::new(Mutex::new(0));
        let mut first = Box::pin(task::sleep(Duration::from_millis(10)));
        let counts = Waker::from(StdArc::new(Counts(Arc::clone(&woken))));
        assert!(first.as_mut().poll(&mut Context::from_waker(&counts)).is_pending());
        let held = woken.lock();
        let before = *held;
        thread::sleep(Duration::from_millis(20));
        let mut second = Box::pin(task::sleep(Duration::from_millis(5)));
        assert!(second.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        thread::sleep(Duration::from_millis(20));
        assert_eq!(*held, before, "the waker waits");
        drop(held);
        while *woken.lock() == 0 {
            thread::sleep(Duration::from_millis(1));
        }
    });
}
