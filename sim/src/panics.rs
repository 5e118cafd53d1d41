//! A panic in a task is a finding, not a crash: it is caught, told as one, and kept off the terminal.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::Once;

use crate::engine;
use crate::run;
use crate::violation::{Violation, ViolationKind};

thread_local! {
    /// A run is executing on this OS thread: its panics are findings. One flag for all its tasks, since those that a
    /// finding leaves suspended never come back to lower a count.
    static GUARDED: Cell<bool> = const { Cell::new(false) };
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Puts our hook in front of the host's, once per process. shuttle installs its own at its first execution, which would
/// print about every panic of the host too; so one is made here, and its hook is dropped.
pub(crate) fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let host = panic::take_hook();
        shuttle::check_random(|| {}, 1);
        drop(panic::take_hook());
        panic::set_hook(Box::new(move |info| {
            if !GUARDED.get() {
                host(info);
                return;
            }
            PLACE.set(info.location().map(|at| format!("{}:{}", at.file(), at.line())));
            // Noted at once: what unwinding comes to, and whether it comes to anything, is not certain under loom.
            let violation = describe(info);
            run::with(|run| run.note_violation(violation));
        }));
    });
}

/// From now on, or no longer, panics on this OS thread are findings.
pub(crate) fn guard(on: bool) {
    GUARDED.set(on);
}

fn describe(info: &PanicHookInfo<'_>) -> Violation {
    let text = text_of(info.payload());
    violation_of(&text)
}

fn text_of(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<&'static str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a payload that is no text".to_owned())
}

/// What a panic is evidence of. loom tells its own findings by panicking.
fn violation_of(text: &str) -> Violation {
    let place = PLACE.with_borrow(Clone::clone).unwrap_or_default();
    let first = text.lines().next().unwrap_or_default().to_owned();
    let (kind, property) = if text.starts_with("deadlock; threads") {
        (ViolationKind::Deadlock, ViolationKind::Deadlock.rule().to_owned())
    } else if text.contains("Causality violation") {
        let cell = engine::loom::touched();
        (ViolationKind::DataRace, format!("{cell} {}", ViolationKind::DataRace.rule()))
    } else if text.contains("Model exceeded maximum number of branches") {
        let violation = Violation::of_run(ViolationKind::Stall, first);
        return violation
            .fact("usual cause", "a loop that spins without yielding, or a configuration too large for loom")
            .fact("knob", "Limits::branches_max");
    } else {
        (ViolationKind::Panic, ViolationKind::Panic.rule().to_owned())
    };
    Violation { kind, property, message: first, facts: vec![("panicked at".to_owned(), place)] }
}

/// Runs the code of a task. A panic ends the run with a finding; the result is `None` then, if this returns at all.
pub(crate) fn guarded<R>(body: impl FnOnce() -> R) -> Option<R> {
    match panic::catch_unwind(AssertUnwindSafe(body)) {
        Ok(value) => Some(value),
        Err(payload) => {
            let violation = violation_of(&text_of(payload.as_ref()));
            engine::fail(violation);
            None
        }
    }
}
