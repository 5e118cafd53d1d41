//! Compiled with the stand-in: every replaced name is ours, by each path to it, inside and outside of a run.
//!
//! `tests/standin.rs` compiles this file in every edition, and compares the lists here with the stand-in's own.
#![allow(deprecated)]

use std::any::{type_name, type_name_of_val};

fn check(path: &str, name: &str) {
    assert!(name.contains("lastref_runtime::"), "{path} is {name}, and not the stand-in's");
}

macro_rules! types {
    ($($path:path)*) => { $( check(stringify!($path), type_name::<$path>()); )* };
}

macro_rules! functions {
    ($($path:expr),* $(,)?) => { $( check(stringify!($path), type_name_of_val(&$path)); )* };
}

fn atomics() {
    types! {
        std::sync::atomic::AtomicBool std::sync::atomic::AtomicI8 std::sync::atomic::AtomicI16
        std::sync::atomic::AtomicI32 std::sync::atomic::AtomicI64 std::sync::atomic::AtomicIsize
        std::sync::atomic::AtomicPtr<u8> std::sync::atomic::AtomicU8 std::sync::atomic::AtomicU16
        std::sync::atomic::AtomicU32 std::sync::atomic::AtomicU64 std::sync::atomic::AtomicUsize
        core::sync::atomic::AtomicBool core::sync::atomic::AtomicI8 core::sync::atomic::AtomicI16
        core::sync::atomic::AtomicI32 core::sync::atomic::AtomicI64 core::sync::atomic::AtomicIsize
        core::sync::atomic::AtomicPtr<u8> core::sync::atomic::AtomicU8 core::sync::atomic::AtomicU16
        core::sync::atomic::AtomicU32 core::sync::atomic::AtomicU64 core::sync::atomic::AtomicUsize
    }
    functions! {
        std::sync::atomic::fence, std::sync::atomic::spin_loop_hint, std::hint::spin_loop,
        core::sync::atomic::fence, core::sync::atomic::spin_loop_hint, core::hint::spin_loop,
        std::sync::atomic::ATOMIC_BOOL_INIT, std::sync::atomic::ATOMIC_ISIZE_INIT,
        std::sync::atomic::ATOMIC_USIZE_INIT, core::sync::atomic::ATOMIC_BOOL_INIT,
        core::sync::atomic::ATOMIC_ISIZE_INIT, core::sync::atomic::ATOMIC_USIZE_INIT,
    }
}

fn locks() {
    types! {
        std::sync::Barrier std::sync::Condvar std::sync::LazyLock<u8> std::sync::Mutex<u8> std::sync::Once
        std::sync::OnceLock<u8> std::sync::RwLock<u8>
        std::sync::mpsc::IntoIter<u8> std::sync::mpsc::Iter<'static, u8> std::sync::mpsc::Receiver<u8>
        std::sync::mpsc::Sender<u8> std::sync::mpsc::SyncSender<u8> std::sync::mpsc::TryIter<'static, u8>
    }
    functions! { std::sync::ONCE_INIT, std::sync::mpsc::channel::<u8>, std::sync::mpsc::sync_channel::<u8> }
}

fn threads() {
    type Body = fn();
    types! {
        std::thread::AccessError std::thread::Builder std::thread::JoinHandle<u8> std::thread::LocalKey<u8>
        std::thread::Scope<'static, 'static> std::thread::ScopedJoinHandle<'static, u8> std::thread::Thread
        std::thread::ThreadId
    }
    functions! {
        std::thread::available_parallelism, std::thread::current, std::thread::park, std::thread::park_timeout,
        std::thread::park_timeout_ms, std::thread::sleep, std::thread::sleep_ms,
        std::thread::spawn::<Body, ()>, std::thread::yield_now,
    }
    // `scope` is generic over a function of a lifetime, which has no name here.
    std::thread::scope(|scope| check("std::thread::scope", type_name_of_val(scope)));
}

std::thread_local! {
    static BY_PATH: u8 = 1;
    static CONST: std::cell::Cell<u8> = const { std::cell::Cell::new(2) };
}

thread_local!(static BY_PRELUDE: u8 = 3);

/// A copy of a key, as tokio's `task_local!` makes one: it is the same key.
static COPY: std::thread::LocalKey<std::cell::Cell<u8>> = CONST;

fn macros() {
    functions! { BY_PATH, CONST, BY_PRELUDE }
    assert_eq!((BY_PATH.with(|value| *value), CONST.get(), BY_PRELUDE.with(|value| *value)), (1, 2, 3));
    CONST.set(4);
    assert_eq!(COPY.replace(2), 4, "both keys have one value");
}

/// With the built-in attribute this program would have two global allocators, and would not link.
struct Unused;

unsafe impl std::alloc::GlobalAlloc for Unused {
    unsafe fn alloc(&self, _: std::alloc::Layout) -> *mut u8 {
        unreachable!()
    }

    unsafe fn dealloc(&self, _: *mut u8, _: std::alloc::Layout) {
        unreachable!()
    }
}

#[global_allocator]
static UNUSED: Unused = Unused;

fn all() {
    atomics();
    locks();
    threads();
    macros();
}

fn is_simulated() -> bool {
    std::__lastref::is_simulated()
}

#[test]
fn names() {
    all();
    // The attribute is the stand-in's, too: the built-in one would not start a run.
    assert!(is_simulated());
}

#[core::prelude::v1::test]
fn test_by_path() {
    assert!(is_simulated());
}

/// The calls of libc that real std makes reach the run.
#[test]
fn calls() {
    use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
    let start = Instant::now();
    std::thread::sleep(Duration::from_secs(86_400));
    assert!((86_400..86_500).contains(&start.elapsed().as_secs()), "sleeps and the clock are virtual");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map(|now| now.as_secs() / 1_000_000);
    assert_eq!(now.ok(), Some(1_793), "the clock of the day is the run's");
    let words = |_: u32| std::hash::BuildHasher::hash_one(&std::collections::hash_map::RandomState::new(), 1_u8);
    let drawn: Vec<u64> = (0..2).map(words).collect();
    println!("drawn {drawn:?}");
    // A lock that real std waits for: were the futex real, this thread would wait forever.
    let lock = std::sync::Arc::new(std::sync::Mutex::new(0));
    let own = lock.clone();
    let mut guard = lock.lock().unwrap();
    let other = std::thread::spawn(move || *own.lock().unwrap() += 1);
    std::thread::sleep(Duration::from_millis(1));
    *guard += 1;
    drop(guard);
    other.join().unwrap();
    assert_eq!(*lock.lock().unwrap(), 2);
    let boxed = Box::new(1_u8);
    assert_eq!(std::ptr::from_ref(&*boxed) as usize >> 40, 0x60, "the heap is the run's");
}
