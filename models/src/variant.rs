//! What every model's list of variants has in common.
//!
//! The command line, the suite and the scenarios name variants by word. A model's own enumeration implements this trait, so
//! that none of them knows which components exist.

/// The variants of one component: the fixed one, and one per defect.
pub trait Variant: Copy + Eq + Send + Sync + 'static {
    /// The component, as it is called on the command line and in a replay token: the name of the model's folder.
    const COMPONENT: &'static str;

    /// The variant's word: snake case, `fixed` for the one that no schedule may fault.
    fn name(self) -> &'static str;

    /// Every variant, the fixed one first.
    fn all() -> &'static [Self];
}
