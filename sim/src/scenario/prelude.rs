//! The imports that a scenario file needs besides its model, in one `use` line.

pub use proptest::prelude::*;
pub use serde::{Deserialize, Serialize};

pub use super::Scenario;
pub use crate::bounds;
#[cfg(feature = "net")]
pub use crate::net::FaultKind;
pub use crate::plan::{List, Maybe, Part};
pub use crate::property::{always, always_with, eventually, sometimes};
pub use crate::time::Duration;
pub use crate::{note, sync, thread, time};
