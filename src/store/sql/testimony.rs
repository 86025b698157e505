//! What stands behind decisions, in a database.

use async_trait::async_trait;

use super::engine::{anew, args};
use super::{SqlStore, rows, statements, unreadable};
use crate::domain::{DecisionId, Origin};
use crate::store::{
    AuditHead, AuditRow, AuditSignature, Evidence, Kept, Result, Testimony, Unreadable,
};

#[async_trait]
impl Testimony for SqlStore {
    async fn audit(&self, origin: &Origin, after: u64, limit: u32) -> Result<Vec<AuditRow>> {
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        self.engine
            .read(async |tx| {
                let values = args![origin, after, i64::from(limit)];
                let found = tx.rows(statements::AUDIT, values).await?;
                // Behind what has no place nothing could be read on.
                let placed = found.iter().filter(|row| row.int("seq").is_ok());
                Ok(placed.map(rows::audit_row).collect())
            })
            .await
    }

    async fn audit_head(&self, origin: &Origin) -> Result<AuditHead> {
        self.engine.read(async |tx| rows::audit_head(tx, origin, false).await).await
    }

    async fn sign(&self, origin: &Origin, seq: u64, signature: &str) -> Result<bool> {
        let seq = i64::try_from(seq).unwrap_or(i64::MAX);
        self.engine
            .write(anew!(async |tx| {
                let signed = tx.run(statements::SIGN, args![origin, seq, signature]).await?;
                Ok(signed > 0)
            }))
            .await
    }

    async fn signatures(
        &self,
        origin: &Origin,
        after: u64,
        limit: u32,
    ) -> Result<Vec<AuditSignature>> {
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        self.engine
            .read(async |tx| {
                let values = args![origin, after, i64::from(limit)];
                let found = tx.rows(statements::SIGNATURES, values).await?;
                // Behind what has no place nothing could be read on.
                let placed = found.iter().filter(|row| row.int("seq").is_ok());
                Ok(placed.map(rows::audit_signature).collect())
            })
            .await
    }

    async fn evidence(&self, origin: &Origin, decision: DecisionId) -> Result<Option<Evidence>> {
        let scope = self.scope(origin);
        self.engine.read(async |tx| rows::evidence(tx, scope, origin, decision).await).await
    }

    async fn kept(&self, origin: &Origin, after: u64, limit: u32) -> Result<Vec<Kept>> {
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        self.engine
            .read(async |tx| {
                let values = args![origin, after, i64::from(limit)];
                let found = tx.rows(statements::KEPT_ALL, values).await?;
                Ok(found.iter().map(rows::kept).collect())
            })
            .await
    }

    async fn unreadable(&self, origin: &Origin) -> Result<Vec<Unreadable>> {
        self.engine.read(async |tx| unreadable::all(tx, origin).await).await
    }
}
