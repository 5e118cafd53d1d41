//! `simulate`: declares the network that a test of a plain crate is meant for.
//!
//! Both packages on the kernel, `lastref` and `lastref-runtime`, compile this file. Under `cargo lastref test` the body
//! is part of a run, whose network is simulated, and the faults are drawn for each run. Without it the network is the
//! system's: the body runs once.

use kernel::faults::FaultPlan;

use crate::session;

/// A network: the faults that hit the connections of a test.
#[derive(Clone, Debug, Default)]
pub struct Network {
    pub(crate) faults: FaultPlan,
}

impl Network {
    /// A network without faults, unless `cargo lastref test --faults` adds some.
    pub fn reliable() -> Network {
        Network::default()
    }

    /// A network that breaks connections: the plan is in the form of `cargo lastref test --faults`, as in
    /// `reset,stall` or `reset@2.c.120`. That flag replaces this plan.
    ///
    /// # Panics
    /// If the plan is malformed, or names no fault.
    #[track_caller]
    pub fn with_faults(plan: &str) -> Network {
        match plan.parse::<FaultPlan>() {
            Ok(faults) if !faults.is_empty() => Network { faults },
            Ok(_) => panic!("`{plan}` names no fault: a plan is a list such as reset,stall, or reset@2.c.120"),
            Err(error) => panic!("{error}"),
        }
    }
}

/// Runs the body once. Under `cargo lastref test` each run draws from the faults of `network`, except for the reference
/// runs, or the first run of a strategy without them. Otherwise `network` has no effect.
///
/// # Panics
/// Under `cargo lastref test`, if the test has called this with another network in the same run: the faults of a run
/// are drawn from one plan, before the run begins.
///
/// # Examples
/// ```
/// use lastref::{Network, simulate};
/// use std::io::{Read, Write};
/// use std::net::{TcpListener, TcpStream};
///
/// simulate(Network::with_faults("reset,half-close"), || {
///     let server = TcpListener::bind("127.0.0.1:0")?;
///     let mut client = TcpStream::connect(server.local_addr()?)?;
///     client.write_all(b"ping")?;
///     let (mut accepted, _) = server.accept()?;
///     accepted.read_exact(&mut [0; 4])
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn simulate<T>(network: Network, body: impl FnOnce() -> T) -> T {
    session::is_meant_for(&network);
    body()
}
