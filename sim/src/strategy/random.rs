//! Every runnable task is equally likely, at every step.

use super::eagerness::Eagerness;
use super::{Strategy, View};
use crate::seed::Stream;

/// The random walk.
#[derive(Debug)]
pub struct Random {
    stream: Stream,
    eagerness: Eagerness,
}

impl Random {
    /// A walk that draws from `stream`.
    pub fn new(mut stream: Stream) -> Random {
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
