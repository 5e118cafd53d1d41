//! The origin of an execution: its case, engine, strategy and seed.

use kernel::strategy::StrategyName;
use serde::{Deserialize, Serialize};

use super::name::CaseName;
use crate::engine::Engine;

/// Identifies an execution. Together with the code of the case, it is all that a replay needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The case.
    pub case: CaseName,
    /// The engine.
    pub engine: Engine,
    /// The strategy. loom and threads use no strategy of ours; their origin contains the requested one.
    pub strategy: StrategyName,
    /// The seed of this run, not of its hunt.
    pub seed: u64,
}

/// Parses a seed, decimal or hexadecimal after `0x`; `None` if `text` is neither. A sign, which std's parsers accept,
/// is refused: tokens and answers never show one.
pub(crate) fn parse_seed(text: &str) -> Option<u64> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) if !digits.starts_with('+') => u64::from_str_radix(digits, 16).ok(),
        Some(_) => None,
        None if text.starts_with('+') => None,
        None => text.parse().ok(),
    }
}
