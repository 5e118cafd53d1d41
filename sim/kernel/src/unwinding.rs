//! Tasks that wait while a panic unwinds them.
//!
//! std counts the panics of an OS thread, and the tasks of a run share one. By default a task therefore does not switch
//! while it unwinds: every other task would seem to panic. A caller that can read and write std's count carries it from
//! task to task instead; a destructor may then wait like any other code.

use crate::kernel::Kernel;
use crate::run::PanicCount;

impl Kernel {
    /// Gives each task its own panic count.
    #[must_use]
    pub fn with_panic_count(self, count: PanicCount) -> Kernel {
        Kernel { panic_count: Some(count), ..self }
    }

    /// Whether the current task must not switch, since a panic unwinds it.
    #[inline]
    pub(crate) fn is_unwinding(&self) -> bool {
        self.panic_count.is_none() && std::thread::panicking()
    }

    /// Clears the panic count and calls `switch`, which returns when the current task is chosen again; then restores
    /// the count.
    #[inline]
    pub(crate) fn with_cleared_panic_count(&self, switch: impl FnOnce()) {
        let Some(PanicCount { take, set }) = self.panic_count else { return switch() };
        let own = take();
        switch();
        set(own);
    }
}
