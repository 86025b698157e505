//! What `stats` tells, in memory.

use async_trait::async_trait;

use super::MemoryStore;
use crate::domain::{Bands, Figures, HistoryRow, Millis, Origin, Tallier};
use crate::store::{Counted, Result};

#[async_trait]
impl Counted for MemoryStore {
    async fn figures(&self, origin: &Origin, bands: &Bands) -> Result<Figures> {
        Ok(self.on(origin, |shelf| {
            let mut tallier = Tallier::default();
            shelf.cases.values().for_each(|row| tallier.case(&shelf.shown(row, Millis(0)), bands));
            let decisions = shelf.decisions.iter().map(|d| d.row.clone());
            tallier.decisions(&decisions.collect::<Vec<HistoryRow>>())
        }))
    }
}
