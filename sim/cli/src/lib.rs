//! What the command lines of lastref share, so that a flag, a signal and an error mean the same in `lastref` and in
//! `cargo lastref`.

mod sentence;
mod stop;
mod value;

pub use sentence::one_sentence;
pub use stop::{Signal, Stop};
pub use value::{BadValue, jobs, schedules, steps, time};
