//! Ctrl-C and SIGTERM: the first ends a search with the results so far, the second ends the process at once.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::answer::Exit;

/// Whether a signal has arrived, and its number.
#[derive(Debug)]
pub(crate) struct Stop {
    flag: Arc<AtomicBool>,
    /// The signal's number; 0 if there was none.
    signal: Arc<AtomicUsize>,
}

impl Stop {
    /// Catches both signals from now on. If a handler cannot be installed, its signal keeps the default
    /// action, which ends the process.
    pub(crate) fn on_signals() -> &'static Stop {
        static STOP: OnceLock<Stop> = OnceLock::new();
        STOP.get_or_init(Stop::installed)
    }

    fn installed() -> Stop {
        let stop = Stop { flag: Arc::default(), signal: Arc::default() };
        for (signal, exit) in [(SIGINT, Exit::Interrupted), (SIGTERM, Exit::Terminated)] {
            // Handlers run in the order of their registration: the second signal finds the flag set, and exits. The
            // number is stored before the flag, so that a thread that sees the flag also sees the number.
            let _ = flag::register_conditional_shutdown(signal, i32::from(exit.code()), Arc::clone(&stop.flag));
            let _ = flag::register_usize(signal, Arc::clone(&stop.signal), signal as usize);
            let _ = flag::register(signal, Arc::clone(&stop.flag));
        }
        stop
    }

    /// Whether a signal has arrived.
    pub(crate) fn is_asked(&self) -> bool {
        self.flag.load(Ordering::SeqCst)
    }

    /// The exit code of the signal that has arrived, if any.
    pub(crate) fn exit(&self) -> Option<Exit> {
        let is_terminated = self.signal.load(Ordering::SeqCst) == SIGTERM as usize;
        let exit = if is_terminated { Exit::Terminated } else { Exit::Interrupted };
        self.is_asked().then_some(exit)
    }
}
