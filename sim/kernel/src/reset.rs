//! State that the next run reuses.

/// State of a run that the next run reuses.
pub(crate) trait Reset: Default {
    /// Resets the state to that of a new object, and keeps its allocations.
    fn reset(&mut self);
}
