//! Programs that use calls of the system apart from sockets: system calls by number, files, sleeps of libc.

#![expect(clippy::disallowed_types, reason = "in a run, std reads the clock of the run")]

use std::fs::{self, File};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};

use lastref_runtime::thread;

/// A counter of events and a pipe that were opened by the number of the system call, as rustix opens them.
pub(crate) fn by_number() {
    // SAFETY: the arguments are plain, the places are valid, and the descriptors are closed once.
    unsafe {
        let counter = libc::syscall(libc::SYS_eventfd2, 0, libc::EFD_CLOEXEC) as i32;
        let mut pair = [0_i32; 2];
        assert_eq!(libc::syscall(libc::SYS_pipe2, pair.as_mut_ptr(), libc::O_CLOEXEC), 0);
        let (reads, writes) = (pair[0], pair[1]);
        let counts = thread::spawn(move || {
            let one = 1_u64;
            assert_eq!(libc::write(counter, (&raw const one).cast(), 8), 8);
            assert_eq!(libc::syscall(libc::SYS_write, writes, c"x".as_ptr(), 1), 1);
        });
        let mut count = 0_u64;
        assert_eq!(libc::syscall(libc::SYS_read, counter, &raw mut count, 8), 8);
        let mut byte = 0_u8;
        assert_eq!((count, libc::read(reads, (&raw mut byte).cast(), 1)), (1, 1));
        counts.join().expect("it does not panic");
        for descriptor in [counter, reads, writes] {
            libc::close(descriptor);
        }
    }
}

/// Pipes of the calls `pipe`, `dup2` and `dup3`, by name and by number: reads from them wait in the run, and the last
/// close of a writing end wakes the reader. They stay open at the end, and no descriptor is lost in a run.
pub(crate) fn old_pipes() {
    for is_by_number in [false, true] {
        // SAFETY: the caller passes a place for two numbers.
        let open = |pair: *mut i32| unsafe {
            if is_by_number { libc::syscall(libc::SYS_pipe, pair) as i32 } else { libc::pipe(pair) }
        };
        let (mut pair, mut other) = ([0_i32; 2], [0_i32; 2]);
        // SAFETY: the arguments are plain, and the places are valid.
        unsafe {
            assert_eq!((open(pair.as_mut_ptr()), open(other.as_mut_ptr())), (0, 0));
            assert!(pair[0] < 200, "earlier runs have left descriptors open");
            // Both ends of `other` lead to `pair` from here on.
            assert_eq!(libc::dup2(pair[0], other[0]), other[0]);
            assert_eq!(libc::syscall(libc::SYS_dup3, pair[1], other[1], libc::O_CLOEXEC), i64::from(other[1]));
        }
        let [reads, writes] = other;
        // SAFETY: as above.
        let writer = thread::spawn(move || unsafe {
            assert_eq!(libc::write(writes, c"x".as_ptr().cast(), 1), 1);
            libc::close(pair[1]);
            // The file of the other copy is closed by this one.
            assert_eq!(libc::syscall(libc::SYS_dup2, reads, writes), i64::from(writes));
        });
        let mut byte = 0_u8;
        // SAFETY: as above.
        let counts = [(); 2].map(|()| unsafe { libc::read(reads, (&raw mut byte).cast(), 1) });
        assert_eq!(counts, [1, 0], "a byte and the end");
        writer.join().expect("it does not panic");
    }
}

/// A file and a copy of it stay open at the end of each run.
pub(crate) fn files_left_open() {
    let file = File::open("Cargo.toml").expect("it is there");
    let copy = file.try_clone().expect("a copy");
    assert!(copy.as_raw_fd() < 200, "earlier runs have left descriptors open");
    // The descriptor of a folder is closed within glibc.
    let folder = scratch("folder");
    fs::create_dir_all(folder.join("inner")).expect("the folder is writable");
    fs::remove_dir_all(&folder).expect("it is there");
    std::mem::forget((file, copy));
}

/// A loop that polls a child process: the child gets the time that passes in the run. A child of an earlier run that
/// has ended is gone.
#[expect(clippy::disallowed_methods, reason = "in a run, std reads the clock of the run")]
#[expect(clippy::zombie_processes, reason = "the run reaps it")]
pub(crate) fn polled_child() {
    let starts = |time: &str| Command::new("sleep").arg(time).spawn().expect("it starts");
    let begun = Instant::now();
    // SAFETY: the arguments are plain.
    assert_eq!(unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) }, -1, "a child was left");
    starts("0");
    let mut child = starts("0.01");
    // Much longer than the child's life, so that each run sleeps once: a run that is repeated must be the same.
    thread::sleep(Duration::from_millis(400));
    while child.try_wait().expect("it is a child").is_none() {
        assert!(begun.elapsed() < Duration::from_secs(20), "the child sleeps for 0.01 s");
        thread::sleep(Duration::from_millis(400));
    }
}

/// Sleeps of libc take no real time, and all clocks show the same time.
pub(crate) fn sleeps() {
    // SAFETY: the arguments are plain, or null.
    let begun = unsafe {
        let begun = libc::time(std::ptr::null_mut());
        libc::sleep(3_600);
        libc::usleep(1_000_000);
        begun
    };
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a time after 1970");
    let passed = now.as_secs() as i64 - begun;
    assert!((3_601..3_603).contains(&passed), "{passed} s");
}

/// A file that was just written is not from the future, and a time that is set is the time that is read.
pub(crate) fn file_times() {
    let path = scratch("times");
    fs::write(&path, "x").expect("the folder is writable");
    let modified = || fs::metadata(&path).and_then(|about| about.modified()).expect("a file has times");
    assert!(modified().elapsed().expect("it is not from the future") < Duration::from_secs(60));
    let hour = SystemTime::now() + Duration::from_secs(3_600);
    File::options().write(true).open(&path).and_then(|file| file.set_modified(hour)).expect("its owner may");
    assert_eq!(modified(), hour);
    fs::remove_file(&path).expect("it is there");
}

/// A lock on a file that another task holds: the wait is the run's, or the process would stand still.
pub(crate) fn file_lock() {
    let path = scratch("lock");
    File::create(&path).expect("the folder is writable");
    let holders = Arc::new(AtomicU32::new(0));
    let tasks: Vec<_> = (0..2)
        .map(|_| {
            let (path, holders) = (path.clone(), Arc::clone(&holders));
            thread::spawn(move || {
                let mut file = File::options().append(true).open(path).expect("it is there");
                file.lock().expect("a lock");
                assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0, "one task holds the lock");
                thread::yield_now();
                file.write_all(b"x").expect("it is open");
                holders.fetch_sub(1, Ordering::SeqCst);
            })
        })
        .collect();
    tasks.into_iter().for_each(|task| task.join().expect("it does not panic"));
    fs::remove_file(&path).expect("it is there");
}

/// A poller that waits for an event of a file. No call on a descriptor of the run causes the event.
pub(crate) fn file_event() {
    let folder = scratch("events");
    fs::create_dir_all(&folder).expect("the folder is writable");
    let path = std::ffi::CString::new(folder.as_os_str().as_encoded_bytes()).expect("a path");
    // SAFETY: the path is a text, and the other arguments are plain.
    let events = unsafe {
        let events = libc::inotify_init1(libc::IN_CLOEXEC);
        assert!(libc::inotify_add_watch(events, path.as_ptr(), libc::IN_CREATE) >= 0);
        events
    };
    let waits = thread::spawn(move || {
        let mut asked = libc::pollfd { fd: events, events: libc::POLLIN, revents: 0 };
        // SAFETY: the place is valid.
        assert_eq!(unsafe { libc::poll(&raw mut asked, 1, -1) }, 1);
    });
    fs::write(folder.join("file"), "x").expect("the folder is writable");
    waits.join().expect("it does not panic");
    // SAFETY: the descriptor is open, and is not used again.
    assert_eq!(unsafe { libc::close(events) }, 0);
    fs::remove_dir_all(&folder).expect("it is there");
}

/// The working directory of a run is that of the process.
pub(crate) fn folder() {
    assert!(Path::new("Cargo.toml").exists(), "an earlier run has changed the directory");
    std::env::set_current_dir("/").expect("it exists");
}

/// A path of this process's own.
fn scratch(name: &str) -> std::path::PathBuf {
    std::env::temp_dir().join(format!("lastref-{}-{name}", std::process::id()))
}
