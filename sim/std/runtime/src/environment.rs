//! Environment variables: each run begins with the variables that the process had before its first run.
//!
//! The list belongs to glibc, whose memory is not restored. The search replaces the list with its own, and glibc copies
//! or changes that one as it would the original.

use std::ffi::{CStr, CString};
use std::os::raw::c_char;

unsafe extern "C" {
    /// The list of variables, `NAME=value` each, with a null pointer at its end.
    static mut environ: *mut *mut c_char;
}

/// The variables before the first run.
#[derive(Debug)]
pub(crate) struct Environment {
    /// The pointers of the original list, without the null pointer at its end. The texts are never freed.
    saved: Vec<*mut c_char>,
    /// The list that the process has at the beginning of each run.
    list: Vec<*mut c_char>,
}

impl Environment {
    /// Saves the present variables.
    pub(crate) fn note() -> Environment {
        let mut saved = Vec::new();
        // SAFETY: the list is valid, and ends with a null pointer. The other threads of the process wait for the
        // search.
        unsafe {
            let mut at = environ;
            while !at.is_null() && !(*at).is_null() {
                // A copy: glibc may free the original text when a run sets the variable.
                saved.push(CString::into_raw(CStr::from_ptr(*at).to_owned()));
                at = at.add(1);
            }
        }
        let list = saved.iter().copied().chain([std::ptr::null_mut()]).collect();
        let mut environment = Environment { saved, list };
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
    /// Leaks the list, since the process still uses it.
    fn drop(&mut self) {
        std::mem::forget(std::mem::take(&mut self.list));
    }
}
