//! Shrinks a script that differs, by removing and simplifying steps.

use super::Step;

/// Maximum number of tries. A try runs the original once, and the model under all schedules if it differs.
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
        // From the end, so that the steps after the difference are removed first.
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
