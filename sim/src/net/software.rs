//! The software of a host.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// Software that a host runs from its start, and again after each restart.
#[derive(Clone)]
pub(super) struct Software {
    pub(super) name: String,
    pub(super) make: Arc<dyn Fn() -> Running + Send + Sync>,
}

pub(super) type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

impl fmt::Debug for Software {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Software").field("name", &self.name).finish_non_exhaustive()
    }
}
