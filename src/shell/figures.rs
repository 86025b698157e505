//! Reads the figures out of the store: the queue a page at a time, then the decisions. The command
//! `stats` and the console's Statistics screen show the same ones.

use crate::domain::{Bands, CaseState, Figures, HistoryQuery, Millis, Origin, QueueQuery, Tallier};
use crate::store::{Result, Store};

/// Rows of the queue that are read at a time.
const PAGE: u32 = 1_000;

/// The figures as they are now.
///
/// # Errors
/// When the store cannot be read.
pub async fn figures(
    store: &dyn Store,
    origin: &Origin,
    bands: &Bands,
    now: Millis,
) -> Result<Figures> {
    let mut tallier = Tallier::default();
    let states = CaseState::ALL.to_vec();
    let mut query = QueueQuery { states, filter: String::new(), offset: 0, limit: PAGE };
    loop {
        let page = store.queue(origin, &query, now).await?;
        page.rows.iter().for_each(|row| tallier.case(row, bands));
        query.offset += page.places();
        tallier.unreadable(&page.unreadable);
        if page.places() == 0 || query.offset >= page.total {
            break;
        }
    }
    let history = store.history(origin, &HistoryQuery::default()).await?;
    tallier.unreadable(&history.unreadable);
    Ok(tallier.decisions(&history.rows))
}
