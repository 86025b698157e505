//! Takes what is due and has it delivered, a few at a time: as a task beside the console, or once
//! for a command. Knows when to wake; what a delivery does is the worker's business.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::worker::{Attempt, Limits, Shows, deliver};
use crate::didit::Client;
use crate::domain::{
    Clock, Decision, DecisionId, DeliveryState, Millis, Origin, Parked, ParkedAs, ReviewerId,
    RowKind, SessionId, Unreadable, WorkerId,
};
use crate::store::{Delivery, HistoryQuery, HistoryRow, Settled, Store, StoreError};

/// Whose decisions, and how.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Only rows of this origin.
    pub origin: Origin,
    /// This console or command.
    pub worker: WorkerId,
    /// Whose held decisions are sent.
    pub reviewer: ReviewerId,
    /// Older identities whose held decisions this reviewer has now.
    pub adopted: Vec<ReviewerId>,
    /// How many deliveries at once, 1 to 4.
    pub parallel: usize,
    /// How long things may take.
    pub limits: Limits,
    /// How often to look for claims of dead workers when nothing else is due, in milliseconds.
    pub idle_ms: i64,
}

impl Settings {
    /// Three at a time, a look every 30 seconds.
    #[must_use]
    pub fn new(origin: Origin, worker: WorkerId, reviewer: ReviewerId) -> Self {
        let limits = Limits::default();
        Self { origin, worker, reviewer, adopted: Vec::new(), parallel: 3, limits, idle_ms: 30_000 }
    }
}

/// What the outbox tells the console.
#[derive(Debug)]
pub enum Event {
    /// An attempt is settled.
    Delivered {
        /// The decision.
        decision: DecisionId,
        /// Its case.
        case: SessionId,
        /// What came of it.
        settled: Settled,
    },
    /// The store failed; the outbox goes on and looks again later.
    Failed(StoreError),
}

/// What a flush did, by decision: the last word on each.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Flushed {
    /// What came of the decisions that were tried, oldest first. `Later` means: put off.
    pub settled: Vec<(DecisionId, SessionId, Settled)>,
    /// Decisions that are still on their way, put off or claimed by another worker.
    pub open: Vec<DecisionId>,
    /// Decisions that cannot be read, and what became of them.
    pub parked: Vec<Parked>,
}

/// How far a flush has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flushing {
    /// Decisions that came to their end.
    pub ended: usize,
    /// How many were on their way when it began.
    pub of: usize,
}

/// A flush that takes as long as it needs ends when nothing came to its end for so long: twice a minute of Didit's.
pub const QUIET: Duration = Duration::from_secs(120);

/// The least and the most to sleep when the store says that something is due, in milliseconds: a
/// row that is due and cannot be taken must not spin, and a clock that jumps must not be slept over.
const SLEEP: (i64, i64) = (250, 60_000);

/// Delivers one reviewer's decisions.
#[derive(Clone)]
pub struct Outbox {
    store: Arc<dyn Store>,
    client: Client,
    clock: Arc<dyn Clock>,
    settings: Settings,
    nudge: Arc<Notify>,
    shows: Arc<Shows>,
}

/// Attempts on their way. Each is a task of its own, so that none waits for the store with a
/// connection that another one needs; all end when this is dropped.
type OnTheWay = JoinSet<Done>;

/// An attempt that ended.
struct Done {
    decision: DecisionId,
    case: SessionId,
    outcome: Result<Attempt, StoreError>,
}

impl Outbox {
    /// An outbox. Nothing is sent before [`Outbox::run`] or [`Outbox::flush`].
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        client: Client,
        clock: Arc<dyn Clock>,
        settings: Settings,
    ) -> Self {
        let (nudge, shows) = (Arc::new(Notify::new()), Arc::default());
        Self { store, client, clock, settings, nudge, shows }
    }

    /// Makes a running outbox look at once: something was decided, sent now, or a claim was ended.
    /// Clones of an outbox share it.
    pub fn nudge(&self) {
        self.nudge.notify_one();
    }

    /// Ends the claims and leases of workers that `is_dead` knows to be dead, so that their rows are
    /// taken over at once. Returns how many were ended.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn bury(&self, is_dead: impl Fn(&WorkerId) -> bool) -> Result<u64, StoreError> {
        let mut ended = 0;
        for worker in self.store.workers(self.clock.now()).await? {
            if worker != self.settings.worker && is_dead(&worker) {
                ended += self.store.bury(&worker, self.clock.now()).await?;
            }
        }
        Ok(ended)
    }

    /// Whose held decisions are sent.
    fn whose(&self) -> impl Iterator<Item = &ReviewerId> {
        std::iter::once(&self.settings.reviewer).chain(&self.settings.adopted)
    }

    /// Delivers what is due until it is stopped; what is on the wire then is finished first.
    /// A receiver that does not listen any more stops nothing.
    pub async fn run(&self, events: mpsc::Sender<Event>, stop: CancellationToken) {
        let mut on_the_way = OnTheWay::new();
        loop {
            let mut failed = false;
            // Asked once a turn: a stop between two looks at it must end the wait below.
            let stopping = stop.is_cancelled();
            if !stopping {
                let mut parked = Vec::new();
                let taken = self.take_due(&mut on_the_way, &mut parked).await;
                for parked in parked {
                    let error = StoreError::Parked(Box::new(parked));
                    tell(&events, &stop, Event::Failed(error)).await;
                }
                if let Err(error) = taken {
                    failed = true;
                    tell(&events, &stop, Event::Failed(error)).await;
                }
            } else if on_the_way.is_empty() {
                return;
            }
            let sleep = self.sleep(failed || self.is_full(&on_the_way)).await;
            tokio::select! {
                biased;
                () = stop.cancelled(), if !stopping => {}
                Some(done) = on_the_way.join_next() => {
                    if let Some(event) = event(done) {
                        tell(&events, &stop, event).await;
                    }
                }
                () = self.nudge.notified() => {}
                () = tokio::time::sleep(sleep) => {}
            }
        }
    }

    /// Sends the reviewer's held decisions now and ends when nothing is in flight: claims of other
    /// workers are waited for and taken over when they have run out. A decision that waits for a key,
    /// its rights or the balance to be mended is tried once. Ends after `within` at the latest;
    /// what is on the wire then is finished first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn flush(
        &self,
        within: Duration,
        stop: &CancellationToken,
    ) -> Result<Flushed, StoreError> {
        self.flush_telling(Some(within), stop, &|_| ()).await
    }

    /// The same, and `told` hears how far it has come. Without `within` it takes as long as it needs: it ends when
    /// nothing came to its end for [`QUIET`]. That is longer than any wait for a place in the minute.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn flush_telling(
        &self,
        within: Option<Duration>,
        stop: &CancellationToken,
        told: &(dyn Fn(Flushing) + Send + Sync),
    ) -> Result<Flushed, StoreError> {
        for reviewer in self.whose() {
            self.store.send_now(&self.settings.origin, reviewer, self.clock.now()).await?;
        }
        let Settings { origin, .. } = &self.settings;
        let mut parked = self.store.park_strays(origin, self.clock.now()).await?;
        let mut so_far = Flushing { ended: 0, of: self.open().await?.len() };
        told(so_far);
        let mut results = HashMap::new();
        let stop = stop.child_token();
        let wait = within.unwrap_or(QUIET);
        let wait_ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        let mut last = self.clock.now().plus(wait_ms);
        let ends = tokio::time::sleep(wait);
        tokio::pin!(ends);
        let mut on_the_way = OnTheWay::new();
        loop {
            let stopping = stop.is_cancelled();
            if !stopping {
                self.take_due(&mut on_the_way, &mut parked).await?;
            }
            if on_the_way.is_empty() && (stopping || self.at_rest(&results, last).await?) {
                break;
            }
            let sleep = self.sleep(self.is_full(&on_the_way)).await;
            tokio::select! {
                biased;
                () = &mut ends, if !stopping => stop.cancel(),
                () = stop.cancelled(), if !stopping => {}
                Some(done) = on_the_way.join_next() => {
                    let done = done.map_err(broken)?;
                    let mut over = false;
                    match done.outcome {
                        Ok(Attempt::Settled { settled, barred }) => {
                            over = !matches!(settled, Settled::Later { .. });
                            results.insert(done.decision, (done.case, settled, barred));
                        }
                        Ok(Attempt::ClaimLost) => {}
                        // One that cannot be read any more stops none of the others.
                        Err(StoreError::Corrupt(why)) => parked.push(unread(done.decision, &why)),
                        Err(error) => return Err(error),
                    }
                    if over {
                        so_far.ended += 1;
                        told(so_far);
                        if within.is_none() {
                            ends.set(tokio::time::sleep(QUIET));
                            last = self.clock.now().plus(wait_ms);
                        }
                    }
                }
                () = self.nudge.notified() => {}
                () = tokio::time::sleep(sleep) => {}
            }
        }
        let open = self.open().await?.iter().map(|row| row.decision.id).collect();
        let mut settled: Vec<_> =
            results.into_iter().map(|(id, (case, settled, _))| (id, case, settled)).collect();
        settled.sort_by_key(|(id, ..)| *id);
        Ok(Flushed { settled, open, parked })
    }

    /// Looks at Didit once more for a decision of unknown outcome, and ends it where Didit still does not show
    /// it: `by` is who wants that. `None` when it is not to be had: it is not unknown, or another worker has it.
    /// What else is due is delivered on the way, as any console does.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end(&self, id: DecisionId, by: &str) -> Result<Option<Settled>, StoreError> {
        let Settings { origin, worker, reviewer, limits, .. } = &self.settings;
        let query = HistoryQuery { decision: Some(id), ..HistoryQuery::default() };
        let found = self.store.history(origin, &query).await?;
        if !found.rows.iter().any(|row| row.state == DeliveryState::Unknown) {
            return Ok(None);
        }
        self.store.retry(origin, id, reviewer, self.clock.now()).await?;
        loop {
            let now = self.clock.now();
            let delivery =
                match self.store.take(origin, worker, reviewer, now, limits.claim_ms).await {
                    Ok(Some(delivery)) => delivery,
                    Ok(None) => return Ok(None),
                    // A row that cannot be read stops none of the others.
                    Err(StoreError::Parked(_)) => continue,
                    Err(error) => return Err(error),
                };
            let is_it = delivery.decision.id == id;
            let done = self.deliver(delivery, is_it.then_some(by)).await;
            if is_it {
                return Ok(match done.outcome? {
                    Attempt::Settled { settled, .. } => Some(settled),
                    Attempt::ClaimLost => None,
                });
            }
        }
    }

    /// Whether everything that is still open waits for somebody to mend something, or for Didit to show
    /// what it said yes to, which is not read again before `last`.
    async fn at_rest(
        &self,
        results: &HashMap<DecisionId, (SessionId, Settled, bool)>,
        last: Millis,
    ) -> Result<bool, StoreError> {
        let barred = |id| results.get(&id).is_some_and(|(_, _, barred)| *barred);
        let late = |row: &HistoryRow| {
            let answered = row.progress.answered_at.is_some();
            row.state == DeliveryState::Unknown && answered && row.due > last
        };
        Ok(self.open().await?.iter().all(|row| barred(row.decision.id) || late(row)))
    }

    /// What is still on its way: this reviewer's held decisions, and anybody's in flight.
    async fn open(&self) -> Result<Vec<HistoryRow>, StoreError> {
        let states = DeliveryState::ALL.into_iter().filter(|s| s.is_open()).collect();
        let query = HistoryQuery { states, ..HistoryQuery::default() };
        let rows = self.store.history(&self.settings.origin, &query).await?.rows;
        let ours = |decision: &Decision, state: DeliveryState| {
            state != DeliveryState::Held || self.whose().any(|who| *who == decision.reviewer.id)
        };
        Ok(rows.into_iter().filter(|row| ours(&row.decision, row.state)).collect())
    }

    /// Claims what is due, up to the number that may be on the way at once. What cannot be read is told of and
    /// passed over.
    async fn take_due(
        &self,
        on_the_way: &mut OnTheWay,
        parked: &mut Vec<Parked>,
    ) -> Result<(), StoreError> {
        let Settings { origin, worker, limits, .. } = &self.settings;
        for reviewer in self.whose() {
            while !self.is_full(on_the_way) {
                let now = self.clock.now();
                let taken = self.store.take(origin, worker, reviewer, now, limits.claim_ms).await;
                let delivery = match taken {
                    Ok(Some(delivery)) => delivery,
                    Ok(None) => break,
                    Err(StoreError::Parked(met)) => {
                        parked.push(*met);
                        continue;
                    }
                    Err(error) => return Err(error),
                };
                let outbox = self.clone();
                on_the_way.spawn(async move { outbox.deliver(delivery, None).await });
            }
        }
        Ok(())
    }

    fn is_full(&self, on_the_way: &OnTheWay) -> bool {
        on_the_way.len() >= self.settings.parallel.clamp(1, 4)
    }

    async fn deliver(&self, delivery: Delivery, ended_by: Option<&str>) -> Done {
        let (store, clock) = (self.store.as_ref(), self.clock.as_ref());
        let limits = &self.settings.limits;
        let (client, shows) = (&self.client, self.shows.as_ref());
        let outcome = deliver(store, client, clock, limits, shows, &delivery, ended_by).await;
        let Decision { id, case, .. } = delivery.decision;
        Done { decision: id, case, outcome }
    }

    /// How long to sleep unless something happens: until the next row is due, where one could be
    /// taken then.
    async fn sleep(&self, cannot_take: bool) -> Duration {
        let Settings { origin, idle_ms, .. } = &self.settings;
        let now = self.clock.now();
        let mut due = None;
        for reviewer in self.whose().filter(|_| !cannot_take) {
            let next = self.store.next_due(origin, reviewer).await.ok().flatten();
            due = [due, next].into_iter().flatten().min();
        }
        let wait = match due {
            Some(due) => due.since(now).min(*idle_ms),
            None => *idle_ms,
        };
        Duration::from_millis(wait.clamp(SLEEP.0, SLEEP.1).unsigned_abs())
    }
}

/// What there is to tell of an attempt. One that lost its claim is another worker's to tell of.
fn event(done: Result<Done, JoinError>) -> Option<Event> {
    let Done { decision, case, outcome } = match done {
        Ok(done) => done,
        Err(error) => return Some(Event::Failed(broken(error))),
    };
    match outcome {
        Ok(Attempt::Settled { settled, .. }) => Some(Event::Delivered { decision, case, settled }),
        Ok(Attempt::ClaimLost) => None,
        Err(error) => Some(Event::Failed(error)),
    }
}

/// A decision that could not be read any more in the middle of its delivery. Its claim runs out, and whoever
/// takes it then ends it.
fn unread(decision: DecisionId, why: &str) -> Parked {
    let row = Unreadable::new(RowKind::Decision, &decision.to_string(), why);
    Parked { row, how: ParkedAs::Left("its claim has to run out first".to_owned()) }
}

/// An attempt that did not come to its end. Its claim runs out, and the next one reads first.
fn broken(error: JoinError) -> StoreError {
    let how = if error.is_panic() { "broke off" } else { "was stopped" };
    StoreError::Other(format!("an attempt to deliver {how}"))
}

/// Tells the console. Once stopped, only what there is room for: nobody may be listening.
async fn tell(events: &mpsc::Sender<Event>, stop: &CancellationToken, event: Event) {
    tokio::select! {
        biased;
        room = events.reserve() => {
            if let Ok(room) = room {
                room.send(event);
            }
        }
        () = stop.cancelled() => {}
    }
}
