//! What a person sees while a hunt runs: a bar for each component on a terminal, a line for each finished cell elsewhere.
//!
//! Everything here goes to stderr, and nothing here decides anything. A bar counts cells, not schedules: a cell that
//! finds its violation at once leaves most of its budget unspent, so a bar of schedules would jump and lie.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use sim::explore::{Engine, Observer, Report};

use super::filter::Chosen;
use super::outcome::verdict;
use super::terminal::stderr_is_terminal;

/// The observer of a hunt.
#[derive(Debug)]
pub(super) struct Progress {
    /// In the order of the cells.
    cells: Vec<CellProgress>,
    /// In the order of the components; none where stderr is no terminal.
    bars: Vec<Bar>,
}

#[derive(Debug)]
struct CellProgress {
    name: String,
    component: usize,
    engine: Engine,
}

#[derive(Debug)]
struct Bar {
    bar: ProgressBar,
    schedules: AtomicU64,
    findings: AtomicU64,
}

impl Progress {
    /// Of a hunt through these cells.
    pub(super) fn new(chosen: &[Chosen]) -> Progress {
        let mut components: Vec<(&str, u64)> = Vec::new();
        let mut cells = Vec::with_capacity(chosen.len());
        for Chosen { cell, .. } in chosen {
            let name = cell.case.name();
            let known = components.iter().position(|(component, _)| *component == name.component);
            let component = known.unwrap_or_else(|| {
                components.push((&name.component, 0));
                components.len() - 1
            });
            components[component].1 += 1;
            let name = format!("{}/{}/{}/{}", name.component, name.scenario, name.variant, cell.engine);
            cells.push(CellProgress { name, component, engine: cell.engine });
        }
        let bars = if stderr_is_terminal() { bars(&components) } else { Vec::new() };
        Progress { cells, bars }
    }

    /// Takes the bars away, to make room for the table.
    pub(super) fn clear(&self) {
        for bar in &self.bars {
            bar.bar.finish_and_clear();
        }
    }
}

impl Observer for Progress {
    fn progress(&self, cell: usize, schedules: u64) {
        if let Some(bar) = self.bars.get(self.cells[cell].component) {
            bar.schedules.fetch_add(schedules, Ordering::Relaxed);
            bar.tell();
        }
    }

    fn finished(&self, cell: usize, report: &Report) {
        let name = &self.cells[cell].name;
        if let Some(bar) = self.bars.get(self.cells[cell].component) {
            bar.findings.fetch_add(u64::from(report.failure().is_some()), Ordering::Relaxed);
            bar.tell();
            bar.bar.inc(1);
            return;
        }
        let verdict = verdict(self.cells[cell].engine, report);
        // Progress that nobody can read is no reason to end a hunt.
        let _ = writeln!(io::stderr(), "{name}: {verdict} (schedules: {})", report.schedules);
    }
}

impl Bar {
    fn tell(&self) {
        let (schedules, findings) = (self.schedules.load(Ordering::Relaxed), self.findings.load(Ordering::Relaxed));
        self.bar.set_message(format!("{schedules} schedules, {findings} findings"));
    }
}

fn bars(components: &[(&str, u64)]) -> Vec<Bar> {
    let all = MultiProgress::new();
    // A template is a constant, so this cannot fail; the plain style would do if it did.
    let style = ProgressStyle::with_template("{prefix} {bar:24} {pos}/{len} cells, {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let new = |(component, cells): &(&str, u64)| {
        let bar = all.add(ProgressBar::new(*cells).with_style(style.clone()).with_prefix((*component).to_owned()));
        Bar { bar, schedules: AtomicU64::new(0), findings: AtomicU64::new(0) }
    };
    components.iter().map(new).collect()
}
