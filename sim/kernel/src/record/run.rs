//! The number of a run, and the part of it that is kept.

/// Identifies a run within its process, to distinguish objects of different runs. It is not part of a trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunNumber(pub u64);

impl RunNumber {
    /// Outside any run.
    pub const NONE: RunNumber = RunNumber(0);
}

/// The part of a run that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// The hash only.
    Hash,
    /// The hash and the forced switches, so that its schedule can be varied.
    Switches,
    /// Every event, so that a table can be drawn.
    Events,
}
