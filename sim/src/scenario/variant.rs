//! The trait of a model's list of variants.
//!
//! The command line, the tests and the scenarios name variants by word. A model's own enumeration implements this
//! trait, so that none of them knows which components exist.

/// The variants of one component: the fixed one, and one per defect.
///
/// # Examples
/// ```
/// use lastref::scenario::Variant;
///
/// /// A cache, correct or with one bug.
/// #[derive(Clone, Copy, Debug, PartialEq, Eq)]
/// enum Cache {
///     Fixed,
///     ClosesTwice,
/// }
///
/// impl Variant for Cache {
///     const COMPONENT: &'static str = "cache";
///     const ALL: &'static [Cache] = &[Cache::Fixed, Cache::ClosesTwice];
///
///     fn name(self) -> &'static str {
///         match self {
///             Cache::Fixed => "fixed",
///             Cache::ClosesTwice => "closes_twice",
///         }
///     }
/// }
///
/// assert_eq!(Cache::ALL[1].name(), "closes_twice");
/// ```
pub trait Variant: Copy + Eq + Send + Sync + 'static {
    /// The component, as it is called on the command line and in a replay token, and the name of the folder of its
    /// scenarios.
    const COMPONENT: &'static str;

    /// Every variant, the fixed one first. A variant that is not in it has no case.
    const ALL: &'static [Self];

    /// The variant's name, in snake case and unique in the component. `fixed` is the variant that must stay clean on
    /// every schedule; the command `run` takes it by default.
    fn name(self) -> &'static str;
}

/// Variants for the tests of this module.
#[cfg(test)]
pub(super) mod samples {
    use super::Variant;

    /// A pool, correct or with one bug.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Pool {
        /// No defect.
        Fixed,
        /// A message is never freed.
        Leaks,
    }

    impl Variant for Pool {
        const COMPONENT: &'static str = "pool";
        const ALL: &'static [Pool] = &[Pool::Fixed, Pool::Leaks];

        fn name(self) -> &'static str {
            match self {
                Pool::Fixed => "fixed",
                Pool::Leaks => "leaks",
            }
        }
    }
}
