//! Thread-local values: one per task inside a run, std's own outside.
//!
//! A key has three parts: its identity, which is the address of a static, since the key itself is a constant that may
//! have several addresses; the function that makes a value for a task; and real std's key. The values of a task are
//! dropped when it ends, the latest first; a key whose value has a destructor cannot be used after that, as in std.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::mem;
use std::result;
use std::thread as real;

use crate::run::{Run, current};

/// The value of one key in one task.
pub(crate) struct Slot {
    key: usize,
    value: *mut (),
    free: unsafe fn(*mut ()),
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Alive,
    /// Without a destructor; freed last.
    Plain,
    Destroyed,
}

pub struct LocalKey<T: 'static> {
    identity: &'static u8,
    init: fn() -> T,
    real: fn() -> &'static real::LocalKey<T>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AccessError;

impl<T: 'static> LocalKey<T> {
    /// For `thread_local!`.
    #[doc(hidden)]
    pub const fn new(identity: &'static u8, init: fn() -> T, real: fn() -> &'static real::LocalKey<T>) -> Self {
        LocalKey { identity, init, real }
    }

    /// The value of the current task, or `None` if it was destroyed. A new value is made from `given`, or else by the
    /// key's own function. Also returns `given` if it was not used.
    fn value(&'static self, run: &'static Run, given: Option<T>) -> (Option<&'static T>, Option<T>) {
        let key = std::ptr::from_ref(self.identity).addr();
        let find = || {
            run.host(|| {
                let task = run.task();
                let mut tasks = run.tasks.borrow_mut();
                tasks.of(task).locals.iter().find(|slot| slot.key == key).map(|slot| (slot.value, slot.state))
            })
        };
        if let Some((value, state)) = find() {
            // SAFETY: the slot of this key has a value of this type, which is freed when the task ends.
            let value = (state != State::Destroyed).then(|| unsafe { &*value.cast::<T>() });
            return (value, given);
        }
        // The function may use other keys, or even this one.
        let made = given.unwrap_or_else(|| (self.init)());
        if let Some((value, State::Alive | State::Plain)) = find() {
            let value = value.cast::<T>();
            // SAFETY: the slot of this key has a value of this type. Only calls within the function could refer to it,
            // and they have returned. As in std, the later value replaces it.
            drop(unsafe { value.replace(made) });
            // SAFETY: as above.
            return (Some(unsafe { &*value }), None);
        }
        let value = Box::into_raw(Box::new(made));
        let state = if mem::needs_drop::<T>() { State::Alive } else { State::Plain };
        run.host(|| {
            let task = run.task();
            let slot = Slot { key, value: value.cast(), free: free::<T>, state };
            run.tasks.borrow_mut().of(task).locals.push(slot);
        });
        // SAFETY: it was made from a box just now, and is freed when the task ends.
        (Some(unsafe { &*value }), None)
    }

    #[track_caller]
    pub fn with<F, R>(&'static self, with: F) -> R
    where
        F: FnOnce(&T) -> R,
    {
        match self.try_with(with) {
            Ok(result) => result,
            Err(error) => panic!("cannot access a Thread Local Storage value during or after destruction: {error:?}"),
        }
    }

    #[inline]
    pub fn try_with<F, R>(&'static self, with: F) -> result::Result<R, AccessError>
    where
        F: FnOnce(&T) -> R,
    {
        match current() {
            None => (self.real)().try_with(with).map_err(|_| AccessError),
            Some(run) => self.value(run, None).0.map(with).ok_or(AccessError),
        }
    }

    /// Calls `with` with the value, and with `value` if the key had one already.
    #[track_caller]
    fn initialize_with<R>(&'static self, run: &'static Run, value: T, with: impl FnOnce(Option<T>, &T) -> R) -> R {
        match self.value(run, Some(value)) {
            (Some(own), left) => with(left, own),
            (None, _) => {
                panic!("cannot access a Thread Local Storage value during or after destruction: {AccessError:?}")
            }
        }
    }
}

impl<T: 'static> LocalKey<Cell<T>> {
    #[track_caller]
    pub fn set(&'static self, value: T) {
        let Some(run) = current() else { return (self.real)().set(value) };
        self.initialize_with(run, Cell::new(value), |value, cell| {
            if let Some(value) = value {
                cell.set(value.into_inner());
            }
        });
    }

    #[track_caller]
    pub fn get(&'static self) -> T
    where
        T: Copy,
    {
        self.with(Cell::get)
    }

    #[track_caller]
    pub fn take(&'static self) -> T
    where
        T: Default,
    {
        self.with(Cell::take)
    }

    #[track_caller]
    pub fn replace(&'static self, value: T) -> T {
        self.with(|cell| cell.replace(value))
    }

    #[track_caller]
    pub fn update(&'static self, update: impl FnOnce(T) -> T)
    where
        T: Copy,
    {
        self.with(|cell| cell.set(update(cell.get())));
    }
}

impl<T: 'static> LocalKey<RefCell<T>> {
    #[track_caller]
    pub fn with_borrow<F, R>(&'static self, with: F) -> R
    where
        F: FnOnce(&T) -> R,
    {
        self.with(|cell| with(&cell.borrow()))
    }

    #[track_caller]
    pub fn with_borrow_mut<F, R>(&'static self, with: F) -> R
    where
        F: FnOnce(&mut T) -> R,
    {
        self.with(|cell| with(&mut cell.borrow_mut()))
    }

    #[track_caller]
    pub fn set(&'static self, value: T) {
        let Some(run) = current() else { return (self.real)().set(value) };
        self.initialize_with(run, RefCell::new(value), |value, cell| {
            if let Some(value) = value {
                *cell.borrow_mut() = value.into_inner();
            }
        });
    }

    #[track_caller]
    pub fn take(&'static self) -> T
    where
        T: Default,
    {
        self.with(RefCell::take)
    }

    #[track_caller]
    pub fn replace(&'static self, value: T) -> T {
        self.with(|cell| cell.replace(value))
    }
}

/// # Safety
/// `value` came from a box of a `T`, and is not used again.
unsafe fn free<T>(value: *mut ()) {
    // SAFETY: the caller's promise.
    drop(unsafe { Box::from_raw(value.cast::<T>()) });
}

/// Drops the values of the current task, the latest first. A destructor may make further ones.
pub(crate) fn drop_all(run: &'static Run) {
    let next = |wanted: State, becomes: State| {
        run.host(|| {
            let task = run.task();
            let mut tasks = run.tasks.borrow_mut();
            let slot = tasks.of(task).locals.iter_mut().rev().find(|slot| slot.state == wanted)?;
            slot.state = becomes;
            Some((slot.value, slot.free))
        })
    };
    while let Some((value, free)) = next(State::Alive, State::Destroyed) {
        // SAFETY: the slot's function fits its value, and the slot is marked, so the value is not used again.
        unsafe { free(value) };
    }
    while let Some((value, free)) = next(State::Plain, State::Destroyed) {
        // SAFETY: as above.
        unsafe { free(value) };
    }
    run.host(|| {
        let task = run.task();
        run.tasks.borrow_mut().of(task).locals = Vec::new();
    });
}

impl<T> fmt::Debug for LocalKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalKey").finish_non_exhaustive()
    }
}

impl fmt::Debug for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessError").finish()
    }
}

impl fmt::Display for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("already destroyed")
    }
}

impl std::error::Error for AccessError {}
