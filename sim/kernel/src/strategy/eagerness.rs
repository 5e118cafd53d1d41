//! The eagerness of a run: how often its timers fire before ready tasks.
//!
//! If a sleeper were one candidate among equals at every step, a timeout of any length would nearly always fire within
//! the thirty steps that a response takes, and few runs would see the response. Each run therefore draws one
//! eagerness: in half of the runs time passes only when no task is runnable, and at one in 64 yields; in the others a
//! sleeper overtakes at each step with a chance of one half down to one in 256.

use super::View;
use crate::seed::Stream;

/// A sleeper overtakes at one of `2^exponent` yields in every run: a loop that yields until a timer fires would not end
/// otherwise.
const EXPONENT_OF_YIELDS: u32 = 6;

#[derive(Clone, Copy, Debug)]
pub(super) struct Eagerness {
    /// A sleeper overtakes in one of `2^exponent` steps; `None`: only a task that yields.
    exponent: Option<u32>,
}

impl Eagerness {
    pub(super) fn draw(stream: &mut Stream) -> Eagerness {
        let drawn = stream.below(16) as u32;
        Eagerness { exponent: (drawn < 8).then_some(drawn + 1) }
    }

    /// Decides between the ready tasks and the sleeper. `Ok`: the number of ready candidates, of which one is to be
    /// chosen. `Err`: the index of the sleeper, which is chosen.
    pub(super) fn split(self, view: &View<'_>, stream: &mut Stream) -> Result<usize, usize> {
        let last = view.ready();
        if view.len() == last {
            return Ok(last);
        }
        let exponent = self.exponent.or(view.yielding.then_some(EXPONENT_OF_YIELDS));
        let fires = last == 0 || exponent.is_some_and(|exponent| stream.below(1 << exponent) == 0);
        if fires { Err(last) } else { Ok(last) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Purpose;

    #[test]
    fn in_half_of_the_runs_a_sleeper_overtakes_with_a_chance_from_a_half_to_one_in_256() {
        let mut stream = Stream::new(1, Purpose::Schedule);
        let mut drawn = [0_u32; 16];
        let mut never = 0;
        for _ in 0..16_000 {
            match Eagerness::draw(&mut stream).exponent {
                Some(exponent) => drawn[exponent as usize] += 1,
                None => never += 1,
            }
        }
        assert!((7_500..8_500).contains(&never), "{never} of 16,000");
        assert!(drawn[1..=8].iter().all(|count| (850..1_150).contains(count)), "{drawn:?}");
        assert_eq!(drawn[0] + drawn[9..].iter().sum::<u32>(), 0, "{drawn:?}");
    }
}
