//! A panic in a task is a finding, not a crash: it is caught, told as one, and kept off the terminal.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use crate::engine::{self, Arm};
use crate::run;
use crate::violation::{Violation, ViolationKind};

thread_local! {
    /// A run is executing on this OS thread: its panics are findings. One flag for all its tasks, since those that a
    /// finding leaves suspended never come back to lower a count.
    static GUARDED: Cell<bool> = const { Cell::new(false) };
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
    static TEXT: RefCell<String> = const { RefCell::new(String::new()) };
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
            let text = text_of(info.payload());
            if engine::arm() == Arm::Loom {
                // Noted at once: what unwinding comes to, and whether it comes to anything, is not certain there.
                let violation = violation_of(&text);
                run::with(|run| run.note_violation(violation));
            }
            TEXT.set(text);
        }));
    });
}

/// From now on, or no longer, panics on this OS thread are findings.
pub(crate) fn guard(on: bool) {
    GUARDED.set(on);
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
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default().to_owned();
    let of_loom = engine::arm() == Arm::Loom;
    let (kind, property) = if of_loom && text.starts_with("deadlock; threads") {
        let message = "no thread of the model can go on".to_owned();
        return Violation::of_run(ViolationKind::Deadlock, message)
            .fact("loom", first)
            .fact("hint", "loom does not say who holds what; the shuttle engine does");
    } else if of_loom && text.contains("Causality violation") {
        let cell = engine::loom::touched();
        (ViolationKind::DataRace, format!("{cell} {}", ViolationKind::DataRace.rule()))
    } else if of_loom && text.contains("Model exceeded maximum number of branches") {
        let violation = Violation::of_run(ViolationKind::Stall, first);
        return violation
            .fact("usual cause", "a loop that spins without yielding, or a configuration too large for loom")
            .fact("knob", "Limits::branches_max");
    } else {
        (ViolationKind::Panic, ViolationKind::Panic.rule().to_owned())
    };
    // What an assertion says of its two sides stands in the lines after the first.
    let more = lines.filter(|_| kind == ViolationKind::Panic).map(|line| ("panic".to_owned(), line.trim().to_owned()));
    let facts = more.chain([("panicked at".to_owned(), place)]).collect();
    Violation { kind, property, message: first, facts }
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

/// The one case that has no way on: a destructor has to wait while a panic unwinds its own task. It cannot switch, since
/// every task would see the panic, and it cannot go on without what it waits for. What is known is told, and the process
/// aborts.
#[cold]
pub(crate) fn stuck_while_unwinding(what: &str) -> ! {
    let seed = run::with(|run| run.seed).unwrap_or_default();
    let text = TEXT.with_borrow(Clone::clone);
    let place = PLACE.with_borrow(Clone::clone).unwrap_or_default();
    eprintln!("a destructor {what} while its own task panics, and can neither wait nor go on (seed {seed:#x})");
    eprintln!("the panic, at {place}: {text}");
    std::process::abort()
}
