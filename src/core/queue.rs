//! The part of the queue that is in memory: a stretch of rows around the cursor, whatever the length
//! of the whole.

use crate::domain::{
    CaseState, Explained, Millis, QueueQuery, QueueRow, ReviewerId, SessionId, Start, Taken, Tally,
};

/// Which cases are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum View {
    /// Those waiting.
    #[default]
    Waiting,
    /// Those for a second reviewer.
    Escalated,
    /// Those with strong candidates only.
    Strong,
    /// Those that left by themselves.
    Departed,
}

impl View {
    /// In the order of the key.
    pub const ALL: [Self; 4] = [Self::Waiting, Self::Escalated, Self::Strong, Self::Departed];

    /// The word on the screen.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Escalated => "escalated",
            Self::Strong => "strong only",
            Self::Departed => "departed",
        }
    }

    /// The states it lists.
    #[must_use]
    pub fn states(self) -> Vec<CaseState> {
        match self {
            Self::Waiting => vec![CaseState::Open],
            Self::Escalated => vec![CaseState::Escalated],
            Self::Strong => vec![CaseState::Left],
            Self::Departed => vec![CaseState::Departed],
        }
    }

    /// The next view.
    #[must_use]
    pub fn next(self) -> Self {
        let at = Self::ALL.iter().position(|v| *v == self).unwrap_or(0);
        Self::ALL[(at + 1) % Self::ALL.len()]
    }
}

/// Rows in memory: read in one go.
#[derive(Debug, Clone, PartialEq)]
pub struct QueueView {
    /// What was asked.
    pub query: QueueQuery,
    /// How many rows of the query come before the first one here.
    pub offset: u64,
    /// Whether that is only about right.
    pub about: bool,
    /// The rows.
    pub rows: Vec<QueueRow>,
    /// How many the query holds in all.
    pub total: u64,
    /// How many cases stand where.
    pub tally: Tally,
    /// Sessions at Didit that are no case, by reason; read where a view lists what is not queued.
    pub explained: Vec<(Explained, u64)>,
}

impl Default for QueueView {
    fn default() -> Self {
        Self {
            query: QueueQuery {
                states: View::default().states(),
                filter: String::new(),
                from: Start::Front,
                limit: Self::ROWS,
            },
            offset: 0,
            about: false,
            rows: Vec::new(),
            total: 0,
            tally: Tally::default(),
            explained: Vec::new(),
        }
    }
}

impl QueueView {
    /// Rows read at once.
    pub const ROWS: u32 = 256;

    /// Where a case is among the rows here.
    #[must_use]
    pub fn position(&self, key: &SessionId) -> Option<usize> {
        self.rows.iter().position(|row| row.case.key == *key)
    }

    /// Forgets the others whose time at a case is over; whether there were any.
    pub fn forget_gone(&mut self, me: &ReviewerId, now: Millis) -> bool {
        let mut any = false;
        for row in &mut self.rows {
            let gone = |taken: &Taken| taken.reviewer.id != *me && taken.until <= now;
            if row.others(me).any(gone) {
                row.taken.take_if(|taken| gone(taken));
                row.watched.retain(|watcher| !gone(watcher));
                any = true;
            }
        }
        any
    }

    /// When the first of the others' times is over.
    #[must_use]
    pub fn next_gone(&self, me: &ReviewerId) -> Option<Millis> {
        self.rows.iter().flat_map(|row| row.others(me)).map(|taken| taken.until).min()
    }

    /// Takes a row out (decided, skipped or departed).
    pub fn remove(&mut self, key: &SessionId) -> Option<(usize, QueueRow)> {
        let at = self.position(key)?;
        self.total = self.total.saturating_sub(1);
        Some((at, self.rows.remove(at)))
    }

    /// Puts a row back where it was.
    pub fn put_back(&mut self, at: usize, row: QueueRow) {
        if self.position(&row.case.key).is_none() {
            self.rows.insert(at.min(self.rows.len()), row);
            self.total += 1;
        }
    }
}
