//! What consoles have together, in memory.

use async_trait::async_trait;

use std::collections::BTreeMap;

use super::{MemoryStore, Shelf};
use crate::domain::{Millis, Origin, WorkerId};
use crate::roster::{Enacted, Roster, begins};
use crate::store::evidence::{at_of, enacted_entry};
use crate::store::{AuditRow, CallsAsked, CallsGranted, Login, NewAct, Result, StoreError, Team};

/// Whether another origin has a roster.
pub(super) fn is_elsewhere(shelves: &BTreeMap<Origin, Shelf>, origin: &Origin) -> bool {
    let others = shelves.iter().filter(|(other, _)| *other != origin);
    others.flat_map(|(_, shelf)| &shelf.acts).any(|act| begins(&act.act))
}

#[async_trait]
impl Team for MemoryStore {
    async fn login(&self) -> Result<Login> {
        Ok(Login::default())
    }

    async fn acts(&self, origin: &Origin) -> Result<Vec<Enacted>> {
        Ok(self.on(origin, |shelf| shelf.acts.clone()))
    }

    async fn elsewhere(&self, origin: &Origin) -> Result<bool> {
        Ok(is_elsewhere(&self.shelves(), origin))
    }

    async fn enact(&self, origin: &Origin, act: &NewAct, now: Millis) -> Result<Enacted> {
        let scope = self.scope(origin);
        let enacted = self.on(origin, |shelf| {
            let head = shelf.audit.last().map(AuditRow::head).unwrap_or_default();
            let NewAct { by, act: text, signature } = act.clone();
            let seq = head.seq.saturating_add(1);
            let not_before = shelf.audit.last().map_or(Millis(0), |row| at_of(&row.entry));
            let (owned, entered) = (false, true);
            let enacted =
                Enacted { seq, at: now, not_before, by, act: text, signature, owned, entered };
            let roster = Roster::of(&scope, &shelf.acts);
            let judged = roster.judge(&scope, &enacted)?;
            roster.is_clear(&enacted.act)?;
            shelf.audit.push(enacted_entry(&head, act, judged.word(), now)?);
            shelf.acts.push(enacted.clone());
            Ok::<_, StoreError>(enacted)
        })?;
        self.announce(true);
        Ok(enacted)
    }

    async fn take_duty(
        &self,
        origin: &Origin,
        worker: &WorkerId,
        now: Millis,
        ttl_ms: i64,
    ) -> Result<bool> {
        Ok(self.on(origin, |shelf| {
            let free = shelf.duty.as_ref().is_none_or(|(on, until)| on == worker || *until <= now);
            if free {
                shelf.duty = Some((worker.clone(), now.plus(ttl_ms)));
            }
            free
        }))
    }

    async fn leave_duty(&self, origin: &Origin, worker: &WorkerId) -> Result<()> {
        self.on(origin, |shelf| shelf.duty.take_if(|(on, _)| on == worker));
        Ok(())
    }

    async fn grant(
        &self,
        origin: &Origin,
        asked: &CallsAsked,
        now: Millis,
    ) -> Result<CallsGranted> {
        Ok(self.on(origin, |shelf| shelf.budgets.entry(asked.verb).or_default().grant(asked, now)))
    }
}
