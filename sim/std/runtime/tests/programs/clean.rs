//! Correct programs that use what the stand-in replaces.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use lastref_runtime::atomic::{AtomicBool, AtomicU32, Ordering};
use lastref_runtime::sync::{Barrier, LazyLock, Mutex, Once, OnceLock, RwLock};
use lastref_runtime::thread::{self, LocalKey};
use lastref_runtime::{is_simulated, mpsc, spin_loop};

/// Every primitive of std, contended.
pub(crate) fn primitives() {
    static CELL: OnceLock<u32> = OnceLock::new();
    static LAZY: LazyLock<u32> = LazyLock::new(|| 7);
    static ONCE: Once = Once::new();
    let (lock, barrier, calls) = (RwLock::new((0, 0)), Barrier::new(3), AtomicU32::new(0));
    thread::scope(|scope| {
        for number in 1..=3 {
            let (lock, barrier, calls) = (&lock, &barrier, &calls);
            scope.spawn(move || {
                let mut pair = lock.write().expect("not poisoned");
                pair.0 += 1;
                thread::yield_now();
                pair.1 += 1;
                drop(pair);
                let pair = lock.read().expect("not poisoned");
                assert_eq!(pair.0, pair.1, "a reader sees no half of a change");
                drop(pair);
                ONCE.call_once(|| {
                    calls.fetch_add(1, Ordering::SeqCst);
                });
                assert_eq!(CELL.get_or_init(|| 5) + *LAZY, 12);
                barrier.wait();
                assert_eq!(lock.read().expect("not poisoned").0, 3, "number {number} passed the barrier early");
            });
        }
    });
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

/// Unbounded, bounded and rendezvous channels.
pub(crate) fn channels() {
    let (sender, receiver) = mpsc::channel();
    let (bounded, taken) = mpsc::sync_channel(1);
    let (meets, met) = mpsc::sync_channel(0);
    let forwards = thread::spawn(move || {
        for value in receiver {
            bounded.send(value).expect("the receiver lives");
        }
        drop(bounded);
        meets.send(Box::new(9)).expect("the receiver lives");
    });
    for value in 0..4 {
        sender.send(value).expect("the receiver lives");
    }
    assert_eq!(met.try_recv(), Err(mpsc::TryRecvError::Empty));
    drop(sender);
    assert_eq!(taken.iter().collect::<Vec<u32>>(), [0, 1, 2, 3]);
    assert_eq!(met.recv_timeout(Duration::from_secs(5)).map(|value| *value), Ok(9));
    assert!(met.recv().is_err());
    forwards.join().expect("it does not panic");
    let (last, gone) = mpsc::sync_channel(0);
    drop(gone);
    assert_eq!(last.send(3), Err(mpsc::SendError(3)));
}

/// A spawn with a stack larger than any memory returns an error, and a later thread starts.
pub(crate) fn stacks_without_memory() {
    for bytes in [1 << 47, usize::MAX / 2, usize::MAX] {
        let (captured, other) = (Arc::new(5), Arc::new(5));
        let (own, scoped) = (Arc::clone(&captured), Arc::clone(&other));
        let refused = thread::Builder::new().stack_size(bytes).spawn(move || *own);
        assert_eq!(refused.map(drop).map_err(|error| error.raw_os_error()), Err(Some(libc::EAGAIN)));
        thread::scope(|scope| {
            let refused = thread::Builder::new().stack_size(bytes).spawn_scoped(scope, move || *scoped);
            assert_eq!(refused.map(drop).map_err(|error| error.raw_os_error()), Err(Some(libc::EAGAIN)));
        });
        assert_eq!((Arc::strong_count(&captured), Arc::strong_count(&other)), (1, 1), "the bodies are dropped");
        let later = thread::Builder::new().stack_size(3 << 20).spawn(move || *captured).expect("there is memory");
        assert_eq!(later.join().expect("it does not panic"), 5);
    }
}

/// Names, numbers, builders, scopes, parks.
pub(crate) fn threads() {
    assert!(is_simulated());
    let own = thread::current();
    let named = thread::Builder::new().name("worker".to_owned()).spawn(move || {
        let thread = thread::current();
        assert_eq!(thread.name(), Some("worker"));
        assert_ne!(thread.id(), own.id());
        own.unpark();
    });
    thread::park();
    let named = named.expect("a task starts");
    assert_eq!(named.thread().name(), Some("worker"));
    named.join().expect("it does not panic");
    let mut parts = [1, 2, 3];
    thread::scope(|scope| parts.iter_mut().for_each(|part| drop(scope.spawn(move || *part *= 2))));
    assert_eq!(parts, [2, 4, 6]);
    let flag = Arc::new(AtomicBool::new(false));
    let other = Arc::clone(&flag);
    let sets = thread::spawn(move || other.store(true, Ordering::Release));
    while !flag.load(Ordering::Acquire) {
        spin_loop();
    }
    sets.join().expect("it does not panic");
}

/// Values per task, with destructors in the order of std.
pub(crate) fn locals() {
    struct Notes(&'static str, Arc<Mutex<Vec<&'static str>>>);
    impl Drop for Notes {
        fn drop(&mut self) {
            self.1.lock().expect("not poisoned").push(self.0);
        }
    }
    static FIRST: LocalKey<RefCell<Option<Notes>>> =
        LocalKey::new(&0, RefCell::default, || unreachable!("not outside"));
    static SECOND: LocalKey<RefCell<Option<Notes>>> =
        LocalKey::new(&1, RefCell::default, || unreachable!("not outside"));
    static COUNT: LocalKey<Cell<u32>> = LocalKey::new(&2, || Cell::new(1), || unreachable!("not outside"));
    let dropped = Arc::new(Mutex::new(Vec::new()));
    COUNT.set(5);
    let other = Arc::clone(&dropped);
    let task = thread::spawn(move || {
        assert_eq!(COUNT.get(), 1, "each task has its own");
        FIRST.set(Some(Notes("first", Arc::clone(&other))));
        SECOND.set(Some(Notes("second", other)));
    });
    task.join().expect("it does not panic");
    assert_eq!((COUNT.get(), &**dropped.lock().expect("not poisoned")), (5, &["second", "first"][..]));
}

/// A thread-local value whose destructor panics if `panics` is true.
fn drops_a_local(panics: bool) {
    struct Loud(Cell<bool>);
    impl Drop for Loud {
        fn drop(&mut self) {
            assert!(!self.0.get(), "in the destructor");
        }
    }
    static LOUD: LocalKey<Loud> = LocalKey::new(&3, || Loud(Cell::new(false)), || unreachable!("not outside"));
    thread::spawn(move || LOUD.with(|loud| loud.0.set(panics))).join().expect("it does not panic");
}

/// The destructor of a thread-local value panics, after the thread's own code has ended.
pub(crate) fn loud_local() {
    drops_a_local(true);
}

/// The destructor does not panic.
pub(crate) fn quiet_local() {
    drops_a_local(false);
}

/// Virtual time: a day passes at once, and sleepers wake in order.
#[expect(clippy::disallowed_methods, reason = "inside a run this clock is the virtual one")]
pub(crate) fn time() {
    let start = Instant::now();
    let wakes = [30, 10, 20].map(|days| {
        thread::spawn(move || {
            thread::sleep(Duration::from_secs(days * 86_400));
            Instant::now()
        })
    });
    let [late, early, middle] = wakes.map(|task| task.join().expect("it does not panic"));
    assert!(early < middle && middle < late);
    assert_eq!((late - start).as_secs() / 86_400, 30);
    let polls = Instant::now();
    while polls.elapsed() < Duration::from_millis(2) {}
}

/// A stress test of many rounds, each of which waits in a loop that also writes.
pub(crate) fn polls_that_write() {
    const ROUNDS: u32 = 1000;
    let (turn, failures) = (AtomicU32::new(0), AtomicU32::new(0));
    let play = |first: u32| {
        for round in 0..ROUNDS {
            let own = round * 2 + first;
            while turn.compare_exchange(own, own + 1, Ordering::SeqCst, Ordering::SeqCst).is_err() {
                failures.fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| play(0));
        scope.spawn(|| play(1));
    });
    assert_eq!(turn.load(Ordering::SeqCst), ROUNDS * 2);
}

/// A task that keeps its own timer, as tokio's do, and works for long: the timer has not expired at the next check.
#[expect(clippy::disallowed_methods, reason = "inside a run this clock is the virtual one")]
pub(crate) fn own_timer() {
    let work = AtomicU32::new(0);
    for _ in 0..20_000 {
        let start = Instant::now();
        work.fetch_add(1, Ordering::Relaxed);
        assert!(start.elapsed() < Duration::from_millis(1), "after {work:?}");
    }
}

/// A stress test whose threads work until a sleeping thread stops them.
pub(crate) fn work_while_another_sleeps() {
    let (is_over, rounds) = (AtomicBool::new(false), AtomicU32::new(0));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    rounds.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        thread::sleep(Duration::from_secs(1));
        is_over.store(true, Ordering::Relaxed);
    });
}

/// A long test with many short exchanges, each with a time limit. Beside them a thread sleeps, so work lets time pass;
/// no time limit may expire because of the exchanges before it.
pub(crate) fn limits_of_many_exchanges() {
    drop(thread::spawn(|| thread::sleep(Duration::from_secs(3_600))));
    let (asks, asked) = mpsc::channel();
    let (answers, answered) = mpsc::channel();
    let server =
        thread::spawn(move || asked.iter().for_each(|number: u32| answers.send(number).expect("it is awaited")));
    let work = AtomicU32::new(0);
    for number in 0..1_500 {
        for _ in 0..80 {
            work.fetch_add(1, Ordering::Relaxed);
        }
        asks.send(number).expect("the server waits");
        let answer = answered.recv_timeout(Duration::from_millis(50));
        assert_eq!(answer, Ok(number), "the server answers at once");
    }
    drop(asks);
    server.join().expect("the server does not panic");
}

/// The handler of a signal is called before `kill` returns, and is removed before the next run.
pub(crate) fn signals() {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    extern "C" fn count(_: i32) {
        CALLS.fetch_add(1, Ordering::SeqCst);
    }
    // SAFETY: actions of zeros are valid; the handler changes an atomic only.
    let old = unsafe {
        let [mut new, mut old]: [libc::sigaction; 2] = std::mem::zeroed();
        new.sa_sigaction = count as *const () as usize;
        assert_eq!(libc::sigaction(libc::SIGUSR1, &raw const new, &raw mut old), 0);
        assert_eq!(libc::kill(libc::getpid(), libc::SIGUSR1), 0);
        old.sa_sigaction
    };
    assert_eq!((old, CALLS.load(Ordering::SeqCst)), (libc::SIG_DFL, 1));
}

/// A static that a run fills is empty in the next.
pub(crate) fn statics() {
    static FILLED: Mutex<Vec<u32>> = Mutex::new(Vec::new());
    let mut filled = FILLED.lock().expect("not poisoned");
    filled.push(1);
    assert_eq!(filled.len(), 1);
}

/// A caught panic, and a panic that a join returns, while the other task goes on: each task has its own panic count.
pub(crate) fn panics() {
    struct Joins(Option<thread::JoinHandle<bool>>);
    impl Drop for Joins {
        fn drop(&mut self) {
            let other = self.0.take().map(thread::JoinHandle::join);
            assert!(thread::panicking() && matches!(other, Some(Ok(false))), "only this task panics");
        }
    }
    let other = thread::spawn(|| {
        thread::yield_now();
        thread::panicking()
    });
    let caught = catch_unwind(AssertUnwindSafe(move || {
        let _joins = Joins(Some(other));
        panic!("on purpose");
    }));
    assert!(caught.is_err() && !thread::panicking());
    assert!(thread::spawn(|| panic!("in a thread")).join().is_err());
}
