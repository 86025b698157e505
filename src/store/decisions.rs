//! Decisions: recorded, taken back, confirmed by a second person, opened again, looked up.

use async_trait::async_trait;

use super::Result;
use crate::domain::{
    Decision, DecisionId, DeliveryState, HistoryQuery, Lease, Millis, Origin, Past, ReviewerId,
    SessionId, Undone,
};

/// Decisions.
#[async_trait]
pub trait Decisions: Send + Sync {
    /// Records a decision: the decision, the case's new state and the outbox row in one transaction;
    /// the lease ends with it. `held_until` is the end of the undo window. Returns what it is then:
    ///
    /// - an escalation is `local`, a blocklisting of an approved customer without another person's
    ///   proposal is `proposed`, one reader's word against another's is `differs`; the case waits for
    ///   another reader then (`escalated`);
    /// - everything else is `held`, and `local` when the subject is unreachable.
    ///
    /// A decision that answers a proposal ends it, as confirmed or declined. A lease that has run out is
    /// ours until somebody else takes the case.
    ///
    /// # Errors
    /// `StoreError::LostLease` when the lease is not ours any more, `StoreError::Conflict` when the
    /// case has been decided already, was opened again and `replaces` does not say so, or has a proposal
    /// that `answers` does not name, `StoreError::SecondReader` when the reviewer has read the case,
    /// `StoreError::NotProven` when it takes two people and this one is nobody of the roster,
    /// `StoreError::NotSecond` when they may not confirm what this one proposed,
    /// `StoreError::Other` when the decision is another case's, another reviewer's, a skip, or blocklists
    /// another face than was proposed. Nothing is written then.
    async fn decide(
        &self,
        lease: &Lease,
        decision: &Decision,
        held_until: Millis,
        now: Millis,
    ) -> Result<DeliveryState>;

    /// Takes a decision back: it becomes `undone` and its case is open again at its old place (escalated
    /// again, where it was escalated; a proposal that it answered waits again). Only the reviewer's own,
    /// only while it is held; an escalation or a proposal while nobody looks at the case or has said
    /// more about it.
    async fn undo(
        &self,
        origin: &Origin,
        decision: DecisionId,
        reviewer: &ReviewerId,
        now: Millis,
    ) -> Result<Undone>;

    /// Ends a proposal that rests on what is no longer so; its case is where it was before. False when it
    /// does not wait any more.
    async fn void(
        &self,
        origin: &Origin,
        proposal: DecisionId,
        why: &str,
        now: Millis,
    ) -> Result<bool>;

    /// Opens a decided case again whose newest decision is settled (sent, refused, conflict, local); the
    /// next decision must name the old one in `replaces`. False when there is nothing to open. A case that
    /// waits for another reader is open to that reader already.
    async fn reopen(
        &self,
        origin: &Origin,
        decision: DecisionId,
        by: &ReviewerId,
        now: Millis,
    ) -> Result<bool>;

    /// Cases with a round of readings that nothing has ended: each decision about them that counts and is newer
    /// than the last one that took effect is one reader's word. What was said in it may be hidden from others.
    async fn open_rounds(&self, origin: &Origin) -> Result<Vec<SessionId>>;

    /// Decisions along a way, newest first where none is named; those that cannot be read apart.
    async fn history(&self, origin: &Origin, query: &HistoryQuery) -> Result<Past>;

    /// Takes a held decision of somebody else back, of which nothing was written, and opens its case, as an
    /// administrator may whose colleague does not come back to it. It is never sent.
    async fn release_held(
        &self,
        origin: &Origin,
        decision: DecisionId,
        by: &ReviewerId,
        now: Millis,
    ) -> Result<Undone>;
}
