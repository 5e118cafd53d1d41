//! The destination of the output: its width, and whether it supports colours.

use std::io::{IsTerminal, stderr, stdout};

use anstream::{AutoStream, ColorChoice};
use anstyle::AnsiColor;

/// How to draw on stdout.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// Columns of the terminal; none if stdout is not a terminal, and lines may have any length.
    pub(super) width: Option<u16>,
    /// Whether to use colours.
    pub(super) colour: bool,
}

impl Look {
    /// The look of a file.
    pub(super) const OF_FILE: Look = Look { width: None, colour: false };

    /// The text in the colour of what needs attention.
    pub(super) fn alarm(self, text: &str) -> String {
        let red = AnsiColor::Red.on_default().bold();
        if self.colour { format!("{red}{text}{red:#}") } else { text.to_owned() }
    }

    /// The destination of the present stdout: a pipe or a file never gets colours, regardless of other settings, and a
    /// terminal gets none if `NO_COLOR` is set.
    pub(super) fn of_stdout() -> Look {
        if !stdout().is_terminal() {
            return Look::OF_FILE;
        }
        Look { width: comfy_table::Table::new().width(), colour: AutoStream::choice(&stdout()) != ColorChoice::Never }
    }
}

/// Whether a person sees progress as it happens.
pub(super) fn stderr_is_terminal() -> bool {
    stderr().is_terminal()
}
