//! A portfolio: each run uses one of three strategies, drawn from its seed.
//!
//! None of them is the best for every bug, and the best one for a bug is unknown until the bug is found.

use super::StrategyName;
use super::list::Row;
use crate::seed::{Purpose, Stream};

pub(super) const ROW: Row = Row {
    word: "mix",
    parameter: None,
    learns: true,
    build: |seed, _, profile| {
        let nth = Stream::new(seed, Purpose::Portfolio).below(PARTS.len() as u64);
        PARTS[nth as usize].build(seed, profile)
    },
};

const PARTS: [StrategyName; 3] = [StrategyName::RANDOM, StrategyName::pct(3), StrategyName::URW];

impl StrategyName {
    /// Each run uses one of three strategies, drawn from its seed.
    pub const MIX: StrategyName = StrategyName::plain("mix");
}
