//! Rows of the store that cannot be read, as lines of a list: they stand for themselves.

use ratatui::text::Line;

use crate::core::Model;
use crate::domain::RowKind;
use crate::tui::theme::{Meaning, Theme};

/// How many are named; of more it is said how many they are.
const NAMED: usize = 2;

/// A line for each row of a kind that cannot be read.
pub fn unread_lines(model: &Model, kind: RowKind, theme: Theme) -> Vec<Line<'static>> {
    let rows = || model.unreadable.iter().filter(|row| row.kind == kind);
    let more = rows().count().saturating_sub(NAMED);
    let named = rows().take(NAMED).map(|row| format!(" {row}"));
    let rest = (more > 0).then(|| format!(" and {more} more that cannot be read"));
    named.chain(rest).map(|text| Line::styled(text, theme.style(Meaning::Bad))).collect()
}
