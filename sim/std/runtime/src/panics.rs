//! Panics: a count per task, with the task's `errno`, and the text, place and stack of the panic that ends a test.
//!
//! std counts the panics of each OS thread in a thread-local that it does not publish. The tasks of a run share an OS
//! thread, so the runtime saves and restores the count at each switch. To find the count's address, it looks for the
//! word of the thread's block that a panic changes.

use std::backtrace::Backtrace;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, resume_unwind, set_hook, take_hook};
use std::ptr;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

use lastref_kernel::PanicCount;
use lastref_kernel::record::TaskId;

use crate::backtrace_lock;
use crate::finding::{Fact, Finding, FindingKind, place};
use crate::memory::range_of_thread;
use crate::run::{Run, current};

/// The distance of the count below the end of the thread's block; 0 before it was found.
static DISTANCE: AtomicUsize = AtomicUsize::new(0);

/// Access to the count, if its address was found.
pub(crate) fn panic_count() -> Option<PanicCount> {
    let distance = find()?;
    DISTANCE.store(distance, Ordering::Relaxed);
    Some(PanicCount { take, set })
}

fn count() -> *mut [usize; 2] {
    let end: usize;
    // SAFETY: as in `memory::range_of_thread`.
    unsafe { std::arch::asm!("mov {}, fs:[0]", out(reg) end, options(nostack, readonly)) };
    ptr::with_exposed_provenance_mut(end - DISTANCE.load(Ordering::Relaxed))
}

/// The bits of `errno` in the word of the count, which is a small number. `errno` also belongs to an OS thread, so it
/// has to change at each switch too.
const ERRNO: u32 = 32;

fn take() -> [usize; 2] {
    // SAFETY: `find` has located std's two words here: the panic count, and the flag that the panic hook is running.
    // `errno` is valid.
    unsafe {
        let [panics, flag] = count().replace([0; 2]);
        [panics | (*libc::__errno_location() as usize) << ERRNO, flag]
    }
}

fn set([panics, flag]: [usize; 2]) {
    // SAFETY: as above.
    unsafe {
        *libc::__errno_location() = (panics >> ERRNO) as i32;
        count().write([panics & ((1 << ERRNO) - 1), flag]);
    }
}

/// The one word of this thread's block that is 0 before a panic, 1 while it unwinds, and 0 after it.
fn find() -> Option<usize> {
    struct Looks<'a>(&'a mut Vec<usize>);
    impl Drop for Looks<'_> {
        fn drop(&mut self) {
            read_block(self.0);
        }
    }
    let (mut before, mut during, mut after) = (Vec::new(), Vec::new(), Vec::new());
    // The first reading allocates the buffers, so the later ones do not allocate.
    for words in [&mut before, &mut during, &mut after] {
        read_block(words);
    }
    read_block(&mut before);
    let unwinds = AssertUnwindSafe(|| {
        let _looks = Looks(&mut during);
        resume_unwind(Box::new(0_u8));
    });
    drop(catch_unwind(unwinds));
    read_block(&mut after);
    let is_count = |place: &usize| (before[*place], during[*place], after[*place]) == (0, 1, 0);
    let mut found = (0..before.len()).filter(is_count);
    let place = found.next()?;
    found.next().is_none().then(|| (before.len() - place) * 8)
}

fn read_block(words: &mut Vec<usize>) {
    let (start, end) = range_of_thread();
    let start = start.next_multiple_of(8);
    words.clear();
    words.extend((start..end).step_by(8).map(|at| {
        // SAFETY: the range is this thread's own block.
        unsafe { ptr::with_exposed_provenance::<usize>(at).read_volatile() }
    }));
}

/// The last panic of a task.
pub(crate) struct Panicked {
    pub(crate) task: TaskId,
    pub(crate) message: String,
    place: Option<String>,
    stack: Option<Backtrace>,
}

/// Makes panics of tasks silent, since a test may panic on purpose in each of a thousand runs. A panic that ends a run
/// is reported.
pub(crate) fn install_hook() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let previous = take_hook();
        set_hook(Box::new(move |info| match current() {
            Some(run) => run.host(|| run.notes_panic(info)),
            None => previous(info),
        }));
    });
}

impl Run {
    fn notes_panic(&'static self, info: &PanicHookInfo<'_>) {
        let message = info.payload_as_str().unwrap_or("a value that is not a text").to_owned();
        let stack = (self.has_stacks.get() && !backtrace_lock::is_held()).then(Backtrace::force_capture);
        let task = self.task();
        let mut panics = self.panics.borrow_mut();
        panics.retain(|panicked| panicked.task != task);
        panics.push(Panicked { task, message, place: info.location().map(place), stack });
    }

    /// Text, place and stack of the current task's last panic. Called by host code.
    pub(crate) fn last_panic(&self) -> Option<Panicked> {
        let task = self.task();
        let mut panics = self.panics.borrow_mut();
        let nth = panics.iter().position(|panicked| panicked.task == task)?;
        Some(panics.swap_remove(nth))
    }

    /// The finding that the test panicked. Called by host code.
    pub(crate) fn told_panic(&self, text: Option<&str>) -> Finding {
        let panicked = self.last_panic();
        // After `resume_unwind` the payload may differ from the panic that the hook saw.
        let message = match (text, &panicked) {
            (Some(text), _) => text.to_owned(),
            (None, Some(panicked)) => panicked.message.clone(),
            (None, None) => "a value that is not a text".to_owned(),
        };
        let mut finding = Finding::new(FindingKind::Panic, message).facts(self.here());
        if let Some(Panicked { place, stack, .. }) = panicked {
            finding.facts.extend(place.map(|place| ("panicked at".to_owned(), Fact::Text(place))));
            finding = finding.stack("the panic", stack);
        }
        let others = self.panics.borrow();
        others.iter().fold(finding, |finding, other| {
            let name = self.kernel.log(|log| log.task_name(other.task));
            let at = other.place.as_deref().unwrap_or("an unknown place");
            finding.fact("also panicked", format!("{name} at {at}: {}", other.message))
        })
    }
}
