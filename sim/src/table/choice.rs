//! The rows that a reader needs: those of the objects that the finding is about, and the switches that it needs.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use kernel::record::Subject;

use super::{ROWS, Row};
use crate::session::Outcome;

/// The most switches that are marked: a schedule that is not shrunk forces dozens, and few of them matter.
pub(super) const SWITCHES_MAX: usize = 8;

/// Number of rows at the end that are always shown.
const LAST: usize = 3;

/// The rows to show: the first and the last of a table.
pub(super) fn ends(rows: usize, first: usize, last: usize) -> BTreeSet<usize> {
    if rows <= first + last { (0..rows).collect() } else { (0..first).chain(rows - last..rows).collect() }
}

/// The rows to show of a run: for a finding, those that led to it; for a clean run, its first and last rows.
///
/// A row is about an object if its text names it. The object of a finding is its subject; without one, its objects are
/// those that its sentence names, or else those of the last row. Objects that share a row with these come next. Rows
/// before the first row about them are setup, and are omitted.
pub(super) fn what_led_to_it(rows: &[Row<'_>], outcome: &Outcome) -> BTreeSet<usize> {
    let Some(violation) = &outcome.violation else { return ends(rows.len(), ROWS / 2, ROWS - 1 - ROWS / 2) };
    let subject = match violation.subject {
        Some(Subject::Resource(class, nth) | Subject::Cell(class, nth)) => Some(format!("{class}#{nth}")),
        None => None,
    };
    let mut seeds: BTreeSet<&str> = match &subject {
        Some(subject) => BTreeSet::from([subject.as_str()]),
        None => names(&violation.message).collect(),
    };
    let named: Vec<BTreeSet<&str>> = rows.iter().map(|row| names(&row.text).collect()).collect();
    if seeds.is_empty()
        && let Some(last) = named.iter().rev().find(|names| !names.is_empty())
    {
        seeds.extend(last);
    }
    let is_about = |names: &BTreeSet<&str>, objects: &BTreeSet<&str>| !names.is_disjoint(objects);
    let near: BTreeSet<&str> = named.iter().filter(|names| is_about(names, &seeds)).flatten().copied().collect();

    let first = named.iter().position(|names| is_about(names, &seeds)).unwrap_or(0);
    let backwards = || (0..rows.len()).rev();
    let switches = backwards().filter(|row| rows[*row].is_forced).flat_map(|row| [Some(row), row.checked_sub(1)]);
    let about = backwards().filter(|row| is_about(&named[*row], &seeds));
    let after_setup = || (first..rows.len()).rev();
    let last = after_setup().take(LAST);
    let near = after_setup().filter(|row| is_about(&named[*row], &near));
    let mut shown = BTreeSet::new();
    for row in last.chain(switches.flatten()).chain(about).chain(near).chain(after_setup()) {
        shown.insert(row);
        match (shown.len() + gaps(&shown, rows.len())).cmp(&ROWS) {
            Ordering::Less => {}
            // Only an omitted row whose neighbours are shown still fits.
            Ordering::Equal => break,
            Ordering::Greater => _ = shown.remove(&row),
        }
    }
    with_lone_rows(shown, rows.len())
}

/// Adds each omitted row whose neighbours are shown: the row that counts it would take as much space.
fn with_lone_rows(mut shown: BTreeSet<usize>, rows: usize) -> BTreeSet<usize> {
    let is_shown = |row: Option<usize>| row.is_none_or(|row| row >= rows || shown.contains(&row));
    let is_lone = |row: &usize| !shown.contains(row) && is_shown(row.checked_sub(1)) && is_shown(Some(row + 1));
    let lone: Vec<usize> = (0..rows).filter(is_lone).collect();
    shown.extend(lone);
    shown
}

/// The number of gaps at which rows are omitted.
fn gaps(shown: &BTreeSet<usize>, rows: usize) -> usize {
    let after = shown.iter().filter(|row| **row + 1 < rows && !shown.contains(&(**row + 1))).count();
    after + usize::from(!shown.contains(&0) && rows > 0)
}

/// The objects that a text names, such as `nng_msg#2`.
fn names(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|letter: char| !(letter.is_alphanumeric() || "_#.:".contains(letter)));
    words.map(|word| word.trim_matches([':', '.'])).filter(|word| {
        word.split_once('#').is_some_and(|(class, nth)| {
            !class.is_empty() && !nth.is_empty() && nth.bytes().all(|digit| digit.is_ascii_digit())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_objects_are_found_in_a_text() {
        let found: Vec<&str> = names("nng_msg#2 tran#3 -> nni_aio#12: it is #4, 1#, io:x#7.").collect();
        assert_eq!(found, ["nng_msg#2", "tran#3", "nni_aio#12", "io:x#7"]);
    }

    #[test]
    fn gaps_are_counted_at_the_start_in_the_middle_and_at_the_end() {
        let gaps = |shown: &[usize], rows| gaps(&shown.iter().copied().collect(), rows);
        assert_eq!(gaps(&[], 0), 0);
        assert_eq!(gaps(&[0, 1, 2], 3), 0);
        assert_eq!(gaps(&[1, 4], 6), 3);
        assert_eq!(ends(5, 2, 3).len(), 5);
        assert_eq!(ends(9, 2, 3), BTreeSet::from([0, 1, 6, 7, 8]));
        assert_eq!(with_lone_rows(BTreeSet::from([1, 3, 6]), 8), BTreeSet::from([0, 1, 2, 3, 6, 7]));
    }
}
