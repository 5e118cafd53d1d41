//! Progress of a running hunt: on a terminal a bar for each component and the time left, elsewhere
//! a line for each finished cell.
//!
//! All output here goes to stderr, and it affects no result. A bar counts cells, not schedules: a cell that finds its
//! violation at once leaves most of its budget unspent, so a bar of schedules would jump and mislead.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use lastref::explore::{Observer, Report};
use scenarios::{Expect, Judgement};

use super::filter::Chosen;
use super::terminal::stderr_is_terminal;
use super::time_left::{self, TimeLeft};
use super::{clock, outcome};

/// The observer of a hunt.
#[derive(Debug)]
pub(super) struct Progress<'a> {
    /// In the order of the cells.
    chosen: &'a [Chosen],
    /// The component of each cell.
    components: Vec<usize>,
    time_left: Mutex<TimeLeft>,
    deadline: Option<Instant>,
    /// None if stderr is not a terminal.
    screen: Option<Screen>,
}

/// The bars on a terminal.
#[derive(Debug)]
struct Screen {
    /// In the order of the components.
    bars: Vec<Bar>,
    left: ProgressBar,
}

#[derive(Debug)]
struct Bar {
    bar: ProgressBar,
    schedules: AtomicU64,
    findings: AtomicU64,
    unexpected: AtomicU64,
}

impl Progress<'_> {
    /// The progress of a hunt through these cells.
    pub(super) fn new(chosen: &[Chosen], jobs: usize, deadline: Option<Instant>) -> Progress<'_> {
        let mut names: Vec<(&str, u64)> = Vec::new();
        let mut components = Vec::with_capacity(chosen.len());
        for Chosen { cell, .. } in chosen {
            let component = cell.case.name().component.as_str();
            let known = names.iter().position(|(name, _)| *name == component);
            let index = known.unwrap_or_else(|| {
                names.push((component, 0));
                names.len() - 1
            });
            names[index].1 += 1;
            components.push(index);
        }
        let cells = chosen.iter().map(|chosen| (&chosen.cell, chosen.expectation.expect != Expect::Clean));
        let time_left = Mutex::new(TimeLeft::new(cells, jobs));
        let screen = stderr_is_terminal().then(|| Screen::new(&names));
        Progress { chosen, components, time_left, deadline, screen }
    }

    /// Removes the bars, to make room for the table.
    pub(super) fn clear(&self) {
        if let Some(screen) = &self.screen {
            screen.bars.iter().for_each(|bar| bar.bar.finish_and_clear());
            screen.left.finish_and_clear();
        }
    }

    /// The estimated time for the undecided cells.
    pub(super) fn time_left(&self) -> Option<Duration> {
        self.lock().estimate()
    }

    fn lock(&self) -> MutexGuard<'_, TimeLeft> {
        self.time_left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Progress<'_> {
    fn progress(&self, cell: usize, schedules: u64, seconds: f64) {
        self.lock().add(cell, schedules, seconds);
        if let Some(screen) = &self.screen {
            let bar = &screen.bars[self.components[cell]];
            bar.schedules.fetch_add(schedules, Ordering::Relaxed);
            bar.tell();
            // A hunt with a time limit takes that time.
            let left = match self.deadline {
                Some(deadline) => Some(clock::until(deadline)),
                None => self.time_left(),
            };
            screen.left.set_message(time_left::words(left));
        }
    }

    fn finished(&self, cell: usize, report: &Report) {
        self.lock().end(cell);
        let chosen = &self.chosen[cell];
        if let Some(screen) = &self.screen {
            let bar = &screen.bars[self.components[cell]];
            let unexpected = chosen.expectation.judge(&chosen.cell, report) == Judgement::NotAsExpected;
            bar.findings.fetch_add(u64::from(report.failure().is_some()), Ordering::Relaxed);
            bar.unexpected.fetch_add(u64::from(unexpected), Ordering::Relaxed);
            bar.tell();
            bar.bar.inc(1);
            return;
        }
        let (name, verdict) = (chosen.name(), outcome::verdict(chosen, report));
        // An error in writing progress must not end a hunt.
        let _ = writeln!(io::stderr(), "{name}: {verdict} (schedules: {})", report.schedules);
    }
}

impl Screen {
    fn new(components: &[(&str, u64)]) -> Screen {
        let all = MultiProgress::new();
        let new = |(component, cells): &(&str, u64)| {
            let bar = ProgressBar::new(*cells).with_style(style("{prefix} {bar:24} {pos}/{len} cells, {msg}"));
            let bar = all.add(bar.with_prefix((*component).to_owned()));
            Bar { bar, schedules: AtomicU64::new(0), findings: AtomicU64::new(0), unexpected: AtomicU64::new(0) }
        };
        let bars = components.iter().map(new).collect();
        Screen { bars, left: all.add(ProgressBar::new_spinner().with_style(style("{msg}"))) }
    }
}

/// A template is a constant, so this cannot fail; if it did, the plain style would do.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl Bar {
    fn tell(&self) {
        let [schedules, findings, unexpected] =
            [&self.schedules, &self.findings, &self.unexpected].map(|count| count.load(Ordering::Relaxed));
        let unexpected = if unexpected > 0 { format!(", {unexpected} not as expected") } else { String::new() };
        self.bar.set_message(format!("{schedules} schedules, {findings} findings{unexpected}"));
    }
}
