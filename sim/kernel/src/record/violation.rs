//! The kinds of findings, and a finding by itself: without a case, a seed or a table.

use std::fmt;

/// The kind of a broken rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum ViolationKind {
    /// Released a second time.
    DoubleRelease,
    /// Used after it was released.
    UseAfterRelease,
    /// Not released by quiescence.
    Leak,
    /// Two exclusive owners at once.
    Aliased,
    /// Touched by an actor that does not own it.
    WrongOwner,
    /// A count went below its holders, or rose again from zero.
    RefcountUnderrun,
    /// A count that differs from the number of its named holders.
    RefcountMismatch,
    /// A payload reached a peer or request other than the one in its tag.
    CrossDelivery,
    /// A second operation began where only one may be pending.
    SecondPending,
    /// An operation completed twice, or never.
    CompletionCount,
    /// A callback ran after its argument was torn down.
    CallbackAfterTeardown,
    /// Two unordered accesses, one of them a write.
    DataRace,
    /// Unfinished tasks remain, and none can ever run.
    Deadlock,
    /// The run does not end within its bound on steps.
    Stall,
    /// A named property of the model does not hold.
    Property,
    /// A task panicked.
    Panic,
}

impl ViolationKind {
    /// Every kind.
    pub const ALL: [ViolationKind; 16] = [
        ViolationKind::DoubleRelease,
        ViolationKind::UseAfterRelease,
        ViolationKind::Leak,
        ViolationKind::Aliased,
        ViolationKind::WrongOwner,
        ViolationKind::RefcountUnderrun,
        ViolationKind::RefcountMismatch,
        ViolationKind::CrossDelivery,
        ViolationKind::SecondPending,
        ViolationKind::CompletionCount,
        ViolationKind::CallbackAfterTeardown,
        ViolationKind::DataRace,
        ViolationKind::Deadlock,
        ViolationKind::Stall,
        ViolationKind::Property,
        ViolationKind::Panic,
    ];

    /// The name in JSON.
    pub fn word(self) -> &'static str {
        match self {
            ViolationKind::DoubleRelease => "double_release",
            ViolationKind::UseAfterRelease => "use_after_release",
            ViolationKind::Leak => "leak",
            ViolationKind::Aliased => "aliased",
            ViolationKind::WrongOwner => "wrong_owner",
            ViolationKind::RefcountUnderrun => "refcount_underrun",
            ViolationKind::RefcountMismatch => "refcount_mismatch",
            ViolationKind::CrossDelivery => "cross_delivery",
            ViolationKind::SecondPending => "second_pending",
            ViolationKind::CompletionCount => "completion_count",
            ViolationKind::CallbackAfterTeardown => "callback_after_teardown",
            ViolationKind::DataRace => "data_race",
            ViolationKind::Deadlock => "deadlock",
            ViolationKind::Stall => "stall",
            ViolationKind::Property => "property",
            ViolationKind::Panic => "panic",
        }
    }

    /// The rule that a finding of this kind broke. Prefixed with the class of the resource, it is the name of the
    /// property: "nng_msg is released once".
    pub fn rule(self) -> &'static str {
        match self {
            ViolationKind::DoubleRelease => "is released once",
            ViolationKind::UseAfterRelease => "is not used after its release",
            ViolationKind::Leak => "is released by quiescence",
            ViolationKind::Aliased => "has one exclusive owner",
            ViolationKind::WrongOwner => "is touched only by its owner",
            ViolationKind::RefcountUnderrun => "reaches count zero only without holders",
            ViolationKind::RefcountMismatch => "count equals its named holders",
            ViolationKind::CrossDelivery => "a payload reaches only the request it is tagged for",
            ViolationKind::SecondPending => "has one operation pending",
            ViolationKind::CompletionCount => "completes exactly once",
            ViolationKind::CallbackAfterTeardown => "outlives its callback",
            ViolationKind::DataRace => "is accessed in order",
            ViolationKind::Deadlock => "no task waits forever",
            ViolationKind::Stall => "the run makes progress",
            ViolationKind::Property => "holds",
            ViolationKind::Panic => "no task panics",
        }
    }
}

impl fmt::Display for ViolationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The subject of a finding: its class, and its number in that class. A resource and a cell may have the same class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A resource of the ledger.
    Resource(&'static str, u32),
    /// A plain cell.
    Cell(&'static str, u32),
}

/// One finding: the violated property, a description, and the facts.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Violation {
    /// The kind of rule.
    pub kind: ViolationKind,
    /// The property's name.
    pub property: String,
    /// One sentence: the actor, its operation and the resource.
    pub message: String,
    /// The resource or the cell that the finding is about.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub subject: Option<Subject>,
    /// Label and value, in the order of the report.
    pub facts: Vec<(String, String)>,
}

impl Violation {
    /// A finding about a resource of `class`.
    pub fn about(kind: ViolationKind, class: &str, message: String) -> Violation {
        Violation { kind, property: format!("{class} {}", kind.rule()), message, subject: None, facts: Vec::new() }
    }

    /// A finding about the run as a whole.
    pub fn of_run(kind: ViolationKind, message: String) -> Violation {
        Violation { kind, property: kind.rule().to_owned(), message, subject: None, facts: Vec::new() }
    }

    /// A finding that the property of this sentence does not hold.
    pub fn of_property(sentence: &str, message: String) -> Violation {
        let kind = ViolationKind::Property;
        Violation { kind, property: sentence.to_owned(), message, subject: None, facts: Vec::new() }
    }

    /// Names the resource or the cell that the finding is about.
    #[must_use]
    pub fn concerning(self, subject: Subject) -> Violation {
        Violation { subject: Some(subject), ..self }
    }

    /// Whether the finding is about this resource or cell.
    pub fn concerns(&self, subject: Subject) -> bool {
        self.subject == Some(subject)
    }

    /// Adds a fact.
    #[must_use]
    pub fn fact(mut self, label: &str, value: impl fmt::Display) -> Violation {
        self.facts.push((label.to_owned(), value.to_string()));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_listed_and_has_its_own_word() {
        let mut words: Vec<&str> = ViolationKind::ALL.iter().map(|kind| kind.word()).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), ViolationKind::ALL.len());
        #[cfg(feature = "serde")]
        for kind in ViolationKind::ALL {
            assert_eq!(serde_json::to_value(kind).expect("a unit variant serialises"), kind.word());
        }
    }
}
