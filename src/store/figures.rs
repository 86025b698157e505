//! What `stats` and the Statistics screen tell. Figures are kept with every change, so that they are there at once
//! however many rows there are.

use async_trait::async_trait;

use super::Result;
use crate::domain::{Bands, Figures, Origin};

/// Figures.
#[async_trait]
pub trait Counted: Send + Sync {
    /// The figures as they are now. Cases are counted as they were kept last; decisions that something else than
    /// this program changed are read, and counted as unreadable where they cannot be.
    async fn figures(&self, origin: &Origin, bands: &Bands) -> Result<Figures>;
}
