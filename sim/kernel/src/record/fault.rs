//! Faults of connections as plain data: their kinds, and the end of a connection whose bytes are counted.
//!
//! `lastref` applies them to its network, and the stand-in for std to its streams. The list of kinds is here, so that a
//! kind has one name and one meaning for both.

use std::fmt;
use std::str::FromStr;

/// The duration that [`FaultKind::ALL`] shows, in milliseconds.
const SHOWN_MS: u32 = 50;

/// Calls a macro with the list of kinds: `file => Variant`, `{ ms }` for one that lasts, `[of_attempt = true]`
/// for one of the connection attempt, and the name in reports.
#[macro_export]
macro_rules! fault_kinds {
    ($receive:ident) => {
        $receive! {
            /// RST to both ends: each fails with `ConnectionReset` after the link's latency. Data sent earlier is
            /// delivered.
            reset => Reset, "reset";
            /// The end whose bytes are counted shuts its write side down: FIN, and its later writes fail with
            /// `BrokenPipe`.
            half_close => HalfClose, "half-close";
            /// All packets are lost from here on, in both directions and without notice: writes fail when they have
            /// been unacknowledged for too long.
            blackhole => Blackhole, "blackhole";
            /// The connection delivers no packet, in either direction, for this long; then it delivers all.
            stall => Stall { ms }, "stall";
            /// The link between the two hosts loses the packets of all its connections for this long.
            partition => Partition { ms }, "partition";
            /// The link between the two hosts holds the packets of all its connections for this long.
            hold => Hold { ms }, "hold";
            /// The server crashes and loses its connections, without notice to its peers. After this long it is up
            /// again, and answers packets of the lost connections with RST.
            crash => Crash { ms }, "crash";
            /// RST answers the attempt: `ConnectionRefused`.
            refuse => Refuse [of_attempt = true], "refuse";
            /// The attempt gets no answer: it fails with `TimedOut` in the end.
            hang => Hang [of_attempt = true], "hang";
        }
    };
}

macro_rules! kinds {
    ($(
        $(#[doc = $doc:literal])*
        $file:ident => $name:ident $( { $ms:ident } )? $( [ of_attempt = $of_attempt:literal ] )?, $shown:literal;
    )*) => {
        /// The kind of a fault.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        pub enum FaultKind {
            $(
                $(#[doc = $doc])*
                $name $( {
                    /// Duration in milliseconds.
                    $ms: u32,
                } )?,
            )*
        }

        impl FaultKind {
            /// Every kind.
            pub const ALL: [FaultKind; [$( stringify!($file) ),*].len()] =
                [$( FaultKind::$name $( { $ms: SHOWN_MS } )? ),*];

            /// The kind's name in reports.
            pub fn name(self) -> &'static str {
                match self {
                    $( FaultKind::$name { .. } => $shown, )*
                }
            }

            /// The kind's name in JSON.
            pub fn variant(self) -> &'static str {
                match self {
                    $( FaultKind::$name { .. } => stringify!($name), )*
                }
            }

            /// Its duration in milliseconds, if it lasts.
            pub fn ms(self) -> Option<u32> {
                match self {
                    $( $( FaultKind::$name { $ms } => Some($ms), )? )*
                    _ => None,
                }
            }

            /// Whether it applies to the connection attempt, so that no bytes are counted.
            pub fn is_of_attempt(self) -> bool {
                match self {
                    $( $( FaultKind::$name { .. } => $of_attempt, )? )*
                    _ => false,
                }
            }

            /// The same kind with this duration, if it lasts.
            #[must_use]
            pub fn lasting(self, duration_ms: u32) -> FaultKind {
                match self {
                    $( $( FaultKind::$name { .. } => FaultKind::$name { $ms: duration_ms }, )? )*
                    other => other,
                }
            }
        }
    };
}
fault_kinds!(kinds);

impl FaultKind {
    /// Every kind that affects the connection or its link: all but `Crash`, which ends the tasks of a host. Threads of
    /// a host that crashes continue without a network, so a plan for a component on threads draws from these kinds.
    pub const OF_CONNECTIONS: [FaultKind; FaultKind::ALL.len() - 1] = {
        let mut kinds = [FaultKind::Reset; FaultKind::ALL.len() - 1];
        let (mut from, mut to) = (0, 0);
        while from < FaultKind::ALL.len() {
            if !matches!(FaultKind::ALL[from], FaultKind::Crash { .. }) {
                kinds[to] = FaultKind::ALL[from];
                to += 1;
            }
            from += 1;
        }
        kinds
    };
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ms() {
            Some(ms) => write!(f, "{} for {ms} ms", self.name()),
            None => f.pad(self.name()),
        }
    }
}

/// Reads the name in reports; a kind that lasts may be followed by its milliseconds, as in `stall=50`.
impl FromStr for FaultKind {
    type Err = BadFault;

    fn from_str(text: &str) -> Result<FaultKind, BadFault> {
        let (name, ms) = text.split_once('=').map_or((text, None), |(name, ms)| (name, Some(ms)));
        let kind = FaultKind::ALL.into_iter().find(|kind| kind.name() == name);
        let kind = kind.ok_or_else(|| BadFault::Unknown(text.to_owned()))?;
        match ms {
            None => Ok(kind),
            Some(ms) if kind.ms().is_some() => {
                ms.parse().map(|ms| kind.lasting(ms)).map_err(|_| BadFault::Duration(text.to_owned()))
            }
            Some(_) => Err(BadFault::NoDuration { text: text.to_owned(), kind: kind.name() }),
        }
    }
}

/// A text that is not a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadFault {
    /// It names no kind.
    Unknown(String),
    /// Its duration is malformed, or too large.
    Duration(String),
    /// It has a duration, and its kind has none.
    NoDuration {
        /// The text.
        text: String,
        /// The kind.
        kind: &'static str,
    },
}

impl fmt::Display for BadFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadFault::Unknown(text) => {
                let names: Vec<&str> = FaultKind::ALL.into_iter().map(FaultKind::name).collect();
                write!(f, "`{text}` is not a fault: one of {}", names.join(", "))
            }
            BadFault::Duration(text) => {
                write!(f, "`{text}`: a duration is a whole number of milliseconds, at most {}", u32::MAX)
            }
            BadFault::NoDuration { text, kind } => write!(f, "`{text}`: a {kind} has no duration"),
        }
    }
}

impl std::error::Error for BadFault {}

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum End {
    /// The end that connected.
    Client,
    /// The end that accepted.
    Server,
}

impl End {
    /// 0 for the client, 1 for the server.
    pub fn index(self) -> usize {
        usize::from(self == End::Server)
    }

    /// The opposite end.
    #[must_use]
    pub fn other(self) -> End {
        match self {
            End::Client => End::Server,
            End::Server => End::Client,
        }
    }

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            End::Client => "client",
            End::Server => "server",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_reads_back_by_its_name() {
        for kind in FaultKind::ALL {
            let text = kind.ms().map_or_else(|| kind.name().to_owned(), |ms| format!("{}={ms}", kind.name()));
            assert_eq!(text.parse(), Ok(kind));
            assert_eq!(kind.name().parse(), Ok(kind));
        }
        assert_eq!("stall=7".parse(), Ok(FaultKind::Stall { ms: 7 }));
        let told = |text: &str| text.parse::<FaultKind>().expect_err(text).to_string();
        for wrong in ["", "stal", "stal=5", "RESET"] {
            let kinds = "reset, half-close, blackhole, stall, partition, hold, crash, refuse, hang";
            assert_eq!(told(wrong), format!("`{wrong}` is not a fault: one of {kinds}"));
        }
        for wrong in ["stall=", "stall=x", "stall=-1", "stall=4294967296"] {
            let said = "a duration is a whole number of milliseconds, at most 4294967295";
            assert_eq!(told(wrong), format!("`{wrong}`: {said}"));
        }
        assert_eq!(told("reset=5"), "`reset=5`: a reset has no duration");
    }
}
