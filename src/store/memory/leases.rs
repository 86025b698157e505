//! Leases, and who looks on, in memory.

use std::collections::BTreeSet;

use async_trait::async_trait;

use super::{MemoryStore, Shelf};
use crate::domain::{Millis, Origin, SessionId, WorkerId};
use crate::store::{Holder, Lease, LeaseAnswer, Leases, QueueQuery, Result, StoreError, Taken};

#[async_trait]
impl Leases for MemoryStore {
    async fn lease(
        &self,
        origin: &Origin,
        key: &SessionId,
        holder: &Holder,
        now: Millis,
        ttl_ms: i64,
    ) -> Result<LeaseAnswer> {
        let answer = self.on(origin, |shelf| {
            let row = shelf.cases.get_mut(key);
            row.map_or(LeaseAnswer::Unknown, |row| row.lease(origin, holder, now, ttl_ms))
        });
        self.announce(matches!(answer, LeaseAnswer::Yours(_)));
        Ok(answer)
    }

    async fn lease_next(
        &self,
        origin: &Origin,
        query: &QueueQuery,
        after: Option<&SessionId>,
        holder: &Holder,
        now: Millis,
        ttl_ms: i64,
    ) -> Result<Option<Lease>> {
        let leased = self.on(origin, |shelf| {
            let keys: Vec<_> = shelf.matching(query).map(|row| row.case.key.clone()).collect();
            let behind = after.and_then(|after| keys.iter().position(|key| key == after));
            let (front, rest) = keys.split_at(behind.map_or(0, |at| at + 1));
            rest.iter().chain(front).find_map(|key| {
                let row = shelf.cases.get_mut(key).filter(|row| row.taken(now).is_none())?;
                match row.lease(origin, holder, now, ttl_ms) {
                    LeaseAnswer::Yours(lease) => Some(lease),
                    _ => None,
                }
            })
        });
        self.announce(leased.is_some());
        Ok(leased)
    }

    async fn renew(&self, lease: &Lease, now: Millis, ttl_ms: i64) -> Result<Option<Lease>> {
        Ok(self.on(&lease.origin, |shelf| {
            shelf.cases.get_mut(&lease.case).and_then(|row| row.renew(lease, now, ttl_ms))
        }))
    }

    async fn release(&self, lease: &Lease) -> Result<()> {
        let row = |shelf: &mut Shelf| shelf.cases.get_mut(&lease.case).map(|r| r.release(lease));
        self.announce(self.on(&lease.origin, row).unwrap_or_default());
        Ok(())
    }

    async fn watch(
        &self,
        origin: &Origin,
        key: &SessionId,
        who: &Holder,
        now: Millis,
        ttl_ms: i64,
    ) -> Result<()> {
        let Holder { reviewer, worker } = who.clone();
        let taken = Taken { reviewer, worker: worker.clone(), until: now.plus(ttl_ms) };
        let before = self.on(origin, |shelf| {
            let live = shelf.watchers.get(&worker).filter(|(_, w)| w.until > now);
            let before = live.map(|(key, _)| key.clone());
            shelf.watchers.retain(|_, (_, watcher)| watcher.until > now);
            shelf.watchers.insert(worker, (key.clone(), taken));
            before
        });
        self.announce(before.as_ref() != Some(key));
        Ok(())
    }

    async fn look_away(&self, origin: &Origin, worker: &WorkerId) -> Result<()> {
        self.announce(self.on(origin, |shelf| shelf.watchers.remove(worker).is_some()));
        Ok(())
    }

    async fn workers(&self, now: Millis) -> Result<Vec<WorkerId>> {
        let shelves = self.shelves();
        let cases = shelves.values().flat_map(|shelf| shelf.cases.values());
        let leases = cases.filter_map(|row| row.taken(now)).map(|taken| &taken.worker);
        let decisions = shelves.values().flat_map(|shelf| &shelf.decisions);
        let claims = decisions.filter_map(|d| d.claim.as_ref()).filter(|c| c.until > now);
        let watchers = shelves.values().flat_map(|shelf| shelf.watchers.values());
        let watchers = watchers.map(|(_, w)| w).filter(|w| w.until > now).map(|w| &w.worker);
        let duties = shelves.values().filter_map(|shelf| shelf.duty.as_ref());
        let duties = duties.filter(|(_, until)| *until > now).map(|(worker, _)| worker);
        let all = leases.chain(claims.map(|c| &c.worker)).chain(watchers).chain(duties);
        let all: BTreeSet<_> = all.cloned().collect();
        Ok(all.into_iter().collect())
    }

    async fn bury(&self, worker: &WorkerId, _now: Millis) -> Result<u64> {
        let mut ended = 0;
        for shelf in self.shelves().values_mut() {
            for row in shelf.cases.values_mut() {
                ended += u64::from(row.lease.take_if(|l| l.worker == *worker).is_some());
            }
            ended += u64::from(shelf.watchers.remove(worker).is_some());
            ended += u64::from(shelf.duty.take_if(|(on, _)| on == worker).is_some());
            for row in &mut shelf.decisions {
                if row.claim.as_ref().is_some_and(|claim| claim.worker == *worker) {
                    row.bury();
                    ended += 1;
                }
            }
        }
        self.announce(ended > 0);
        Ok(ended)
    }

    async fn skip(&self, lease: &Lease, now: Millis) -> Result<()> {
        self.on(&lease.origin, |shelf| {
            let last = shelf.last_place();
            let row = shelf.cases.get_mut(&lease.case).ok_or(StoreError::LostLease)?;
            let old = row.place;
            row.skip(lease, last, now)?;
            shelf.order.remove(&(old, lease.case.clone()));
            shelf.order.insert((row.place, lease.case.clone()));
            self.announce(true);
            Ok(())
        })
    }
}
