//! What stands behind decisions, in memory.

use std::collections::HashMap;

use async_trait::async_trait;

use super::MemoryStore;
use super::team::is_elsewhere;
use crate::domain::{DecisionId, Origin};
use crate::store::audit::AuditEntry;
use crate::store::{
    AuditHead, AuditRow, AuditSignature, Evidence, Kept, Result, Testimony, Unreadable,
};

#[async_trait]
impl Testimony for MemoryStore {
    async fn audit(&self, origin: &Origin, after: u64, limit: u32) -> Result<Vec<AuditRow>> {
        Ok(self.on(origin, |shelf| {
            let rows = shelf.audit.iter().filter(|row| row.seq > after);
            rows.take(limit as usize).cloned().collect()
        }))
    }

    async fn audit_head(&self, origin: &Origin) -> Result<AuditHead> {
        Ok(self.on(origin, |shelf| shelf.audit.last().map(AuditRow::head).unwrap_or_default()))
    }

    async fn sign(&self, origin: &Origin, seq: u64, signature: &str) -> Result<bool> {
        Ok(self.on(origin, |shelf| {
            let signs = shelf.audit.iter().any(|row| row.seq == seq)
                && !shelf.signatures.contains_key(&seq);
            if signs {
                shelf.signatures.insert(seq, signature.to_owned());
            }
            signs
        }))
    }

    async fn signatures(
        &self,
        origin: &Origin,
        after: u64,
        limit: u32,
    ) -> Result<Vec<AuditSignature>> {
        Ok(self.on(origin, |shelf| {
            let found = shelf.signatures.iter().filter(|(seq, _)| **seq > after);
            let signed = |(seq, text): (&u64, &String)| AuditSignature {
                seq: *seq,
                signature: text.clone(),
            };
            found.take(limit as usize).map(signed).collect()
        }))
    }

    async fn evidence(&self, origin: &Origin, decision: DecisionId) -> Result<Option<Evidence>> {
        let scope = self.scope(origin);
        let elsewhere = is_elsewhere(&self.shelves(), origin);
        self.on(origin, |shelf| {
            let Some(kept) = shelf.kept(decision)? else { return Ok(None) };
            let decision = kept.decision().ok();
            let case = decision.as_ref().map_or("", |decision| decision.case.as_str());
            let of = |row: &&AuditRow| {
                row.entry.contains(case)
                    && serde_json::from_str::<AuditEntry>(&row.entry)
                        .is_ok_and(|entry| entry.case == case)
            };
            let entries: Vec<_> = shelf.audit.iter().filter(of).cloned().collect();
            let at = |seq: u64| shelf.audit.iter().find(|row| row.seq + 1 == seq).cloned();
            let before = entries.iter().map(|row| at(row.seq)).collect();
            let mut beside = HashMap::new();
            for row in shelf.decisions.iter().filter(|row| row.row.decision.case.as_str() == case) {
                let other = shelf.kept(row.row.decision.id)?;
                beside.extend(other.map(|other| (other.id.clone(), other)));
            }
            let acts = shelf.acts.clone();
            Ok(Some(Evidence { scope, kept, entries, before, beside, acts, elsewhere }))
        })
    }

    async fn kept(&self, origin: &Origin, after: u64, limit: u32) -> Result<Vec<Kept>> {
        self.on(origin, |shelf| {
            let ids = shelf.decisions.iter().map(|row| row.row.decision.id);
            let after = usize::try_from(after).unwrap_or(usize::MAX);
            let ids = ids.skip(after).take(limit as usize);
            ids.filter_map(|id| shelf.kept(id).transpose()).collect()
        })
    }

    async fn unreadable(&self, _origin: &Origin) -> Result<Vec<Unreadable>> {
        Ok(Vec::new())
    }
}
