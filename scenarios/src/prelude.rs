//! The imports that a scenario file needs besides its model, in one `use` line.

pub use lastref::scenario::prelude::*;
pub use models::kit::weather::{Event, Weather, any_outage, faults};
