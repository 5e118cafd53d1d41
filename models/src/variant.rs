//! The trait of every model's list of variants.
//!
//! The command line, the suite and the scenarios name variants by word. A model's own enumeration implements this
//! trait, so that none of them knows which components exist. Words and order come from the enumeration by strum's
//! derives: a new defect is one line there, and the `if` where upstream was wrong.

/// The variants of one component: the fixed one, and one per defect.
///
/// The enumeration derives `strum::IntoStaticStr`, with `#[strum(serialize_all = "snake_case")]`, and
/// `strum::VariantArray`; the fixed variant is called `Fixed` and stands first.
pub trait Variant: Copy + Eq + Send + Sync + Into<&'static str> + strum::VariantArray {
    /// The component, as it is called on the command line and in a replay token: the name of the model's folder.
    const COMPONENT: &'static str;

    /// The variant's name in snake case; `fixed` is the variant that must stay clean on every schedule.
    fn name(self) -> &'static str {
        self.into()
    }

    /// Every variant, the fixed one first.
    fn all() -> &'static [Self] {
        Self::VARIANTS
    }
}

#[cfg(test)]
mod tests {
    use super::Variant;

    #[track_caller]
    fn check<V: Variant>() {
        let names: Vec<&str> = V::all().iter().map(|variant| variant.name()).collect();
        assert_eq!(names.first(), Some(&"fixed"), "{}", V::COMPONENT);
        let is_word =
            |name: &&str| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        assert!(names.iter().all(is_word), "{names:?}");
    }

    #[test]
    fn the_fixed_variant_is_first_and_every_name_is_a_word() {
        check::<crate::buffer_pool::Variant>();
        check::<crate::context_pool::Variant>();
        check::<crate::http_pool::Variant>();
        check::<crate::image::Variant>();
        check::<crate::subchannel::Variant>();
        check::<crate::uring_proxy::Variant>();
    }
}
