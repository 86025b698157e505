//! The queue: cases come in, stand in its order, and leave it.

use async_trait::async_trait;

use super::Result;
use crate::domain::{
    Admitted, Case, CaseState, Millis, Origin, QueuePage, QueueQuery, QueueRow, SessionId, Tally,
};

/// The queue.
#[async_trait]
pub trait Cases: Send + Sync {
    /// Marks the sessions as seen in a listing at `now` and returns, in the same order, those that a
    /// decision call has to be spent on, each once: unknown ones, departed ones, and decided workflow
    /// cases whose newest decision was settled before `listed_at` (they are in review again).
    async fn touch(
        &self,
        origin: &Origin,
        keys: &[SessionId],
        listed_at: Millis,
        now: Millis,
    ) -> Result<Vec<SessionId>>;

    /// Takes a case in, as `state` (open or left). The same session twice is one case: its
    /// candidates and status are brought up to date, its place, lease and decision stay. A departed
    /// case is opened again. A decided one is opened again only when its newest decision is settled
    /// as sent before `read_at`, the moment the decision call began, and the case is a workflow
    /// session in review: an older answer must not undo a newer decision. An open case becomes left
    /// or the other way round, but not while somebody has it; an escalated one stays escalated.
    async fn admit(
        &self,
        origin: &Origin,
        case: &Case,
        state: CaseState,
        read_at: Millis,
        now: Millis,
    ) -> Result<Admitted>;

    /// Up to `limit` open, escalated or left workflow cases that no listing has shown since `before`,
    /// those first that were shown longest ago: they may have left review.
    async fn unseen(&self, origin: &Origin, before: Millis, limit: u32) -> Result<Vec<SessionId>>;

    /// Takes a case out of the queue with a word (`Approved in the web console`). True when it was
    /// open, escalated or left; a decided case stays decided.
    async fn depart(
        &self,
        origin: &Origin,
        key: &SessionId,
        why: &str,
        now: Millis,
    ) -> Result<bool>;

    /// A page of the queue, in its order: by place (creation time at Didit; skipped cases go to the
    /// end), then key. A case that cannot be read stands in it as such.
    async fn queue(&self, origin: &Origin, query: &QueueQuery, now: Millis) -> Result<QueuePage>;

    /// How many cases of the query come before `key`; `None` when the query does not hold it.
    async fn rank(
        &self,
        origin: &Origin,
        query: &QueueQuery,
        key: &SessionId,
    ) -> Result<Option<u64>>;

    /// One case.
    async fn case(&self, origin: &Origin, key: &SessionId, now: Millis)
    -> Result<Option<QueueRow>>;

    /// What is kept of some cases, those that can be read, in no order.
    async fn known(&self, origin: &Origin, keys: &[SessionId]) -> Result<Vec<Case>>;

    /// How many cases stand where.
    async fn tally(&self, origin: &Origin) -> Result<Tally>;
}
