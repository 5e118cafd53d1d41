//! The causes of an invalid run. A violation is evidence about the component. A bug of the harness or a misuse of it is
//! not: the two must never be reported as a finding, and a finding never as one of them.

use std::panic::Location;

use kernel::record::{RunNumber, Void};

use crate::loom_or_std as loom;
use crate::session;

/// The payload of a panic that reports a bug of the harness or of a model: see [`crate::bug!`].
#[derive(Debug)]
pub(crate) struct Bug(pub(crate) String);

/// Ends the run as a bug of the harness or of the model, not as a finding: for states that the surrounding code rules
/// out. Outside any run it panics with the text.
///
/// # Panics
/// Always; the run's own handler catches it.
#[macro_export]
macro_rules! bug {
    ($($arg:tt)*) => { $crate::report_bug(::std::format!($($arg)*)) };
}

/// Called by [`bug!`].
///
/// # Panics
/// Always.
#[doc(hidden)]
#[track_caller]
pub fn report_bug(text: String) -> ! {
    if session::number() == RunNumber::NONE {
        panic!("invariant: {text}");
    }
    std::panic::panic_any(Bug(text))
}

/// The folder of this crate's sources, as panics name it: `sim/src/` here.
fn own_sources() -> &'static str {
    let own: &'static str = file!();
    own.strip_suffix("void.rs").unwrap_or(own)
}

/// Whether a panic at this location comes from the harness's own code. A function with `#[track_caller]`
/// reports its caller's location.
pub(crate) fn is_own(location: &Location<'_>) -> bool {
    [own_sources(), kernel::sources()].iter().any(|sources| location.file().starts_with(sources))
}

/// Whether the location is in loom.
pub(crate) fn is_of_loom(location: &Location<'_>) -> bool {
    location.file().contains("/loom-0.7") || location.file().contains("\\loom-0.7")
}

/// Classifies a panic raised by loom itself.
pub(crate) fn of_loom(text: &str, place: &str) -> Void {
    if text.contains("self.threads.len() < self.max_threads") {
        let most = loom::MAX_THREADS;
        return Void::Misuse(format!(
            "loom explores at most {most} threads, the body's own included, and the body starts more: search it under \
             fiber, or with fewer threads"
        ));
    }
    if text.contains("invalid internal loom state") {
        return Void::Misuse(format!(
            "loom does not support a second read lock by one task while a writer waits (\"{text}\" at {place}): \
             search it under fiber"
        ));
    }
    if text.contains("Is the model fully deterministic") {
        return Void::Misuse(format!(
            "the body is not deterministic, so loom cannot continue (\"{text}\"): its usual causes are the wall \
             clock, an address, the order of a std HashMap, and a static that one execution leaves to the next"
        ));
    }
    Void::Harness(format!("loom gave up at {place}: {text}"))
}
