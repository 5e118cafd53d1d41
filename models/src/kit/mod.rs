//! What the components share: the parts of a model that are not about its upstream.
//!
//! | file | holds |
//! | --- | --- |
//! | `machine` | states and events as a table, and the error for an event that a state does not allow |
//!
//! A component is what differs. It names its entities and transitions as upstream does, and takes from here what every
//! model needs whatever its upstream is. The kit knows no component and no variant.
//!
//! What would break it: a lock, an atomic operation or a ledger call of `lastref` in the kit. Each is a scheduling
//! point, so it would change the runs of every component and enlarge what loom explores.

pub mod machine;
