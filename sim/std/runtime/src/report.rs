//! The report of a test: one JSON object on a line, and a text for people.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use lastref_kernel::record::{Event, Item, ObjectId};

use crate::execute::RunResult;
use crate::finding::{Fact, Finding, place};
use crate::objects::Objects;
use crate::stacks::shown;

/// The version of the report's format.
const VERSION: u32 = 1;

/// The result of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Clean,
    Finding,
    NotDeterministic,
    Broken,
    Misused,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Verdict::Clean => "clean",
            Verdict::Finding => "finding",
            Verdict::NotDeterministic => "not_deterministic",
            Verdict::Broken => "broken",
            Verdict::Misused => "misused",
        }
    }
}

/// The part of a report that describes the run of a finding.
#[derive(Debug, Default)]
pub(crate) struct FoundRun {
    pub(crate) kind: &'static str,
    pub(crate) facts: Vec<(String, String)>,
    pub(crate) strategy: String,
    pub(crate) seed: u64,
    /// The number of the run in its search; `None` in a replay, which executes only this run.
    pub(crate) schedule: Option<u64>,
    pub(crate) step: u32,
    pub(crate) token: String,
    pub(crate) trace_hash: u64,
    pub(crate) tasks: Vec<String>,
    pub(crate) events: Vec<Row>,
    pub(crate) settings: String,
    pub(crate) early_timer_needed: bool,
}

/// One event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Row {
    time_ns: u64,
    pub(crate) step: u32,
    task: u32,
    pub(crate) text: String,
    source: String,
}

/// The report of one test.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) test: String,
    pub(crate) schedules: u64,
    pub(crate) distinct: u64,
    pub(crate) choices: u64,
    pub(crate) steps: u64,
    /// The hash of the traces of all runs, in their order: the same in every process.
    pub(crate) traces_hash: u64,
    pub(crate) cpu_ns: u64,
    pub(crate) verdict: Verdict,
    pub(crate) message: String,
    pub(crate) told: Option<FoundRun>,
    /// Why runs of the test were not judged.
    pub(crate) skipped: Option<String>,
    /// What the test uses although it is not simulated, such as files.
    pub(crate) outside: Vec<&'static str>,
    /// The number of runs with faults, if the search injects faults.
    pub(crate) faults: Option<FaultRuns>,
    /// The sentences of `sometimes`, and the number of runs that reached each.
    pub(crate) reached: BTreeMap<&'static str, u64>,
}

/// The number of runs in which faults happened. A run with a planned fault may end before the fault.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FaultRuns {
    /// The runs with at least one fault.
    runs: u64,
    /// The runs with each kind.
    kinds: BTreeMap<&'static str, u64>,
}

impl FaultRuns {
    /// Counts a run with faults of these kinds.
    pub(crate) fn add(&mut self, kinds: &BTreeSet<&'static str>) {
        self.runs += u64::from(!kinds.is_empty());
        for kind in kinds {
            *self.kinds.entry(kind).or_insert(0) += 1;
        }
    }

    fn json(&self) -> String {
        let kinds: Vec<String> = self.kinds.iter().map(|(kind, runs)| format!("{}:{runs}", quoted(kind))).collect();
        format!("{{\"runs\":{},\"kinds\":{{{}}}}}", self.runs, kinds.join(","))
    }
}

/// The facts of a finding as text. The frames of stacks are resolved to function names.
pub(crate) fn facts_of(finding: &Finding) -> Vec<(String, String)> {
    let text = |fact: &Fact| match fact {
        Fact::Text(text) => text.clone(),
        Fact::Stack(stack) => shown(stack),
    };
    let facts = finding.facts.iter().map(|(label, fact)| (label.clone(), text(fact)));
    facts.filter(|(_, text)| !text.is_empty()).collect()
}

/// Maximum number of events in a report; the last ones are kept. A run up to a large bound on steps has millions of
/// events, whose table would take minutes and gigabytes.
const ROWS_MAX: usize = 100_000;

/// The label of each object, and its number among the objects of that label. The kernel's `label` recounts for each
/// object, which takes minutes in a report of many objects.
fn names_of(labels: &[&'static str]) -> Vec<(&'static str, u32)> {
    let mut counts = BTreeMap::new();
    let name = |label: &&'static str| {
        let count = counts.entry(*label).or_insert(0);
        *count += 1;
        (*label, *count - 1)
    };
    labels.iter().map(name).collect()
}

/// The events of a recorded run.
pub(crate) fn rows_of(made: &RunResult) -> Vec<Row> {
    let finished = &made.finished;
    let names = names_of(&finished.objects);
    let named = |object: ObjectId| match names.get(object.0 as usize) {
        Some((class, nth)) => format!(" {class}#{nth}"),
        None => String::new(),
    };
    let text = |event: &Event| {
        Some(match &event.item {
            Item::Op { object, .. } if *object == Objects::AFTER => return None,
            Item::Op { object, .. } if *object == Objects::FENCE => "fence".to_owned(),
            Item::Op { kind, object } => format!("{kind}{}", named(*object)),
            Item::Began => "begins".to_owned(),
            Item::Ended => "ends".to_owned(),
            Item::Blocked { on } => format!("waits for{}", named(*on)),
            Item::TimedOut => "timed out".to_owned(),
            Item::Note(text) => text.to_string(),
            Item::Custody(custody) => custody.to_string(),
            Item::Transition { machine, index, from, to } => format!("{machine}#{index} {from} -> {to}"),
        })
    };
    // Omits an operation if a row of the ledger follows at the same step: that row says more.
    let is_repeated = |event: &Event, next: Option<&Event>| {
        let is_custody = |next: &Event| matches!(next.item, Item::Custody(_)) && next.step == event.step;
        matches!(event.item, Item::Op { .. }) && next.is_some_and(is_custody)
    };
    let row = |(nth, event): (usize, &Event)| {
        if is_repeated(event, finished.trace.events.get(nth + 1)) {
            return None;
        }
        let text = text(event)?;
        let (time_ns, step, task) = (event.now_ns, event.step, event.task.0);
        let own = place(event.location);
        let source = if own.is_empty() { made.places.of(event.task, step).to_owned() } else { own };
        Some(Row { time_ns, step, task, text, source })
    };
    let first = finished.trace.events.len().saturating_sub(ROWS_MAX);
    finished.trace.events.iter().enumerate().skip(first).filter_map(row).collect()
}

impl Report {
    /// A report that the search failed, for the reason in `message`.
    pub(crate) fn broken(test: &str, message: String) -> Report {
        Report {
            test: test.to_owned(),
            schedules: 0,
            distinct: 0,
            choices: 0,
            steps: 0,
            traces_hash: 0,
            cpu_ns: 0,
            verdict: Verdict::Broken,
            message,
            told: None,
            skipped: None,
            outside: Vec::new(),
            faults: None,
            reached: BTreeMap::new(),
        }
    }

    /// Appends the report to the file.
    pub(crate) fn append(&self, path: &Path) -> std::io::Result<()> {
        let mut line = self.json();
        line.push('\n');
        OpenOptions::new().create(true).append(true).open(path)?.write_all(line.as_bytes())
    }

    /// The report as JSON on one line.
    pub(crate) fn json(&self) -> String {
        let mut json = String::from("{");
        let _ = write!(json, "\"version\":{VERSION},\"test\":{},\"schedules\":{}", quoted(&self.test), self.schedules);
        let _ = write!(json, ",\"distinct\":{},\"choices\":{}", self.distinct, self.choices);
        let seconds = self.cpu_ns as f64 / 1e9;
        let _ = write!(json, ",\"steps\":{},\"cpu_seconds\":{seconds:.3}", self.steps);
        let _ = write!(json, ",\"traces_hash\":\"{:#018x}\"", self.traces_hash);
        let _ = write!(json, ",\"verdict\":\"{}\"", self.verdict.word());
        if !self.message.is_empty() {
            let _ = write!(json, ",\"message\":{}", quoted(&self.message));
        }
        if let Some(told) = &self.told {
            told.write(&mut json);
        }
        if let Some(skipped) = &self.skipped {
            let _ = write!(json, ",\"skipped\":{}", quoted(skipped));
        }
        if !self.outside.is_empty() {
            let outside: Vec<String> = self.outside.iter().map(|kind| quoted(kind)).collect();
            let _ = write!(json, ",\"outside\":[{}]", outside.join(","));
        }
        if let Some(faults) = &self.faults {
            let _ = write!(json, ",\"faults\":{}", faults.json());
        }
        if !self.reached.is_empty() {
            let runs = self.reached.iter().map(|(sentence, runs)| format!("{}:{runs}", quoted(sentence)));
            let _ = write!(json, ",\"reached\":{{{}}}", runs.collect::<Vec<_>>().join(","));
        }
        json.push('}');
        json
    }

    /// The finding for a person, without its events.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("lastref: {}: {}", self.test, self.message);
        if let Some(told) = &self.told {
            text = format!("lastref: {}: {}: {}", self.test, told.kind, self.message);
            for (label, value) in &told.facts {
                let value = value.replace('\n', "\n        ");
                let separator = if value.contains('\n') { "\n        " } else { " " };
                let _ = write!(text, "\n    {label}:{separator}{value}");
            }
            let schedule = told.schedule.map_or_else(String::new, |schedule| format!("schedule {schedule} of "));
            let _ = write!(text, "\n    {schedule}seed {:#x}", told.seed);
            let _ = write!(text, "\n    replay: LASTREF_REPLAY='{}'", told.token);
        }
        text
    }
}

impl FoundRun {
    fn write(&self, json: &mut String) {
        let list = |items: Vec<String>| items.join(",");
        let pair = |(label, value): &(String, String)| format!("[{},{}]", quoted(label), quoted(value));
        let _ = write!(json, ",\"kind\":\"{}\"", self.kind);
        let _ = write!(json, ",\"strategy\":{}", quoted(&self.strategy));
        let _ = write!(json, ",\"facts\":[{}]", list(self.facts.iter().map(pair).collect()));
        let _ = write!(json, ",\"seed\":\"{:#x}\",\"step\":{}", self.seed, self.step);
        if let Some(schedule) = self.schedule {
            let _ = write!(json, ",\"schedule\":{schedule}");
        }
        let _ = write!(json, ",\"token\":{},\"trace_hash\":\"{:#018x}\"", quoted(&self.token), self.trace_hash);
        let _ = write!(json, ",\"tasks\":[{}]", list(self.tasks.iter().map(|name| quoted(name)).collect()));
        let _ = write!(json, ",\"events\":[{}]", list(self.events.iter().map(Row::json).collect()));
        let _ = write!(json, ",\"settings\":{}", quoted(&self.settings));
        let _ = write!(json, ",\"early_timer_needed\":{}", self.early_timer_needed);
    }
}

impl Row {
    fn json(&self) -> String {
        let Row { time_ns, step, task, text, source } = self;
        let (text, source) = (quoted(text), quoted(source));
        format!("{{\"time_ns\":{time_ns},\"step\":{step},\"task\":{task},\"text\":{text},\"source\":{source}}}")
    }
}

/// A text as JSON.
fn quoted(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    json.push('"');
    for character in text.chars() {
        match character {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            control if (control as u32) < 0x20 => {
                let _ = write!(json, "\\u{:04x}", control as u32);
            }
            other => json.push(other),
        }
    }
    json.push('"');
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_with_quotes_and_control_characters_is_escaped() {
        assert_eq!(quoted("a \"b\"\\\n\u{1}é"), r#""a \"b\"\\\n\u0001é""#);
    }

    #[test]
    fn a_clean_report_has_no_fields_of_a_finding() {
        let report = Report {
            test: "tests::a".to_owned(),
            schedules: 10,
            distinct: 3,
            choices: 40,
            steps: 100,
            traces_hash: 7,
            cpu_ns: 1_500_000,
            verdict: Verdict::Clean,
            message: String::new(),
            told: None,
            skipped: None,
            outside: Vec::new(),
            faults: None,
            reached: BTreeMap::new(),
        };
        let expected = "{\"version\":1,\"test\":\"tests::a\",\"schedules\":10,\"distinct\":3,\"choices\":40,\"steps\":100,\
                        \"cpu_seconds\":0.002,\"traces_hash\":\"0x0000000000000007\",\"verdict\":\"clean\"}";
        assert_eq!(report.json(), expected);
    }

    #[test]
    fn a_run_with_two_kinds_of_faults_counts_once_for_each_and_once_in_all() {
        let mut faults = FaultRuns::default();
        for kinds in [&["reset", "short"][..], &[], &["reset"]] {
            faults.add(&kinds.iter().copied().collect());
        }
        assert_eq!(faults.json(), r#"{"runs":2,"kinds":{"reset":2,"short":1}}"#);
    }
}
