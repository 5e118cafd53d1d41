//! The entry of one resource: its holders, and the marks that a failure shows as its provenance.

use std::fmt;

use kernel::record::{Mark, Owner, Subject, TaskInfo, Violation, ViolationKind};
use smallvec::SmallVec;

/// The name of a resource: `nng_msg#2`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResourceName {
    class: &'static str,
    nth: u32,
}

impl fmt::Display for ResourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.class, self.nth)
    }
}

/// The names of the holders, once for each reference.
pub(crate) fn names_of(holders: &[Owner]) -> String {
    holders.iter().map(Owner::to_string).collect::<Vec<_>>().join(", ")
}

/// How a resource is held.
#[derive(Clone, Debug)]
pub(crate) enum Holding {
    /// By one owner, or at the moment by none.
    Exclusive { owner: Option<Owner> },
    /// By a count, with the holders that are known by name.
    Counted { count: u32, holders: SmallVec<[Owner; 4]> },
    /// A slot for an operation.
    Operation { pending: bool },
}

/// One line of the ledger.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) class: &'static str,
    pub(crate) nth: u32,
    pub(crate) holding: Holding,
    pub(crate) live: bool,
    pub(crate) kept: Option<&'static str>,
    acquired: Mark,
    pub(crate) passed: Option<Mark>,
    pub(crate) used: Option<Mark>,
    pub(crate) released: Option<Mark>,
}

impl Entry {
    pub(crate) fn new(class: &'static str, nth: u32, holding: Holding, acquired: Mark) -> Entry {
        Entry { class, nth, holding, live: true, kept: None, acquired, passed: None, used: None, released: None }
    }

    /// The name for messages. Formatted only for a finding, since most actions break no rule.
    pub(crate) fn name(&self) -> ResourceName {
        ResourceName { class: self.class, nth: self.nth }
    }

    /// The rule that this entry breaks if the run ends now, if any.
    pub(crate) fn left_over(&self) -> Option<ViolationKind> {
        if !self.live || self.kept.is_some() {
            return None;
        }
        match self.holding {
            Holding::Operation { pending } => pending.then_some(ViolationKind::CompletionCount),
            Holding::Exclusive { .. } | Holding::Counted { .. } => Some(ViolationKind::Leak),
        }
    }

    /// Returns an error (use after release) if the resource was released.
    pub(crate) fn must_live(&self, by: Owner) -> Result<(), (ViolationKind, String)> {
        if self.live {
            return Ok(());
        }
        Err((ViolationKind::UseAfterRelease, format!("{by} uses {} after its release", self.name())))
    }

    /// Adds the resource's holders, and the marks of its acquisition, last transfer, last use and release.
    pub(crate) fn provenance(&self, violation: Violation, tasks: &[TaskInfo]) -> Violation {
        let violation = violation.concerning(Subject::Resource(self.class, self.nth));
        let mut violation = violation.fact("resource", self.name()).fact("acquired by", self.acquired.describe(tasks));
        match &self.holding {
            Holding::Exclusive { owner: Some(owner) } => violation = violation.fact("owner", owner),
            Holding::Exclusive { owner: None } => violation = violation.fact("owner", "none"),
            Holding::Counted { count, holders } => {
                violation = violation.fact("count", count).fact("holders", format!("[{}]", names_of(holders)));
            }
            Holding::Operation { pending } => violation = violation.fact("pending", pending),
        }
        for (label, mark) in
            [("last passed by", self.passed), ("last used by", self.used), ("released by", self.released)]
        {
            if let Some(mark) = mark {
                violation = violation.fact(label, mark.describe(tasks));
            }
        }
        violation
    }
}
