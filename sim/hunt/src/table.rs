//! The table at the end of a hunt.
//!
//! A replay token is meant to be copied, so it is never wrapped or cut. If the table with its tokens is wider than the
//! terminal, the tokens go below it, one line each, and the terminal may break those lines (a terminal's own break is
//! not copied); the rest wraps. A terminal too narrow for columns gets lines.

use std::fmt::Write;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, Table};
use lastref::scenario::Judgement;

use super::outcome::Outcome;
use super::terminal::Look;

const HEADER: [&str; 6] = ["scenario", "variant", "engine", "schedules", "verdict", "first finding"];
/// Columns of numbers: `schedules` and `first finding`.
const NUMBERS: [usize; 2] = [3, 5];
/// Width of a terminal in columns below which names would wrap in the middle of a word.
const WIDTH_MIN: u16 = 100;

/// One row for each outcome, drawn for `look`; ends with a line break.
pub(super) fn render(outcomes: &[Outcome], look: Look) -> String {
    let with_tokens = table(outcomes, look, true);
    let fits = look.width.is_none_or(|width| widest_line(&with_tokens) <= usize::from(width));
    if fits {
        return with_tokens + "\n";
    }
    if look.width.is_some_and(|width| width < WIDTH_MIN) {
        return outcomes.iter().map(lines).collect();
    }
    let mut text = table(outcomes, look, false) + "\n";
    for outcome in outcomes {
        if let Some(token) = outcome.token() {
            let _ = writeln!(text, "{token}");
        }
    }
    text
}

fn lines(outcome: &Outcome) -> String {
    let mut text = format!("{}: {}, {}\n", outcome.name(), outcome.verdict(), outcome.schedules());
    if let Some(token) = outcome.token() {
        let _ = writeln!(text, "  {token}");
    }
    text
}

fn table(outcomes: &[Outcome], look: Look, with_tokens: bool) -> String {
    let mut table = Table::new();
    // `look` decides on styling; comfy-table would ask the terminal, and does not know NO_COLOR.
    table.load_style(UTF8_FULL_CONDENSED).force_no_tty();
    if look.colour {
        table.enforce_styling();
    }
    if let (Some(width), false) = (look.width, with_tokens) {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    let replay = with_tokens.then_some("replay");
    table.set_header(HEADER.into_iter().chain(replay).map(|title| Cell::new(title).add_attribute(Attribute::Bold)));
    for outcome in outcomes {
        table.add_row(row(outcome, with_tokens));
    }
    for index in NUMBERS {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.to_string()
}

fn row(outcome: &Outcome, with_token: bool) -> Vec<Cell> {
    let name = outcome.chosen.cell.case.name();
    let schedules = outcome.report.schedules.to_string();
    // Green means that the scenario's expectation holds: a planted defect that is found is good news.
    let colour = match outcome.judgement() {
        Judgement::AsExpected => Color::Green,
        Judgement::NotAsExpected => Color::Red,
        Judgement::Undecided => Color::Yellow,
    };
    let mut row = vec![
        Cell::new(&name.scenario),
        Cell::new(&name.variant),
        Cell::new(outcome.chosen.cell.engine),
        Cell::new(&schedules),
        Cell::new(outcome.verdict()).fg(colour),
        Cell::new(outcome.failure().map(|_| schedules).unwrap_or_default()),
    ];
    if with_token {
        row.push(Cell::new(outcome.token().unwrap_or_default()));
    }
    row
}

/// Columns of the widest line, escape sequences not counted.
fn widest_line(text: &str) -> usize {
    text.lines()
        .map(|line| anstream::adapter::strip_str(line).map(|part| part.chars().count()).sum())
        .max()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{clean, violation};

    /// A clean outcome and an unexpected finding.
    fn outcomes() -> Vec<Outcome> {
        vec![clean(2_000), violation()]
    }

    fn look(width: Option<u16>) -> Look {
        Look { width, colour: false }
    }

    #[test]
    fn a_table_has_the_token_in_its_row_where_it_fits() {
        let outcomes = outcomes();
        let token = outcomes[1].token().unwrap();
        for width in [None, Some(400)] {
            let text = render(&outcomes, look(width));
            let row = text.lines().find(|line| line.contains("violation")).unwrap();
            assert!(row.contains(&token) && row.contains("expected: clean"), "{text}");
        }
    }

    #[test]
    fn a_token_is_whole_at_every_width_and_the_table_no_wider_than_the_terminal() {
        let outcomes = outcomes();
        let token = outcomes[1].token().unwrap();
        for width in 0..300 {
            let text = render(&outcomes, look(Some(width)));
            assert!(text.contains(&token), "at {width}:\n{text}");
            let table: String = text.lines().filter(|line| line.starts_with(['│', '┌'])).collect::<Vec<_>>().join("\n");
            assert!(widest_line(&table) <= usize::from(width), "at {width}:\n{text}");
        }
    }

    #[test]
    fn colours_are_there_when_they_are_wanted_and_not_otherwise() {
        let outcomes = outcomes();
        assert!(!render(&outcomes, look(None)).contains('\u{1b}'));
        let coloured = render(&outcomes, Look { width: None, colour: true });
        assert!(coloured.contains('\u{1b}'));
        assert_eq!(widest_line(&coloured), widest_line(&render(&outcomes, look(None))));
    }
}
