//! What was decided: a list with a cursor.

use crate::domain::HistoryRow;

/// The history on the screen, newest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    /// The rows.
    pub rows: Vec<HistoryRow>,
    /// The row under the cursor.
    pub cursor: usize,
    /// Whether it is being read.
    pub loading: bool,
}

impl History {
    /// Moves the cursor by `by` rows, staying inside.
    pub fn step(&mut self, by: i64) {
        let last = self.rows.len().saturating_sub(1);
        let wanted = i64::try_from(self.cursor).unwrap_or(0).saturating_add(by).max(0);
        self.cursor = usize::try_from(wanted).unwrap_or(last).min(last);
    }

    /// The row under the cursor.
    #[must_use]
    pub fn current(&self) -> Option<&HistoryRow> {
        self.rows.get(self.cursor)
    }
}
