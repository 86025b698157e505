//! The queue, in memory.

use std::collections::HashSet;

use async_trait::async_trait;

use super::{MemoryStore, count};
use crate::domain::{Case, CaseState, Millis, Origin, SessionId, SubjectKind, Tally};
use crate::store::audit::Audited;
use crate::store::row::{CaseRow, may_enter, needs_call};
use crate::store::{Admitted, Cases, QueuePage, QueueQuery, QueueRow, Result};

#[async_trait]
impl Cases for MemoryStore {
    async fn touch(
        &self,
        origin: &Origin,
        keys: &[SessionId],
        listed_at: Millis,
        now: Millis,
    ) -> Result<Vec<SessionId>> {
        Ok(self.on(origin, |shelf| {
            let mut asked = HashSet::new();
            let mut wanted = Vec::new();
            for key in keys.iter().filter(|key| asked.insert((*key).clone())) {
                let settled_at = shelf.newest(key).and_then(|n| n.settled_at);
                let wants = shelf.cases.get_mut(key).is_none_or(|row| {
                    row.seen_at = now;
                    needs_call(row.state, row.case.kind, settled_at, listed_at)
                });
                if wants {
                    wanted.push(key.clone());
                }
            }
            wanted
        }))
    }

    async fn admit(
        &self,
        origin: &Origin,
        case: &Case,
        state: CaseState,
        read_at: Millis,
        now: Millis,
    ) -> Result<Admitted> {
        may_enter(state)?;
        let admitted = self.on(origin, |shelf| {
            let newest = shelf.newest(&case.key);
            match shelf.cases.get_mut(&case.key) {
                Some(row) => row.admit(newest, case, state, read_at, now),
                None => {
                    shelf.insert(CaseRow::new(case, state, now));
                    Admitted::New
                }
            }
        });
        self.announce(matches!(admitted, Admitted::New | Admitted::Updated));
        Ok(admitted)
    }

    async fn unseen(&self, origin: &Origin, before: Millis, limit: u32) -> Result<Vec<SessionId>> {
        let query = QueueQuery {
            states: vec![CaseState::Open, CaseState::Escalated, CaseState::Left],
            filter: String::new(),
            offset: 0,
            limit,
        };
        Ok(self.on(origin, |shelf| {
            let rows = shelf
                .matching(&query)
                .filter(|row| row.case.kind == SubjectKind::Workflow && row.seen_at < before);
            rows.take(limit as usize).map(|row| row.case.key.clone()).collect()
        }))
    }

    async fn depart(
        &self,
        origin: &Origin,
        key: &SessionId,
        why: &str,
        now: Millis,
    ) -> Result<bool> {
        self.on(origin, |shelf| {
            let departs = shelf.cases.get_mut(key).is_some_and(|row| row.depart(why));
            if let Some(proposal) = shelf.proposal(key).filter(|_| departs) {
                proposal.void(why, now);
                let ended = proposal.row.clone();
                shelf.record(Audited::Settled, &ended, now)?;
            }
            self.announce(departs);
            Ok(departs)
        })
    }

    async fn queue(&self, origin: &Origin, query: &QueueQuery, now: Millis) -> Result<QueuePage> {
        Ok(self.on(origin, |shelf| {
            let skip = usize::try_from(query.offset).unwrap_or(usize::MAX);
            let rows = shelf.matching(query).skip(skip).take(query.limit as usize);
            QueuePage {
                rows: rows.map(|row| shelf.shown(row, now)).collect(),
                unreadable: Vec::new(),
                total: count(shelf.matching(query)),
            }
        }))
    }

    async fn rank(
        &self,
        origin: &Origin,
        query: &QueueQuery,
        key: &SessionId,
    ) -> Result<Option<u64>> {
        Ok(self.on(origin, |shelf| {
            let place = shelf.matching(query).position(|row| row.case.key == *key);
            place.and_then(|place| u64::try_from(place).ok())
        }))
    }

    async fn case(
        &self,
        origin: &Origin,
        key: &SessionId,
        now: Millis,
    ) -> Result<Option<QueueRow>> {
        Ok(self.on(origin, |shelf| shelf.cases.get(key).map(|row| shelf.shown(row, now))))
    }

    async fn tally(&self, origin: &Origin) -> Result<Tally> {
        Ok(self.on(origin, |shelf| {
            let of = |state| count(shelf.cases.values().filter(|row| row.state == state));
            Tally {
                open: of(CaseState::Open),
                escalated: of(CaseState::Escalated),
                decided: of(CaseState::Decided),
                departed: of(CaseState::Departed),
                left: of(CaseState::Left),
            }
        }))
    }
}
