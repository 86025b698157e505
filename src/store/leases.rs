//! Who has a case, who looks at one, and which consoles are at work.

use async_trait::async_trait;

use super::Result;
use crate::domain::{Holder, Lease, LeaseAnswer, Millis, Origin, QueueQuery, SessionId, WorkerId};

/// Leases, and who looks on.
#[async_trait]
pub trait Leases: Send + Sync {
    /// Leases a case to a holder until `now + ttl_ms`. Succeeds for an open or escalated case that
    /// is free, whose lease has run out, or that this very worker holds (the fence stays then).
    /// Another terminal of the same reviewer is another worker. Who escalated a case does not get it
    /// before it is opened again: two readers are two people.
    async fn lease(
        &self,
        origin: &Origin,
        key: &SessionId,
        holder: &Holder,
        now: Millis,
        ttl_ms: i64,
    ) -> Result<LeaseAnswer>;

    /// Leases the first case of a query that is free, in the queue's order, behind `after` and then from
    /// the front. Cases that others are taking at this moment are passed over, not waited for. `None`
    /// when there is none that this holder could have.
    async fn lease_next(
        &self,
        origin: &Origin,
        query: &QueueQuery,
        after: Option<&SessionId>,
        holder: &Holder,
        now: Millis,
        ttl_ms: i64,
    ) -> Result<Option<Lease>>;

    /// Renews a lease; `None` when it is not ours any more (run out and taken, decided, departed).
    async fn renew(&self, lease: &Lease, now: Millis, ttl_ms: i64) -> Result<Option<Lease>>;

    /// Gives a lease back. Nothing happens when it is not ours any more.
    async fn release(&self, lease: &Lease) -> Result<()>;

    /// Says that a console looks at a case that it does not have, until `now + ttl_ms` unless said
    /// again. One case a console: what it looked at before it does no longer.
    async fn watch(
        &self,
        origin: &Origin,
        key: &SessionId,
        who: &Holder,
        now: Millis,
        ttl_ms: i64,
    ) -> Result<()>;

    /// Says that a console looks at no case any more that it does not have.
    async fn look_away(&self, origin: &Origin, worker: &WorkerId) -> Result<()>;

    /// Workers with a live lease or delivery claim, or who look at a case, or are on duty: the caller
    /// knows which of its own machine are dead.
    async fn workers(&self, now: Millis) -> Result<Vec<WorkerId>>;

    /// Ends every lease, claim, look and duty of a worker that is known to be dead. Its `sending` rows
    /// become `unknown`.
    async fn bury(&self, worker: &WorkerId, now: Millis) -> Result<u64>;

    /// Puts the leased case at the end of the queue and gives the lease back: its place is `now`, or
    /// the one after the last of those that wait.
    ///
    /// # Errors
    /// `StoreError::LostLease` when the lease is not ours any more.
    async fn skip(&self, lease: &Lease, now: Millis) -> Result<()>;
}
