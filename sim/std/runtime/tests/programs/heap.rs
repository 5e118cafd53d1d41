//! Programs that use the heap wrongly, and rightly.

use std::alloc::{Layout, alloc, dealloc};
use std::backtrace::Backtrace;
use std::hint::black_box;
use std::ptr;
use std::sync::Arc;

use lastref_runtime::atomic::{AtomicPtr, AtomicU64, Ordering};
use lastref_runtime::sync::Mutex;
use lastref_runtime::thread;

/// One task frees the value. The other loads the pointer, passes another scheduling point, and then uses the value.
fn races(uses: fn(*mut u64)) {
    let shared = Arc::new(AtomicPtr::new(Box::into_raw(Box::new(41_u64))));
    let own = Arc::clone(&shared);
    let frees = thread::spawn(move || release(own.swap(ptr::null_mut(), Ordering::SeqCst)));
    let value = shared.load(Ordering::SeqCst);
    if !value.is_null() {
        shared.load(Ordering::SeqCst);
        uses(value);
    }
    frees.join().expect("the other does not panic");
    release(shared.swap(ptr::null_mut(), Ordering::SeqCst));
}

fn release(value: *mut u64) {
    if !value.is_null() {
        // SAFETY: the pointer came from a box, and only the task that swapped it out frees it.
        drop(unsafe { Box::from_raw(value) });
    }
}

/// Reads a value that the other task may have freed.
pub(crate) fn use_after_free() {
    races(|value| {
        // SAFETY: none, since the other task may have freed the value. This is the planted bug.
        black_box(unsafe { value.read_volatile() });
    });
}

/// Reads a value that the other task may have freed, in a program with few schedules. The read changes nothing and no
/// operation follows it, so only guard pages show it.
pub(crate) fn quiet_use_after_free() {
    let shared = Arc::new(AtomicPtr::new(Box::into_raw(Box::new(41_u64))));
    let own = Arc::clone(&shared);
    let reads = thread::spawn(move || {
        let value = own.load(Ordering::SeqCst);
        if !value.is_null() {
            // SAFETY: none, as above.
            black_box(unsafe { value.read_volatile() });
        }
    });
    release(shared.swap(ptr::null_mut(), Ordering::SeqCst));
    reads.join().expect("the other does not panic");
}

/// Reads a value that has been freed, and panics since it has changed.
pub(crate) fn panic_after_free() {
    let value = Box::into_raw(Box::new(41_u64));
    release(value);
    // SAFETY: none, since the value has been freed. This is the planted bug.
    assert_eq!(unsafe { value.read_volatile() }, 41);
}

/// Writes a value that the other task may have freed.
pub(crate) fn write_after_free() {
    // SAFETY: none, as above.
    races(|value| unsafe { value.write_volatile(1) });
}

/// Adds to an atomic that the other task may have freed.
pub(crate) fn freed_atomic() {
    races(|value| {
        // SAFETY: none, as above.
        unsafe { AtomicU64::from_ptr(value) }.fetch_add(1, Ordering::SeqCst);
    });
}

/// Each task uses the value that it swapped out.
pub(crate) fn use_before_free() {
    let shared = Arc::new(AtomicPtr::new(Box::into_raw(Box::new(41_u64))));
    let own = Arc::clone(&shared);
    let takes = |shared: &AtomicPtr<u64>| {
        let value = shared.swap(ptr::null_mut(), Ordering::SeqCst);
        // SAFETY: the pointer is null or came from a box, and the swap gave it to this task alone.
        if unsafe { value.as_ref() }.is_some_and(|value| black_box(*value) == 41) {
            release(value);
        }
    };
    let other = thread::spawn(move || takes(&own));
    takes(&shared);
    other.join().expect("the other does not panic");
}

const LAYOUT: Layout = Layout::new::<[u8; 40]>();

fn allocated() -> *mut u8 {
    // SAFETY: the layout is not empty.
    black_box(unsafe { alloc(LAYOUT) })
}

/// Frees a block twice.
pub(crate) fn double_free() {
    let block = allocated();
    // SAFETY: none for the second call, which is the planted bug.
    unsafe {
        dealloc(block, LAYOUT);
        dealloc(block, LAYOUT);
    }
}

/// Frees a block once.
pub(crate) fn single_free() {
    let block = allocated();
    // SAFETY: the block has this layout.
    unsafe { dealloc(block, LAYOUT) };
}

/// Frees a block with another layout than it was allocated with.
pub(crate) fn other_layout() {
    let block = allocated();
    // SAFETY: none: the layout is another one. This is the planted bug.
    unsafe { dealloc(block, Layout::new::<[u8; 41]>()) };
}

/// Frees no block, and keeps no reference to it.
pub(crate) fn leak() {
    black_box(allocated());
}

/// A block that is lost before more allocations than a recorded run keeps the stacks of.
pub(crate) fn leak_long_ago() {
    leak();
    for number in 0..30_000_u32 {
        drop(std::hint::black_box(Box::new(number)));
    }
}

/// Frees no block, but a static refers to it.
pub(crate) fn reachable() {
    static KEPT: Mutex<Vec<[u64; 5]>> = Mutex::new(Vec::new());
    KEPT.lock().expect("not poisoned").push([7; 5]);
}

fn writes(at: usize) {
    let mut bytes = vec![0_u8; 24];
    let end = bytes.as_mut_ptr();
    // SAFETY: only if `at` is in the block; not so in the planted bug.
    unsafe { end.add(at).write_volatile(1) };
    black_box(&bytes);
}

/// Writes the byte behind a block.
pub(crate) fn overrun() {
    writes(24);
}

/// Writes the last byte of a block.
pub(crate) fn within() {
    writes(23);
}

/// Writes near address zero.
pub(crate) fn null() {
    // SAFETY: none: this is the planted bug.
    unsafe { ptr::without_provenance_mut::<u8>(black_box(8)).write_volatile(1) };
}

fn descends(levels: u64) -> u64 {
    let frame = black_box([levels; 64]);
    if levels == 0 { 0 } else { descends(levels - 1) + frame[7] }
}

/// Recurses too deep for any stack.
pub(crate) fn deep() {
    black_box(descends(u64::MAX));
}

/// Recurses as deep as a stack allows.
pub(crate) fn flat() {
    black_box(descends(500));
}

/// Allocates and frees so much that the arena has to reuse freed blocks.
pub(crate) fn much() {
    let kept: Vec<Box<u64>> = (0..100).map(Box::new).collect();
    for round in 0..200_u64 {
        let blocks: Vec<Box<[u64; 2_000]>> = (0..100).map(|_| Box::new([round; 2_000])).collect();
        assert!(blocks.iter().all(|block| block[1_999] == round));
    }
    assert!(kept.into_iter().zip(0..).all(|(number, nth)| *number == nth));
}

/// Calls a function at an address that is not mapped.
pub(crate) fn wild_jump() {
    // SAFETY: none: this is the planted bug.
    let wild: fn() = unsafe { std::mem::transmute(black_box(0x1234_5678_0000_usize)) };
    wild();
}

/// Frees a variable on the stack.
pub(crate) fn free_of_stack() {
    let mut value = 5_u64;
    // SAFETY: none: this is the planted bug.
    drop(unsafe { Box::from_raw(black_box(&raw mut value)) });
}

/// Frees a static.
pub(crate) fn free_of_static() {
    static VALUE: u64 = 5;
    // SAFETY: none: this is the planted bug.
    drop(unsafe { Box::from_raw(black_box((&raw const VALUE).cast_mut())) });
}

/// Grows a vector that was made from an array on another task's stack.
pub(crate) fn growth_of_stack() {
    let mut bytes = [1_u8, 2, 3, 4];
    let start = AtomicPtr::new(bytes.as_mut_ptr());
    thread::scope(|scope| {
        scope.spawn(|| {
            // SAFETY: none: this is the planted bug.
            let mut grown = unsafe { Vec::from_raw_parts(start.load(Ordering::SeqCst), 4, 4) };
            grown.push(5);
            black_box(grown);
        });
    });
}

/// Frees memory that was allocated before the run, as the first use of a static may have done.
pub(crate) fn free_of_earlier() {
    let earlier = EARLIER.load(std::sync::atomic::Ordering::Relaxed);
    // SAFETY: the block came from a box outside of the run. No run really frees it, so each run may do so.
    drop(unsafe { Box::from_raw(ptr::with_exposed_provenance_mut::<[u64; 8]>(earlier)) });
}

/// The address of a block that was allocated outside of a run.
static EARLIER: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);

/// Allocates the block of [`free_of_earlier`], outside of a run.
pub(crate) fn allocate_earlier() {
    let block = Box::into_raw(Box::new([7_u64; 8]));
    EARLIER.store(block.expose_provenance(), std::sync::atomic::Ordering::Relaxed);
}

/// Captures a backtrace, which allocates under the lock of std's backtraces, and panics.
pub(crate) fn panic_after_backtrace() {
    let captured = black_box(Backtrace::force_capture());
    panic!("a backtrace has frames: {:?}", captured.status());
}
