//! A finding of the runtime: its kind, message, facts and stacks.

use std::backtrace::Backtrace;
use std::panic::Location;

use lastref_kernel::record::{TaskId, Violation, ViolationKind};

use crate::bytes::Bytes;
use crate::run::Run;

/// The kind of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FindingKind {
    Deadlock,
    Stall,
    Panic,
    Leak,
    DoubleFree,
    UseAfterFree,
    Overrun,
    BadFree,
    Crash,
    EscapedState,
    /// Of the ledger of custody, or of a named property.
    Rule(ViolationKind),
}

impl FindingKind {
    /// Its name in the report.
    pub(crate) fn word(self) -> &'static str {
        match self {
            FindingKind::Deadlock => "deadlock",
            FindingKind::Stall => "stall",
            FindingKind::Panic => "panic",
            FindingKind::Leak => "leak",
            FindingKind::DoubleFree => "double_free",
            FindingKind::UseAfterFree => "use_after_free",
            FindingKind::Overrun => "overrun",
            FindingKind::BadFree => "bad_free",
            FindingKind::Crash => "crash",
            FindingKind::EscapedState => "escaped_state",
            FindingKind::Rule(kind) => kind.word(),
        }
    }

    /// Whether a run with guard pages may show the bad access itself.
    pub(crate) fn is_of_memory(self) -> bool {
        matches!(self, FindingKind::UseAfterFree | FindingKind::Overrun | FindingKind::Crash | FindingKind::Panic)
    }
}

/// A value of a report.
pub(crate) enum Fact {
    Text(String),
    /// The report resolves the function names later, since the lookup allocates and reads files.
    Stack(Backtrace),
}

/// One finding.
pub(crate) struct Finding {
    pub(crate) kind: FindingKind,
    pub(crate) message: String,
    pub(crate) facts: Vec<(String, Fact)>,
}

impl Finding {
    pub(crate) fn new(kind: FindingKind, message: String) -> Finding {
        Finding { kind, message, facts: Vec::new() }
    }

    pub(crate) fn fact(mut self, label: &str, text: String) -> Finding {
        self.facts.push((label.to_owned(), Fact::Text(text)));
        self
    }

    pub(crate) fn facts(mut self, facts: Vec<(&str, String)>) -> Finding {
        self.facts.extend(facts.into_iter().map(|(label, text)| (label.to_owned(), Fact::Text(text))));
        self
    }

    pub(crate) fn stack(mut self, label: &str, stack: Option<Backtrace>) -> Finding {
        self.facts.extend(stack.map(|stack| (format!("stack of {label}"), Fact::Stack(stack))));
        self
    }

    /// Converts a violation that the kernel reports.
    pub(crate) fn of(violation: Violation) -> Finding {
        let kind = match violation.kind {
            ViolationKind::Deadlock => FindingKind::Deadlock,
            ViolationKind::Stall => FindingKind::Stall,
            kind => FindingKind::Rule(kind),
        };
        // A `knob` fact of the kernel names an option of lastref's own programs, so it is removed.
        let is_own = |text: &str| text.starts_with(own_folder());
        let facts = violation.facts.into_iter().filter(|(label, text)| label != "knob" && !is_own(text));
        let facts = facts.map(|(label, text)| (label, Fact::Text(without_own_place(text)))).collect();
        Finding { kind, message: violation.message, facts }
    }
}

impl Run {
    /// Task, step and last source line, as facts of a finding. Called by host code.
    pub(crate) fn here(&self) -> Vec<(&'static str, String)> {
        let (task, step) = self.kernel.log(|log| (log.task_name(log.task), log.step));
        let mut facts = vec![("task", task.to_owned()), ("step", step.to_string())];
        let after = place(self.doing.get().location);
        if !after.is_empty() {
            facts.push(("after", after));
        }
        facts.extend(self.refused.get().map(|size| ("failed allocation", Bytes(size).to_string())));
        facts
    }

    /// Names a task and a step. Called by host code.
    pub(crate) fn moment(&self, task: TaskId, step: u32) -> String {
        format!("{}, step {step}", self.kernel.log(|log| log.task_name(task)))
    }

    /// The current stack, in the recorded run of a finding. Called by host code.
    pub(crate) fn stack(&self) -> Option<Backtrace> {
        if self.has_stacks.get() { crate::stacks::capture() } else { None }
    }
}

/// Formats a location as `src/lib.rs:12`. A location in the runtime itself gives an empty text, since it does not help
/// the reader.
pub(crate) fn place(location: &Location<'_>) -> String {
    let is_own = location.file().starts_with(own_folder());
    if is_own { String::new() } else { format!("{}:{}", location.file(), location.line()) }
}

/// The folder of this package's sources, as locations name it.
fn own_folder() -> &'static str {
    let own: &'static str = file!();
    own.strip_suffix("finding.rs").unwrap_or(own)
}

/// Removes a trailing `, at FILE:LINE` that names a file of the runtime.
fn without_own_place(text: String) -> String {
    match text.rsplit_once(", at ") {
        Some((before, place)) if place.starts_with(own_folder()) => before.to_owned(),
        _ => text,
    }
}
