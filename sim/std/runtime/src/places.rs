//! Source locations from which the program calls libc, in the recorded run of a finding.
//!
//! An operation of the facade knows its caller. A libc call comes from real std, whose source files are not the
//! program's; its location is that of the program's innermost frame on the stack. Most calls of a run come from a few
//! locations, so a backtrace is captured only for a stack that no earlier call had.

use std::backtrace::Backtrace;
use std::collections::BTreeMap;
use std::ffi::{c_int, c_void};

use lastref_kernel::record::TaskId;

use crate::run::Run;
use crate::stacks;

/// Stacks that agree in this many innermost frames count as equal.
const FRAMES_MAX: usize = 64;

/// The libc calls of a run, in order.
#[derive(Default)]
pub(crate) struct Places {
    /// Indices into `stacks`, by the addresses of the frames.
    known: BTreeMap<Vec<usize>, usize>,
    stacks: Vec<Backtrace>,
    /// For each task: the step before each of its calls, and the index of the call's stack.
    calls: BTreeMap<u32, Vec<(u32, usize)>>,
}

impl Places {
    fn note(&mut self, task: TaskId, step: u32) {
        let frames = frames();
        let nth = match self.known.get(&frames) {
            Some(nth) => *nth,
            None => {
                let Some(stack) = stacks::capture() else { return };
                self.stacks.push(stack);
                self.known.insert(frames, self.stacks.len() - 1);
                self.stacks.len() - 1
            }
        };
        self.calls.entry(task.0).or_default().push((step, nth));
    }

    /// Resolves the source locations. Called after the run, since the lookup allocates and reads files.
    pub(crate) fn named(self) -> NamedPlaces {
        let places = self.stacks.iter().map(|stack| stacks::first_place(stack).unwrap_or_default()).collect();
        NamedPlaces { places, calls: self.calls }
    }
}

/// The source locations of a run's libc calls, as a report shows them.
#[derive(Debug, Default)]
pub(crate) struct NamedPlaces {
    places: Vec<String>,
    calls: BTreeMap<u32, Vec<(u32, usize)>>,
}

impl NamedPlaces {
    /// The source location of the libc call in which the task took this step; empty if unknown.
    pub(crate) fn of(&self, task: TaskId, step: u32) -> &str {
        let calls = self.calls.get(&task.0).map_or(&[][..], Vec::as_slice);
        // A call is recorded with the step before it, which may be the last step of the previous call.
        let before = calls.partition_point(|(noted, _)| *noted < step);
        before.checked_sub(1).map_or("", |nth| &self.places[calls[nth].1])
    }
}

impl Run {
    /// Records the stack of a libc call that is about to take steps. Called by host code.
    pub(crate) fn note_call(&self) {
        if self.has_stacks.get() {
            let (task, step) = self.kernel.log(|log| (log.task, log.step));
            self.places.borrow_mut().note(task, step);
        }
    }
}

unsafe extern "C" {
    // Of the unwinder that std itself links.
    fn _Unwind_Backtrace(visit: extern "C" fn(*mut c_void, *mut c_void) -> c_int, argument: *mut c_void) -> c_int;
    fn _Unwind_GetIP(frame: *mut c_void) -> usize;
}

/// The addresses of the current stack's frames.
fn frames() -> Vec<usize> {
    const GO_ON: c_int = 0;
    const END_OF_STACK: c_int = 5;
    extern "C" fn visit(frame: *mut c_void, frames: *mut c_void) -> c_int {
        // SAFETY: the argument is the list below, and the unwinder passes a valid frame.
        let (frames, address) = unsafe { (&mut *frames.cast::<Vec<usize>>(), _Unwind_GetIP(frame)) };
        frames.push(address);
        if frames.len() < FRAMES_MAX { GO_ON } else { END_OF_STACK }
    }
    let mut frames: Vec<usize> = Vec::with_capacity(FRAMES_MAX);
    // SAFETY: the function does not unwind, and the list outlives the call.
    unsafe { _Unwind_Backtrace(visit, (&raw mut frames).cast()) };
    frames
}
