//! Whether stderr is a terminal, and the colours of its words.

use std::io::{IsTerminal, stderr};

use anstyle::{AnsiColor, Style};

/// Whether a person may watch the progress.
pub(crate) fn stderr_is_terminal() -> bool {
    stderr().is_terminal()
}

/// The colour of a word that reports success.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
/// The colour of a word that reports a finding or a failure.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// The colour of a word that reports something left undone.
pub(crate) const WEAK: Style = AnsiColor::Yellow.on_default().bold();

/// A text in a style. `anstream` removes the style if the output does not support it.
pub(crate) fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}
