//! Environment variables: each run begins with the variables that the process had before its first run, except for
//! those that configure the search.
//!
//! A test may start its own executable. This child would otherwise search too: its test would run many times, append to
//! the report of its parent, or repeat another run. With `LASTREF_SCHEDULES=0` it runs once, outside the simulator.
//!
//! The list belongs to glibc, whose memory is not restored. The search replaces the list with its own, and glibc copies
//! or changes that one as it would the original.

use std::ffi::CStr;
use std::os::raw::c_char;

use crate::settings::VARIABLES;

unsafe extern "C" {
    /// The list of variables, `NAME=value` each, with a null pointer at its end.
    static mut environ: *mut *mut c_char;
}

/// The number of schedules that a child process of a test makes.
const OF_CHILDREN: &CStr = c"LASTREF_SCHEDULES=0";

/// The variables before the first run.
#[derive(Debug)]
pub(crate) struct Environment {
    /// The pointers of the original list, with the null pointer at its end. The texts are never freed.
    original: Vec<*mut c_char>,
    /// The pointers of the list of a run, without the null pointer at its end. The texts are never freed.
    saved: Vec<*mut c_char>,
    /// The list that the process has at the beginning of each run.
    list: Vec<*mut c_char>,
}

impl Environment {
    /// Saves the present variables.
    pub(crate) fn note() -> Environment {
        let mut original = Vec::new();
        let mut saved = Vec::new();
        // SAFETY: the list is valid, and ends with a null pointer. The other threads of the process wait for the
        // search.
        unsafe {
            let mut at = environ;
            while !at.is_null() && !(*at).is_null() {
                // A copy: glibc may free the original text when a run sets the variable.
                let text = CStr::from_ptr(*at).to_owned();
                let is_of_search = is_of_search(&text);
                let text = text.into_raw();
                original.push(text);
                if !is_of_search {
                    saved.push(text);
                }
                at = at.add(1);
            }
        }
        original.push(std::ptr::null_mut());
        saved.push(OF_CHILDREN.to_owned().into_raw());
        let list = saved.iter().copied().chain([std::ptr::null_mut()]).collect();
        let mut environment = Environment { original, saved, list };
        environment.restore();
        environment
    }

    /// Restores the variables. Called by host code.
    pub(crate) fn restore(&mut self) {
        let count = self.saved.len();
        // SAFETY: the list lives as long as the search, which restores it after each run, and then leaks it.
        unsafe { environ = self.list.as_mut_ptr() };
        if self.list[..count] != self.saved[..] {
            self.list[..count].copy_from_slice(&self.saved);
        }
    }
}

impl Drop for Environment {
    /// Restores the original variables, which configure the search of the next test. Leaks both lists: the process uses
    /// one, and glibc may refer to the other.
    fn drop(&mut self) {
        std::mem::forget(std::mem::take(&mut self.list));
        let original = Vec::leak(std::mem::take(&mut self.original));
        // SAFETY: the list is never freed. The other threads of the process wait for the search.
        unsafe { environ = original.as_mut_ptr() };
    }
}

/// Whether the text `NAME=value` configures the search.
fn is_of_search(text: &CStr) -> bool {
    let name = text.to_bytes().split(|byte| *byte == b'=').next().unwrap_or_default();
    VARIABLES.iter().any(|variable| variable.as_bytes() == name)
}
