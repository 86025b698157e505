//! The queue, in memory.

use std::collections::HashSet;

use async_trait::async_trait;

use super::{MemoryStore, count};
use crate::domain::{Case, CaseState, Millis, Origin, Place, SessionId, Start, SubjectKind, Tally};
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
        let waits = |row: &CaseRow| {
            matches!(row.state, CaseState::Open | CaseState::Escalated | CaseState::Left)
        };
        Ok(self.on(origin, |shelf| {
            let rows = shelf.cases.values().filter(|row| waits(row));
            let rows =
                rows.filter(|row| row.case.kind == SubjectKind::Workflow && row.seen_at < before);
            let mut rows: Vec<_> =
                rows.map(|row| (row.seen_at, row.place, &row.case.key)).collect();
            rows.sort_unstable();
            rows.into_iter().take(limit as usize).map(|(.., key)| key.clone()).collect()
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
        if query.states.is_empty() {
            return Ok(QueuePage::default());
        }
        Ok(self.on(origin, |shelf| {
            let place = |row: &CaseRow| Place { at: row.place, key: row.case.key.to_string() };
            let all: Vec<_> = shelf.matching(query).collect();
            let limit = query.limit as usize;
            let first = match &query.from {
                Start::Front => 0,
                Start::Behind(behind) => all.partition_point(|row| place(row) <= *behind),
                Start::Last => all.len().saturating_sub(limit),
                Start::Around(key) => shelf.cases.get(key).map_or(0, |of| {
                    let before = all.partition_point(|row| place(row) < place(of));
                    before.saturating_sub(limit / 2)
                }),
            };
            let rows = all.get(first..).unwrap_or_default();
            let rows = rows.get(..limit).unwrap_or(rows);
            let counted = match &query.from {
                Start::Around(_) | Start::Last => first,
                Start::Front | Start::Behind(_) => 0,
            };
            let end = rows.last().map(|row| place(row));
            QueuePage {
                before: if end.is_some() || query.from == Start::Last {
                    u64::try_from(counted).unwrap_or(u64::MAX)
                } else {
                    0
                },
                about: false,
                end,
                rows: rows.iter().map(|row| shelf.shown(row, now)).collect(),
                unreadable: Vec::new(),
                total: count(all.iter()),
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

    async fn known(&self, origin: &Origin, keys: &[SessionId]) -> Result<Vec<Case>> {
        Ok(self.on(origin, |shelf| {
            let known = keys.iter().filter_map(|key| shelf.cases.get(key));
            known.map(|row| row.case.clone()).collect()
        }))
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
