//! Every runnable task is equally likely, at every step.

use super::eagerness::Eagerness;
use super::list::Row;
use super::{Strategy, StrategyName, View};
use crate::seed::{Purpose, Stream};

pub(super) const ROW: Row = Row {
    word: "random",
    parameter: None,
    learns: false,
    build: |seed, _, _| Box::new(Random::new(Stream::new(seed, Purpose::Schedule))),
};

impl StrategyName {
    /// Every runnable task is as likely as every other.
    pub const RANDOM: StrategyName = StrategyName::plain("random");
}

/// The random walk.
#[derive(Debug)]
struct Random {
    stream: Stream,
    eagerness: Eagerness,
}

impl Random {
    /// A walk that draws from `stream`.
    fn new(mut stream: Stream) -> Random {
        let eagerness = Eagerness::draw(&mut stream);
        Random { stream, eagerness }
    }
}

impl Strategy for Random {
    fn choose(&mut self, view: &View<'_>) -> usize {
        match self.eagerness.split(view, &mut self.stream) {
            Ok(1) => 0,
            Ok(ready) => self.stream.below(ready as u64) as usize,
            Err(sleeper) => sleeper,
        }
    }
}
