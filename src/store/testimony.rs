//! What stands behind decisions: the audit, its signatures, and what is kept as it lies there.

use async_trait::async_trait;

use super::{AuditHead, AuditRow, AuditSignature, Evidence, Kept, Result};
use crate::domain::{DecisionId, Origin, Unreadable};

/// What stands behind decisions. `decide`, `undo`, `void`, `reopen`, a `retry` of what was refused, and a `settle` that
/// ends a decision add their entries to the audit in their own transaction.
#[async_trait]
pub trait Testimony: Send + Sync {
    /// Up to `limit` entries of the audit after the place `after`, in their order. What is no text in them is
    /// replaced, so it does not hash to what it should.
    async fn audit(&self, origin: &Origin, after: u64, limit: u32) -> Result<Vec<AuditRow>>;

    /// Where the audit ends.
    ///
    /// # Errors
    /// `StoreError::AuditEnd` when what is kept as its end can be none.
    async fn audit_head(&self, origin: &Origin) -> Result<AuditHead>;

    /// Lays a signature beside an entry of the audit, which stays as it is. False when there is no such
    /// entry, or one is there already.
    async fn sign(&self, origin: &Origin, seq: u64, signature: &str) -> Result<bool>;

    /// Signatures of up to `limit` entries after the place `after`, in their order.
    async fn signatures(
        &self,
        origin: &Origin,
        after: u64,
        limit: u32,
    ) -> Result<Vec<AuditSignature>>;

    /// What stands behind a decision. `None` when there is no such decision.
    async fn evidence(&self, origin: &Origin, decision: DecisionId) -> Result<Option<Evidence>>;

    /// Up to `limit` decisions after the place `after`, in the order of recording, as they lie there.
    async fn kept(&self, origin: &Origin, after: u64, limit: u32) -> Result<Vec<Kept>>;

    /// Every row that cannot be read, or stands where none can: looks at all of them.
    async fn unreadable(&self, origin: &Origin) -> Result<Vec<Unreadable>>;
}
