//! What can stop a round of the intake.

use crate::didit::ApiError;
use crate::store::StoreError;

/// Why a round ended early. What was taken in before stays.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// Didit could not be asked.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The server sends the same pages again and again.
    #[error("the list of sessions does not end; try again, and check that the base URL is Didit's")]
    Endless,
    /// The caller stopped it.
    #[error("the intake was stopped")]
    Stopped,
}
