//! Seeds as people write them, on the command line and in the environment of tests.

/// A text that is not a seed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a seed; a seed is a number of 64 bits, from 0 to 2^64 - 1, such as 17 or 0x11")]
pub struct BadSeed(pub String);

/// Reads a seed: decimal, or hexadecimal after `0x`.
///
/// # Errors
/// If `text` is neither, or does not fit 64 bits.
///
/// # Examples
/// ```
/// assert_eq!(lastref::scenario::parse_seed("0x11"), Ok(17));
/// assert!(lastref::scenario::parse_seed("-1").is_err());
/// ```
pub fn parse_seed(text: &str) -> Result<u64, BadSeed> {
    crate::explore::parse_seed(text).ok_or_else(|| BadSeed(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_decimal_or_hexadecimal() {
        assert_eq!(parse_seed("17"), Ok(17));
        assert_eq!(parse_seed("0xfF"), Ok(255));
        assert_eq!(parse_seed("18446744073709551615"), Ok(u64::MAX));
        for bad in ["", "0x", "0x+1", "+1", "-1", "1.5", " 1", "0x10000000000000000", "seed"] {
            assert_eq!(parse_seed(bad), Err(BadSeed(bad.to_owned())));
        }
    }
}
