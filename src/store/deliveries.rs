//! The outbox: which decision is sent next, by whom, how far it has come and how it ended.

use async_trait::async_trait;

use super::Result;
use crate::domain::{
    DecisionId, Delivery, Millis, Origin, Parked, Progress, Retried, ReviewerId, SeenWorkflow,
    Settled, WorkerId,
};

/// The outbox.
#[async_trait]
pub trait Deliveries: Send + Sync {
    /// Makes a decision due now that was refused or put off. A refused one only while it is the last word on
    /// its case: held, for its reviewer alone, where nothing of it has left, else unknown, so that whoever
    /// takes it reads first. An unknown one keeps its state; only the wait for its next attempt ends.
    async fn retry(
        &self,
        origin: &Origin,
        decision: DecisionId,
        by: &ReviewerId,
        now: Millis,
    ) -> Result<Retried>;

    /// Starts the undo window of the reviewer's held decisions anew (after a crash nothing is sent
    /// unseen): those due before `until` become due at `until`. Returns how many.
    async fn rewind_held(
        &self,
        origin: &Origin,
        reviewer: &ReviewerId,
        until: Millis,
    ) -> Result<u64>;

    /// Makes the reviewer's held decisions due now. Returns how many.
    async fn send_now(&self, origin: &Origin, reviewer: &ReviewerId, now: Millis) -> Result<u64>;

    /// Claims the next delivery for a worker until `now + ttl_ms`: a held decision of this reviewer
    /// that is due, or a `sending` or `unknown` one of anybody whose claim has run out and whose
    /// next attempt is due. It becomes `sending`, its fence and attempts go up by one.
    ///
    /// # Errors
    /// `StoreError::Parked` when it met one that cannot be read: told once of each, and what can be read
    /// comes with the next call. It is ended as refused, its case opened again, in one transaction; where
    /// that cannot be written it is passed over from here on. `StoreError::AuditEnd` when what comes of a
    /// delivery could not be entered; nothing is claimed then.
    async fn take(
        &self,
        origin: &Origin,
        worker: &WorkerId,
        reviewer: &ReviewerId,
        now: Millis,
        ttl_ms: i64,
    ) -> Result<Option<Delivery>>;

    /// Whether the claim is still ours and runs at least until `until`: asked immediately before
    /// every write to the wire.
    async fn is_ours(&self, delivery: &Delivery, until: Millis) -> Result<bool>;

    /// Notes how far a delivery has come. False when the claim is not ours any more.
    async fn progress(&self, delivery: &Delivery, progress: &Progress) -> Result<bool>;

    /// Ends a claim with what came of it. False when the claim is not ours any more: nothing is
    /// written then. What is done in part (see [`Progress`]) never becomes held again but unknown,
    /// because what is held can be undone.
    async fn settle(&self, delivery: &Delivery, settled: &Settled, now: Millis) -> Result<bool>;

    /// When the next delivery of this reviewer (or an abandoned one) is due, if any is open.
    async fn next_due(&self, origin: &Origin, reviewer: &ReviewerId) -> Result<Option<Millis>>;

    /// Ends decisions whose state is no word, so that no claim ever finds them, as [`Deliveries::take`] ends
    /// those that it cannot read.
    async fn park_strays(&self, origin: &Origin, now: Millis) -> Result<Vec<Parked>>;

    /// Remembers what was seen of a workflow after a decline of ours. Once seen to list, it stays so.
    async fn saw_workflow(&self, origin: &Origin, seen: &SeenWorkflow) -> Result<()>;

    /// What was seen of workflows, by their ids.
    async fn workflows(&self, origin: &Origin) -> Result<Vec<SeenWorkflow>>;
}
