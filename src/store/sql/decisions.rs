//! Decisions, in a database.

use async_trait::async_trait;

use super::engine::{Arg, Tx, anew, args};
use super::rows::KeptDecision;
use super::{SqlStore, engine, rows, schema, statements};
use crate::domain::{
    Along, CaseState, Decision, DecisionId, DeliveryState, Millis, Origin, ReviewerId, RowKind,
    SessionId,
};
use crate::store::audit::Audited;
use crate::store::row::{may_be_second, may_decide};
use crate::store::{Decisions, HistoryQuery, Lease, Past, Result, StoreError, Undone};

/// Has the proposal wait again whose answer was taken back, if it answered one.
async fn propose_again(
    tx: &mut Tx,
    origin: &Origin,
    answer: &KeptDecision,
) -> Result<Option<KeptDecision>> {
    let Some(id) = answer.row.row.decision.answers else { return Ok(None) };
    let mut answered = rows::decision(tx, origin, id).await?;
    if let Some(proposal) = &mut answered {
        proposal.row.propose_again();
        rows::save_decision(tx, proposal).await?;
    }
    Ok(answered)
}

#[async_trait]
impl Decisions for SqlStore {
    async fn decide(
        &self,
        lease: &Lease,
        decision: &Decision,
        held_until: Millis,
        now: Millis,
    ) -> Result<DeliveryState> {
        self.engine
            .write(anew!(async |tx| {
                schema::still_known(tx).await?;
                let origin = &lease.origin;
                let found = rows::case(tx, origin, &lease.case).await?;
                let mut kept = found.ok_or(StoreError::LostLease)?;
                let mut proposal = rows::proposal(tx, origin, kept.id).await?;
                let scope = self.scope(origin);
                let roster = rows::roster(tx, &scope, origin).await?;
                if kept.row.state == CaseState::Escalated {
                    let waits = proposal.as_ref().map(|proposal| &proposal.row.row.decision);
                    may_be_second(&roster, decision, waits)?;
                }
                let waits = proposal.as_mut().map(|proposal| &mut proposal.row);
                let decided = kept.row.decide(lease, decision, waits, held_until, now)?;
                may_decide((&scope, &roster), decision, decided.case_was, now)?;
                rows::insert_decision(tx, kept.id, &decided).await?;
                rows::prove(tx, origin, decision, now).await?;
                rows::save_case(tx, &kept).await?;
                rows::save_lease(tx, &kept).await?;
                if let Some(answered) = &proposal {
                    rows::save_decision(tx, answered).await?;
                }
                tx.announce(origin).await?;
                rows::record(tx, origin, Audited::of(&decided.row), &decided.row, now).await?;
                if let Some(answered) = &proposal {
                    rows::record(tx, origin, Audited::Settled, &answered.row.row, now).await?;
                }
                Ok(decided.row.state)
            }))
            .await
    }

    async fn undo(
        &self,
        origin: &Origin,
        decision: DecisionId,
        reviewer: &ReviewerId,
        now: Millis,
    ) -> Result<Undone> {
        self.engine
            .write(anew!(async |tx| {
                let Some((mut case, mut kept)) = rows::case_of(tx, origin, decision).await? else {
                    return Ok(Undone::Unknown);
                };
                let newest = rows::newest(tx, case.id).await?;
                let waits = case.row.lets_go(decision, newest.as_ref(), now);
                let undone = kept.row.undo(reviewer, waits, now);
                if !matches!(undone, Undone::TakenBack(_)) {
                    return Ok(undone);
                }
                case.row.put_back(&kept.row);
                rows::save_decision(tx, &kept).await?;
                rows::save_case(tx, &case).await?;
                let answered = propose_again(tx, origin, &kept).await?;
                tx.announce(origin).await?;
                rows::record(tx, origin, Audited::Undone, &kept.row.row, now).await?;
                if let Some(proposal) = &answered {
                    rows::record(tx, origin, Audited::Proposed, &proposal.row.row, now).await?;
                }
                Ok(undone)
            }))
            .await
    }

    async fn void(
        &self,
        origin: &Origin,
        proposal: DecisionId,
        why: &str,
        now: Millis,
    ) -> Result<bool> {
        self.engine
            .write(anew!(async |tx| {
                let Some((mut case, mut kept)) = rows::case_of(tx, origin, proposal).await? else {
                    return Ok(false);
                };
                if !kept.row.void(why, now) {
                    return Ok(false);
                }
                case.row.put_back(&kept.row);
                rows::save_decision(tx, &kept).await?;
                rows::save_case(tx, &case).await?;
                tx.announce(origin).await?;
                rows::record(tx, origin, Audited::Settled, &kept.row.row, now).await?;
                Ok(true)
            }))
            .await
    }

    async fn reopen(
        &self,
        origin: &Origin,
        decision: DecisionId,
        by: &ReviewerId,
        now: Millis,
    ) -> Result<bool> {
        self.engine
            .write(anew!(async |tx| {
                let Some((mut kept, of)) = rows::case_of(tx, origin, decision).await? else {
                    return Ok(false);
                };
                let newest = rows::newest(tx, kept.id).await?;
                let opens = kept.row.reopen(decision, newest, now);
                if opens {
                    rows::save_case(tx, &kept).await?;
                    rows::save_lease(tx, &kept).await?;
                    tx.announce(origin).await?;
                    rows::record_by(tx, origin, Some(by), Audited::Reopened, &of.row.row, now)
                        .await?;
                }
                Ok(opens)
            }))
            .await
    }

    async fn open_rounds(&self, origin: &Origin) -> Result<Vec<SessionId>> {
        self.engine
            .read(async |tx| {
                let found = tx.rows(statements::OPEN_ROUNDS, args![origin]).await?;
                let key = |row: &engine::Row| SessionId::parse(&row.text("key").ok()?).ok();
                Ok(found.iter().filter_map(key).collect())
            })
            .await
    }

    async fn history(&self, origin: &Origin, query: &HistoryQuery) -> Result<Past> {
        let limit = query.limit.map_or(i64::MAX, i64::from);
        let mut values = args![origin, limit];
        let number = |seq: u64| i64::try_from(seq).unwrap_or(i64::MAX);
        match query.along {
            Along::Newest => {}
            Along::Before(seq) | Along::After(seq) => values.push(Arg::from(number(seq))),
        }
        values.extend(query.case.as_ref().map(Arg::from));
        values.extend(query.decision.map(Arg::from));
        values.extend(query.by.iter().map(Arg::from));
        self.engine
            .read(async |tx| {
                let found = tx.rows(statements::history(query), values).await?;
                let past = |row: &engine::Row| Ok(rows::kept_decision(row)?.row.row);
                let (rows, unreadable) = rows::apart(&found, past, (RowKind::Decision, "id"))?;
                let end = found.last().and_then(|row| u64::try_from(row.int("seq").ok()?).ok());
                Ok(Past { rows, unreadable, end })
            })
            .await
    }

    async fn release_held(
        &self,
        origin: &Origin,
        decision: DecisionId,
        by: &ReviewerId,
        now: Millis,
    ) -> Result<Undone> {
        self.engine
            .write(anew!(async |tx| {
                schema::still_known(tx).await?;
                let Some((mut case, mut kept)) = rows::case_of(tx, origin, decision).await? else {
                    return Ok(Undone::Unknown);
                };
                let released = kept.row.release(by, now);
                if matches!(released, Undone::TakenBack(_)) {
                    case.row.put_back(&kept.row);
                    rows::save_decision(tx, &kept).await?;
                    rows::save_case(tx, &case).await?;
                    let answered = propose_again(tx, origin, &kept).await?;
                    tx.announce(origin).await?;
                    let row = &kept.row.row;
                    rows::record_by(tx, origin, Some(by), Audited::Released, row, now).await?;
                    if let Some(proposal) = &answered {
                        let row = &proposal.row.row;
                        rows::record_by(tx, origin, Some(by), Audited::Proposed, row, now).await?;
                    }
                }
                Ok(released)
            }))
            .await
    }
}
