//! The parts of a model that do not depend on its upstream, shared by the components.
//!
//! | file | holds |
//! | --- | --- |
//! | `harness` | a lock that is not a scheduling point, tasks and servers of a run, waits, `Debug` of a few fields |
//! | `http1` | HTTP/1.1 as the network parses it, and whole requests and answers with their tags |
//! | `http2` | HTTP/2's frames as a client uses them |
//! | `machine` | states and events as a table, the error for an event that a state does not allow, and the step |
//! | `server` | a server of HTTP/1.1 or HTTP/2 on a host or in memory, with a script for each connection |
//! | `stream` | one connection of the network as a pair of buffers, for a model that does not block |
//! | `weather` | the network of a run as data: latency, sizes, faults, events of links and hosts; their interpreter |
//!
//! A component names its entities and transitions as upstream does. The kit does not depend on any component or
//! variant.
//!
//! What would break it: a lock, an atomic operation or a ledger call of `lastref` in the kit. Each is a scheduling
//! point, so it would change the runs of every component and enlarge what loom explores.

pub(crate) mod harness;
pub(crate) mod http1;
pub mod http2;
pub mod machine;
pub mod server;
pub(crate) mod stream;
pub mod weather;
