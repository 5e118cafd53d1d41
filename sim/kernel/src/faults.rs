//! Faults of connections: the plan of a search, and the faults that a run draws from it.
//!
//! A plan is a list of items, separated by commas. `reset` is drawn for each run: which connection, which end, which
//! byte. `reset@2.c.120` is exact: connection 2, after 120 bytes of the client. `short` makes reads and writes transfer
//! fewer bytes than they could, and `all` is every kind. A token has exact items only.

use std::fmt;
use std::str::FromStr;

use crate::record::{BadFault, End, FaultKind};
use crate::seed::{Purpose, Stream};

/// The durations of faults that are drawn, in milliseconds.
const DURATIONS_MS: [u32; 4] = [5, 50, 1_000, 30_000];

/// One fault of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The kind of fault.
    pub kind: FaultKind,
    /// The number of the attempt, counted from 0.
    pub connection: u32,
    /// The end whose bytes are counted.
    pub from: End,
    /// The number of bytes of that end after which the fault happens, before the next byte.
    pub after_bytes: u64,
}

/// The faults of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// The faults, each with its connection and its byte.
    pub exact: Vec<Fault>,
    /// Reads and writes may transfer fewer bytes than they could.
    pub short: bool,
}

/// The faults that a search requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FaultPlan {
    kinds: Vec<Drawn>,
    draws_short: bool,
    exact: Vec<Fault>,
}

/// A kind from which faults are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Drawn {
    kind: FaultKind,
    /// The plan gives the duration, as in `stall=50`.
    is_duration_given: bool,
}

/// The extent of the traffic in earlier runs, from which faults are drawn.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extent {
    /// The most connections of a run.
    pub connections: u32,
    /// The most bytes that one end has sent on one connection.
    pub bytes: u64,
}

impl FaultPlan {
    /// Whether the plan requests no fault.
    pub fn is_empty(&self) -> bool {
        *self == FaultPlan::default()
    }

    /// The faults of the run of this seed.
    pub fn drawn(&self, seed: u64, extent: Extent) -> Faults {
        let mut faults = Faults { exact: self.exact.clone(), short: false };
        let mut stream = Stream::new(seed, Purpose::Plan);
        if self.draws_short {
            faults.short = self.kinds.is_empty() || stream.below(4) == 0;
        }
        if self.kinds.is_empty() || extent.connections == 0 {
            return faults;
        }
        // One run in eight has no fault, since a fault may hide a bug that occurs without one.
        let count = [0, 1, 1, 1, 1, 1, 2, 2][stream.below(8) as usize];
        for _ in 0..count {
            let Drawn { kind, is_duration_given } = self.kinds[stream.below(self.kinds.len() as u64) as usize];
            let draws_duration = kind.ms().is_some() && !is_duration_given;
            let kind = if draws_duration { kind.lasting(DURATIONS_MS[stream.below(4) as usize]) } else { kind };
            let from = if stream.below(2) == 0 { End::Client } else { End::Server };
            // Byte 0 and the bytes of a handshake are more frequent than others.
            let bytes = extent.bytes.max(1);
            let after_bytes = match stream.below(7) {
                _ if kind.is_of_attempt() => 0,
                0 => 0,
                1 | 2 => stream.below(bytes.min(64)),
                _ => stream.below(bytes),
            };
            let connection = stream.below(extent.connections.into()) as u32;
            faults.exact.push(Fault { kind, connection, from, after_bytes });
        }
        faults
    }
}

impl FromStr for FaultPlan {
    type Err = String;

    fn from_str(text: &str) -> Result<FaultPlan, String> {
        let mut plan = FaultPlan::default();
        for item in text.split(',').filter(|item| !item.is_empty()) {
            match item {
                "all" => {
                    plan.kinds.extend(FaultKind::ALL.map(|kind| Drawn { kind, is_duration_given: false }));
                    plan.draws_short = true;
                }
                "short" => plan.draws_short = true,
                _ if item.contains('@') => plan.exact.push(item.parse()?),
                _ => {
                    let kind = item.parse().map_err(|error| match error {
                        BadFault::Unknown(_) => format!("{error}, short, all"),
                        BadFault::Duration(_) | BadFault::NoDuration { .. } => error.to_string(),
                    })?;
                    plan.kinds.push(Drawn { kind, is_duration_given: item.contains('=') });
                }
            }
        }
        Ok(plan)
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Fault, String> {
        let wrong = || format!("`{text}` is not of the form KIND@CONNECTION.END.BYTES, as in reset@2.c.120");
        let (kind, place) = text.split_once('@').ok_or_else(wrong)?;
        let kind = kind.parse().map_err(|error: BadFault| error.to_string())?;
        let &[connection, from, after_bytes] = place.split('.').collect::<Vec<&str>>().as_slice() else {
            return Err(wrong());
        };
        let from = match from {
            "c" => End::Client,
            "s" => End::Server,
            _ => return Err(wrong()),
        };
        let connection = connection.parse().map_err(|_| wrong())?;
        Ok(Fault { kind, connection, from, after_bytes: after_bytes.parse().map_err(|_| wrong())? })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fault { kind, connection, from, after_bytes } = self;
        let ms = kind.ms().map_or_else(String::new, |ms| format!("={ms}"));
        write!(f, "{}{ms}@{connection}.{}.{after_bytes}", kind.name(), &from.name()[..1])
    }
}

/// In the form that [`Faults::from_str`] reads: `:` separates the items, since commas separate the fields of a token.
impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = self.exact.iter().map(Fault::to_string);
        let items: Vec<String> = self.short.then(|| "short".to_owned()).into_iter().chain(exact).collect();
        f.write_str(&items.join(":"))
    }
}

impl FromStr for Faults {
    type Err = String;

    fn from_str(text: &str) -> Result<Faults, String> {
        let mut faults = Faults::default();
        for item in text.split(':').filter(|item| !item.is_empty()) {
            match item {
                "short" => faults.short = true,
                _ => faults.exact.push(item.parse()?),
            }
        }
        Ok(faults)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_faults_of_a_run_read_back_and_depend_on_its_seed() {
        let plan: FaultPlan = "all,stall=7@3.s.0".parse().expect("a plan");
        let extent = Extent { connections: 4, bytes: 1_000 };
        let drawn: Vec<Faults> = (0..200).map(|seed| plan.drawn(seed, extent)).collect();
        for faults in &drawn {
            assert_eq!(faults.to_string().parse().as_ref(), Ok(faults));
            assert_eq!(faults.exact[0].to_string(), "stall=7@3.s.0");
            assert!(faults.exact.iter().all(|fault| fault.connection < 4 && fault.after_bytes < 1_000));
        }
        let count = |of: fn(&Faults) -> bool| drawn.iter().filter(|faults| of(faults)).count();
        assert!((20..90).contains(&count(|faults| faults.short)));
        assert!((5..60).contains(&count(|faults| faults.exact.len() == 1)));
        assert!(FaultKind::ALL.into_iter().all(|kind| {
            drawn.iter().flat_map(|faults| &faults.exact[1..]).any(|fault| fault.kind.name() == kind.name())
        }));
    }

    #[test]
    fn a_duration_that_the_plan_gives_is_kept_and_another_is_drawn() {
        let plan: FaultPlan = "stall=7,hold".parse().expect("a plan");
        let extent = Extent { connections: 4, bytes: 1_000 };
        let durations = |name: &str| -> Vec<u32> {
            let drawn = (0..200).flat_map(|seed| plan.drawn(seed, extent).exact);
            drawn.filter(|fault| fault.kind.name() == name).filter_map(|fault| fault.kind.ms()).collect()
        };
        assert!(durations("stall").len() > 20 && durations("stall").iter().all(|ms| *ms == 7));
        assert!(DURATIONS_MS.iter().all(|ms| durations("hold").contains(ms)));
    }

    #[test]
    fn a_plan_that_is_malformed_is_refused_with_its_item() {
        let told = |text: &str| text.parse::<FaultPlan>().expect_err(text);
        for (text, part) in [("reset@1", "KIND@"), ("reset@1.x.2", "reset@1.x.2"), ("cold@1.c.2", "`cold` is not a")] {
            assert!(told(text).contains(part), "{}", told(text));
        }
        assert!(told("reset,cold").starts_with("`cold` is not a fault: one of reset, "));
        assert!(told("reset,cold").ends_with("refuse, hang, short, all"));
        assert!(told("stall=99999999999").ends_with("at most 4294967295"));
    }
}
