//! Rows that a model adds to the table of its run: notes, and state changes.

use std::fmt;
use std::panic::Location;

use kernel::record::Item;

use crate::session::with_log;

pub use crate::table::Detail;

/// Adds a row to the table of this run. The text is formatted only if the run is recorded. Usually called through
/// [`crate::note!`].
#[track_caller]
pub fn note(text: fmt::Arguments<'_>) {
    let location = Location::caller();
    // Formatted outside the call: the formatting may run code of the component.
    let recording = with_log(|log| log.is_recording()).unwrap_or(false);
    let text = if recording { text.to_string().into_boxed_str() } else { Box::default() };
    with_log(|log| log.record(Item::Note(text), location));
}

/// Adds a row to the table of this run: `lastref::note!("ctx#{id} takes the reply")`.
#[macro_export]
macro_rules! note {
    ($($arg:tt)*) => { $crate::trace::note(::core::format_args!($($arg)*)) };
}

/// Records a state change of the model: `req0_ctx#1 Idle -> SendQueued`.
#[track_caller]
pub fn transition(machine: &'static str, index: u32, from: &'static str, to: &'static str) {
    let location = Location::caller();
    with_log(|log| log.record(Item::Transition { machine, index, from, to }, location));
}
