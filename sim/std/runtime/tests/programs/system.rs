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

/// Waits for and wakes of some bits of a futex word, and a wake that passes waiters on to another word.
pub(crate) fn futexes() {
    static WORDS: [AtomicU32; 2] = [AtomicU32::new(0), AtomicU32::new(0)];
    static WOKEN: AtomicU32 = AtomicU32::new(0);
    // SAFETY: the word and the time are valid, and the other arguments are plain.
    let call = |operation: i32, value: u32, second: usize, third: u32| unsafe {
        libc::syscall(libc::SYS_futex, &raw const WORDS[0], operation, value, second, &raw const WORDS[1], third)
    };
    let wakes = |operation: i32, value: u32, second: usize, third: u32, count: i64| {
        // Until that many tasks wait.
        while call(operation, value, second, third) < count {
            thread::yield_now();
        }
    };
    let [first, second] = [1_u32, 2].map(|bits| {
        thread::spawn(move || {
            assert_eq!(call(libc::FUTEX_WAIT_BITSET, 0, 0, bits), 0);
            WOKEN.fetch_or(bits, Ordering::SeqCst);
        })
    });
    wakes(libc::FUTEX_WAKE_BITSET, 1, 0, 2, 1);
    second.join().expect("it does not panic");
    assert_eq!(WOKEN.load(Ordering::SeqCst), 2, "a wake for other bits");
    wakes(libc::FUTEX_WAKE, 9, 0, 0, 1);
    first.join().expect("it does not panic");
    assert_eq!(call(libc::FUTEX_WAKE_BITSET, 1, 0, 0), -1, "no bits");
    assert_eq!(call(libc::FUTEX_CMP_REQUEUE, 1, 9, 5), -1, "another value");
    let waiter = thread::spawn(move || assert_eq!(call(libc::FUTEX_WAIT, 0, 0, 0), 0));
    wakes(libc::FUTEX_CMP_REQUEUE, 0, 9, 0, 1);
    waiter.join().expect("it does not panic");
}

/// Clocks and times that Linux refuses are refused, and each clock that tells the time of day tells that of the run.
pub(crate) fn clocks() {
    let time = |tv_sec: i64, tv_nsec: i64| libc::timespec { tv_sec, tv_nsec };
    let mut now = time(0, 0);
    // SAFETY: the places are valid.
    unsafe {
        assert_eq!(libc::clock_gettime(libc::CLOCK_TAI, &raw mut now), 0);
        let day = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a time after 1970");
        assert!(day.as_secs().abs_diff(now.tv_sec as u64) < 2, "{day:?} {}", now.tv_sec);
        assert_eq!(libc::clock_gettime(99, &raw mut now), -1);
        assert_eq!(libc::nanosleep(&time(0, -1), std::ptr::null_mut()), -1);
        assert_eq!(std::io::Error::last_os_error().raw_os_error(), Some(libc::EINVAL));
        let refused = libc::clock_nanosleep(libc::CLOCK_MONOTONIC, 0, &time(0, 1_000_000_000), std::ptr::null_mut());
        assert_eq!(refused, libc::EINVAL);
        let mut clock = 0;
        assert_eq!(libc::pthread_getcpuclockid(libc::pthread_self(), &raw mut clock), 0);
        assert_eq!(libc::clock_gettime(clock, &raw mut now), 0);
        assert!(now.tv_sec < 1_000, "CPU time");
    }
}

/// A timer that is read, polled and copied: it expires in virtual time.
pub(crate) fn timer() {
    let time = |ms: i64| libc::timespec { tv_sec: 0, tv_nsec: ms * 1_000_000 };
    // SAFETY: the arguments are plain, and the places are valid.
    unsafe {
        let timer = libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_CLOEXEC);
        let expirations = || {
            let mut count = 0_u64;
            assert_eq!(libc::read(timer, (&raw mut count).cast(), 8), 8);
            count
        };
        let sets = move |first: i64, interval: i64| {
            let new = libc::itimerspec { it_interval: time(interval), it_value: time(first) };
            assert_eq!(libc::timerfd_settime(timer, 0, &raw const new, std::ptr::null_mut()), 0);
        };
        let begun = SystemTime::now();
        sets(500, 10);
        let copy = libc::dup(timer);
        let mut asked = libc::pollfd { fd: copy, events: libc::POLLIN, revents: 0 };
        assert_eq!(libc::poll(&raw mut asked, 1, 100), 0, "it expires after 500 ms");
        assert_eq!(libc::poll(&raw mut asked, 1, -1), 1);
        libc::close(copy);
        let elapsed = begun.elapsed().expect("the clock goes forward");
        assert!(elapsed >= Duration::from_millis(500) && elapsed < Duration::from_millis(510), "{elapsed:?}");
        assert_eq!(expirations(), 1);
        thread::sleep(Duration::from_millis(35));
        assert!((3..=4).contains(&expirations()));
        let mut setting = std::mem::zeroed::<libc::itimerspec>();
        assert_eq!(libc::timerfd_gettime(timer, &raw mut setting), 0);
        assert_eq!(setting.it_interval.tv_nsec, 10_000_000);
        assert!((1..=10_000_000).contains(&setting.it_value.tv_nsec), "{}", setting.it_value.tv_nsec);
        // A timer that is set again forgets its expirations, and wakes those who wait already.
        sets(3, 0);
        thread::sleep(Duration::from_millis(5));
        let sets_again = thread::spawn(move || sets(20, 0));
        sets_again.join().expect("it does not panic");
        assert_eq!(expirations(), 1);
        // A read that does not wait finds an expiration too.
        assert_eq!(libc::fcntl(timer, libc::F_SETFL, libc::O_NONBLOCK), 0);
        sets(5, 0);
        let mut count = 0_u64;
        while libc::read(timer, (&raw mut count).cast(), 8) < 0 {
            thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(count, 1);
        libc::close(timer);
    }
}

/// A message is stamped with the time of the run.
pub(crate) fn stamped_message() {
    let (sender, receiver) = std::os::unix::net::UnixDatagram::pair().expect("sockets");
    let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a time after 1970");
    let mut headers = [0_u64; 16];
    let mut byte = [0_u8; 1];
    // SAFETY: the places are valid for the calls, and the header has the type that is read.
    let stamp = unsafe {
        let (on, size) = (1_i32, size_of::<i32>() as u32);
        let option = (&raw const on).cast();
        assert_eq!(libc::setsockopt(receiver.as_raw_fd(), libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, option, size), 0);
        thread::sleep(Duration::from_secs(3_600));
        let before = now();
        sender.send(b"x").expect("it is open");
        let mut part = libc::iovec { iov_base: byte.as_mut_ptr().cast(), iov_len: 1 };
        let mut message = std::mem::zeroed::<libc::msghdr>();
        (message.msg_iov, message.msg_iovlen) = (&raw mut part, 1);
        (message.msg_control, message.msg_controllen) = (headers.as_mut_ptr().cast(), size_of_val(&headers));
        assert_eq!(libc::recvmsg(receiver.as_raw_fd(), &raw mut message, 0), 1);
        let header = libc::CMSG_FIRSTHDR(&message);
        assert_eq!((*header).cmsg_type, libc::SCM_TIMESTAMPNS);
        let time = libc::CMSG_DATA(header).cast::<libc::timespec>().read_unaligned();
        let stamp = Duration::new(time.tv_sec as u64, time.tv_nsec as u32);
        assert!(before <= stamp, "{before:?} {stamp:?}");
        stamp
    };
    assert!(stamp <= now());
}

/// A run changes the action of a signal, the `umask` and its standard output: the next run finds those of the process.
pub(crate) fn changed_process() {
    extern "C" fn ignores(_: i32) {}
    const OWN_MASK: u32 = 0o123;
    // SAFETY: the handler does nothing, and the other arguments are plain.
    unsafe {
        let handler = ignores as extern "C" fn(i32) as libc::sighandler_t;
        assert_eq!(libc::signal(libc::SIGUSR2, handler), libc::SIG_DFL);
        assert_ne!(libc::umask(OWN_MASK), OWN_MASK);
    }
    let path = scratch("stdout");
    // The link of a file that was removed has more text behind its path.
    let is_replaced = || {
        let link = fs::read_link("/proc/self/fd/1").expect("there is a standard output");
        link.to_string_lossy().starts_with(&*path.to_string_lossy())
    };
    assert!(!is_replaced(), "the output of an earlier run");
    let file = File::create(&path).expect("the folder is writable");
    // SAFETY: both are descriptors.
    assert_eq!(unsafe { libc::dup2(file.as_raw_fd(), 1) }, 1);
    assert!(is_replaced());
    fs::remove_file(&path).expect("it is there");
}

/// `errno` belongs to a thread.
pub(crate) fn errno() {
    let failing = || {
        for error in [libc::EBADF, libc::ENOENT] {
            // SAFETY: both calls fail.
            unsafe {
                match error {
                    libc::EBADF => libc::close(-1),
                    _ => libc::access(c"/none".as_ptr(), 0),
                };
            }
            thread::yield_now();
            assert_eq!(std::io::Error::last_os_error().raw_os_error(), Some(error));
        }
    };
    let other = thread::spawn(failing);
    failing();
    other.join().expect("it does not panic");
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
