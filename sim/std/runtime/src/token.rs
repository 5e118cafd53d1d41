//! The token: one word that names a run, so that it can be repeated.
//!
//! `ls2,strategy,seed,steps,time,settings,faults,test,switches,check`. The strategy `shrunk` follows the list of
//! switches. The last field is a checksum of the fields before it, so a truncated or changed token is refused.

use std::fmt;
use std::str::FromStr;

use lastref_kernel::record::TaskKey;
use lastref_kernel::seed::fold_str;
use lastref_kernel::strategy::{StrategyName, Switch};

use crate::settings::{Pins, Settings, parse_seed};
use lastref_kernel::faults::Faults;

/// The version of the format.
const MARK: &str = "ls2";
const SHRUNK: &str = "shrunk";
const FIELDS: usize = 10;

/// The rule by which a run chooses its tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Choices {
    Strategy(StrategyName),
    /// A list of forced switches, found by shrinking.
    Switches(Vec<Switch>),
}

/// Names one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) choices: Choices,
    pub(crate) seed: u64,
    pub(crate) steps: u32,
    pub(crate) explores_time: bool,
    pub(crate) settings: Settings,
    /// The settings that the search fixes for all its runs.
    pub(crate) pins: Pins,
    pub(crate) faults: Faults,
    pub(crate) test: String,
}

impl Token {
    /// The name of the strategy.
    pub(crate) fn strategy(&self) -> String {
        match &self.choices {
            Choices::Strategy(strategy) => strategy.to_string(),
            Choices::Switches(_) => SHRUNK.to_owned(),
        }
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let strategy = self.strategy();
        let switches = match &self.choices {
            Choices::Strategy(_) => String::new(),
            Choices::Switches(switches) => written(switches),
        };
        let Token { seed, steps, faults, test, .. } = self;
        let time = u8::from(self.explores_time);
        // Commas separate the fields.
        let settings = self.settings.with_pins(&self.pins).replace(',', ";");
        let text = format!("{MARK},{strategy},{seed:#x},{steps},{time},{settings},{faults},{test},{switches}");
        write!(f, "{text},{:08x}", check(&text))
    }
}

fn check(text: &str) -> u32 {
    (fold_str(0x70_6b65, text) >> 32) as u32
}

fn written(switches: &[Switch]) -> String {
    let one = |switch: &Switch| format!("{:x}.{}.{:x}", switch.from.0, switch.turn, switch.to.0);
    switches.iter().map(one).collect::<Vec<String>>().join("-")
}

fn read_switches(text: &str) -> Option<Vec<Switch>> {
    let one = |part: &str| {
        let mut numbers = part.split('.');
        let from = u64::from_str_radix(numbers.next()?, 16).ok()?;
        let turn = numbers.next()?.parse().ok()?;
        let to = u64::from_str_radix(numbers.next()?, 16).ok()?;
        numbers.next().is_none().then_some(Switch { from: TaskKey(from), turn, to: TaskKey(to) })
    };
    text.split('-').filter(|part| !part.is_empty()).map(one).collect()
}

impl FromStr for Token {
    type Err = String;

    fn from_str(text: &str) -> Result<Token, String> {
        let fields: Vec<&str> = text.split(',').collect();
        if fields.first() != Some(&MARK) {
            return Err(format!("not a token of this version: one begins with `{MARK},`"));
        }
        let &[_, strategy, seed, steps, time, settings, faults, test, switches, digits] = fields.as_slice() else {
            return Err(format!("the token is cut: it has {} of {FIELDS} fields", fields.len()));
        };
        let whole = &text[..text.len() - digits.len() - 1];
        if u32::from_str_radix(digits, 16) != Ok(check(whole)) {
            return Err("the token is damaged: its check sum does not match".to_owned());
        }
        let choices = match strategy {
            SHRUNK => Choices::Switches(read_switches(switches).ok_or("the token has switches of another form")?),
            _ => Choices::Strategy(strategy.parse().map_err(|error| format!("{error}"))?),
        };
        let (settings, pins) = Settings::read_with_pins(&settings.replace(';', ","))?;
        Ok(Token {
            choices,
            seed: parse_seed(seed).map_err(|error| format!("seed: {error}"))?,
            steps: steps.parse().map_err(|error| format!("steps: {error}"))?,
            explores_time: time == "1",
            settings,
            pins,
            faults: faults.parse()?,
            test: test.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(choices: Choices) -> Token {
        let settings = Settings { after: true, weak: false, guard: true, heap: true, leaks: false, latency: true };
        let faults = "short:reset@1.c.20".parse().expect("faults");
        Token {
            choices,
            seed: 0xfeed,
            steps: 500,
            explores_time: true,
            settings,
            pins: "heap=1,leaks=0".parse().expect("pins"),
            faults,
            test: "tests::a_b".to_owned(),
        }
    }

    #[test]
    fn a_token_reads_back() {
        let switch = |turn| Switch { from: TaskKey(7), turn, to: TaskKey(u64::MAX) };
        for choices in [
            Choices::Strategy(StrategyName::MIX),
            Choices::Strategy(StrategyName::pct(3)),
            Choices::Switches(Vec::new()),
            Choices::Switches(vec![switch(1), switch(20)]),
        ] {
            let token = token(choices);
            assert_eq!(token.to_string().parse(), Ok(token));
        }
    }

    #[test]
    fn a_token_that_was_cut_or_changed_is_refused() {
        let text = token(Choices::Strategy(StrategyName::MIX)).to_string();
        for length in 0..text.len() {
            assert!(text[..length].parse::<Token>().is_err(), "{length}");
        }
        assert!(text.replace("0xfeed", "0xfeee").parse::<Token>().is_err());
    }
}
