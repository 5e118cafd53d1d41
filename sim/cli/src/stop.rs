//! Ctrl-C and SIGTERM: the first ends a search with the results so far, the second ends the process at once.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// A signal that asks a search to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

impl Signal {
    const ALL: [Signal; 2] = [Signal::Interrupt, Signal::Terminate];

    fn number(self) -> i32 {
        match self {
            Signal::Interrupt => SIGINT,
            Signal::Terminate => SIGTERM,
        }
    }

    /// The exit code that shells expect of a process that the signal ended: 128 and the signal's number.
    pub fn code(self) -> u8 {
        match self {
            Signal::Interrupt => 130,
            Signal::Terminate => 143,
        }
    }
}

/// The signal that has arrived, if any.
#[derive(Debug)]
pub struct Stop {
    flag: Arc<AtomicBool>,
    /// The signal's number; 0 if there was none.
    signal: Arc<AtomicUsize>,
}

impl Stop {
    /// Catches both signals from now on. If a handler cannot be installed, its signal keeps the default action, which
    /// ends the process.
    pub fn on_signals() -> &'static Stop {
        // Handlers stay installed: a process that searches twice installs them once.
        static STOP: OnceLock<Stop> = OnceLock::new();
        STOP.get_or_init(Stop::installed)
    }

    fn installed() -> Stop {
        let stop = Stop { flag: Arc::default(), signal: Arc::default() };
        for signal in Signal::ALL {
            let (number, code) = (signal.number(), i32::from(signal.code()));
            // Handlers run in the order of their registration: the second signal finds the flag set, and exits. The
            // number is stored before the flag, so that a thread that sees the flag also sees the number.
            let _ = flag::register_conditional_shutdown(number, code, Arc::clone(&stop.flag));
            let _ = flag::register_usize(number, Arc::clone(&stop.signal), number as usize);
            let _ = flag::register(number, Arc::clone(&stop.flag));
        }
        stop
    }

    /// The flag that the first signal sets.
    pub fn flag(&self) -> &AtomicBool {
        &self.flag
    }

    /// Whether a signal has arrived.
    pub fn is_asked(&self) -> bool {
        self.flag.load(Ordering::SeqCst)
    }

    /// The signal that has arrived, if any.
    pub fn signal(&self) -> Option<Signal> {
        let is_terminated = self.signal.load(Ordering::SeqCst) == SIGTERM as usize;
        let signal = if is_terminated { Signal::Terminate } else { Signal::Interrupt };
        self.is_asked().then_some(signal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_has_the_exit_code_that_shells_expect() {
        for signal in Signal::ALL {
            assert_eq!(i32::from(signal.code()), 128 + signal.number(), "{signal:?}");
        }
    }
}
