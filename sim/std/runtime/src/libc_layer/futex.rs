//! Futexes: the calls by which real std's locks, and parking_lot's, wait and wake.

use std::ptr;

use lastref_kernel::record::{ObjectId, Op, OpKind};
use lastref_kernel::sync::condvar::Waited;

use super::clock::as_deadline;
use super::fail;
use crate::run::{CurrentOperation, Run};

/// The operations, without the flags for private futexes and for the clock.
const COMMAND: usize = 0x7f;
const CLOCK_REALTIME: usize = libc::FUTEX_CLOCK_REALTIME as usize;

/// The bitset of operations without one.
const ALL: u32 = u32::MAX;

/// Carries out a futex call; `None` for an operation that is left to the system.
///
/// # Safety
/// The arguments are those of a futex call: the word, the operation, the value, the timeout or the second value, the
/// second word, and the bitset or the third value.
pub(super) unsafe fn call(run: &'static Run, args: [usize; 6]) -> Option<isize> {
    let [word, operation, value, timeout, _, third] = args;
    let is_of_bitset = |kind: i32| matches!(kind, libc::FUTEX_WAIT_BITSET | libc::FUTEX_WAKE_BITSET);
    match (operation & COMMAND) as i32 {
        kind if is_of_bitset(kind) && third as u32 == 0 => Some(fail(libc::EINVAL)),
        kind @ (libc::FUTEX_WAIT | libc::FUTEX_WAIT_BITSET) => {
            let timeout = ptr::with_exposed_provenance::<libc::timespec>(timeout);
            // SAFETY: the caller of the system call passes a valid time, or none.
            let deadline_ns = unsafe { timeout.as_ref() }.map(|time| {
                // `FUTEX_WAIT` takes a duration, `FUTEX_WAIT_BITSET` a point in time.
                let is_relative = kind == libc::FUTEX_WAIT;
                as_deadline(run, time, is_relative, operation & CLOCK_REALTIME != 0)
            });
            let bitset = if kind == libc::FUTEX_WAIT { ALL } else { third as u32 };
            Some(run.wait_on(word, value as u32, bitset, deadline_ns))
        }
        libc::FUTEX_WAKE => Some(run.wake(word, value as u32, ALL)),
        libc::FUTEX_WAKE_BITSET => Some(run.wake(word, value as u32, third as u32)),
        libc::FUTEX_CMP_REQUEUE if !holds(word, third as u32) => Some(fail(libc::EAGAIN)),
        // The tasks that would wait on the second word are woken too. A wait may end without a wake, so its caller
        // checks the word again, and takes the lock that the second word belongs to.
        libc::FUTEX_REQUEUE | libc::FUTEX_CMP_REQUEUE => {
            Some(run.wake(word, (value as u32).saturating_add(timeout as u32), ALL))
        }
        _ => None,
    }
}

/// Whether the word has this value.
fn holds(word: usize, value: u32) -> bool {
    let word = ptr::with_exposed_provenance::<u32>(word);
    // SAFETY: the caller of the system call passes a valid word. Every task of the run is on this thread.
    unsafe { ptr::read_volatile(word) == value }
}

impl Run {
    /// Waits while the word holds this value.
    fn wait_on(&'static self, word: usize, value: u32, bitset: u32, deadline_ns: Option<u64>) -> isize {
        let doing = self.doing.get();
        let waited = self.host(|| {
            self.notes_wait();
            let id = self.word_of_bitset(word, bitset);
            let (kind, object) = match self.owner_of(word) {
                Some(object) if object == doing.object => (doing.kind, object),
                // A condition variable relocks its mutex.
                Some(object) => (OpKind::Lock, object),
                // The program's own futex.
                None if doing.object == ObjectId::NONE => (OpKind::Wait, id),
                // A word inside a cell or a channel.
                None => (doing.kind, self.owners.borrow_mut().at(word, || doing.object)),
            };
            let op = Op { kind, object, location: doing.location };
            let waited = self.kernel.wait_on_word(id, op, deadline_ns, || holds(word, value));
            self.waited();
            waited
        });
        // Other tasks have run and replaced the operation; the primitive continues its own, and may wait again.
        self.doing.set(doing);
        match waited {
            Some(Waited::Notified | Waited::Over) => 0,
            Some(Waited::TimedOut) => fail(libc::ETIMEDOUT),
            None => fail(libc::EAGAIN),
        }
    }

    /// Wakes at most this many tasks whose bitset has a bit of this one.
    fn wake(&'static self, word: usize, most: u32, bitset: u32) -> isize {
        let CurrentOperation { kind, object: does, location } = self.doing.get();
        let woken = self.host(|| {
            let id = self.word(word);
            let object = self.owner_of(word).unwrap_or(id);
            // Otherwise the wake comes from the drop of a guard, which announces no operation.
            let notifies = object == does && matches!(kind, OpKind::NotifyOne | OpKind::NotifyAll);
            let kind = if notifies { kind } else { OpKind::Unlock };
            let op = Op { kind, object, location };
            let mut woken = self.kernel.wake_word(id, op, most);
            for other in self.words_of_bitset(word, bitset) {
                if woken < most && self.kernel.has_waiters(other) {
                    woken += self.kernel.wake_word(other, op, most - woken);
                }
            }
            woken
        });
        self.doing.set(CurrentOperation { kind, object: does, location });
        woken as isize
    }

    /// The kernel's object for a word. Each word has its own: a wake on one word of a lock must not wake a waiter on
    /// another.
    fn word(&self, word: usize) -> ObjectId {
        self.words.borrow_mut().at(word, || self.kernel.new_object("futex"))
    }

    /// The kernel's object for the waits on a word with this bitset: a wake may be meant for some bitsets only.
    fn word_of_bitset(&self, word: usize, bitset: u32) -> ObjectId {
        if bitset == ALL {
            return self.word(word);
        }
        *self.bitsets.borrow_mut().entry((word, bitset)).or_insert_with(|| self.kernel.new_object("futex"))
    }

    /// The objects of the waits on a word with a bitset that has a bit of this one, except for [`ALL`].
    fn words_of_bitset(&self, word: usize, bitset: u32) -> Vec<ObjectId> {
        let bitsets = self.bitsets.borrow();
        let of_word = bitsets.range((word, 0)..=(word, ALL));
        of_word.filter(|((_, own), _)| own & bitset != 0).map(|(_, id)| *id).collect()
    }

    /// The object that this word belongs to, if it is known. In a mutex, a condition variable and a once it is the
    /// first word; a reader-writer lock has two such words.
    fn owner_of(&self, word: usize) -> Option<ObjectId> {
        let objects = self.objects.borrow();
        let second = || {
            let lock = objects.known(word.wrapping_sub(4))?;
            let is_lock = self.kernel.log(|log| log.objects.get(lock.0 as usize) == Some(&"RwLock"));
            is_lock.then_some(lock)
        };
        objects.known(word).or_else(second).or_else(|| self.owners.borrow().known(word))
    }
}
