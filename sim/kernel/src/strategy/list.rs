//! The strategies by name. Each has one row, which is defined in the strategy's own file.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use super::{Profile, ROWS, Strategy};

/// The static properties of a strategy.
pub(super) struct Row {
    /// The word on the command line and in tokens; the parameter follows it without a space.
    pub(super) word: &'static str,
    /// The bounds of its parameter, and the value that lists show.
    pub(super) parameter: Option<(RangeInclusive<u32>, u32)>,
    /// It needs the case's profile.
    pub(super) learns: bool,
    /// The strategy for the run of a seed.
    pub(super) build: fn(u64, u32, &Profile) -> Box<dyn Strategy>,
}

/// Declares the files of the strategies and gathers their rows.
macro_rules! strategies {
    ($( $file:ident ),*) => {
        $( mod $file; )*

        /// The rows of all strategies, sorted by their files' names.
        static ROWS: [list::Row; [$( stringify!($file) ),*].len()] = [$( $file::ROW ),*];
    };
}
pub(super) use strategies;

/// The selection of a strategy: its word, and its parameter if it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StrategyName {
    word: &'static str,
    parameter: u32,
}

impl StrategyName {
    /// The strategy of this word, which has no parameter.
    pub(super) const fn plain(word: &'static str) -> StrategyName {
        StrategyName { word, parameter: 0 }
    }

    /// The strategy of this word with this parameter.
    pub(super) const fn with(word: &'static str, parameter: u32) -> StrategyName {
        StrategyName { word, parameter }
    }

    /// Every strategy, with the parameter that lists show.
    pub fn all() -> impl Iterator<Item = StrategyName> {
        ROWS.iter().map(|row| StrategyName::with(row.word, row.parameter.as_ref().map_or(0, |(_, shown)| *shown)))
    }

    /// The words that select a strategy, for an error or a help text: `mix, pct1 to pct99, pos, random, urw`.
    pub fn words() -> String {
        let words = ROWS.iter().map(|row| match &row.parameter {
            Some((bounds, _)) => format!("{0}{1} to {0}{2}", row.word, bounds.start(), bounds.end()),
            None => String::from(row.word),
        });
        words.collect::<Vec<String>>().join(", ")
    }

    /// The strategy, ready for the run with `seed`.
    pub fn build(self, seed: u64, profile: &Profile) -> Box<dyn Strategy> {
        (self.row().build)(seed, self.parameter, profile)
    }

    /// Whether it needs the case's profile.
    pub fn learns(self) -> bool {
        self.row().learns
    }

    fn row(self) -> &'static Row {
        match ROWS.iter().find(|row| row.word == self.word) {
            Some(row) => row,
            None => unreachable!("invariant: a strategy's name is made of its row's word"),
        }
    }
}

impl fmt::Display for StrategyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.row().parameter {
            Some(_) => f.pad(&format!("{}{}", self.word, self.parameter)),
            None => f.pad(self.word),
        }
    }
}

/// A word that names no strategy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownStrategy(pub String);

impl fmt::Display for UnknownStrategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a strategy: one of {}", self.0, StrategyName::words())
    }
}

impl std::error::Error for UnknownStrategy {}

impl FromStr for StrategyName {
    type Err = UnknownStrategy;

    fn from_str(text: &str) -> Result<StrategyName, UnknownStrategy> {
        let named = |row: &Row| match &row.parameter {
            None => (text == row.word).then(|| StrategyName::plain(row.word)),
            Some((bounds, _)) => {
                let digits = text.strip_prefix(row.word).filter(|digits| !digits.starts_with(['0', '+']))?;
                let parameter = digits.parse().ok().filter(|parameter| bounds.contains(parameter))?;
                Some(StrategyName::with(row.word, parameter))
            }
        };
        ROWS.iter().find_map(named).ok_or_else(|| UnknownStrategy(text.to_owned()))
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for StrategyName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for StrategyName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<StrategyName, D::Error> {
        let word = <String as serde::Deserialize>::deserialize(deserializer)?;
        word.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_strategy_reads_back_from_its_name() {
        for name in StrategyName::all().chain([StrategyName::pct(1), StrategyName::pct(99)]) {
            assert_eq!(name.to_string().parse(), Ok(name));
        }
        for word in ["", "pct", "pct0", "pct100", "pct03", "pct+3", "Random", "surw", "mix3"] {
            assert_eq!(word.parse::<StrategyName>(), Err(UnknownStrategy(word.to_owned())));
        }
    }

    #[test]
    fn the_rows_are_sorted_and_every_file_of_a_strategy_has_one() {
        assert!(ROWS.is_sorted_by_key(|row| row.word));
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/strategy");
        let files = std::fs::read_dir(folder).expect("the folder is there").filter_map(|entry| {
            let path = entry.expect("an entry").path();
            let text = std::fs::read_to_string(&path).expect("a text");
            let has_row = text.contains("\npub(super) const ROW: Row = Row {");
            has_row.then(|| path.file_stem().expect("a name").to_string_lossy().into_owned())
        });
        let words: BTreeSet<String> = ROWS.iter().map(|row| row.word.to_owned()).collect();
        assert_eq!(files.collect::<BTreeSet<String>>(), words);
    }
}
