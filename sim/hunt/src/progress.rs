//! Progress of a running search: bars for the components and the time left on a terminal, and lines elsewhere.
//!
//! All output here goes to stderr, and it affects no result. A bar counts cells, not schedules: a cell that finds its
//! violation at once leaves most of its budget unspent, so a bar of schedules would jump and mislead. Only the bar of a
//! single cell counts schedules, since a count of cells would not move.
//!
//! Without a terminal, a search of a few cells prints a line for each. A search of many prints the unexpected verdicts
//! and ten lines of progress, so that a log stays short.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{HumanCount, MultiProgress, ProgressBar, ProgressStyle};
use lastref::explore::{Observer, Report};
use lastref::scenario::{Expect, Judgement};

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
    /// `None` if stderr is not a terminal.
    screen: Option<Screen>,
    /// Whether to print a line for each cell if there is no screen.
    in_rows: bool,
    done: AtomicUsize,
}

/// The number of progress lines in a search through many cells.
const LINES: usize = 10;

/// The interval at which a spinner turns.
const TICK: Duration = Duration::from_millis(100);

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
    counts_schedules: bool,
    schedules: AtomicU64,
    /// The number of planted defects found.
    planted: AtomicU64,
    unexpected: AtomicU64,
}

impl Progress<'_> {
    /// The progress of a search through these cells. `in_rows`: prints a line for each cell if stderr is not a
    /// terminal.
    pub(super) fn new(chosen: &[Chosen], jobs: usize, deadline: Option<Instant>, in_rows: bool) -> Progress<'_> {
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
        let screen = stderr_is_terminal().then(|| match chosen {
            [one] => Screen::of_one(one),
            _ => Screen::new(&names),
        });
        Progress { chosen, components, time_left, deadline, screen, in_rows, done: AtomicUsize::new(0) }
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

    /// The line for a search through many cells, at every tenth part of them.
    fn tenth(&self) -> Option<String> {
        let (done, all) = (self.done.fetch_add(1, Ordering::Relaxed) + 1, self.chosen.len());
        let tenths = |done: usize| done * LINES / all;
        let is_next = tenths(done) > tenths(done - 1);
        is_next.then(|| format!("{done} of {all} cells, {}", time_left::words(self.time_left())))
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
            if bar.counts_schedules {
                bar.bar.inc(schedules);
            } else {
                bar.tell();
            }
            // A hunt with a time limit uses all of that time.
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
        let judgement = chosen.expectation.judge(&chosen.cell, report);
        if let Some(screen) = &self.screen {
            let bar = &screen.bars[self.components[cell]];
            let is_unexpected = judgement == Judgement::NotAsExpected;
            let is_planted = report.failure().is_some() && judgement == Judgement::AsExpected;
            bar.planted.fetch_add(u64::from(is_planted), Ordering::Relaxed);
            bar.unexpected.fetch_add(u64::from(is_unexpected), Ordering::Relaxed);
            if !bar.counts_schedules {
                bar.tell();
                bar.bar.inc(1);
            }
            return;
        }
        // An error in writing progress must not end a hunt.
        if self.in_rows || judgement == Judgement::NotAsExpected {
            let (name, verdict) = (chosen.name(), outcome::verdict(chosen, report));
            let _ = writeln!(io::stderr(), "{name}: {verdict} (schedules: {})", report.schedules);
        }
        if !self.in_rows
            && let Some(line) = self.tenth()
        {
            let _ = writeln!(io::stderr(), "{line}");
        }
    }
}

impl Screen {
    fn new(components: &[(&str, u64)]) -> Screen {
        let all = MultiProgress::new();
        let new = |(component, cells): &(&str, u64)| {
            let bar = ProgressBar::new(*cells).with_style(style("{prefix} {bar:24} {pos}/{len} cells, {msg}"));
            Bar::new(all.add(bar.with_prefix((*component).to_owned())), false)
        };
        let bars = components.iter().map(new).collect();
        Screen { bars, left: all.add(ProgressBar::new_spinner().with_style(style("{msg}"))) }
    }

    /// The bar of a single cell.
    fn of_one(chosen: &Chosen) -> Screen {
        let all = MultiProgress::new();
        let bar = if chosen.cell.engine.is_exhaustive() {
            // The number of executions is not known before the exploration ends.
            let bar = ProgressBar::new_spinner().with_style(style("{prefix} {spinner} explores, {elapsed}"));
            bar.enable_steady_tick(TICK);
            bar
        } else {
            let template = "{prefix} {bar:24} {human_pos} of {human_len} schedules";
            ProgressBar::new(chosen.cell.budget.enough).with_style(style(template))
        };
        let bars = vec![Bar::new(all.add(bar.with_prefix(chosen.name())), true)];
        Screen { bars, left: all.add(ProgressBar::new_spinner().with_style(style("{msg}"))) }
    }
}

/// A template is a constant, so this cannot fail; if it did, the plain style would do.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl Bar {
    fn new(bar: ProgressBar, counts_schedules: bool) -> Bar {
        let [schedules, planted, unexpected] = [const { AtomicU64::new(0) }; 3];
        Bar { bar, counts_schedules, schedules, planted, unexpected }
    }

    fn tell(&self) {
        let [schedules, planted, unexpected] =
            [&self.schedules, &self.planted, &self.unexpected].map(|count| count.load(Ordering::Relaxed));
        let unexpected = if unexpected > 0 { format!(", {unexpected} not as expected") } else { String::new() };
        let schedules = HumanCount(schedules);
        self.bar.set_message(format!("{schedules} schedules, {planted} planted defects found{unexpected}"));
    }
}
