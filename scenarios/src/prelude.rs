//! What a scenario file needs besides its model: one `use` line, so that sixty lines are enough.

pub use proptest::prelude::*;
pub use serde::{Deserialize, Serialize};
pub use sim::bounds;
pub use sim::plan::{List, Maybe, Part};
pub use sim::property::{always, always_with, eventually, sometimes};
pub use sim::time::Duration;
pub use sim::{note, sync, thread, time};

pub use crate::Scenario;
