//! The ledger of custody's access to the engine; see `session`. The only engine here is the kernel.

use std::panic::Location;

use lastref_kernel::record::{ObjectId, Op, OpKind, RunNumber};

use crate::run::current;
use crate::session;

/// A resource of the ledger: its object in traces, and its run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Object {
    id: ObjectId,
    run: RunNumber,
}

impl Object {
    /// Registers a resource of the ledger. Outside a run the resource has no number.
    pub(crate) fn of_custody(label: &'static str, _made: &'static Location<'static>) -> Object {
        let id = current().map_or(ObjectId::NONE, |run| run.host(|| run.kernel.new_object(label)));
        Object { id, run: session::number() }
    }

    /// Its number in its run.
    pub(crate) fn id(&self) -> ObjectId {
        self.id
    }

    /// Whether the resource was registered in the current run.
    pub(crate) fn is_current(&self) -> bool {
        self.run == session::number()
    }

    /// Whether the operation at `location` may proceed.
    ///
    /// # Panics
    /// If the resource was registered in another run or outside a run: in this run, its number denotes another
    /// resource.
    pub(crate) fn admits(&self, location: &'static Location<'static>) -> bool {
        assert!(self.is_current(), "the ledger's resource used at {location} was not acquired in this run");
        true
    }
}

/// The scheduling point of a ledger call.
pub(crate) fn custody_point(kind: OpKind, object: ObjectId, location: &'static Location<'static>) {
    if let Some(run) = current() {
        run.host(|| run.kernel.point(Op { kind, object, location }));
    }
}
