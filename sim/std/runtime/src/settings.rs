//! Settings: of a search, from the environment, and of each run, drawn from its seed.
//!
//! No single setting suits every bug: scheduling points after atomics expose a use after free, but lengthen a schedule
//! that is already long. Each run therefore draws its own settings.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use lastref_kernel::seed::mix;
use lastref_kernel::strategy::StrategyName;

use crate::token::Token;
use lastref_kernel::faults::FaultPlan;

/// The variables of the environment that configure a search.
pub(crate) const VARIABLES: [&str; 16] = [
    "LASTREF_AFTER",
    "LASTREF_EXPLORE_TIME",
    "LASTREF_FAULTS",
    "LASTREF_FOR_MS",
    "LASTREF_HOSTS",
    "LASTREF_OUTSIDE",
    "LASTREF_PROGRESS",
    "LASTREF_REPLAY",
    "LASTREF_REPORT",
    "LASTREF_RUN",
    "LASTREF_SCHEDULES",
    "LASTREF_SEED",
    "LASTREF_SETTINGS",
    "LASTREF_SHRINK",
    "LASTREF_STEPS",
    "LASTREF_STRATEGY",
];

/// The settings of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Whether there are scheduling points after atomics too.
    pub(crate) after: bool,
    /// Whether weak compare-and-exchanges may fail.
    pub(crate) weak: bool,
    /// Whether guard pages protect freed memory and the end of each block.
    pub(crate) guard: bool,
    /// Whether the heap has a ledger.
    pub(crate) heap: bool,
    /// Whether an unreachable block is a finding.
    pub(crate) leaks: bool,
    /// Whether connections have latency.
    pub(crate) latency: bool,
}

impl Settings {
    const NAMES: [&'static str; 6] = ["after", "weak", "guard", "heap", "leaks", "latency"];

    pub(crate) const OFF: Settings =
        Settings { after: false, weak: false, guard: false, heap: false, leaks: false, latency: false };

    fn field(&mut self, name: &str) -> Option<&mut bool> {
        Some(match name {
            "after" => &mut self.after,
            "weak" => &mut self.weak,
            "guard" => &mut self.guard,
            "heap" => &mut self.heap,
            "leaks" => &mut self.leaks,
            "latency" => &mut self.latency,
            _ => return None,
        })
    }

    /// The settings of the run of this seed, except for those that are pinned.
    pub(crate) fn drawn(seed: u64, pins: &Pins) -> Settings {
        let drawn = mix(seed ^ 0x5e77_1465);
        let mut settings = Settings {
            after: drawn & 3 != 0,
            weak: drawn >> 8 & 1 == 0,
            // Guard pages cost two system calls for each allocation, so only one run in 16 has them.
            guard: drawn >> 16 & 15 == 0,
            heap: true,
            leaks: true,
            latency: drawn >> 24 & 1 == 0,
        };
        for (name, value) in &pins.0 {
            if let Some(field) = settings.field(name) {
                *field = *value;
            }
        }
        settings
    }
}

impl Settings {
    /// The settings in a token: `after=1,leaks:0`. A colon marks a pinned setting, since the pins hold in the reference
    /// runs too, which a replay repeats.
    pub(crate) fn with_pins(self, pins: &Pins) -> String {
        let mut own = self;
        let text = Settings::NAMES.map(|name| {
            let value = own.field(name).is_some_and(|field| *field);
            format!("{name}{}{}", if pins.fix(name) { ':' } else { '=' }, u8::from(value))
        });
        text.join(",")
    }

    /// Reads the settings of a token, and the pins among them.
    pub(crate) fn read_with_pins(text: &str) -> Result<(Settings, Pins), String> {
        let all: Pins = text.replace(':', "=").parse()?;
        let pinned: Vec<&str> = text.split(',').filter(|part| part.contains(':')).collect();
        let pins = pinned.join(",").replace(':', "=").parse()?;
        Ok((Settings::drawn(0, &all), pins))
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.with_pins(&Pins::default()))
    }
}

/// Settings that are fixed for every run of a search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pins(Vec<(String, bool)>);

impl Pins {
    /// Whether this setting is fixed.
    pub(crate) fn fix(&self, name: &str) -> bool {
        self.0.iter().any(|(fixed, _)| fixed == name)
    }
}

impl FromStr for Pins {
    type Err = String;

    fn from_str(text: &str) -> Result<Pins, String> {
        let pin = |part: &str| {
            let (name, value) = part.split_once('=').ok_or_else(|| format!("`{part}` is not of the form key=value"))?;
            if !Settings::NAMES.contains(&name) {
                return Err(format!("`{name}` is not a setting: one of {}", Settings::NAMES.join(", ")));
            }
            match value {
                "0" => Ok((name.to_owned(), false)),
                "1" => Ok((name.to_owned(), true)),
                _ => Err(format!("`{part}`: the value is 0 or 1")),
            }
        };
        text.split(',').filter(|part| !part.is_empty()).map(pin).collect::<Result<_, _>>().map(Pins)
    }
}

/// The settings of a search.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) schedules: u64,
    /// The number of the run after which the search begins: an earlier process executed that run and the ones before
    /// it.
    pub(crate) after: u64,
    /// The time of the search; in a replay that shrinks, the time after which it ends with the shortest run so far.
    pub(crate) for_ms: Option<u64>,
    pub(crate) seed: u64,
    pub(crate) strategy: StrategyName,
    pub(crate) steps: u32,
    /// Whether timers may fire while tasks can run.
    pub(crate) explores_time: bool,
    pub(crate) replay: Option<Token>,
    /// The seed of the only run to execute. It replaces a token if the process of the run ended before it could report
    /// one.
    pub(crate) run: Option<u64>,
    pub(crate) shrinks: bool,
    pub(crate) report: Option<PathBuf>,
    pub(crate) pins: Pins,
    pub(crate) progress: Option<PathBuf>,
    /// The faults of connections.
    pub(crate) faults: FaultPlan,
    pub(crate) outside: Outside,
    pub(crate) hosts: Hosts,
}

/// Names of hosts that lead to the loopback of the run, in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hosts(pub(crate) Vec<String>);

impl FromStr for Hosts {
    type Err = String;

    fn from_str(text: &str) -> Result<Hosts, String> {
        // A lookup ignores case and a final dot.
        let names = text.split(',').map(|name| name.strip_suffix('.').unwrap_or(name));
        Ok(Hosts(names.filter(|name| !name.is_empty()).map(str::to_ascii_lowercase).collect()))
    }
}

/// The treatment of a test that uses resources that are not simulated: files, child processes, other machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outside {
    Allow,
    /// The report names the resource.
    Warn,
    /// The test ends as misused.
    Refuse,
}

impl FromStr for Outside {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Outside, &'static str> {
        match text {
            "allow" => Ok(Outside::Allow),
            "warn" => Ok(Outside::Warn),
            "refuse" => Ok(Outside::Refuse),
            _ => Err("the value is allow, warn or refuse"),
        }
    }
}

impl Config {
    /// The default settings of a search.
    pub(crate) fn standard() -> Config {
        Config {
            schedules: 1000,
            after: 0,
            for_ms: None,
            seed: 1,
            strategy: StrategyName::MIX,
            steps: 200_000,
            explores_time: false,
            replay: None,
            run: None,
            shrinks: false,
            report: None,
            pins: Pins::default(),
            progress: None,
            faults: FaultPlan::default(),
            outside: Outside::Warn,
            hosts: Hosts::default(),
        }
    }

    /// The settings that the environment gives; the error names the variable.
    pub(crate) fn from_environment() -> Result<Config, String> {
        #[expect(clippy::disallowed_methods, reason = "the settings of a search are not part of a run")]
        Config::read(|variable| std::env::var_os(variable))
    }

    /// The settings that these pairs of variable and value give.
    pub(crate) fn of(pairs: &[(&str, &str)]) -> Result<Config, String> {
        Config::read(|variable| {
            let pair = pairs.iter().find(|(name, _)| *name == variable);
            pair.map(|(_, value)| OsString::from(*value))
        })
    }

    fn read(variable: impl Fn(&str) -> Option<OsString>) -> Result<Config, String> {
        let mut config = Config::standard();
        let value = |name: &str| variable(name).filter(|value| !value.is_empty());
        set("LASTREF_SCHEDULES", value("LASTREF_SCHEDULES"), &mut config.schedules, str::parse::<u64>)?;
        set("LASTREF_AFTER", value("LASTREF_AFTER"), &mut config.after, str::parse::<u64>)?;
        set("LASTREF_FOR_MS", value("LASTREF_FOR_MS"), &mut config.for_ms, |text| text.parse().map(Some))?;
        set("LASTREF_SEED", value("LASTREF_SEED"), &mut config.seed, parse_seed)?;
        set("LASTREF_STRATEGY", value("LASTREF_STRATEGY"), &mut config.strategy, str::parse)?;
        set("LASTREF_STEPS", value("LASTREF_STEPS"), &mut config.steps, str::parse)?;
        set("LASTREF_EXPLORE_TIME", value("LASTREF_EXPLORE_TIME"), &mut config.explores_time, parse_switch)?;
        set("LASTREF_REPLAY", value("LASTREF_REPLAY"), &mut config.replay, |text| text.parse().map(Some))?;
        set("LASTREF_RUN", value("LASTREF_RUN"), &mut config.run, |text| parse_seed(text).map(Some))?;
        set("LASTREF_SHRINK", value("LASTREF_SHRINK"), &mut config.shrinks, parse_switch)?;
        set("LASTREF_FAULTS", value("LASTREF_FAULTS"), &mut config.faults, str::parse)?;
        set("LASTREF_HOSTS", value("LASTREF_HOSTS"), &mut config.hosts, str::parse)?;
        set("LASTREF_OUTSIDE", value("LASTREF_OUTSIDE"), &mut config.outside, str::parse)?;
        set("LASTREF_SETTINGS", value("LASTREF_SETTINGS"), &mut config.pins, str::parse)?;
        config.report = value("LASTREF_REPORT").map(PathBuf::from);
        config.progress = value("LASTREF_PROGRESS").map(PathBuf::from);
        Ok(config)
    }
}

/// Sets a value from an environment variable, if the variable is set.
fn set<T, E: fmt::Display>(
    variable: &str,
    value: Option<OsString>,
    to: &mut T,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<(), String> {
    let Some(text) = value else { return Ok(()) };
    let text = text.to_str().ok_or_else(|| format!("{variable} is not UTF-8"))?;
    *to = parse(text.trim()).map_err(|error| format!("{variable}={text}: {error}"))?;
    Ok(())
}

fn parse_switch(text: &str) -> Result<bool, &'static str> {
    match text {
        "0" => Ok(false),
        "1" => Ok(true),
        _ => Err("the value is 0 or 1"),
    }
}

/// A seed, decimal or hexadecimal.
pub(crate) fn parse_seed(text: &str) -> Result<u64, std::num::ParseIntError> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pinned_is_not_drawn_and_the_rest_differs_from_run_to_run() {
        let pins: Pins = "weak=1,heap=0".parse().expect("two settings");
        let drawn: Vec<Settings> = (0..200).map(|seed| Settings::drawn(seed, &pins)).collect();
        assert!(drawn.iter().all(|settings| settings.weak && !settings.heap));
        let count = |of: fn(&Settings) -> bool| drawn.iter().filter(|settings| of(settings)).count();
        assert!((120..180).contains(&count(|settings| settings.after)));
        assert!((4..25).contains(&count(|settings| settings.guard)));
        let first = drawn[0];
        assert_eq!(Pins::from_str(&first.to_string()).map(|pins| Settings::drawn(5, &pins)), Ok(first));
    }

    #[test]
    fn the_list_of_variables_is_that_of_the_settings() {
        let asked = std::cell::RefCell::new(std::collections::BTreeSet::new());
        let read = Config::read(|variable| {
            asked.borrow_mut().insert(variable.to_owned());
            None
        });
        assert!(read.is_ok());
        assert_eq!(asked.into_inner().into_iter().collect::<Vec<_>>(), VARIABLES);
    }

    #[test]
    fn a_setting_that_is_none_is_refused_by_name() {
        for (text, part) in [("cold=1", "`cold`"), ("after", "key=value"), ("after=2", "0 or 1")] {
            let error = Pins::from_str(text).expect_err(text);
            assert!(error.contains(part), "{error}");
        }
    }
}
