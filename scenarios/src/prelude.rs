//! The imports that a scenario file needs besides its model, in one `use` line.

pub use lastref::bounds;
pub use lastref::net::FaultKind;
pub use lastref::plan::{List, Maybe, Part};
pub use lastref::property::{always, always_with, eventually, sometimes};
pub use lastref::time::Duration;
pub use lastref::{note, sync, thread, time};
pub use models::kit::weather::{Event, Weather, any_outage, faults};
pub use proptest::prelude::*;
pub use serde::{Deserialize, Serialize};

pub use crate::Scenario;
