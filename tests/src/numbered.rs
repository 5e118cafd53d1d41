//! Names of objects in a snapshot, numbered by their first appearance in it.
//!
//! In a run, `nni_aio#7` is the eighth object of its class. An object that is created earlier by a change elsewhere
//! would shift the number in every snapshot of the component. In a snapshot the first one that is shown has number 0.

use std::collections::BTreeMap;

/// The text with the objects of each class numbered anew. A cell of a table keeps its width where there is space.
pub fn numbered(text: &str) -> String {
    let mut numbers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    text.lines().map(|line| line_numbered(line, &mut numbers) + "\n").collect()
}

/// The numbers of a class, in the order of their first appearance, are `numbers[class]`.
fn line_numbered(line: &str, numbers: &mut BTreeMap<String, Vec<String>>) -> String {
    let mut cells = line.split('|').map(|cell| {
        let new = cell_numbered(cell, numbers);
        let (old, width) = (cell.chars().count(), new.chars().count());
        if width < old { new + &" ".repeat(old - width) } else { widened(&new, width - old) }
    });
    // The last part of a line outside of a table is not padded.
    let first = cells.next().unwrap_or_default();
    let rest: String = cells.map(|cell| format!("|{cell}")).collect();
    (first + &rest).trim_end().to_owned()
}

/// The cell, shortened by at most this many columns of the spaces at its end.
fn widened(cell: &str, columns: usize) -> String {
    let spaces = cell.len() - cell.trim_end_matches(' ').len();
    cell[..cell.len() - columns.min(spaces)].to_owned()
}

fn cell_numbered(cell: &str, numbers: &mut BTreeMap<String, Vec<String>>) -> String {
    let mut out = String::new();
    let mut rest = cell;
    while let Some(at) = rest.find('#') {
        let (before, after) = (&rest[..at], &rest[at + 1..]);
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        let class =
            before.rsplit(|letter: char| !(letter.is_alphanumeric() || letter == '_')).next().unwrap_or_default();
        out.push_str(before);
        out.push('#');
        if class.is_empty() || digits == 0 {
            rest = after;
            continue;
        }
        let known = numbers.entry(class.to_owned()).or_default();
        let number = &after[..digits];
        let nth = known.iter().position(|other| other == number).unwrap_or_else(|| {
            known.push(number.to_owned());
            known.len() - 1
        });
        out.push_str(&nth.to_string());
        rest = &after[digits..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_numbered_by_their_class_in_the_order_of_the_text() {
        let text = "\
| 0 | main | nni_aio#12 acquired by req0_ctx#3 |
| 0 | main | nni_aio#3 -> nni_aio#12           |
a sentence about nni_aio#3, grpc/grpc#, #7 and C#9\n";
        let expected = "\
| 0 | main | nni_aio#0 acquired by req0_ctx#0  |
| 0 | main | nni_aio#1 -> nni_aio#0            |
a sentence about nni_aio#1, grpc/grpc#, #7 and C#0\n";
        assert_eq!(numbered(text), expected);
    }

    #[test]
    fn a_longer_number_takes_the_space_at_the_end_of_its_cell() {
        let ten: String = (0..10).map(|nth| format!("a#{}", 9 - nth)).collect::<Vec<_>>().join(" ");
        assert_eq!(numbered(&format!("{ten}\n| a#10 |\n| a#9  |")).lines().last(), Some("| a#0  |"));
        assert_eq!(widened(" a#10  ", 1), " a#10 ");
        assert_eq!(widened(" a#10", 1), " a#10");
    }
}
