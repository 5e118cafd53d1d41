//! A panic in a task is a finding, not a crash: it is caught, reported as a finding, and not printed on the terminal.

use std::any::Any;
use std::panic::{self, AssertUnwindSafe, Location};
use std::sync::Once;

use kernel::record::{Violation, ViolationKind, Void};

use crate::session::{self, Backend, Evidence, PanicOrigin, Seen, with_log};
use crate::void::{self, Bug};

/// Puts our hook in front of the host's, once per process. Panics within a session are findings.
pub(crate) fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let host = panic::take_hook();
        // shuttle installs a hook at its first execution, which would print every panic of the host too. This executes
        // shuttle once, before any run, and replaces its hook by ours.
        #[cfg(feature = "shuttle")]
        shuttle::check_random(|| {}, 1);
        panic::set_hook(Box::new(move |info| {
            if session::is_outside() {
                host(info);
                return;
            }
            let seen = Seen {
                place: info.location().map(|at| format!("{}:{}", at.file(), at.line())).unwrap_or_default(),
                text: text_of(info.payload()),
                whose: info.location().map(whose).unwrap_or_default(),
            };
            if session::arm() == Backend::Loom && seen.whose == PanicOrigin::Loom {
                // Noted at once: after a panic of loom itself none of its operations can be trusted, so the first
                // operation that a destructor requests reports the note.
                note(evidence(&seen));
            }
            session::with(|session| session.map(|session| session.panic.replace(Some(seen))));
        }));
    });
}

fn whose(location: &Location<'_>) -> PanicOrigin {
    if void::is_own(location) {
        PanicOrigin::Harness
    } else if void::is_of_loom(location) {
        PanicOrigin::Loom
    } else {
        PanicOrigin::Component
    }
}

/// Takes the last panic of this session.
fn take_seen() -> Option<Seen> {
    session::with(|session| session?.panic.take())
}

fn text_of(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<&'static str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .or_else(|| payload.downcast_ref::<Bug>().map(|bug| bug.0.clone()))
        .unwrap_or_else(|| "a payload that is not text".to_owned())
}

fn note(evidence: Evidence) {
    with_log(|log| match evidence {
        Evidence::Violation(violation) => log.note_violation(violation),
        Evidence::Void(void) => log.note_void(void),
    });
}

fn evidence(seen: &Seen) -> Evidence {
    let Seen { place, text, whose } = seen;
    match whose {
        PanicOrigin::Harness => Evidence::Void(Void::Harness(format!("{text}, at {place}"))),
        PanicOrigin::Loom => match session::with_foreign(|engine| engine.explain(text, place)) {
            Some(evidence) => evidence,
            None => Evidence::Void(Void::Harness(format!("{text}, at {place}, outside any exploration"))),
        },
        PanicOrigin::Component => {
            let mut lines = text.lines();
            let first = lines.next().unwrap_or_default().to_owned();
            // The two sides of an assertion are in the lines after the first.
            let more = lines.map(str::trim);
            let violation = Violation::of_run(ViolationKind::Panic, first);
            let violation = more.fold(violation, |violation, line| violation.fact("panic", line));
            Evidence::Violation(violation.fact("panicked at", place))
        }
    }
}

/// Describes a panic of the harness's own code, outside of any task.
pub(crate) fn bug_of(payload: &(dyn Any + Send)) -> Void {
    let place = take_seen().map(|seen| seen.place).unwrap_or_default();
    Void::Harness(format!("{}, at {place}", text_of(payload)))
}

/// Notes the panic that unwinds the current task; the task does not continue.
pub(crate) fn note_unwinding() {
    if let Some(seen) = take_seen() {
        note(evidence(&seen));
    }
}

/// Runs the code of a task. A panic ends the run with a finding, or as invalid; the result is then
/// `None`, if this returns at all.
pub(crate) fn guarded<R>(body: impl FnOnce() -> R) -> Option<R> {
    match panic::catch_unwind(AssertUnwindSafe(body)) {
        Ok(value) => Some(value),
        Err(payload) => {
            let is_bug = payload.downcast_ref::<Bug>().is_some();
            // `resume_unwind` with another payload runs no hook: the last recorded panic is then a different one.
            let text = text_of(payload.as_ref());
            let seen = take_seen().filter(|seen| seen.text == text).unwrap_or(Seen { text, ..Seen::default() });
            let found = match seen {
                seen if is_bug => Evidence::Void(Void::Harness(format!("{}, at {}", seen.text, seen.place))),
                seen => evidence(&seen),
            };
            match found {
                Evidence::Violation(violation) => session::fail(violation),
                Evidence::Void(void) => session::void(void),
            }
            None
        }
    }
}

/// Prints the panic, and aborts the process: a destructor has to wait while a panic unwinds its own task. It cannot
/// switch, since every task would see the panic, and it cannot proceed before the wait is over.
#[cold]
pub(crate) fn stuck_while_unwinding(what: &str) -> ! {
    let seed = with_log(|log| log.seed).unwrap_or_default();
    let Seen { text, place, .. } = take_seen().unwrap_or_default();
    eprintln!("a destructor {what} while its own task panics, and can neither wait nor go on (seed {seed:#x})");
    eprintln!("the panic, at {place}: {text}");
    std::process::abort()
}
