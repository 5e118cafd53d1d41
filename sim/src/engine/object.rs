//! The origin of a facade object: the run in which it was created, and the source line that created it.
//!
//! An object selects its engine's arm when it is created, so it works in that run only. An object created outside the
//! body would be plain std: its operations would not be scheduling points, a lost update on it would go unseen, and a
//! lock held over a switch would block the run's only OS thread for good. An object kept in a static would have the
//! number of another object in the next run. Each use is therefore compared with the current run, and a stray object
//! ends the run as a misuse that names both lines.

use std::panic::Location;

use kernel::Kernel;
use kernel::record::{ObjectId, RunNumber, Void};

use super::custody_form;
use crate::session::{self, with_log};
use crate::watch;

/// The run in which an object was created, and its source line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Stamp {
    label: &'static str,
    run: RunNumber,
    made: &'static Location<'static>,
}

/// A facade object: its number in its run, and its stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Object {
    id: ObjectId,
    stamp: Stamp,
}

impl Stamp {
    /// A stamp of the current run and the caller's source line.
    #[track_caller]
    pub(crate) fn new(label: &'static str) -> Stamp {
        Stamp { label, run: session::number(), made: Location::caller() }
    }

    /// Whether it was created in the run of this OS thread, or both are outside any run. For destructors, which may run
    /// after their run is over: unlike [`Stamp::admits`], it reports nothing.
    #[inline]
    pub(crate) fn is_current(&self) -> bool {
        self.run == session::number()
    }

    /// Whether its run is in progress, and this OS thread is not part of it.
    pub(crate) fn is_used_by_stranger(&self) -> bool {
        session::number() == RunNumber::NONE && watch::is_under_way(self.run)
    }

    /// Whether the operation at `location` may proceed in the current run. If not, the run ends here as a misuse; this
    /// returns false only where the run cannot end, during an unwinding panic.
    ///
    /// # Panics
    /// On an OS thread that is not a task of any run, for an object of a run.
    #[inline]
    pub(crate) fn admits(&self, location: &'static Location<'static>) -> bool {
        self.is_current() || self.is_stray(location)
    }

    #[cold]
    fn is_stray(&self, location: &'static Location<'static>) -> bool {
        let Stamp { label, run, made } = *self;
        let here = session::number();
        if here == RunNumber::NONE {
            if std::thread::panicking() {
                return false;
            }
            let text = if watch::is_under_way(run) {
                format!(
                    "`{label}` of a run is used at {location} by an OS thread that is not one of its tasks: start \
                     threads of the body with `lastref::thread::spawn`, not with `std::thread::spawn` (made at {made})"
                )
            } else {
                format!("`{label}` is used at {location} after its run, in which it was created at {made}")
            };
            watch::tell_of_stray(run, &text);
            panic!("{text}");
        }
        let text = if run == RunNumber::NONE {
            format!(
                "`{label}` was created at {made}, outside the run, and is used in it at {location}: create it inside the body, \
                 so that the engine sees its operations"
            )
        } else {
            format!(
                "`{label}` was created at {made} in another run, and is used at {location}: a static outlives its run; create \
                 it inside the body"
            )
        };
        session::void(Void::Misuse(text));
        false
    }
}

impl Object {
    /// Registers an object of the current run, created by the caller, so that tables can name it.
    #[track_caller]
    pub(crate) fn new(label: &'static str) -> Object {
        Object::new_at(label, Location::caller())
    }

    fn new_at(label: &'static str, made: &'static Location<'static>) -> Object {
        let id = match session::kernel() {
            Some(kernel) => kernel.new_object(label),
            None => with_log(|log| log.add_object(label)).unwrap_or(ObjectId::NONE),
        };
        Object { id, stamp: Stamp { label, run: session::number(), made } }
    }

    /// The object of this number in the current run, used by the caller.
    #[track_caller]
    pub(crate) fn again(id: ObjectId, label: &'static str) -> Object {
        Object { id, stamp: Stamp::new(label) }
    }

    /// Registers a resource of the ledger.
    pub(crate) fn of_custody(label: &'static str, made: &'static Location<'static>) -> Object {
        let object = Object::new_at(label, made);
        custody_form(object.id);
        object
    }

    /// Its stamp.
    #[inline]
    pub(crate) fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    /// Its number in its run.
    #[inline]
    pub(crate) fn id(&self) -> ObjectId {
        self.id
    }

    /// Whether it was created and is used outside any run: it then behaves like std's type.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.stamp.run == RunNumber::NONE && session::is_outside()
    }

    /// See [`Stamp::is_used_by_stranger`].
    pub(crate) fn is_used_by_stranger(&self) -> bool {
        self.stamp.is_used_by_stranger()
    }

    /// See [`Stamp::is_current`].
    #[inline]
    pub(crate) fn is_current(&self) -> bool {
        self.stamp.is_current()
    }

    /// The kernel that schedules the operation at `location`. If the object is not of the current run, the run ends
    /// here as a misuse; `None` where it cannot end, during an unwinding panic.
    #[inline]
    pub(crate) fn kernel(&self, location: &'static Location<'static>) -> Option<&'static Kernel> {
        let kernel = session::kernel_of(self.stamp.run);
        if kernel.is_none() {
            self.stamp.is_stray(location);
        }
        kernel
    }

    /// The kernel of the object's run, if it is the current run. For destructors, which may run after their run is
    /// over.
    #[inline]
    pub(crate) fn kernel_if_current(&self) -> Option<&'static Kernel> {
        session::kernel_of(self.stamp.run)
    }

    /// See [`Stamp::admits`].
    #[inline]
    pub(crate) fn admits(&self, location: &'static Location<'static>) -> bool {
        self.stamp.admits(location)
    }
}
