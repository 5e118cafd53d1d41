//! `Arc` and `Weak`, whose clones, upgrades and drops are scheduling points and are seen by the ledger.
//!
//! std's own count keeps the value alive; the engine observes a second count, the facade's. Under loom the second count
//! is a loom atomic with the orderings of std's source: relaxed increments, release decrements, and an acquire fence
//! before the value is dropped. It also provides `Weak`, which loom lacks.

use std::fmt;
use std::ops::Deref;
use std::panic::Location;
use std::sync::Arc as Shared;
use std::sync::atomic::Ordering;

use kernel::Kernel;
use kernel::record::{Op, OpKind};

use crate::engine::{self, Object, loom as loom_engine};
use crate::ledger;
use crate::loom_or_std as loom;
use crate::session::{Backend, arm};

/// A counted reference to a sized value, like [`std::sync::Arc`]. A value that is alive at quiescence is a leak,
/// usually a cycle.
pub struct Arc<T>(Shared<Inner<T>>);

/// A reference that does not keep the value alive, like [`std::sync::Weak`].
pub struct Weak<T> {
    inner: std::sync::Weak<Inner<T>>,
    /// Outlives the value, as the count of weak references does.
    header: Option<Shared<Header>>,
}

struct Inner<T> {
    value: T,
    header: Shared<Header>,
}

struct Header {
    object: Object,
    custody: ledger::Handle,
    count: Count,
}

/// The count that the engine observes.
enum Count {
    Std(std::sync::atomic::AtomicUsize),
    Loom(loom_engine::Probed<loom::sync::atomic::AtomicUsize>),
}

impl Header {
    /// The kernel of its run, if it is the current run. A reference that has outlived its run is plain std.
    fn kernel(&self) -> Option<&'static Kernel> {
        self.object.kernel_if_current()
    }

    fn up(&self, kind: OpKind, location: &'static Location<'static>) {
        self.object.admits(location);
        match &self.count {
            Count::Loom(count) => {
                let _quiet = loom_engine::before_nonblocking_op();
                count.write(|count| count.fetch_add(1, Ordering::Relaxed));
            }
            Count::Std(count) => {
                if let Some(kernel) = self.kernel() {
                    kernel.atomic_rmw(self.object.id(), kind, Ordering::Relaxed, location);
                }
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
        engine::after(kind, self.object.id(), location);
    }

    /// Removes a strong reference; true if it was the last.
    fn down(&self, location: &'static Location<'static>) -> bool {
        let last = match &self.count {
            // A leftover of a finished execution, which loom no longer knows.
            Count::Loom(_) if !self.object.is_current() => return false,
            Count::Loom(count) => {
                let _quiet = loom_engine::before_nonblocking_op();
                let last = count.write(|count| count.fetch_sub(1, Ordering::Release)) == 1;
                if last {
                    loom::sync::atomic::fence(Ordering::Acquire);
                }
                last
            }
            Count::Std(count) => {
                if let Some(kernel) = self.kernel() {
                    kernel.count_down(self.object.id(), location, || count.load(Ordering::Relaxed) == 1);
                }
                count.fetch_sub(1, Ordering::AcqRel) == 1
            }
        };
        engine::after(OpKind::ArcDrop, self.object.id(), location);
        last
    }

    /// Records the creation or the drop of a weak reference, which changes no strong count.
    fn touch(&self, kind: OpKind, location: &'static Location<'static>) {
        match &self.count {
            Count::Loom(_) if !self.object.is_current() => {}
            Count::Loom(count) => {
                let _quiet = loom_engine::before_nonblocking_op();
                count.read(|count| count.load(Ordering::Relaxed));
            }
            Count::Std(_) => {
                if let Some(kernel) = self.kernel() {
                    kernel.point(Op { kind, object: self.object.id(), location });
                }
            }
        }
        engine::after(kind, self.object.id(), location);
    }

    /// Adds a strong reference if there is at least one, like std's `Weak::upgrade`; returns whether it did.
    fn try_add_strong(&self, location: &'static Location<'static>) -> bool {
        self.object.admits(location);
        let mut risen = false;
        match &self.count {
            Count::Loom(count) => {
                let _quiet = loom_engine::before_nonblocking_op();
                let mut seen = count.read(|count| count.load(Ordering::Relaxed));
                while seen != 0 && !risen {
                    let (more, acquired, relaxed) = (seen + 1, Ordering::Acquire, Ordering::Relaxed);
                    match count.write(|count| count.compare_exchange(seen, more, acquired, relaxed)) {
                        Ok(_) => risen = true,
                        Err(found) => seen = found,
                    }
                }
            }
            Count::Std(count) => {
                if let Some(kernel) = self.kernel() {
                    kernel.atomic_exchange(self.object.id(), OpKind::Upgrade, location, || {
                        let alive = count.load(Ordering::Relaxed) > 0;
                        if alive { Ok(Ordering::Acquire) } else { Err(Ordering::Relaxed) }
                    });
                }
                let more = |seen: usize| seen.checked_add(1).filter(|_| seen != 0);
                risen = count.fetch_update(Ordering::Acquire, Ordering::Relaxed, more).is_ok();
            }
        }
        engine::after(OpKind::Upgrade, self.object.id(), location);
        risen
    }

    /// Removes the reference that [`Header::try_add_strong`] added; true if none is left. Not a scheduling point, since
    /// the reference was never used.
    fn undo_add_strong(&self) -> bool {
        match &self.count {
            Count::Loom(count) => count.write(|count| count.fetch_sub(1, Ordering::AcqRel)) == 1,
            Count::Std(count) => count.fetch_sub(1, Ordering::AcqRel) == 1,
        }
    }
}

impl<T> Arc<T> {
    /// The first reference to `value`.
    #[track_caller]
    pub fn new(value: T) -> Arc<T> {
        Arc::named("Arc", value)
    }

    /// The first reference to `value`, which tables and leak reports call `name`.
    #[track_caller]
    pub fn named(name: &'static str, value: T) -> Arc<T> {
        let object = Object::new(name);
        let count = match arm() {
            Backend::Loom => Count::Loom(loom_engine::Probed::new(loom::sync::atomic::AtomicUsize::new(1))),
            Backend::Std | Backend::Sched | Backend::Threads => Count::Std(std::sync::atomic::AtomicUsize::new(1)),
        };
        let custody = ledger::arc_opened(object, name, Location::caller());
        Arc(Shared::new(Inner { value, header: Shared::new(Header { object, custody, count }) }))
    }

    /// A weak reference to the same value.
    #[track_caller]
    pub fn downgrade(this: &Arc<T>) -> Weak<T> {
        let header = &this.0.header;
        header.object.admits(Location::caller());
        header.touch(OpKind::WeakClone, Location::caller());
        Weak { inner: Shared::downgrade(&this.0), header: Some(Shared::clone(header)) }
    }

    /// Whether both refer to the same value.
    pub fn ptr_eq(this: &Arc<T>, other: &Arc<T>) -> bool {
        Shared::ptr_eq(&this.0, &other.0)
    }

    /// The current number of strong references.
    #[track_caller]
    pub fn strong_count(this: &Arc<T>) -> usize {
        let location = Location::caller();
        let header = &this.0.header;
        if header.object.is_plain() {
            return Shared::strong_count(&this.0);
        }
        header.object.admits(location);
        let count = match &header.count {
            Count::Loom(count) => count.read(|count| count.load(Ordering::Relaxed)),
            Count::Std(count) => {
                if let Some(kernel) = header.kernel() {
                    kernel.atomic_load(header.object.id(), Ordering::Relaxed, location);
                }
                count.load(Ordering::Relaxed)
            }
        };
        engine::after(OpKind::Load, header.object.id(), location);
        count
    }
}

impl<T> Clone for Arc<T> {
    #[inline]
    #[track_caller]
    fn clone(&self) -> Arc<T> {
        if !self.0.header.object.is_plain() {
            self.0.header.up(OpKind::ArcClone, Location::caller());
        }
        Arc(Shared::clone(&self.0))
    }
}

impl<T> Drop for Arc<T> {
    #[inline]
    #[track_caller]
    fn drop(&mut self) {
        let header = &self.0.header;
        if !header.object.is_plain() && header.down(Location::caller()) {
            ledger::arc_closed(header.custody);
        }
    }
}

impl<T> Deref for Arc<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0.value
    }
}

impl<T> AsRef<T> for Arc<T> {
    fn as_ref(&self) -> &T {
        &self.0.value
    }
}

impl<T: Default> Default for Arc<T> {
    #[track_caller]
    fn default() -> Arc<T> {
        Arc::new(T::default())
    }
}

impl<T: fmt::Debug> fmt::Debug for Arc<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<T> Weak<T> {
    /// Refers to nothing.
    pub fn new() -> Weak<T> {
        Weak { inner: std::sync::Weak::new(), header: None }
    }

    /// A strong reference, unless the value is gone.
    #[track_caller]
    pub fn upgrade(&self) -> Option<Arc<T>> {
        let header = self.header.as_ref()?;
        if header.object.is_plain() {
            return self.inner.upgrade().map(Arc);
        }
        if !header.try_add_strong(Location::caller()) {
            return None;
        }
        let Some(inner) = self.inner.upgrade() else {
            // On real threads the last strong reference may be dropped between the changes of the two counts. The value
            // is then gone, so the facade's count takes this reference back.
            if header.undo_add_strong() {
                ledger::arc_closed(header.custody);
            }
            return None;
        };
        Some(Arc(inner))
    }
}

impl<T> Clone for Weak<T> {
    #[track_caller]
    fn clone(&self) -> Weak<T> {
        if let Some(header) = &self.header {
            header.touch(OpKind::WeakClone, Location::caller());
        }
        Weak { inner: self.inner.clone(), header: self.header.clone() }
    }
}

impl<T> Drop for Weak<T> {
    #[track_caller]
    fn drop(&mut self) {
        if let Some(header) = &self.header {
            header.touch(OpKind::WeakDrop, Location::caller());
        }
    }
}

impl<T> Default for Weak<T> {
    fn default() -> Weak<T> {
        Weak::new()
    }
}

impl<T> fmt::Debug for Weak<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(Weak)")
    }
}
