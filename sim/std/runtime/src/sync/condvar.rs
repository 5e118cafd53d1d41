//! `std::sync::Condvar`.

use std::fmt;
use std::panic::Location;
use std::sync as real;
use std::sync::{LockResult, MutexGuard, WaitTimeoutResult};
use std::time::Duration;

use lastref_kernel::record::OpKind;

use super::operate;

#[derive(Default)]
pub struct Condvar(real::Condvar);

impl Condvar {
    #[inline]
    pub const fn new() -> Self {
        Condvar(real::Condvar::new())
    }

    #[track_caller]
    pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        operate(OpKind::Wait, self, "Condvar", Location::caller(), || self.0.wait(guard))
    }

    #[track_caller]
    pub fn wait_while<'a, T, F>(&self, guard: MutexGuard<'a, T>, condition: F) -> LockResult<MutexGuard<'a, T>>
    where
        F: FnMut(&mut T) -> bool,
    {
        operate(OpKind::Wait, self, "Condvar", Location::caller(), || self.0.wait_while(guard, condition))
    }

    #[track_caller]
    pub fn wait_timeout<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        timeout: Duration,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
        operate(OpKind::Wait, self, "Condvar", Location::caller(), || self.0.wait_timeout(guard, timeout))
    }

    #[track_caller]
    #[deprecated = "replaced by `std::sync::Condvar::wait_timeout`"]
    pub fn wait_timeout_ms<'a, T>(&self, guard: MutexGuard<'a, T>, ms: u32) -> LockResult<(MutexGuard<'a, T>, bool)> {
        let timeout = Duration::from_millis(u64::from(ms));
        let mapped = |(guard, result): (_, WaitTimeoutResult)| (guard, !result.timed_out());
        match self.wait_timeout(guard, timeout) {
            Ok(waited) => Ok(mapped(waited)),
            Err(poison) => Err(real::PoisonError::new(mapped(poison.into_inner()))),
        }
    }

    #[track_caller]
    pub fn wait_timeout_while<'a, T, F>(
        &self,
        guard: MutexGuard<'a, T>,
        timeout: Duration,
        condition: F,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)>
    where
        F: FnMut(&mut T) -> bool,
    {
        operate(OpKind::Wait, self, "Condvar", Location::caller(), || {
            self.0.wait_timeout_while(guard, timeout, condition)
        })
    }

    #[track_caller]
    pub fn notify_one(&self) {
        operate(OpKind::NotifyOne, self, "Condvar", Location::caller(), || self.0.notify_one());
    }

    #[track_caller]
    pub fn notify_all(&self) {
        operate(OpKind::NotifyAll, self, "Condvar", Location::caller(), || self.0.notify_all());
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
