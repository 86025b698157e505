//! The outbox, in a database.

use async_trait::async_trait;

use super::engine::{anew, args};
use super::{SqlStore, rows, schema, statements, unreadable};
use crate::domain::{
    DecisionId, DeliveryState, Millis, Origin, ParkedAs, ReviewerId, RowKind, WorkerId,
};
use crate::store::audit::{AuditEntry, Audited};
use crate::store::row::DecisionRow;
use crate::store::{
    Deliveries, Delivery, Parked, Progress, Result, Retried, SeenWorkflow, Settled, StoreError,
    Unreadable,
};

impl SqlStore {
    /// Ends a claimed decision that the audit does not stand behind, and opens its case again.
    async fn settle_unproven(
        &self,
        delivery: &Delivery,
        settled: &Settled,
        now: Millis,
    ) -> Result<bool> {
        let (origin, id) = (&delivery.origin, delivery.decision.id);
        self.engine
            .write(anew!(async |tx| {
                let (case, kept) = match rows::case_of(tx, origin, id).await {
                    Ok(found) => found.unzip(),
                    // A case that cannot be read stays as it is.
                    Err(StoreError::Corrupt(_)) => (None, rows::decision(tx, origin, id).await?),
                    Err(error) => return Err(error),
                };
                let kept = kept.filter(|kept| kept.row.is_claimed_by(delivery));
                let Some(mut kept) = kept else { return Ok(false) };
                kept.row.settle(settled, now);
                rows::save_decision(tx, &kept).await?;
                if let Some(mut case) = case {
                    case.row.open_after_unproven(&kept.row.row.decision);
                    rows::save_case(tx, &case).await?;
                    rows::save_lease(tx, &case).await?;
                }
                tx.announce(origin).await?;
                let own = AuditEntry::about(Audited::Settled, &kept.row.row, now)?;
                rows::record_end(tx, origin, own).await?;
                Ok(true)
            }))
            .await
    }

    /// Ends a decision that cannot be read; one that cannot be ended is passed over from here on. `None` when
    /// somebody else has ended it.
    async fn park(
        &self,
        origin: &Origin,
        seq: i64,
        named: Unreadable,
        now: Millis,
    ) -> Result<Option<Parked>> {
        let parked =
            self.engine.write(anew!(async |tx| unreadable::park(tx, origin, seq, now).await));
        let left = match parked.await {
            Ok(parked) if !matches!(&parked, Some(Parked { how: ParkedAs::Left(_), .. })) => {
                return Ok(parked);
            }
            Ok(parked) => parked,
            Err(error @ (StoreError::Busy(_) | StoreError::Full)) => return Err(error),
            Err(error) => Some(Parked { row: named, how: ParkedAs::Left(error.to_string()) }),
        };
        self.pass_over(origin, seq);
        Ok(left)
    }

    /// Loads a claimed decision, changes it and saves it; false when the claim is not ours.
    async fn change_claimed(
        &self,
        delivery: &Delivery,
        change: impl Fn(&mut DecisionRow) + Send + Sync,
    ) -> Result<bool> {
        self.engine
            .write(anew!(async |tx| {
                let found = rows::decision(tx, &delivery.origin, delivery.decision.id).await?;
                let Some(mut kept) = found.filter(|kept| kept.row.is_claimed_by(delivery)) else {
                    return Ok(false);
                };
                change(&mut kept.row);
                rows::save_decision(tx, &kept).await?;
                let row = &kept.row.row;
                if let Some(at) = row.settled_at.filter(|_| !row.state.is_open()) {
                    tx.announce(&delivery.origin).await?;
                    rows::record(tx, &delivery.origin, Audited::Settled, row, at).await?;
                }
                Ok(true)
            }))
            .await
    }
}

#[async_trait]
impl Deliveries for SqlStore {
    async fn retry(
        &self,
        origin: &Origin,
        decision: DecisionId,
        by: &ReviewerId,
        now: Millis,
    ) -> Result<Retried> {
        self.engine
            .write(anew!(async |tx| {
                schema::still_known(tx).await?;
                let Some((case, mut kept)) = rows::case_of(tx, origin, decision).await? else {
                    return Ok(Retried::Unknown);
                };
                let newest = rows::newest(tx, case.id).await?;
                let rests = case.row.rests_on(decision, newest.as_ref());
                let was = kept.row.row.state;
                let retried = kept.row.retry(by, rests, now);
                if matches!(retried, Retried::Due(_)) {
                    rows::save_decision(tx, &kept).await?;
                    tx.announce(origin).await?;
                    if was == DeliveryState::Refused {
                        let row = &kept.row.row;
                        rows::record_by(tx, origin, Some(by), Audited::Retried, row, now).await?;
                    }
                }
                Ok(retried)
            }))
            .await
    }

    async fn rewind_held(
        &self,
        origin: &Origin,
        reviewer: &ReviewerId,
        until: Millis,
    ) -> Result<u64> {
        self.engine
            .write(anew!(async |tx| {
                let rewound =
                    tx.run(statements::REWIND_HELD, args![origin, reviewer, until]).await?;
                Ok(rewound)
            }))
            .await
    }

    async fn send_now(&self, origin: &Origin, reviewer: &ReviewerId, now: Millis) -> Result<u64> {
        self.engine
            .write(anew!(async |tx| {
                let due = tx.run(statements::SEND_NOW, args![origin, reviewer, now]).await?;
                Ok(due)
            }))
            .await
    }

    async fn take(
        &self,
        origin: &Origin,
        worker: &WorkerId,
        reviewer: &ReviewerId,
        now: Millis,
        ttl_ms: i64,
    ) -> Result<Option<Delivery>> {
        let passed = self.passed(origin);
        let met = self.engine.write(anew!(async |tx| {
            schema::still_known(tx).await?;
            let sql = statements::take(tx, &passed);
            let Some(row) = tx.row(sql, args![origin, now, reviewer]).await? else {
                return Ok(None);
            };
            let mut kept = match rows::kept_decision(&row) {
                Ok(kept) => kept,
                Err(StoreError::Corrupt(why)) => {
                    let named = Unreadable::new(RowKind::Decision, &row.lossy("id"), &why);
                    return Ok(Some(Err((row.int("seq")?, named))));
                }
                Err(error) => return Err(error),
            };
            // Nothing is begun whose end could not be entered.
            rows::audit_goes_on(tx, origin).await?;
            let delivery = kept.row.take(origin, worker, now.plus(ttl_ms));
            rows::save_decision(tx, &kept).await?;
            Ok(Some(Ok(delivery)))
        }));
        let (seq, named) = match met.await? {
            None => return Ok(None),
            Some(Ok(delivery)) => return Ok(Some(delivery)),
            Some(Err(met)) => met,
        };
        match self.park(origin, seq, named.clone(), now).await? {
            Some(parked) => Err(StoreError::Parked(Box::new(parked))),
            // Somebody else was faster; what is due comes with the next call.
            None => {
                let how = ParkedAs::Ended;
                Err(StoreError::Parked(Box::new(Parked { row: named, how })))
            }
        }
    }

    async fn is_ours(&self, delivery: &Delivery, until: Millis) -> Result<bool> {
        self.engine
            .read(async |tx| {
                let values = args![&delivery.origin, delivery.decision.id];
                let Some(row) = tx.row(statements::DECISION, values).await? else {
                    return Ok(false);
                };
                let row = rows::kept_decision(&row)?.row;
                let runs = row.claim.as_ref().is_some_and(|claim| claim.until >= until);
                Ok(runs && row.is_claimed_by(delivery))
            })
            .await
    }

    async fn progress(&self, delivery: &Delivery, progress: &Progress) -> Result<bool> {
        self.change_claimed(delivery, |row| row.row.progress = *progress).await
    }

    async fn settle(&self, delivery: &Delivery, settled: &Settled, now: Millis) -> Result<bool> {
        if let Settled::Unproven { .. } = settled {
            return self.settle_unproven(delivery, settled, now).await;
        }
        self.change_claimed(delivery, |row| row.settle(settled, now)).await
    }

    async fn next_due(&self, origin: &Origin, reviewer: &ReviewerId) -> Result<Option<Millis>> {
        let passed = self.passed(origin);
        self.engine
            .read(async |tx| {
                let row = tx.row(statements::next_due(&passed), args![origin, reviewer]).await?;
                Ok(row.map(|row| row.maybe_int("due")).transpose()?.flatten().map(Millis))
            })
            .await
    }

    async fn park_strays(&self, origin: &Origin, now: Millis) -> Result<Vec<Parked>> {
        let passed = self.passed(origin);
        let found = self.engine.read(async |tx| tx.rows(statements::strays(), args![origin]).await);
        let mut parked = Vec::new();
        for row in found.await? {
            let seq = row.int("seq")?;
            let named =
                Unreadable::new(RowKind::Decision, &row.lossy("id"), "its state is no word");
            if !passed.contains(&seq) {
                parked.extend(self.park(origin, seq, named, now).await?);
            }
        }
        Ok(parked)
    }

    async fn saw_workflow(&self, origin: &Origin, seen: &SeenWorkflow) -> Result<()> {
        let SeenWorkflow { workflow, lists, at } = seen;
        self.engine
            .write(anew!(async |tx| {
                let values = args![origin, workflow.as_str(), *lists, *at];
                tx.run(statements::SAW_WORKFLOW, values).await.map(drop)
            }))
            .await
    }

    async fn workflows(&self, origin: &Origin) -> Result<Vec<SeenWorkflow>> {
        self.engine
            .read(async |tx| {
                let found = tx.rows(statements::WORKFLOWS, args![origin]).await?;
                Ok(found.iter().filter_map(|row| rows::seen_workflow(row).ok()).collect())
            })
            .await
    }
}
