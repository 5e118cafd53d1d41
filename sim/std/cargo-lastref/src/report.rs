//! The report of a test, which the runtime writes in the test's own process, one JSON object a line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The version of the format.
const VERSION: u32 = 1;

/// The result of a test's search, or of one run. A field that does not apply is left out. Unknown fields are skipped,
/// so that a newer runtime may add some.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Report {
    pub(crate) version: u32,
    pub(crate) schedules: u64,
    /// The number of different schedules among them.
    pub(crate) distinct: u64,
    /// The number of decisions between at least two tasks.
    pub(crate) choices: Option<u64>,
    pub(crate) steps: u64,
    pub(crate) cpu_seconds: f64,
    pub(crate) verdict: Verdict,
    pub(crate) kind: Option<String>,
    pub(crate) message: Option<String>,
    /// Labels and values; a value may have several lines.
    pub(crate) facts: Vec<(String, String)>,
    /// The seed of the run.
    pub(crate) seed: Option<String>,
    pub(crate) strategy: Option<String>,
    /// The number of the run within its search.
    pub(crate) schedule: Option<u64>,
    pub(crate) step: Option<u64>,
    pub(crate) token: Option<String>,
    pub(crate) trace_hash: Option<String>,
    /// The hash of the traces of all runs, which a report without a finding has too.
    pub(crate) traces_hash: Option<String>,
    pub(crate) tasks: Vec<String>,
    pub(crate) events: Vec<Event>,
    pub(crate) settings: Option<String>,
    /// Whether the finding appears only if a timer fires while tasks can run.
    pub(crate) early_timer_needed: bool,
    /// The reason if the test was not judged, such as a bound on steps.
    pub(crate) skipped: Option<String>,
    /// What the test uses although it is not simulated, such as files.
    pub(crate) outside: Vec<String>,
    /// The number of runs with faults; `None` if the search requests no faults.
    pub(crate) faults: Option<FaultRuns>,
    /// The sentences of `lastref::property::sometimes`, and the number of runs that reached each.
    pub(crate) reached: BTreeMap<String, u64>,
}

/// The number of runs in which faults happened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct FaultRuns {
    /// The runs with at least one fault.
    pub(crate) runs: u64,
    /// The runs with each kind.
    pub(crate) kinds: BTreeMap<String, u64>,
}

/// The verdict of the runtime.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// No run had a finding.
    Clean,
    /// A run had a finding.
    Finding,
    /// The same run gave two results.
    NotDeterministic,
    /// The harness has a bug.
    #[default]
    Broken,
    /// The test or the machine does something that the runtime does not support.
    Misused,
}

/// One event of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Event {
    pub(crate) time_ns: u64,
    pub(crate) step: u64,
    /// An index into the tasks of the report.
    pub(crate) task: usize,
    pub(crate) text: String,
    pub(crate) source: String,
}

impl Report {
    /// The sentences that no run reached, for a line; `None` if there are none.
    pub(crate) fn unreached(&self) -> Option<String> {
        let missed = self.reached.iter().filter(|(_, runs)| **runs == 0);
        let missed: Vec<String> = missed.map(|(sentence, _)| format!("`{sentence}`")).collect();
        (!missed.is_empty()).then(|| format!("no run reached {}", missed.join(", ")))
    }

    /// The length of an interleaving for comparison: the number of switches between tasks, then the number of rows.
    pub(crate) fn length(&self) -> (usize, usize) {
        let switches = self.events.windows(2).filter(|pair| pair[0].task != pair[1].task).count();
        (switches, self.events.len())
    }

    /// The last report of a file. One process runs one test; if it reports twice, the later report knows more: a signal
    /// may arrive after the search has ended.
    ///
    /// # Errors
    ///
    /// One sentence, if the last line is not a report of this version.
    pub(crate) fn last(text: &str) -> Result<Option<Report>, String> {
        let Some(line) = text.lines().rfind(|line| !line.trim().is_empty()) else { return Ok(None) };
        let report: Report = serde_json::from_str(line).map_err(|error| format!("the report is malformed: {error}"))?;
        match report.version {
            VERSION => Ok(Some(report)),
            other => Err(format!("the report has version {other}, and this program reads version {VERSION}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_read_and_fields_may_be_missing_or_new() {
        let text = "{\"version\":1,\"verdict\":\"clean\"}\n{\"version\":1,\"verdict\":\"finding\",\"facts\":[[\"a\",\"b\\nc\"]],\
                    \"skipped\":null,\"new\":{}}\n\n";
        let report = Report::last(text).unwrap().unwrap();
        assert_eq!(report.verdict, Verdict::Finding);
        assert_eq!(report.facts, [(String::from("a"), String::from("b\nc"))]);
        assert!(Report::last("\n").unwrap().is_none());
    }

    #[test]
    fn fewer_switches_are_shorter_than_fewer_rows() {
        let of = |tasks: &[usize]| {
            let event = |task: &usize| Event { task: *task, ..Event::default() };
            Report { events: tasks.iter().map(event).collect(), ..Report::default() }.length()
        };
        assert!(of(&[0, 0, 0, 0, 1]) < of(&[0, 1, 0]));
        assert!(of(&[0, 1]) < of(&[0, 0, 1]));
    }

    #[test]
    fn a_line_that_is_cut_or_of_another_version_is_told() {
        assert!(Report::last("{\"version\":1,\"verd").unwrap_err().starts_with("the report is malformed: EOF"));
        let told = Report::last("{\"version\":2,\"verdict\":\"clean\"}").unwrap_err();
        assert_eq!(told, "the report has version 2, and this program reads version 1");
    }
}
