//! What `stats` tells, in a database: read from what the database keeps with every change.

use async_trait::async_trait;

use super::engine::{Arg, Row, Tx, args};
use super::statements::Span;
use super::{AT_ONCE, SqlStore, rows, statements};
use crate::domain::{
    Bands, CaseState, DeliveryState, Figures, HistoryRow, Medians, Origin, ReadTwice, RowKind,
    Spans, Told,
};
use crate::store::{Counted, Result, StoreError};

/// Rows that are read themselves at a time.
const PAGE: i64 = 1_000;

#[async_trait]
impl Counted for SqlStore {
    async fn figures(&self, origin: &Origin, bands: &Bands) -> Result<Figures> {
        self.engine
            .read(async |tx| {
                let mut figures = Figures::default();
                for row in tx.rows(statements::TALLY, args![origin]).await? {
                    let state = row.text("state").ok().and_then(|word| CaseState::from_word(&word));
                    if let (Some(state), Some(n @ 1..)) = (state, count(&row)) {
                        figures.cases(state.word(), n);
                    }
                }
                for row in tx.rows(statements::SCORES, args![origin]).await? {
                    figures.scored(row.int("score")?, count(&row).unwrap_or_default(), bands);
                }
                for row in tx.rows(statements::FIGURES, args![origin]).await? {
                    if let Some(told) = told(&row) {
                        figures.told(&told, count(&row).unwrap_or_default());
                    }
                }
                let stale = stale(tx, origin, &mut figures).await?;
                figures.median_ms = Medians {
                    looked: median(tx, origin, Span::Looked, &stale, |s| s.looked).await?,
                    waited: median(tx, origin, Span::Waited, &stale, |s| s.waited).await?,
                    sent: median(tx, origin, Span::Sent, &stale, |s| s.sent).await?,
                };
                figures.agreement = agreement(tx, origin).await?;
                Ok(figures)
            })
            .await
    }
}

fn count(row: &Row) -> Option<u64> {
    u64::try_from(row.int("n").ok()?).ok()
}

fn told(row: &Row) -> Option<Told> {
    Some(Told {
        state: DeliveryState::from_word(&row.text("state").ok()?)?,
        disposition: row.text("disposition").ok()?,
        reviewer: row.text("name").ok()?,
        hour: row.int("hour").ok()?,
    })
}

/// Counts the decisions that have to be read themselves; their times.
async fn stale(tx: &mut Tx, origin: &Origin, figures: &mut Figures) -> Result<Vec<Spans>> {
    let (mut spans, mut after) = (Vec::new(), 0);
    loop {
        let page = tx.rows(statements::STALE, args![origin, after, PAGE]).await?;
        let Some(last) = page.last() else { return Ok(spans) };
        after = last.int("seq")?;
        for row in &page {
            match rows::kept_decision(row) {
                Ok(kept) => {
                    figures.told(&Told::of(&kept.row.row), 1);
                    let case = tx.row(statements::CASE_AT, args![origin, kept.seq.number]).await?;
                    let case = case.and_then(|case| rows::kept_case(&case).ok());
                    let created = case.and_then(|case| case.row.case.created_at);
                    spans.push(Spans::of(&kept.row.row, created));
                }
                Err(StoreError::Corrupt(_)) => {
                    let unread = rows::apart(
                        std::slice::from_ref(row),
                        rows::kept_decision,
                        (RowKind::Decision, "id"),
                    )?;
                    figures.unread(&unread.1);
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// The middle one of what is kept and of some others besides; of an even number the lower of the two.
async fn median(
    tx: &mut Tx,
    origin: &Origin,
    of: Span,
    others: &[Spans],
    which: impl Fn(&Spans) -> Option<i64>,
) -> Result<Option<i64>> {
    let mut others: Vec<i64> = others.iter().filter_map(which).collect();
    let kept = tx.row(statements::spans(of), args![origin]).await?;
    let kept = kept.as_ref().and_then(count).and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
    let Some(last) = (kept + others.len()).checked_sub(1) else { return Ok(None) };
    let middle = last / 2;
    // However many of the others are smaller, it is none of those passed over.
    let over = middle.saturating_sub(others.len());
    let number = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let values = args![origin, number(middle - over + 1), number(over)];
    for row in tx.rows(statements::spans_from(of), values).await? {
        others.push(row.int("span")?);
    }
    others.sort_unstable();
    Ok(others.get(middle - over).copied())
}

/// How often two readers say the same: the decisions of cases that only one has read are not looked at.
async fn agreement(tx: &mut Tx, origin: &Origin) -> Result<ReadTwice> {
    let cases = tx.rows(statements::TWICE, args![origin]).await?;
    let cases: Vec<i64> = cases.iter().filter_map(|row| row.int("case_id").ok()).collect();
    let mut agreement = ReadTwice::default();
    for some in cases.chunks(AT_ONCE) {
        let mut values = args![origin];
        values.extend(some.iter().copied().map(Arg::from));
        let found = tx.rows(statements::about(some.len()), values).await?;
        let read = |row: &Row| rows::kept_decision(row).ok().map(|kept| kept.row.row);
        let standing: Vec<HistoryRow> = found.iter().filter_map(read).collect();
        agreement.add(ReadTwice::of(standing.iter().map(|row| &row.decision)));
    }
    Ok(agreement)
}
