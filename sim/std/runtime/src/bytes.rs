//! A number of bytes in the words of a report.

use std::fmt;

/// Displays as `1 byte` or `8 bytes`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bytes<N>(pub(crate) N);

impl<N: fmt::Display + PartialEq + From<u8>> fmt::Display for Bytes<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Bytes(number) = self;
        let noun = if *number == N::from(1) { "byte" } else { "bytes" };
        write!(f, "{number} {noun}")
    }
}

#[cfg(test)]
mod tests {
    use super::Bytes;

    #[test]
    fn one_byte_is_singular() {
        assert_eq!([0_u64, 1, 2].map(|number| Bytes(number).to_string()), ["0 bytes", "1 byte", "2 bytes"]);
    }
}
