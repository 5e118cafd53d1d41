//! The lists of variants, one for each model.
//!
//! Words and order come from the enumeration by strum's derives, `strum::IntoStaticStr` with
//! `#[strum(serialize_all = "snake_case")]` and `strum::VariantArray`: a new defect is one line there, and the `if`
//! where upstream was wrong.

pub use lastref::scenario::Variant;

/// Implements [`Variant`](trait@Variant) for the enumeration `Variant` of a component's file `variant.rs`. The
/// enumeration derives `strum::VariantArray` and `strum::IntoStaticStr`.
macro_rules! variants {
    ($component:literal) => {
        impl $crate::Variant for Variant {
            const COMPONENT: &'static str = $component;
            const ALL: &'static [Variant] = <Variant as strum::VariantArray>::VARIANTS;

            fn name(self) -> &'static str {
                self.into()
            }
        }
    };
}
pub(crate) use variants;

#[cfg(test)]
mod tests {
    use super::Variant;

    #[track_caller]
    fn check<V: Variant>() {
        let names: Vec<&str> = V::ALL.iter().map(|variant| variant.name()).collect();
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
