//! The knobs of the suite: `LASTREF_SEED`, `LASTREF_SCHEDULES` and `LASTREF_THOROUGH`.
//!
//! `cargo test` cannot pass flags of our own, so the suite reads variables, and a failing test prints a line that can
//! be pasted. `LASTREF_SEED` alone repeats the one execution of that seed. `LASTREF_SCHEDULES` sets the number of
//! schedules of a search, which begins at `LASTREF_SEED` if both are set.
//!
//! A malformed value ends the test run at once: a search with a default seed in its place could pass for the wrong
//! reason.

use lastref::scenario::{BadSeed, defaults, parse_seed};

/// The settings with which a test of the suite explores its cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SuiteSettings {
    /// One execution, by its own seed.
    Once {
        /// `LASTREF_SEED`.
        seed: u64,
    },
    /// A search.
    Search {
        /// The first seed: `LASTREF_SEED`, or the default of a hunt.
        seed: u64,
        /// The number of schedules: `LASTREF_SCHEDULES`; `None` means the budget of a hunt.
        schedules: Option<u64>,
    },
}

/// A variable with an invalid value.
#[derive(Debug, thiserror::Error)]
pub enum BadSetting {
    /// Not a seed.
    #[error("LASTREF_SEED: {0}")]
    Seed(#[from] BadSeed),
    /// Not a budget.
    #[error("LASTREF_SCHEDULES is `{0}`, but must be a whole number from 1")]
    Schedules(String),
}

impl SuiteSettings {
    /// The settings of a hunt.
    pub const DEFAULT: SuiteSettings = SuiteSettings::Search { seed: defaults::SEED, schedules: None };

    /// Reads the settings from the environment.
    ///
    /// # Errors
    /// If a variable has an invalid value.
    pub fn of_environment() -> Result<SuiteSettings, BadSetting> {
        SuiteSettings::of(read("LASTREF_SEED").as_deref(), read("LASTREF_SCHEDULES").as_deref())
    }

    /// The command line that repeats one test of `binary`. `default` is a hunt's number of schedules for the cell.
    pub fn line(self, binary: &str, test: &str, default: u64) -> String {
        let knobs = match self {
            SuiteSettings::Once { seed } => format!("LASTREF_SEED={seed:#x}"),
            SuiteSettings::Search { seed, schedules } => {
                format!("LASTREF_SEED={seed:#x} LASTREF_SCHEDULES={}", schedules.unwrap_or(default))
            }
        };
        format!("{knobs} cargo test -p lastref-tests --test {binary} -- --exact {test}")
    }

    fn of(seed: Option<&str>, schedules: Option<&str>) -> Result<SuiteSettings, BadSetting> {
        let seed = seed.map(parse_seed).transpose()?;
        let schedules = schedules.map(|text| match text.parse() {
            Ok(schedules @ 1..) => Ok(schedules),
            _ => Err(BadSetting::Schedules(text.to_owned())),
        });
        Ok(match (seed, schedules.transpose()?) {
            (Some(seed), None) => SuiteSettings::Once { seed },
            (seed, schedules) => SuiteSettings::Search { seed: seed.unwrap_or(defaults::SEED), schedules },
        })
    }
}

/// Whether `LASTREF_THOROUGH` is set: the tests then run the longer checks that precede a merge.
pub fn is_thorough() -> bool {
    read("LASTREF_THOROUGH").is_some()
}

/// Whether generated documents are rewritten instead of compared.
pub fn updates() -> bool {
    read("LASTREF_UPDATE").is_some()
}

/// Whether the suite includes [`crate::cells::canary`], and so must fail.
pub fn has_canary() -> bool {
    read(CANARY).is_some()
}

/// The variable that the suite's test of itself sets.
pub const CANARY: &str = "LASTREF_CANARY";

#[expect(clippy::disallowed_methods, reason = "the knobs of a test run; no execution reads them")]
fn read(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knobs_that_are_not_set_are_those_of_a_hunt() {
        assert_eq!(SuiteSettings::of(None, None).unwrap(), SuiteSettings::DEFAULT);
    }

    #[test]
    fn a_seed_alone_is_one_execution_and_with_a_budget_the_start_of_a_search() {
        assert_eq!(SuiteSettings::of(Some("0x11"), None).unwrap(), SuiteSettings::Once { seed: 17 });
        assert_eq!(
            SuiteSettings::of(Some("17"), Some("5")).unwrap(),
            SuiteSettings::Search { seed: 17, schedules: Some(5) }
        );
        assert_eq!(
            SuiteSettings::of(None, Some("5")).unwrap(),
            SuiteSettings::Search { seed: defaults::SEED, schedules: Some(5) }
        );
    }

    #[test]
    fn a_bad_knob_is_refused_with_its_name_and_value() {
        let error = SuiteSettings::of(None, Some("many")).unwrap_err().to_string();
        assert!(error.starts_with("LASTREF_SCHEDULES is `many`"), "{error}");
        let error = SuiteSettings::of(Some("0xq"), None).unwrap_err().to_string();
        assert!(error.starts_with("LASTREF_SEED: `0xq`"), "{error}");
        assert!(SuiteSettings::of(None, Some("0")).is_err());
    }

    #[test]
    fn the_line_repeats_what_was_done() {
        let test = "context_pool/crowd/fixed/fiber";
        assert_eq!(
            SuiteSettings::Once { seed: 17 }.line("suite", test, 1_000),
            "LASTREF_SEED=0x11 cargo test -p lastref-tests --test suite -- --exact context_pool/crowd/fixed/fiber"
        );
        for (schedules, line) in [(Some(20), "LASTREF_SCHEDULES=20"), (None, "LASTREF_SCHEDULES=1000")] {
            let searched = SuiteSettings::Search { seed: 0, schedules }.line("suite", test, 1_000);
            assert!(searched.starts_with(&format!("LASTREF_SEED=0x0 {line} cargo test")), "{searched}");
        }
    }
}
