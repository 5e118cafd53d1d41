//! The valid values of a plan: a bound for each field, declared beside the plan's type.
//!
//! A plan may come from an edited or damaged file. A length of 2^31 would abort the process in an allocation, or keep
//! it busy for hours; an index beyond the end of a list would panic inside a model and look like a finding. Each plan
//! type therefore declares its bounds, and every plan is checked against them. A plan from a file that is out of bounds
//! is refused with an error. A strategy that generates such a plan is a bug of its scenario: the search panics, so that
//! the ranges of the strategy cannot exceed the bounds unnoticed.

use std::fmt::Display;
use std::ops::RangeInclusive;

use super::Plan;

/// The reason why a value is not a valid plan: the path of a field, and its problem.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("plan{path} {problem}")]
pub struct BadPlan {
    path: String,
    problem: String,
}

impl BadPlan {
    /// An error with this problem: the predicate of a sentence whose subject is the path, such as `is 7; at most 4`.
    pub fn new(problem: impl Into<String>) -> BadPlan {
        BadPlan { path: String::new(), problem: problem.into() }
    }

    /// The same, inside this field of a struct or variant of an enumeration.
    #[must_use]
    pub fn inside(self, field: impl Display) -> BadPlan {
        BadPlan { path: format!(".{field}{}", self.path), ..self }
    }

    /// The same, in this element of a list.
    #[must_use]
    pub fn at(self, index: usize) -> BadPlan {
        BadPlan { path: format!("[{index}]{}", self.path), ..self }
    }
}

/// The valid values of a field.
pub trait Bound<T: ?Sized> {
    /// Checks `value` against the bound.
    ///
    /// # Errors
    /// If `value` is out of bounds.
    fn check(&self, value: &T) -> Result<(), BadPlan>;
}

impl<T: PartialOrd + Display> Bound<T> for RangeInclusive<T> {
    fn check(&self, value: &T) -> Result<(), BadPlan> {
        match value {
            value if value < self.start() => Err(BadPlan::new(format!("is {value}; at least {}", self.start()))),
            value if value > self.end() => Err(BadPlan::new(format!("is {value}; at most {}", self.end()))),
            _ => Ok(()),
        }
    }
}

/// The bound of a field whose type implements [`Plan`] and thus declares its own bounds.
#[derive(Clone, Copy, Debug)]
pub struct Part;

impl<T: Plan> Bound<T> for Part {
    fn check(&self, value: &T) -> Result<(), BadPlan> {
        value.check()
    }
}

/// The bound of a list: the range of its length, and the bound of each element.
#[derive(Clone, Debug)]
pub struct List<B>(pub RangeInclusive<usize>, pub B);

impl<T, B: Bound<T>> Bound<Vec<T>> for List<B> {
    fn check(&self, value: &Vec<T>) -> Result<(), BadPlan> {
        let (least, most) = (self.0.start(), self.0.end());
        match value.len() {
            length if length < *least => return Err(BadPlan::new(format!("has {length} entries; at least {least}"))),
            length if length > *most => return Err(BadPlan::new(format!("has {length} entries; at most {most}"))),
            _ => {}
        }
        let checked =
            value.iter().enumerate().map(|(index, element)| self.1.check(element).map_err(|bad| bad.at(index)));
        checked.collect()
    }
}

/// The bound of a value that may be absent.
#[derive(Clone, Debug)]
pub struct Maybe<B>(pub B);

impl<T, B: Bound<T>> Bound<Option<T>> for Maybe<B> {
    fn check(&self, value: &Option<T>) -> Result<(), BadPlan> {
        value.as_ref().map_or(Ok(()), |value| self.0.check(value))
    }
}

impl<A, B, P: Bound<A>, Q: Bound<B>> Bound<(A, B)> for (P, Q) {
    fn check(&self, value: &(A, B)) -> Result<(), BadPlan> {
        self.0.check(&value.0).map_err(|bad| bad.at(0))?;
        self.1.check(&value.1).map_err(|bad| bad.at(1))
    }
}

impl<A, B, C, P: Bound<A>, Q: Bound<B>, R: Bound<C>> Bound<(A, B, C)> for (P, Q, R) {
    fn check(&self, value: &(A, B, C)) -> Result<(), BadPlan> {
        self.0.check(&value.0).map_err(|bad| bad.at(0))?;
        self.1.check(&value.1).map_err(|bad| bad.at(1))?;
        self.2.check(&value.2).map_err(|bad| bad.at(2))
    }
}

/// The bound of a pair `(minimum, maximum)`: both are within the range, and the minimum is not above the maximum.
#[derive(Clone, Debug)]
pub struct Span<T>(pub RangeInclusive<T>);

impl<T: PartialOrd + Display> Bound<(T, T)> for Span<T> {
    fn check(&self, (least, most): &(T, T)) -> Result<(), BadPlan> {
        self.0.check(least).map_err(|bad| bad.at(0))?;
        self.0.check(most).map_err(|bad| bad.at(1))?;
        if least > most {
            return Err(BadPlan::new(format!("is [{least},{most}]; the least comes first")));
        }
        Ok(())
    }
}

/// Checks one field, or one value of a variant, against its bound.
///
/// # Errors
/// If `value` is out of bounds; the error names the field.
pub fn field<T: ?Sized>(name: &str, value: &T, bound: &impl Bound<T>) -> Result<(), BadPlan> {
    bound.check(value).map_err(|bad| bad.inside(name))
}

/// States the bounds of a plan, or of a part of one: a [`Bound`] for each field of a struct, and for each value that a
/// variant of an enumeration holds. A field or a variant that is left out does not compile. `and` names a function that
/// checks conditions on several fields; it is called last.
///
/// # Examples
/// ```
/// use serde::{Deserialize, Serialize};
/// use lastref::plan::{List, Maybe, Part, Plan};
///
/// #[derive(Clone, Debug, Serialize, Deserialize)]
/// struct Request { bytes: u32, ending: Ending }
/// lastref::bounds!(Request { bytes: 0..=65_536, ending: Part });
///
/// #[derive(Clone, Debug, Serialize, Deserialize)]
/// enum Ending { Wait, Timeout(u64), Retry { times: u32 } }
/// lastref::bounds!(enum Ending { Wait, Timeout(ms: 1..=1_000), Retry { times: 1..=4 } });
///
/// #[derive(Clone, Debug, Serialize, Deserialize)]
/// struct Workload { requests: Vec<Request>, timeout_ms: Option<u64>, short: bool }
/// lastref::bounds!(Workload { requests: List(0..=8, Part), timeout_ms: Maybe(1..=1_000), short: Part });
///
/// let request = Request { bytes: 1 << 31, ending: Ending::Wait };
/// let plan = Workload { requests: vec![request], timeout_ms: None, short: false };
/// let bad = plan.check().expect_err("out of bounds");
/// assert_eq!(bad.to_string(), "plan.requests[0].bytes is 2147483648; at most 65536");
/// let bad = Ending::Retry { times: 5 }.check().expect_err("out of bounds");
/// assert_eq!(bad.to_string(), "plan.Retry.times is 5; at most 4");
/// ```
#[macro_export]
macro_rules! bounds {
    (enum $plan:ident {
        $( $variant:ident $(( $($value:ident: $held:expr),+ ))? $({ $($field:ident: $bound:expr),+ })? ),* $(,)?
    }) => {
        impl $crate::plan::Plan for $plan {
            fn check(&self) -> ::std::result::Result<(), $crate::plan::BadPlan> {
                match self {
                    $( $plan::$variant $(( $($value),+ ))? $({ $($field),+ })? => {
                        $( $( $crate::plan::field(stringify!($variant), $value, &$held)?; )+ )?
                        $( $( $crate::plan::field(stringify!($field), $field, &$bound)
                            .map_err(|bad| bad.inside(stringify!($variant)))?; )+ )?
                    } )*
                }
                Ok(())
            }
        }
    };
    ($plan:ident { $( $field:ident: $bound:expr ),* $(,)? } $(and $also:path)?) => {
        impl $crate::plan::Plan for $plan {
            fn check(&self) -> ::std::result::Result<(), $crate::plan::BadPlan> {
                let $plan { $( $field ),* } = self;
                $( $crate::plan::field(stringify!($field), $field, &$bound)?; )*
                $( $also(self)?; )?
                Ok(())
            }
        }
    };
}

/// Declares the types of a plan together with their bounds: `where` and a [`Bound`] after the type of a field. A field
/// without one is a [`Part`], which declares its own bounds. `where` after the name of a struct is a function that
/// checks conditions on several fields. Each value of a tuple variant has a name.
///
/// # Examples
/// ```
/// use serde::{Deserialize, Serialize};
/// use lastref::plan::{List, Plan};
///
/// lastref::plans! {
///     #[derive(Clone, Debug, Serialize, Deserialize)]
///     struct Workload { requests: Vec<Request> where List(0..=8, lastref::plan::Part), ending: Ending, short: bool }
///
///     #[derive(Clone, Debug, Serialize, Deserialize)]
///     struct Request where Request::check_sum { head: u32 where 0..=64, body: u32 where 0..=64 }
///
///     #[derive(Clone, Debug, Serialize, Deserialize)]
///     enum Ending { Wait, Timeout(ms: u64 where 1..=1_000) }
/// }
///
/// impl Request {
///     fn check_sum(&self) -> Result<(), lastref::plan::BadPlan> {
///         lastref::plan::field("length", &(self.head + self.body), &(1..=64))
///     }
/// }
///
/// let request = Request { head: 60, body: 5 };
/// let plan = Workload { requests: vec![request], ending: Ending::Wait, short: true };
/// let bad = plan.check().expect_err("out of bounds");
/// assert_eq!(bad.to_string(), "plan.requests[0].length is 65; at most 64");
/// let bad = Ending::Timeout(0).check().expect_err("out of bounds");
/// assert_eq!(bad.to_string(), "plan.Timeout is 0; at least 1");
/// ```
#[macro_export]
macro_rules! plans {
    (@bound) => { $crate::plan::Part };
    (@bound $bound:expr) => { $bound };
    () => {};
    (
        $(#[$attribute:meta])* $visibility:vis struct $plan:ident $(where $also:path)? {
            $( $(#[$of_field:meta])* $field_visibility:vis $field:ident: $type:ty $(where $bound:expr)? ),* $(,)?
        }
        $($rest:tt)*
    ) => {
        $(#[$attribute])* $visibility struct $plan { $( $(#[$of_field])* $field_visibility $field: $type ),* }
        $crate::bounds!($plan { $( $field: $crate::plans!(@bound $($bound)?) ),* } $(and $also)?);
        $crate::plans!($($rest)*);
    };
    (
        $(#[$attribute:meta])* $visibility:vis enum $plan:ident {
            $(
                $(#[$of_variant:meta])* $variant:ident
                $(( $($value:ident: $held:ty $(where $held_bound:expr)?),+ ))?
                $({ $( $(#[$of_field:meta])* $field:ident: $type:ty $(where $bound:expr)? ),+ $(,)? })?
            ),* $(,)?
        }
        $($rest:tt)*
    ) => {
        $(#[$attribute])* $visibility enum $plan {
            $( $(#[$of_variant])* $variant $(( $($held),+ ))? $({ $( $(#[$of_field])* $field: $type ),+ })? ),*
        }
        $crate::bounds!(enum $plan {
            $( $variant
                $(( $($value: $crate::plans!(@bound $($held_bound)?)),+ ))?
                $({ $($field: $crate::plans!(@bound $($bound)?)),+ })? ),*
        });
        $crate::plans!($($rest)*);
    };
}

/// Implements [`Plan`] for types whose values are all valid.
macro_rules! unbounded {
    ($( $plan:ty ),*) => { $( impl Plan for $plan {} )* };
}

impl<A: Plan, B: Plan> Plan for (A, B) {
    fn check(&self) -> Result<(), BadPlan> {
        (Part, Part).check(self)
    }
}

unbounded!((), bool, u8, u16, u32, u64, usize);

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check<T>(bound: &impl Bound<T>, value: &T, said: &str) {
        let checked = bound.check(value).map_err(|bad| bad.inside("field"));
        assert_eq!(checked.err().map(|bad| bad.to_string()).unwrap_or_default(), said);
    }

    #[test]
    fn a_number_is_within_its_range() {
        check(&(1..=4_u32), &1, "");
        check(&(1..=4_u32), &4, "");
        check(&(1..=4_u32), &0, "plan.field is 0; at least 1");
        check(&(1..=4_u32), &5, "plan.field is 5; at most 4");
    }

    #[test]
    fn a_list_and_each_element_have_a_bound() {
        let bound = List(1..=2, Maybe(0..=9_u64));
        check(&bound, &vec![None, Some(9)], "");
        check(&bound, &vec![], "plan.field has 0 entries; at least 1");
        check(&bound, &vec![None; 3], "plan.field has 3 entries; at most 2");
        check(&bound, &vec![None, Some(10)], "plan.field[1] is 10; at most 9");
    }

    #[test]
    fn each_member_of_a_tuple_has_a_bound() {
        let pair = (1..=2_u32, 5..=6_u64);
        check(&pair, &(1, 6), "");
        check(&pair, &(0, 6), "plan.field[0] is 0; at least 1");
        check(&pair, &(2, 7), "plan.field[1] is 7; at most 6");
        let triple = (1..=2_u32, 5..=6_u64, Maybe(0..=1_u8));
        check(&triple, &(1, 5, Some(1)), "");
        check(&triple, &(3, 5, None), "plan.field[0] is 3; at most 2");
        check(&triple, &(1, 4, None), "plan.field[1] is 4; at least 5");
        check(&triple, &(1, 5, Some(2)), "plan.field[2] is 2; at most 1");
    }

    #[test]
    fn a_pair_of_plans_is_a_plan_within_the_bounds_of_both() {
        #[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
        struct Request {
            bytes: u32,
        }
        crate::bounds!(Request { bytes: 1..=9 });
        let of = |one, other| (Request { bytes: one }, Request { bytes: other });
        check(&Part, &of(1, 9), "");
        check(&Part, &of(0, 9), "plan.field[0].bytes is 0; at least 1");
        check(&Part, &of(1, 10), "plan.field[1].bytes is 10; at most 9");
    }

    #[test]
    fn the_ends_of_a_span_are_in_order() {
        check(&Span(0..=9_u32), &(2, 2), "");
        check(&Span(0..=9_u32), &(3, 2), "plan.field is [3,2]; the least comes first");
        check(&Span(0..=9_u32), &(2, 10), "plan.field[1] is 10; at most 9");
        check(&Span(1..=9_u32), &(0, 2), "plan.field[0] is 0; at least 1");
    }
}
