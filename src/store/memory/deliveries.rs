//! The outbox, in memory.

use async_trait::async_trait;

use super::{MemoryStore, count};
use crate::domain::{DecisionId, DeliveryState, Millis, Origin, ReviewerId, WorkerId};
use crate::store::audit::Audited;
use crate::store::row::DecisionRow;
use crate::store::{
    Deliveries, Delivery, Parked, Progress, Result, Retried, SeenWorkflow, Settled,
};

#[async_trait]
impl Deliveries for MemoryStore {
    async fn retry(
        &self,
        origin: &Origin,
        decision: DecisionId,
        by: &ReviewerId,
        now: Millis,
    ) -> Result<Retried> {
        self.on(origin, |shelf| {
            let Some(mut row) = shelf.decision(decision) else { return Ok(Retried::Unknown) };
            let key = &row.row.decision.case;
            let newest = shelf.newest(key);
            let rests = shelf.cases.get(key).is_some_and(|c| c.rests_on(decision, newest.as_ref()));
            let was = row.row.state;
            let retried = row.retry(by, rests, now);
            if matches!(retried, Retried::Due(_)) {
                if was == DeliveryState::Refused {
                    shelf.record_by(Some(by), Audited::Retried, &row.row, now)?;
                }
                shelf.replace(row);
                self.announce(true);
            }
            Ok(retried)
        })
    }

    async fn rewind_held(
        &self,
        origin: &Origin,
        reviewer: &ReviewerId,
        until: Millis,
    ) -> Result<u64> {
        Ok(self.on(origin, |shelf| {
            let early = shelf.held(reviewer).filter(|row| row.due < until);
            count(early.map(|row| row.due = until))
        }))
    }

    async fn send_now(&self, origin: &Origin, reviewer: &ReviewerId, now: Millis) -> Result<u64> {
        Ok(self
            .on(origin, |shelf| count(shelf.held(reviewer).map(|row| row.due = row.due.min(now)))))
    }

    async fn take(
        &self,
        origin: &Origin,
        worker: &WorkerId,
        reviewer: &ReviewerId,
        now: Millis,
        ttl_ms: i64,
    ) -> Result<Option<Delivery>> {
        Ok(self.on(origin, |shelf| {
            let due = |d: &&mut DecisionRow| d.due_for(reviewer).is_some_and(|due| due <= now);
            let first = shelf.decisions.iter_mut().filter(due);
            let first = first.min_by_key(|d| (d.row.due, d.row.decision.id));
            first.map(|row| row.take(origin, worker, now.plus(ttl_ms)))
        }))
    }

    async fn is_ours(&self, delivery: &Delivery, until: Millis) -> Result<bool> {
        Ok(self.on(&delivery.origin, |shelf| {
            let claim = shelf.claimed(delivery).and_then(|row| row.claim.as_ref());
            claim.is_some_and(|claim| claim.until >= until)
        }))
    }

    async fn progress(&self, delivery: &Delivery, progress: &Progress) -> Result<bool> {
        Ok(self.on(&delivery.origin, |shelf| {
            shelf.claimed(delivery).map(|row| row.row.progress = *progress).is_some()
        }))
    }

    async fn settle(&self, delivery: &Delivery, settled: &Settled, now: Millis) -> Result<bool> {
        self.on(&delivery.origin, |shelf| {
            let Some(row) = shelf.claimed(delivery) else { return Ok(false) };
            row.settle(settled, now);
            let row = row.row.clone();
            if let (Settled::Unproven { .. }, Some(case)) =
                (settled, shelf.cases.get_mut(&row.decision.case))
            {
                case.open_after_unproven(&row.decision);
            }
            if !row.state.is_open() {
                shelf.record(Audited::Settled, &row, now)?;
                self.announce(true);
            }
            Ok(true)
        })
    }

    async fn next_due(&self, origin: &Origin, reviewer: &ReviewerId) -> Result<Option<Millis>> {
        Ok(self.on(origin, |shelf| {
            shelf.decisions.iter().filter_map(|row| row.due_for(reviewer)).min()
        }))
    }

    /// What is here is what was put here.
    async fn park_strays(&self, _origin: &Origin, _now: Millis) -> Result<Vec<Parked>> {
        Ok(Vec::new())
    }

    async fn saw_workflow(&self, origin: &Origin, seen: &SeenWorkflow) -> Result<()> {
        self.on(origin, |shelf| {
            let lists = shelf.workflows.get(&seen.workflow).is_some_and(|known| known.lists);
            let seen = SeenWorkflow { lists: lists || seen.lists, ..seen.clone() };
            shelf.workflows.insert(seen.workflow.clone(), seen);
        });
        Ok(())
    }

    async fn workflows(&self, origin: &Origin) -> Result<Vec<SeenWorkflow>> {
        Ok(self.on(origin, |shelf| shelf.workflows.values().cloned().collect()))
    }
}
