//! Whether a person watches, and in which colours.

use std::io::{IsTerminal, stderr};

use anstyle::{AnsiColor, Style};

/// Whether a person sees progress as it happens.
pub(crate) fn stderr_is_terminal() -> bool {
    stderr().is_terminal()
}

/// The colour of a word that reports success.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
/// The colour of a word that reports a finding or a failure.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// The colour of a word that reports something left undone.
pub(crate) const WEAK: Style = AnsiColor::Yellow.on_default().bold();

/// A text in a style. `anstream` removes the style where it is not wanted.
pub(crate) fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}
