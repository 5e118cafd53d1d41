//! Names of tasks. Runs repeat the same few names, so a process keeps each name once and never frees it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::op::TaskId;

/// The name of a task, and its number in the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name {
    /// The text.
    pub text: &'static str,
    /// Its number, by which a signal handler finds the text.
    pub number: u32,
}

#[derive(Default)]
struct Names {
    numbers: BTreeMap<&'static str, u32>,
    all: Vec<&'static str>,
}

static NAMES: Mutex<Names> = Mutex::new(Names { numbers: BTreeMap::new(), all: Vec::new() });

fn names() -> MutexGuard<'static, Names> {
    NAMES.lock().unwrap_or_else(PoisonError::into_inner)
}

thread_local! {
    static KNOWN: RefCell<Vec<Name>> = const { RefCell::new(Vec::new()) };
}

impl Name {
    /// Returns the name with this text.
    pub fn of(text: &str) -> Name {
        let mut names = names();
        if let Some((text, number)) = names.numbers.get_key_value(text) {
            return Name { text, number: *number };
        }
        let (text, number): (&'static str, _) = (String::from(text).leak(), names.all.len() as u32);
        names.numbers.insert(text, number);
        names.all.push(text);
        Name { text, number }
    }

    /// The default name of a task: `main`, `task.1` and so on.
    pub fn default_of(task: TaskId) -> Name {
        KNOWN.with_borrow_mut(|known| {
            while known.len() <= task.index() {
                known.push(match known.len() {
                    0 => Name::of("main"),
                    number => Name::of(&format!("task.{number}")),
                });
            }
            known[task.index()]
        })
    }
}

/// The memory of the process's table of names and of this OS thread's copy, as addresses and lengths in bytes. A caller
/// that restores writable memory between runs must exclude both: the table points to memory that the caller does not
/// restore.
pub fn kept() -> [(usize, usize); 2] {
    let own = KNOWN.with(|known| (ptr::from_ref(known).addr(), size_of_val(known)));
    [(ptr::from_ref(&NAMES).addr(), size_of_val(&NAMES)), own]
}

/// The text of the name of this number. It does not wait for the lock, since a signal handler may call it: `None` if
/// the lock is held.
pub(crate) fn text(number: u32) -> Option<&'static str> {
    NAMES.try_lock().ok()?.all.get(number as usize).copied()
}
