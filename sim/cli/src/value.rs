//! Values of flags: numbers and times.

use std::str::FromStr;
use std::time::Duration;

/// The reason why a flag's value is invalid. clap adds the sentence around it, with the flag and the value.
#[derive(Debug, thiserror::Error)]
pub enum BadValue {
    /// A number that must be at least 1.
    #[error("the minimum is 1")]
    Zero,
    /// A text that is not a number, or a number that is too large.
    #[error("the value must be a whole number from 1 to {0}, such as 1000")]
    NoNumber(u64),
    /// A text that is not a time.
    #[error("a time is a number and its unit, such as 20s, 2m or 500ms")]
    NoTime,
    /// A time of less than a millisecond.
    #[error("the shortest time is 1ms")]
    NoTimeAtAll,
    /// A time that the clock cannot represent.
    #[error("the time is too long")]
    TooLong,
}

/// A number from 1 to `most`.
fn number<N: FromStr + PartialEq + From<u8> + Copy>(
    text: &str,
    most: u64,
    fits: impl Fn(N) -> bool,
) -> Result<N, BadValue> {
    match text.parse() {
        Ok(number) if number == N::from(0) => Err(BadValue::Zero),
        Ok(number) if fits(number) => Ok(number),
        _ => Err(BadValue::NoNumber(most)),
    }
}

/// A number of schedules.
///
/// # Errors
/// If the text is not a 64-bit number of at least 1.
pub fn schedules(text: &str) -> Result<u64, BadValue> {
    number(text, u64::MAX, |_| true)
}

/// A bound on steps.
///
/// # Errors
/// If the text is not a 32-bit number of at least 1.
pub fn steps(text: &str) -> Result<u32, BadValue> {
    number(text, u32::MAX.into(), |_| true)
}

/// A number of threads or processes.
///
/// # Errors
/// If the text is not a number from 1 to 1,024.
pub fn jobs(text: &str) -> Result<usize, BadValue> {
    // Prevents a typing error from starting a million threads.
    const JOBS_MAX: usize = 1_024;
    number(text, JOBS_MAX as u64, |jobs| jobs <= JOBS_MAX)
}

/// A time, such as `20s`.
///
/// # Errors
/// If the text is not a time, or the time is shorter than a millisecond.
pub fn time(text: &str) -> Result<Duration, BadValue> {
    let time = humantime::parse_duration(text).map_err(|error| match error {
        humantime::DurationError::NumberOverflow => BadValue::TooLong,
        _ => BadValue::NoTime,
    })?;
    if time.as_millis() == 0 { Err(BadValue::NoTimeAtAll) } else { Ok(time) }
}
