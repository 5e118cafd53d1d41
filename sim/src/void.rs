//! A run that tells nothing about the component, and whose it is to mend.
//!
//! A violation is evidence about the component. A fault of the harness, or of the way in which the harness is used, is
//! not: it must never be told as a finding, nor a finding as one of these.

use std::panic::Location;

/// Why a run is worth nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Void {
    /// A bug of the harness or of a model.
    Harness(String),
    /// The body uses the harness in a way that it cannot carry out.
    Misuse(String),
}

/// The payload of a panic that reports a bug of the harness or of a model: see [`crate::bug!`].
#[derive(Debug)]
pub(crate) struct Bug(pub(crate) String);

/// Ends the run as a fault of the harness or of the model, not as a finding: a state that the code around it rules out.
/// Outside any run it panics with the text.
///
/// # Panics
/// Always; the run's own handler takes it from there.
#[macro_export]
macro_rules! bug {
    ($($arg:tt)*) => { $crate::report_bug(::std::format!($($arg)*)) };
}

/// What [`bug!`] calls.
///
/// # Panics
/// Always.
#[doc(hidden)]
#[track_caller]
pub fn report_bug(text: String) -> ! {
    if crate::run::number() == crate::run::RunNumber::NONE {
        panic!("invariant: {text}");
    }
    std::panic::panic_any(Bug(text))
}

/// The folder of this crate's sources, as panics name it: `sim/src/` here.
fn own_sources() -> &'static str {
    let own: &'static str = file!();
    own.strip_suffix("void.rs").unwrap_or(own)
}

/// Whether a panic at this place is one of the harness's own code. What a function with `#[track_caller]` says of its
/// caller is placed at the caller.
pub(crate) fn is_own(location: &Location<'_>) -> bool {
    location.file().starts_with(own_sources())
}

/// Whether it is one of loom's.
pub(crate) fn is_of_loom(location: &Location<'_>) -> bool {
    location.file().contains("/loom-0.7") || location.file().contains("\\loom-0.7")
}

impl Void {
    /// What loom's own panic is evidence of.
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
                "loom gives up at a read lock that its holder takes a second time beside a writer (\"{text}\" at {place}): \
                 search it under fiber"
            ));
        }
        if text.contains("Is the model fully deterministic") {
            return Void::Misuse(format!(
                "the body is not deterministic, and loom has lost its way (\"{text}\"): its usual causes are the wall \
                 clock, an address, the order of a std HashMap, and a static that one execution leaves to the next"
            ));
        }
        Void::Harness(format!("loom gave up at {place}: {text}"))
    }
}
