//! What the intake has looked at, in memory.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::{MemoryStore, count};
use crate::domain::{Explained, Millis, Origin, SessionId};
use crate::store::{Looked, PassedOver, Result};

#[async_trait]
impl Looked for MemoryStore {
    async fn passed_over(
        &self,
        origin: &Origin,
        keys: &[SessionId],
        rule: &str,
        now: Millis,
    ) -> Result<Vec<PassedOver>> {
        Ok(self.on(origin, |shelf| {
            let mut found = Vec::new();
            for key in keys {
                let known = shelf.passed.get_mut(key).filter(|(_, by, _)| by == rule);
                if let Some((passed, _, seen_at)) = known {
                    *seen_at = now;
                    found.push(passed.clone());
                }
            }
            found
        }))
    }

    async fn pass_over(
        &self,
        origin: &Origin,
        passed: &PassedOver,
        rule: &str,
        now: Millis,
    ) -> Result<()> {
        let row = (passed.clone(), rule.to_owned(), now);
        self.on(origin, |shelf| shelf.passed.insert(passed.key.clone(), row));
        Ok(())
    }

    async fn take_up(&self, origin: &Origin, key: &SessionId) -> Result<()> {
        self.on(origin, |shelf| shelf.passed.remove(key));
        Ok(())
    }

    async fn forget_passed(&self, origin: &Origin, before: Millis) -> Result<u64> {
        Ok(self.on(origin, |shelf| {
            let old = shelf.passed.extract_if(.., |_, (_, _, seen_at)| *seen_at < before);
            count(old)
        }))
    }

    async fn explained(&self, origin: &Origin) -> Result<Vec<(Explained, u64)>> {
        Ok(self.on(origin, |shelf| {
            let mut counts = BTreeMap::new();
            for (passed, _, _) in shelf.passed.values() {
                *counts.entry(passed.reason).or_default() += 1;
            }
            counts.into_iter().collect()
        }))
    }

    async fn place_in(&self, origin: &Origin, list: &str) -> Result<Option<String>> {
        Ok(self.on(origin, |shelf| shelf.places.get(list).cloned()))
    }

    async fn keep_place(&self, origin: &Origin, list: &str, record: &str) -> Result<()> {
        self.on(origin, |shelf| shelf.places.insert(list.to_owned(), record.to_owned()));
        Ok(())
    }
}
