//! State that the next run reuses.

/// State of a run that the next run reuses.
pub(crate) trait Reset: Default {
    /// Becomes the state of a new object, and keeps its allocations.
    fn reset(&mut self);
}
