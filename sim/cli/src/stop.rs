//! Ctrl-C, SIGTERM and SIGHUP: the first ends a search with the results so far, the second ends the process at once.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

/// A signal that asks a search to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM, or SIGHUP: the terminal was closed.
    Terminate,
}

impl Signal {
    const ALL: [Signal; 2] = [Signal::Interrupt, Signal::Terminate];

    fn numbers(self) -> &'static [i32] {
        match self {
            Signal::Interrupt => &[SIGINT],
            Signal::Terminate => &[SIGTERM, SIGHUP],
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
    /// Catches the signals from now on, except SIGHUP if it is ignored, as under nohup. If a handler cannot be
    /// installed, its signal keeps the default action, which ends the process.
    pub fn on_signals() -> &'static Stop {
        // Handlers stay installed: a process that searches twice installs them once.
        static STOP: OnceLock<Stop> = OnceLock::new();
        STOP.get_or_init(Stop::installed)
    }

    fn installed() -> Stop {
        let stop = Stop { flag: Arc::default(), signal: Arc::default() };
        let numbers =
            Signal::ALL.into_iter().flat_map(|signal| signal.numbers().iter().map(move |number| (signal, *number)));
        for (signal, number) in numbers.filter(|(_, number)| *number != SIGHUP || !is_ignored(SIGHUP)) {
            let code = i32::from(signal.code());
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
        let is_interrupted = self.signal.load(Ordering::SeqCst) == SIGINT as usize;
        let signal = if is_interrupted { Signal::Interrupt } else { Signal::Terminate };
        self.is_asked().then_some(signal)
    }
}

/// Whether this process ignores the signal; false where the system does not say.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_has_the_exit_code_that_shells_expect() {
        for signal in Signal::ALL {
            assert_eq!(i32::from(signal.code()), 128 + signal.numbers()[0], "{signal:?}");
        }
    }
}
