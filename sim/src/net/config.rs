//! The configuration of a network, and its checks.

use std::ops::RangeInclusive;

use super::decoder::Decoder;
use super::fault::Fault;
use crate::plan::Span;
use crate::time::Duration;

/// The configuration of a network.
#[derive(Clone, Debug)]
pub struct Config {
    /// The names of the hosts: 1 to 255, all different.
    pub hosts: Vec<&'static str>,
    /// The minimum and maximum latency of a link, in milliseconds. It is drawn per packet; packets of one connection
    /// keep their order.
    pub latency_ms: (u32, u32),
    /// Whether reads and writes may transfer fewer bytes than they could; the number is drawn.
    pub short: bool,
    /// The backlog of a listener; a connection beyond it is refused.
    pub backlog: usize,
    /// Send and receive buffer size in bytes, at least 1.
    pub window: usize,
    /// The protocol by which connections are parsed, for tables and phases.
    pub decoder: Decoder,
    /// The faults of connections.
    pub faults: Vec<Fault>,
    /// Virtual time within which tasks must end after the body: longer than the timeout of a connection in a blackhole.
    pub grace: Duration,
    /// The total time by which sleepers may advance the clock while other tasks are ready, over the life of the
    /// network. The smaller of this and [`crate::Limits::timer_slack`] applies. Set it to a few turns of the wire: a
    /// larger value lets timeouts expire while their responses are in transit.
    pub timer_slack: Duration,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            hosts: vec!["client", "server"],
            latency_ms: (1, 3),
            short: false,
            backlog: 128,
            window: 64 * 1024,
            decoder: Decoder::Bytes,
            faults: Vec::new(),
            grace: Duration::from_secs(10),
            timer_slack: Duration::from_millis(5),
        }
    }
}

/// Why a [`Config`] is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// There is no host.
    #[error("`hosts` is empty: a network has at least one host")]
    NoHosts,
    /// There are more hosts than addresses.
    #[error("`hosts` has {0} names: a network has at most 255 hosts")]
    TooManyHosts(usize),
    /// Two hosts have the same name.
    #[error("`hosts` has the name `{0}` twice")]
    SameName(&'static str),
    /// The minimum latency is above the maximum.
    #[error("`latency_ms` is ({0}, {1}): the minimum is above the maximum")]
    Latency(u32, u32),
    /// The maximum latency is too long: the wire counts each millisecond of a retransmission.
    #[error("the maximum of `latency_ms` is {0}: at most {most}", most = Config::LATENCY_MS.0.end())]
    LatencyTooLong(u32),
    /// The socket buffer size is 0.
    #[error("`window` is 0: the minimum buffer size of a socket is one byte")]
    Window,
}

impl Config {
    /// The range for [`Config::latency_ms`] in a plan.
    pub const LATENCY_MS: Span<u32> = Span(0..=10_000);
    /// The range for [`Config::window`] in a plan.
    pub const SOCKET_BYTES: RangeInclusive<u32> = 1..=1 << 20;
    /// The range for [`Config::backlog`] in a plan.
    pub const BACKLOG: RangeInclusive<u32> = 1..=1_024;

    /// Checks that the configuration is valid.
    ///
    /// # Errors
    /// The first field that is invalid.
    pub fn check(&self) -> Result<(), ConfigError> {
        let (least, most) = self.latency_ms;
        let again = self.hosts.iter().enumerate().find(|(nth, name)| self.hosts[..*nth].contains(name));
        match (self.hosts.len(), again) {
            (0, _) => Err(ConfigError::NoHosts),
            (count, _) if count > usize::from(u8::MAX) => Err(ConfigError::TooManyHosts(count)),
            (_, Some((_, name))) => Err(ConfigError::SameName(name)),
            _ if least > most => Err(ConfigError::Latency(least, most)),
            _ if most > *Config::LATENCY_MS.0.end() => Err(ConfigError::LatencyTooLong(most)),
            _ if self.window == 0 => Err(ConfigError::Window),
            _ => Ok(()),
        }
    }

    /// Turns without an acknowledgement after which a segment is retransmitted: more than a round trip takes.
    pub(super) fn retransmit_ticks(&self) -> u32 {
        self.latency_ms.1.saturating_mul(2).saturating_add(20)
    }
}
