//! Files are the system's. A wait for a lock on one is simulated, their times are those of the run's clock, and the
//! working directory and the `umask` are restored after each run.
//!
//! The run's clock starts at a fixed time, and the system stamps files by its own. A time that a program reads is
//! therefore shifted by the difference at the start of the search, and is never later than the run's present unless a
//! program has set it so. Two files that are written in one run differ by real time, not by virtual time.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::clock::{REALTIME_NS, real_ns};
use super::{raw, result_of};
use crate::run::{Run, current};

/// The system's real-time clock at the start of the search.
static START_NS: AtomicU64 = AtomicU64::new(0);

const SECOND_NS: i128 = 1_000_000_000;

/// Notes the start of the search. Called by host code, before the first run.
pub(crate) fn note_start() {
    START_NS.store(real_ns(libc::CLOCK_REALTIME), Ordering::Relaxed);
}

/// The difference between the clock of a run and the system's.
fn shift_ns() -> i128 {
    i128::from(REALTIME_NS) - i128::from(START_NS.load(Ordering::Relaxed))
}

/// A time of the system, by the clock of the run.
fn in_run(run: &'static Run, seconds: i64, ns: u32) -> (i64, u32) {
    let real_time_ns = i128::from(seconds) * SECOND_NS + i128::from(ns);
    let mut time_ns = real_time_ns + shift_ns();
    if real_time_ns <= i128::from(real_ns(libc::CLOCK_REALTIME)) {
        time_ns = time_ns.min(i128::from(REALTIME_NS) + i128::from(run.host(|| run.kernel.now_ns())));
    }
    (time_ns.div_euclid(SECOND_NS) as i64, time_ns.rem_euclid(SECOND_NS) as u32)
}

/// A time of the run, by the system's clock.
fn in_system(time: libc::timespec) -> libc::timespec {
    if matches!(time.tv_nsec, libc::UTIME_NOW | libc::UTIME_OMIT) {
        return time;
    }
    let time_ns = i128::from(time.tv_sec) * SECOND_NS + i128::from(time.tv_nsec) - shift_ns();
    libc::timespec { tv_sec: time_ns.div_euclid(SECOND_NS) as i64, tv_nsec: time_ns.rem_euclid(SECOND_NS) as i64 }
}

/// std reads the metadata of files by this call.
///
/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn statx(
    folder: i32,
    path: *const libc::c_char,
    flags: i32,
    mask: u32,
    about: *mut libc::statx,
) -> i32 {
    let args = [folder as isize as usize, path.addr(), flags as usize, mask as usize, about.addr(), 0];
    // SAFETY: the caller's promise.
    let result = unsafe { raw(libc::SYS_statx, args) };
    if let (0, Some(run)) = (result, current()) {
        // SAFETY: the call has filled the caller's place.
        let about = unsafe { &mut *about };
        for time in [&mut about.stx_atime, &mut about.stx_btime, &mut about.stx_ctime, &mut about.stx_mtime] {
            (time.tv_sec, time.tv_nsec) = in_run(run, time.tv_sec, time.tv_nsec);
        }
    }
    result_of(result) as i32
}

/// # Safety
/// As for libc's: `times` is null, for the present, or two times.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn utimensat(
    folder: i32,
    path: *const libc::c_char,
    times: *const libc::timespec,
    flags: i32,
) -> i32 {
    // SAFETY: the path is null or a text, by the caller's promise.
    unsafe { super::names::notes_file(path) };
    let is_shifted = current().is_some() && !times.is_null();
    // SAFETY: the caller passes two times.
    let shifted = is_shifted.then(|| unsafe { [in_system(times.read()), in_system(times.add(1).read())] });
    let at = shifted.as_ref().map_or(times, |shifted| shifted.as_ptr());
    let args = [folder as isize as usize, path.addr(), at.addr(), flags as usize, 0, 0];
    // SAFETY: the caller's promise; `shifted` lives until the end of this function.
    result_of(unsafe { raw(libc::SYS_utimensat, args) }) as i32
}

/// # Safety
/// As for [`utimensat`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn futimens(descriptor: i32, times: *const libc::timespec) -> i32 {
    // SAFETY: the caller's promise. The system takes an open file where there is no path.
    unsafe { utimensat(descriptor, std::ptr::null(), times, 0) }
}

/// The tasks that wait for a lock.
static WAITING: AtomicU32 = AtomicU32::new(0);

/// A task that waits for the lock waits in the run: until another task unlocks or closes a file.
///
/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flock(descriptor: i32, operation: i32) -> i32 {
    // SAFETY: the arguments are plain.
    let system =
        |operation: i32| unsafe { raw(libc::SYS_flock, [descriptor as usize, operation as usize, 0, 0, 0, 0]) };
    let waits = operation & (libc::LOCK_NB | libc::LOCK_UN) == 0;
    let result = match current().filter(|_| waits) {
        Some(run) => run.host(|| {
            let mut result = 0;
            run.note_call();
            WAITING.fetch_add(1, Ordering::Relaxed);
            run.wait_until(&[], None, || {
                result = system(operation | libc::LOCK_NB);
                result != -(libc::EWOULDBLOCK as isize)
            });
            WAITING.fetch_sub(1, Ordering::Relaxed);
            result
        }),
        None => system(operation),
    };
    unlocks();
    result_of(result) as i32
}

/// A lock may be free after this call: the tasks that wait for one try again.
pub(super) fn unlocks() {
    if WAITING.load(Ordering::Relaxed) > 0
        && let Some(run) = current()
    {
        run.host(|| run.wake_waiters());
    }
}

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn chdir(path: *const libc::c_char) -> i32 {
    notes_folder();
    // SAFETY: the caller's promise.
    result_of(unsafe { raw(libc::SYS_chdir, [path.addr(), 0, 0, 0, 0, 0]) }) as i32
}

/// # Safety
/// As for libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fchdir(folder: i32) -> i32 {
    notes_folder();
    // SAFETY: the arguments are plain.
    result_of(unsafe { raw(libc::SYS_fchdir, [folder as usize, 0, 0, 0, 0, 0]) }) as i32
}

/// The run is about to change the working directory.
fn notes_folder() {
    let Some(run) = current().filter(|run| run.folder.get().is_none()) else { return };
    let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC;
    // SAFETY: the path is a valid text.
    let folder = unsafe { raw(libc::SYS_open, [c".".as_ptr().addr(), flags as usize, 0, 0, 0, 0]) };
    run.folder.set((folder >= 0).then_some(folder as i32));
}

/// Sets the permissions that new files do not get.
#[unsafe(no_mangle)]
pub extern "C" fn umask(mask: u32) -> u32 {
    // SAFETY: the argument is plain.
    let before = unsafe { raw(libc::SYS_umask, [mask as usize, 0, 0, 0, 0, 0]) } as u32;
    if let Some(run) = current().filter(|run| run.umask.get().is_none()) {
        run.umask.set(Some(before));
    }
    before
}

impl Run {
    /// Restores the `umask` if the run has changed it. Called by host code.
    pub(crate) fn restores_umask(&self) {
        if let Some(mask) = self.umask.take() {
            // SAFETY: the argument is plain.
            unsafe { raw(libc::SYS_umask, [mask as usize, 0, 0, 0, 0, 0]) };
        }
    }

    /// Restores the working directory if the run has changed it. Called by host code.
    pub(crate) fn restores_folder(&self) {
        if let Some(folder) = self.folder.take() {
            // SAFETY: the arguments are plain, and this run has opened the descriptor.
            unsafe {
                raw(libc::SYS_fchdir, [folder as usize, 0, 0, 0, 0, 0]);
                raw(libc::SYS_close, [folder as usize, 0, 0, 0, 0, 0]);
            }
        }
    }
}
