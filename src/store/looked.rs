//! What the intake has looked at: sessions that are no case, each with the reason, so that no call is spent on
//! one twice and none is left out in silence; and how far it has come in Didit's lists, so that the next round
//! takes it up there. What a place in a list looks like is the intake's; it is a text here.

use async_trait::async_trait;

use super::Result;
use crate::domain::{Explained, Millis, Origin, SessionId, Status};

/// A session that is no case, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedOver {
    /// The session.
    pub key: SessionId,
    /// Its status at Didit then: in another one it is read anew.
    pub status: Status,
    /// Why it is no case.
    pub reason: Explained,
}

/// What the intake has looked at.
#[async_trait]
pub trait Looked: Send + Sync {
    /// Those of `keys` that were passed over under `rule`, in no order; they count as seen at `now`.
    async fn passed_over(
        &self,
        origin: &Origin,
        keys: &[SessionId],
        rule: &str,
        now: Millis,
    ) -> Result<Vec<PassedOver>>;

    /// Passes a session over, judged by the settings that `rule` stands for. The last word counts.
    async fn pass_over(
        &self,
        origin: &Origin,
        passed: &PassedOver,
        rule: &str,
        now: Millis,
    ) -> Result<()>;

    /// Forgets that a session was passed over: it is a case now.
    async fn take_up(&self, origin: &Origin, key: &SessionId) -> Result<()>;

    /// Forgets those that no list has shown since `before`. Returns how many.
    async fn forget_passed(&self, origin: &Origin, before: Millis) -> Result<u64>;

    /// How many are passed over, by reason.
    async fn explained(&self, origin: &Origin) -> Result<Vec<(Explained, u64)>>;

    /// How far a list was walked, as it was kept.
    async fn place_in(&self, origin: &Origin, list: &str) -> Result<Option<String>>;

    /// Keeps how far a list was walked.
    async fn keep_place(&self, origin: &Origin, list: &str, record: &str) -> Result<()>;
}
