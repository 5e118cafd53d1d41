//! What kind of place the output goes to: how wide, and whether colours are wanted.

use std::io::{IsTerminal, stderr, stdout};

use anstream::{AutoStream, ColorChoice};

/// How to draw on stdout.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// Columns of the terminal; none where it is no terminal, and lines may be as long as they are.
    pub(super) width: Option<u16>,
    /// Whether colours are wanted.
    pub(super) colour: bool,
}

impl Look {
    /// As stdout is: a pipe or a file gets no colours, whatever else is asked for, and a terminal gets none if `NO_COLOR`
    /// is set.
    pub(super) fn of_stdout() -> Look {
        if !stdout().is_terminal() {
            return Look { width: None, colour: false };
        }
        Look { width: comfy_table::Table::new().width(), colour: AutoStream::choice(&stdout()) != ColorChoice::Never }
    }
}

/// Whether progress is seen by a person as it happens.
pub(super) fn stderr_is_terminal() -> bool {
    stderr().is_terminal()
}
