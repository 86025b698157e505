//! Decisions, in memory.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::MemoryStore;
use super::team::is_elsewhere;
use crate::domain::{
    Along, CaseState, Decision, DecisionId, DeliveryState, Millis, Origin, ReviewerId, SessionId,
};
use crate::roster::Roster;
use crate::store::audit::Audited;
use crate::store::row::{DecisionRow, may_be_second, may_decide};
use crate::store::{Decisions, HistoryQuery, HistoryRow, Lease, Past, Result, StoreError, Undone};

#[async_trait]
impl Decisions for MemoryStore {
    async fn decide(
        &self,
        lease: &Lease,
        decision: &Decision,
        held_until: Millis,
        now: Millis,
    ) -> Result<DeliveryState> {
        let mut shelves = self.shelves();
        let known = |d: &DecisionRow| d.row.decision.id == decision.id;
        let twice = shelves.values().any(|shelf| shelf.decisions.iter().any(known));
        let elsewhere = is_elsewhere(&shelves, &lease.origin);
        let shelf = shelves.entry(lease.origin.clone()).or_default();
        let mut proposal = shelf.proposal(&lease.case).cloned();
        let row = shelf.cases.get_mut(&lease.case).ok_or(StoreError::LostLease)?;
        let scope = self.scope(&lease.origin);
        let roster = Roster::of(&scope, &shelf.acts).beside(elsewhere);
        if row.state == CaseState::Escalated {
            may_be_second(&roster, decision, proposal.as_ref().map(|p| &p.row.decision))?;
        }
        let mut changed = row.clone();
        let decided = changed.decide(lease, decision, proposal.as_mut(), held_until, now)?;
        may_decide((&scope, &roster), decision, decided.case_was, now)?;
        if twice {
            return Err(StoreError::Conflict);
        }
        *row = changed;
        let state = decided.row.state;
        shelf.record(Audited::of(&decided.row), &decided.row, now)?;
        if let Some(answered) = proposal {
            shelf.record(Audited::Settled, &answered.row, now)?;
            shelf.replace(answered);
        }
        if let Some(signature) = decision.signature.clone() {
            shelf.proofs.insert(decision.id, (signature, now));
        }
        shelf.decisions.push(decided);
        self.announce(true);
        Ok(state)
    }

    async fn undo(
        &self,
        origin: &Origin,
        decision: DecisionId,
        reviewer: &ReviewerId,
        now: Millis,
    ) -> Result<Undone> {
        self.on(origin, |shelf| {
            let Some(mut row) = shelf.decision(decision) else { return Ok(Undone::Unknown) };
            let key = row.row.decision.case.clone();
            let newest = shelf.newest(&key);
            let case = shelf.cases.get_mut(&key);
            let waits = case.as_ref().is_some_and(|c| c.lets_go(decision, newest.as_ref(), now));
            let undone = row.undo(reviewer, waits, now);
            if matches!(undone, Undone::TakenBack(_)) {
                if let Some(case) = case {
                    case.put_back(&row);
                }
                shelf.record(Audited::Undone, &row.row, now)?;
                shelf.propose_again(&row, None, now)?;
                shelf.replace(row);
                self.announce(true);
            }
            Ok(undone)
        })
    }

    async fn void(
        &self,
        origin: &Origin,
        proposal: DecisionId,
        why: &str,
        now: Millis,
    ) -> Result<bool> {
        self.on(origin, |shelf| {
            let Some(mut row) = shelf.decision(proposal) else { return Ok(false) };
            let voids = row.void(why, now);
            if voids {
                if let Some(case) = shelf.cases.get_mut(&row.row.decision.case) {
                    case.put_back(&row);
                }
                shelf.record(Audited::Settled, &row.row, now)?;
                shelf.replace(row);
            }
            self.announce(voids);
            Ok(voids)
        })
    }

    async fn reopen(
        &self,
        origin: &Origin,
        decision: DecisionId,
        by: &ReviewerId,
        now: Millis,
    ) -> Result<bool> {
        self.on(origin, |shelf| {
            let Some(of) = shelf.decision(decision) else { return Ok(false) };
            let key = &of.row.decision.case;
            let newest = shelf.newest(key);
            let case = shelf.cases.get_mut(key);
            let opens = case.is_some_and(|row| row.reopen(decision, newest, now));
            if opens {
                shelf.record_by(Some(by), Audited::Reopened, &of.row, now)?;
            }
            self.announce(opens);
            Ok(opens)
        })
    }

    async fn open_rounds(&self, origin: &Origin) -> Result<Vec<SessionId>> {
        Ok(self.on(origin, |shelf| {
            let mut last = BTreeMap::new();
            let standing = shelf.decisions.iter().map(|d| &d.row);
            for row in standing.filter(|row| row.state != DeliveryState::Undone) {
                last.insert(row.decision.case.clone(), row.is_reading());
            }
            last.into_iter().filter(|(_, reading)| *reading).map(|(case, _)| case).collect()
        }))
    }

    async fn history(&self, origin: &Origin, query: &HistoryQuery) -> Result<Past> {
        let wanted = |row: &&HistoryRow| {
            (query.states.is_empty() || query.states.contains(&row.state))
                && query.case.as_ref().is_none_or(|case| *case == row.decision.case)
                && query.decision.is_none_or(|id| id == row.decision.id)
                && (query.by.is_empty() || query.by.contains(&row.decision.reviewer.id))
        };
        let limit = query.limit.map_or(usize::MAX, |limit| limit as usize);
        Ok(self.on(origin, |shelf| {
            let numbered = (1..).zip(shelf.decisions.iter().map(|d| &d.row));
            let mut numbered: Vec<(u64, &HistoryRow)> = match query.along {
                Along::Newest => numbered.collect(),
                Along::Before(number) => numbered.filter(|(n, _)| *n < number).collect(),
                Along::After(number) => numbered.filter(|(n, _)| *n > number).collect(),
            };
            if !matches!(query.along, Along::After(_)) {
                numbered.reverse();
            }
            let found = numbered.into_iter().filter(|(_, row)| wanted(row)).take(limit);
            let (numbers, rows): (Vec<_>, Vec<_>) = found.map(|(n, row)| (n, row.clone())).unzip();
            Past { rows, unreadable: Vec::new(), end: numbers.last().copied() }
        }))
    }

    async fn release_held(
        &self,
        origin: &Origin,
        decision: DecisionId,
        by: &ReviewerId,
        now: Millis,
    ) -> Result<Undone> {
        self.on(origin, |shelf| {
            let Some(mut row) = shelf.decision(decision) else { return Ok(Undone::Unknown) };
            let released = row.release(by, now);
            if let Undone::TakenBack(key) = &released {
                if let Some(case) = shelf.cases.get_mut(key) {
                    case.put_back(&row);
                }
                shelf.record_by(Some(by), Audited::Released, &row.row, now)?;
                shelf.propose_again(&row, Some(by), now)?;
                shelf.replace(row);
                self.announce(true);
            }
            Ok(released)
        })
    }
}
