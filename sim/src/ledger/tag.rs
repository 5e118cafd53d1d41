//! The peer and the request that a payload belongs to, and the check of a delivery.

use std::fmt;
use std::panic::Location;

use kernel::record::{Item, Violation, ViolationKind};

use crate::session::{self, with_log};

/// Names the peer and the request that a payload belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag {
    /// The peer.
    pub peer: u32,
    /// The number of the request among the peer's requests.
    pub request: u64,
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "peer {} request {}", self.peer, self.request)
    }
}

/// Records that a payload tagged `payload` is delivered to the receiver that waits for `to`. Finding: cross-delivery,
/// if the two tags differ.
#[track_caller]
pub fn deliver(payload: Tag, to: Tag) {
    let location = Location::caller();
    if payload == to {
        return;
    }
    let message = format!("the payload of {payload} is delivered to {to}");
    let here = with_log(|log| {
        log.record(Item::Note(format!("BROKEN: {message}").into_boxed_str()), location);
        log.here(location)
    });
    let violation = Violation::of_run(ViolationKind::CrossDelivery, message)
        .fact("payload", payload)
        .fact("delivered to", to)
        .fact("here", here.unwrap_or_default());
    session::fail(violation);
}
