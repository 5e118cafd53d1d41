//! Shared code of lastref's command lines, so that flags, signals and errors behave alike in `lastref` and in
//! `cargo lastref`.

mod sentence;
mod stop;
mod value;

pub use sentence::one_sentence;
pub use stop::{Signal, Stop};
pub use value::{BadValue, jobs, schedules, steps, time};
