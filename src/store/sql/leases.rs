//! Leases, and who looks on, in a database.

use async_trait::async_trait;

use super::engine::{Tx, anew, args};
use super::{SqlStore, copy, rows, statements, with_filter};
use crate::domain::{CaseState, Millis, Origin, SessionId, WorkerId};
use crate::store::row::CaseRow;
use crate::store::{Holder, Lease, LeaseAnswer, Leases, QueueQuery, Result, StoreError, Taken};

impl SqlStore {
    /// Loads the case of a lease, changes it and saves the lease it has then.
    async fn change_lease<T>(
        &self,
        origin: &Origin,
        key: &SessionId,
        change: impl Fn(&mut CaseRow) -> T + Send + Sync,
    ) -> Result<Option<T>> {
        self.engine
            .write(anew!(async |tx| {
                let Some(mut kept) = rows::case(tx, origin, key).await? else { return Ok(None) };
                let before = (kept.row.lease.clone(), kept.row.fence);
                let answer = change(&mut kept.row);
                if before != (kept.row.lease.clone(), kept.row.fence) {
                    rows::save_lease(tx, &kept).await?;
                }
                let worker = |lease: &Option<Taken>| lease.as_ref().map(|l| l.worker.clone());
                // A renewal is no news.
                if worker(&before.0) != worker(&kept.row.lease) {
                    tx.announce(origin).await?;
                }
                Ok(Some(answer))
            }))
            .await
    }
}

/// Leases the first case behind a place that `lease` gives; passes over those that it does not.
async fn first_free(
    tx: &mut Tx,
    origin: &Origin,
    query: &QueueQuery,
    state: CaseState,
    mut behind: (Millis, String),
    lease: impl Fn(&mut CaseRow) -> LeaseAnswer,
    now: Millis,
) -> Result<Option<Lease>> {
    loop {
        let values = with_filter(args![origin, behind.0, behind.1.clone(), now], query);
        let found = tx.row(statements::next_free(tx, query, state), values).await?;
        let Some(row) = found else { return Ok(None) };
        let mut kept = match rows::kept_case(&row) {
            Ok(kept) => kept,
            // One that cannot be read is passed over.
            Err(StoreError::Corrupt(_)) => {
                let next = match (row.int("place"), row.text("key")) {
                    (Ok(place), Ok(key)) => (Millis(place), key),
                    (Ok(place), Err(_)) => (Millis(place).plus(1), String::new()),
                    (Err(_), _) => return Ok(None),
                };
                if next <= behind {
                    return Ok(None);
                }
                behind = next;
                continue;
            }
            Err(error) => return Err(error),
        };
        if let LeaseAnswer::Yours(lease) = lease(&mut kept.row) {
            rows::save_lease(tx, &kept).await?;
            tx.announce(origin).await?;
            return Ok(Some(lease));
        }
        behind = (kept.row.place, kept.row.case.key.as_str().to_owned());
    }
}

#[async_trait]
impl Leases for SqlStore {
    async fn lease(
        &self,
        origin: &Origin,
        key: &SessionId,
        holder: &Holder,
        now: Millis,
        ttl_ms: i64,
    ) -> Result<LeaseAnswer> {
        let lease = |row: &mut CaseRow| row.lease(origin, holder, now, ttl_ms);
        Ok(self.change_lease(origin, key, lease).await?.unwrap_or(LeaseAnswer::Unknown))
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
        self.engine
            .write(anew!(async |tx| {
                let front = (Millis(i64::MIN), String::new());
                let mut behind = front.clone();
                if let Some(key) = after {
                    let values = with_filter(args![origin, key], query);
                    if let Some(row) = tx.row(statements::place(query), values).await? {
                        behind = (Millis(row.int("place")?), key.as_str().to_owned());
                    }
                }
                let mut begins = vec![behind.clone()];
                if behind != front {
                    begins.push(front);
                }
                for state in &query.states {
                    for begin in &begins {
                        let leased = first_free(
                            tx,
                            origin,
                            query,
                            *state,
                            begin.clone(),
                            |row| row.lease(origin, holder, now, ttl_ms),
                            now,
                        );
                        if let Some(lease) = leased.await? {
                            return Ok(Some(lease));
                        }
                    }
                }
                Ok(None)
            }))
            .await
    }

    async fn renew(&self, lease: &Lease, now: Millis, ttl_ms: i64) -> Result<Option<Lease>> {
        let renew = |row: &mut CaseRow| row.renew(lease, now, ttl_ms);
        Ok(self.change_lease(&lease.origin, &lease.case, renew).await?.flatten())
    }

    async fn release(&self, lease: &Lease) -> Result<()> {
        let release = |row: &mut CaseRow| row.release(lease);
        self.change_lease(&lease.origin, &lease.case, release).await?;
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
        let Holder { reviewer, worker } = who;
        self.engine
            .write(anew!(async |tx| {
                let before = tx.row(statements::WATCHED, args![origin, worker, now]).await?;
                let before = before.map(|row| row.lossy("key"));
                tx.run(statements::FORGET_WATCHERS, args![origin, now]).await?;
                let until = now.plus(ttl_ms);
                let values =
                    args![origin, key, worker, &reviewer.id, reviewer.name.as_str(), until];
                tx.run(statements::WATCH, values).await?;
                if before.as_deref() != Some(key.as_str()) {
                    tx.announce(origin).await?;
                }
                Ok(())
            }))
            .await
    }

    async fn look_away(&self, origin: &Origin, worker: &WorkerId) -> Result<()> {
        self.engine
            .write(anew!(async |tx| {
                if tx.run(statements::LOOK_AWAY, args![origin, worker]).await? > 0 {
                    tx.announce(origin).await?;
                }
                Ok(())
            }))
            .await
    }

    async fn workers(&self, now: Millis) -> Result<Vec<WorkerId>> {
        self.engine
            .read(async |tx| {
                let workers = copy::workers(tx, now).await?;
                Ok(workers.into_iter().map(WorkerId).collect())
            })
            .await
    }

    async fn bury(&self, worker: &WorkerId, _now: Millis) -> Result<u64> {
        self.engine
            .write(anew!(async |tx| {
                let mut all = 0;
                for origin in copy::origins(tx).await? {
                    let mut ended = 0;
                    for sql in [
                        statements::BURY_LEASES,
                        statements::BURY_CLAIMS,
                        statements::LOOK_AWAY,
                        statements::LEAVE_DUTY,
                    ] {
                        ended += tx.run(sql, args![&origin, worker]).await?;
                    }
                    if ended > 0 {
                        tx.announce(&origin).await?;
                    }
                    all += ended;
                }
                Ok(all)
            }))
            .await
    }

    async fn skip(&self, lease: &Lease, now: Millis) -> Result<()> {
        self.engine
            .write(anew!(async |tx| {
                let found = rows::case(tx, &lease.origin, &lease.case).await?;
                let mut kept = found.ok_or(StoreError::LostLease)?;
                let last = tx.row(statements::last_place(), args![&lease.origin]).await?;
                let last = last.map(|row| row.maybe_int("last")).transpose()?.flatten();
                kept.row.skip(lease, Millis(last.unwrap_or(i64::MIN)), now)?;
                rows::save_case(tx, &kept).await?;
                rows::save_lease(tx, &kept).await?;
                tx.announce(&lease.origin).await?;
                Ok(())
            }))
            .await
    }
}
