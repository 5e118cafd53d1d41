//! The shortest script that still differs, as far as removing and simplifying steps gets.

use super::Step;

/// A shrink ends after this many tries, each of which runs the real thing and a model that differs under every
/// schedule.
const TRIES_MAX: usize = 400;

/// Shrinks a script as long as `differs` holds.
///
/// # Errors
/// Those of `differs`.
pub fn shrink<T: Step, E>(script: Vec<T>, mut differs: impl FnMut(&[T]) -> Result<bool, E>) -> Result<Vec<T>, E> {
    let mut script = script;
    let mut tries = 0;
    let mut size = script.len() / 2;
    while size > 0 && tries < TRIES_MAX {
        let mut is_shorter = false;
        let mut end = script.len();
        // From the back: what comes behind the difference goes at once.
        while end > 0 && tries < TRIES_MAX {
            let start = end.saturating_sub(size);
            let shorter: Vec<T> = script[..start].iter().chain(&script[end..]).cloned().collect();
            tries += 1;
            if differs(&shorter)? {
                script = shorter;
                is_shorter = true;
            }
            end = start;
        }
        size = if is_shorter && size == 1 { 1 } else { size / 2 };
    }
    let mut nth = 0;
    while nth < script.len() && tries < TRIES_MAX {
        let mut is_simpler = false;
        for step in script[nth].simpler() {
            let mut simpler = script.clone();
            simpler[nth] = step;
            tries += 1;
            if differs(&simpler)? {
                script = simpler;
                is_simpler = true;
                break;
            }
        }
        // A step that became simpler may become simpler still.
        nth += usize::from(!is_simpler);
    }
    Ok(script)
}
