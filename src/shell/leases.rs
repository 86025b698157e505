//! Holds the leases that the model wants, renews them, and gives them back. Where the case on the desk is
//! somebody else's it says so to the others instead: that this reviewer looks on.
//!
//! A lease covers the case on the desk only. One that a decision used up is forgotten, not given back.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::problem;
use super::process::is_dead;
use crate::core::Event;
use crate::domain::{Clock, Holder, Lease, LeaseAnswer, Origin, QueueQuery, SessionId};
use crate::store::Store;

/// How long a lease lasts unless renewed, in milliseconds.
pub const TTL_MS: i64 = 60_000;
/// How often leases are renewed.
const BEAT: Duration = Duration::from_secs(15);

/// Leases in hand, by case. Shared with whoever records decisions.
#[derive(Debug, Clone, Default)]
pub struct InHand(Arc<Mutex<HashMap<SessionId, Lease>>>);

impl InHand {
    /// The lease on a case, if it is ours.
    pub fn get(&self, key: &SessionId) -> Option<Lease> {
        self.lock().get(key).cloned()
    }

    /// Forgets a lease, because a decision or a skip ended it, or to give it back.
    pub fn take(&self, key: &SessionId) -> Option<Lease> {
        self.lock().remove(key)
    }

    fn put(&self, lease: Lease) {
        self.lock().insert(lease.case.clone(), lease);
    }

    fn all(&self) -> Vec<Lease> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<SessionId, Lease>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the model wants to have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// These cases, the one on the desk last.
    pub leases: Vec<SessionId>,
    /// Or, for the last one, the next free one of this query.
    pub or_next: Option<QueueQuery>,
}

/// Keeps leases.
pub struct Leases {
    /// Where they are kept.
    pub store: Arc<dyn Store>,
    /// Whose rows.
    pub origin: Origin,
    /// Who holds them.
    pub holder: Holder,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Those in hand.
    pub in_hand: InHand,
    /// Where answers go.
    pub events: mpsc::Sender<Event>,
}

impl Leases {
    /// Follows what is wanted until stopped; gives everything back then.
    pub async fn run(self, mut wanted: watch::Receiver<Wanted>, stop: CancellationToken) {
        let mut beat = tokio::time::interval(BEAT);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        beat.tick().await;
        let mut looking_at = None;
        loop {
            let changed = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                changed = wanted.changed() => if changed.is_err() { break } else { true },
                _ = beat.tick() => { self.renew().await; false }
            };
            let now_wanted = wanted.borrow_and_update().clone();
            let looks_on = self.match_up(&now_wanted).await;
            if changed {
                self.confirm(&now_wanted.leases).await;
            }
            if looks_on != looking_at || !changed {
                looking_at = self.look_on(looks_on, looking_at.is_some()).await;
            }
        }
        self.match_up(&Wanted::default()).await;
        self.look_on(None, looking_at.is_some()).await;
    }

    /// Says what is looked at without a lease; returns it when it was said. What could not be said is
    /// said at the next beat, and runs out by itself.
    async fn look_on(&self, at: Option<SessionId>, before: bool) -> Option<SessionId> {
        let Self { store, origin, holder, clock, .. } = self;
        match at {
            Some(key) => {
                let said = store.watch(origin, &key, holder, clock.now(), TTL_MS).await;
                said.is_ok().then_some(key)
            }
            None => {
                if before {
                    let _ = store.look_away(origin, &holder.worker).await;
                }
                None
            }
        }
    }

    /// Gives back what is no longer wanted and asks for what is; returns what is looked at although
    /// somebody else has it.
    async fn match_up(&self, wanted: &Wanted) -> Option<SessionId> {
        for lease in self.in_hand.all() {
            if !wanted.leases.contains(&lease.case) {
                self.in_hand.take(&lease.case);
                // A lease that cannot be given back runs out by itself.
                let _ = self.store.release(&lease).await;
            }
        }
        let mut looks_on = None;
        for key in &wanted.leases {
            let or_next = wanted.or_next.as_ref().filter(|_| wanted.leases.last() == Some(key));
            if self.in_hand.get(key).is_none() && self.ask(key, or_next).await {
                looks_on = Some(key.clone());
            }
        }
        looks_on
    }

    /// Says again which leases are in hand: a case that left the desk and came back faster than its lease
    /// could be given back has a desk that still waits for an answer.
    async fn confirm(&self, wanted: &[SessionId]) {
        for lease in wanted.iter().filter_map(|key| self.in_hand.get(key)) {
            let event =
                Event::Leased { key: lease.case.clone(), answer: Ok(LeaseAnswer::Yours(lease)) };
            let _ = self.events.send(event).await;
        }
    }

    /// Asks for a lease; whether the case is another's to decide.
    async fn ask(&self, key: &SessionId, or_next: Option<&QueueQuery>) -> bool {
        let mut answer = self.lease(key).await;
        if let Ok(LeaseAnswer::Taken(taken)) = &answer
            && is_dead(&taken.worker)
            && self.store.bury(&taken.worker, self.clock.now()).await.is_ok()
        {
            answer = self.lease(key).await;
        }
        if let Ok(LeaseAnswer::Yours(lease)) = &answer {
            self.in_hand.put(lease.clone());
        }
        if let (Ok(LeaseAnswer::Taken(taken)), Some(query)) = (&answer, or_next)
            && let Ok(Some(lease)) = self.lease_next(query, key).await
        {
            let (of, taken, key) = (key.clone(), taken.clone(), lease.case.clone());
            self.in_hand.put(lease);
            let _ = self.events.send(Event::LeasedInstead { of, taken, key }).await;
            return false;
        }
        let others = matches!(
            answer,
            Ok(LeaseAnswer::Taken(_) | LeaseAnswer::SecondReader | LeaseAnswer::NotProven)
        );
        let answer = answer.map_err(|error| problem::of_store(&error));
        let _ = self.events.send(Event::Leased { key: key.clone(), answer }).await;
        others
    }

    async fn lease(&self, key: &SessionId) -> crate::store::Result<LeaseAnswer> {
        self.store.lease(&self.origin, key, &self.holder, self.clock.now(), TTL_MS).await
    }

    async fn lease_next(
        &self,
        query: &QueueQuery,
        after: &SessionId,
    ) -> crate::store::Result<Option<Lease>> {
        let Self { store, origin, holder, clock, .. } = self;
        store.lease_next(origin, query, Some(after), holder, clock.now(), TTL_MS).await
    }

    async fn renew(&self) {
        for lease in self.in_hand.all() {
            let why = match self.store.renew(&lease, self.clock.now(), TTL_MS).await {
                Ok(Some(renewed)) => {
                    // Not put back when a decision has taken it meanwhile.
                    if self.in_hand.take(&lease.case).is_some() {
                        self.in_hand.put(renewed);
                    }
                    continue;
                }
                Ok(None) => "the case is not yours any more".to_owned(),
                // It is tried again at the next beat; the lease outlives three of them.
                Err(_) if lease.until.since(self.clock.now()) > 0 => continue,
                Err(error) => problem::of_store(&error).text,
            };
            if self.in_hand.take(&lease.case).is_some() {
                let _ = self.events.send(Event::LeaseLost { key: lease.case, why }).await;
            }
        }
    }
}
