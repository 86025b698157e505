//! The store that forgets: the same verbs over plain collections, for `demo` and as the model that
//! the databases are tested against. Does no I/O; everything is gone when it is dropped.

mod cases;
mod decisions;
mod deliveries;
mod figures;
mod leases;
mod looked;
mod team;
mod testimony;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::watch;

use crate::domain::{
    CallVerb, Case, CaseState, DecisionId, DeliveryState, Millis, Origin, ReviewerId, SessionId,
    WorkerId,
};
use crate::roster::{Enacted, Scope};
use crate::store::audit::Audited;
use crate::store::budget::Window;
use crate::store::news::{InMemory, News};
use crate::store::row::{CaseRow, DecisionRow, Newest};
use crate::store::{
    AuditRow, Delivery, HistoryRow, Kept, Leases as _, PassedOver, QueueQuery, QueueRow, Result,
    SeenWorkflow, Store, StoreError, Taken, new_salt,
};

/// A store in memory.
pub struct MemoryStore {
    salt: [u8; 32],
    shelves: Mutex<BTreeMap<Origin, Shelf>>,
    /// Marked with every change that others have to hear of.
    changes: watch::Sender<()>,
}

/// What one origin has.
#[derive(Default)]
struct Shelf {
    cases: BTreeMap<SessionId, CaseRow>,
    /// The queue's order over the cases of every state.
    order: BTreeSet<(Millis, SessionId)>,
    /// In the order in which they were recorded.
    decisions: Vec<DecisionRow>,
    /// The audit, in its order.
    audit: Vec<AuditRow>,
    /// What was seen of workflows, by their ids.
    workflows: BTreeMap<String, SeenWorkflow>,
    /// Signatures by the place of their entry.
    signatures: BTreeMap<u64, String>,
    /// What was done to the roster, in its order.
    acts: Vec<Enacted>,
    /// Signatures of decisions, and when they were recorded.
    proofs: BTreeMap<DecisionId, (String, Millis)>,
    /// Who looks at which case without having it, by console.
    watchers: BTreeMap<WorkerId, (SessionId, Taken)>,
    /// Who looks for new cases, and until when.
    duty: Option<(WorkerId, Millis)>,
    /// What was granted of each kind of call.
    budgets: BTreeMap<CallVerb, Window>,
    /// Sessions that are no case, by which rule, and when they were seen.
    passed: BTreeMap<SessionId, (PassedOver, String, Millis)>,
    /// How far Didit's lists were walked.
    places: BTreeMap<String, String>,
}

impl MemoryStore {
    /// An empty store with a salt of its own.
    #[must_use]
    pub fn new() -> Self {
        Self { salt: new_salt(), shelves: Mutex::default(), changes: watch::Sender::new(()) }
    }

    /// Every verb holds the lock from its beginning to its end and never waits inside, which makes
    /// it one transaction. A panic elsewhere leaves whole rows behind, so a poisoned lock is taken.
    fn shelves(&self) -> MutexGuard<'_, BTreeMap<Origin, Shelf>> {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells all consoles, where something was changed.
    fn announce(&self, changed: bool) {
        if changed {
            self.changes.send_replace(());
        }
    }

    /// What signatures in this store hold for.
    fn scope(&self, origin: &Origin) -> Scope {
        Scope::of(&self.salt, origin)
    }

    fn on<T>(&self, origin: &Origin, act: impl FnOnce(&mut Shelf) -> T) -> T {
        act(self.shelves().entry(origin.clone()).or_default())
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl Shelf {
    fn newest(&self, key: &SessionId) -> Option<Newest> {
        let of_case = |d: &&DecisionRow| d.row.decision.case == *key;
        self.decisions.iter().rev().filter(of_case).find_map(DecisionRow::newest)
    }

    fn decision(&self, id: DecisionId) -> Option<DecisionRow> {
        self.decisions.iter().find(|d| d.row.decision.id == id).cloned()
    }

    /// A decision as it lies here.
    fn kept(&self, id: DecisionId) -> Result<Option<Kept>> {
        let place = self.decisions.iter().position(|d| d.row.decision.id == id);
        let Some((place, found)) = place.map(|place| (place, &self.decisions[place])) else {
            return Ok(None);
        };
        let decision = &found.row.decision;
        let record = serde_json::to_string(decision)
            .map_err(|_| StoreError::Other("a decision cannot be written".to_owned()))?;
        Ok(Some(Kept {
            place: u64::try_from(place).unwrap_or(u64::MAX).saturating_add(1),
            id: id.to_string(),
            reviewer: decision.reviewer.id.0.clone(),
            disposition: decision.disposition.word().to_owned(),
            state: found.row.state.word().to_owned(),
            case_was: found.case_was.word().to_owned(),
            record,
            signature: self.proofs.get(&id).cloned(),
        }))
    }

    /// Puts a changed decision in its place.
    fn replace(&mut self, changed: DecisionRow) {
        let id = changed.row.decision.id;
        if let Some(row) = self.decisions.iter_mut().find(|d| d.row.decision.id == id) {
            *row = changed;
        }
    }

    /// Adds an entry to the audit.
    fn record(&mut self, what: Audited, row: &HistoryRow, at: Millis) -> Result<()> {
        self.record_by(None, what, row, at)
    }

    /// The same for what another than its reviewer did with a decision.
    fn record_by(
        &mut self,
        by: Option<&ReviewerId>,
        what: Audited,
        row: &HistoryRow,
        at: Millis,
    ) -> Result<()> {
        let head = self.audit.last().map(AuditRow::head).unwrap_or_default();
        self.audit.push(AuditRow::next(&head, by, what, row, at)?);
        Ok(())
    }

    /// Has the proposal wait again whose answer was taken back, if it answered one.
    fn propose_again(
        &mut self,
        answer: &DecisionRow,
        by: Option<&ReviewerId>,
        at: Millis,
    ) -> Result<()> {
        let answered = answer.row.decision.answers.and_then(|id| self.decision(id));
        let Some(mut proposal) = answered else { return Ok(()) };
        proposal.propose_again();
        self.record_by(by, Audited::Proposed, &proposal.row, at)?;
        self.replace(proposal);
        Ok(())
    }

    fn insert(&mut self, row: CaseRow) {
        let key = row.case.key.clone();
        self.order.insert((row.place, key.clone()));
        self.cases.insert(key, row);
    }

    /// The cases of a query, in the queue's order.
    fn matching<'a>(&'a self, query: &'a QueueQuery) -> impl Iterator<Item = &'a CaseRow> {
        let rows = self.order.iter().filter_map(|(_, key)| self.cases.get(key));
        rows.filter(|row| query.states.contains(&row.state) && passes(&query.filter, &row.case))
    }

    /// A case as the queue shows it.
    fn shown(&self, row: &CaseRow, now: Millis) -> QueueRow {
        let mut shown = row.clone().shown(self.newest(&row.case.key), now);
        let live = self.watchers.values().filter(|(key, w)| *key == row.case.key && w.until > now);
        shown.watched = live.map(|(_, watcher)| watcher.clone()).collect();
        shown.watched.sort_by(|a, b| (a.until, &a.worker).cmp(&(b.until, &b.worker)));
        shown
    }

    fn last_place(&self) -> Millis {
        let waits = |row: &&CaseRow| {
            matches!(row.state, CaseState::Open | CaseState::Escalated | CaseState::Left)
        };
        self.cases.values().filter(waits).map(|row| row.place).max().unwrap_or(Millis(i64::MIN))
    }

    /// The proposal about a case that waits for a second person.
    fn proposal(&mut self, key: &SessionId) -> Option<&mut DecisionRow> {
        let id = self.newest(key)?.proposal?.id;
        self.decisions.iter_mut().find(|d| d.row.decision.id == id)
    }

    fn claimed(&mut self, delivery: &Delivery) -> Option<&mut DecisionRow> {
        self.decisions
            .iter_mut()
            .find(|d| d.row.decision.id == delivery.decision.id && d.is_claimed_by(delivery))
    }

    /// The reviewer's held decisions.
    fn held(&mut self, reviewer: &ReviewerId) -> impl Iterator<Item = &mut HistoryRow> {
        self.decisions.iter_mut().map(|d| &mut d.row).filter(move |row| {
            row.state == DeliveryState::Held && row.decision.reviewer.id == *reviewer
        })
    }
}

fn passes(filter: &str, case: &Case) -> bool {
    filter.is_empty()
        || case.key.as_str().contains(filter)
        || case.session_number.is_some_and(|number| number.to_string().contains(filter))
}

fn count(rows: impl Iterator) -> u64 {
    rows.fold(0, |n, _| n + 1)
}

#[async_trait]
impl Store for MemoryStore {
    fn describe(&self) -> String {
        "memory:".to_owned()
    }

    async fn salt(&self) -> Result<[u8; 32]> {
        Ok(self.salt)
    }

    async fn keeps(&self) -> Result<()> {
        Ok(())
    }

    async fn origins(&self) -> Result<Vec<Origin>> {
        Ok(self.shelves().keys().cloned().collect())
    }

    async fn rebind(&self, from: &Origin, to: &Origin, now: Millis) -> Result<bool> {
        let at_work = self.workers(now).await?.len();
        if at_work > 0 {
            return Err(StoreError::InUse(u64::try_from(at_work).unwrap_or(u64::MAX)));
        }
        let mut shelves = self.shelves();
        if shelves
            .get(to)
            .is_some_and(|shelf| !shelf.decisions.is_empty() || !shelf.acts.is_empty())
        {
            return Err(StoreError::NotEmpty);
        }
        let Some(shelf) = shelves.remove(from) else { return Ok(false) };
        shelves.insert(to.clone(), shelf);
        Ok(true)
    }

    fn news(&self, _origin: &Origin) -> Box<dyn News> {
        Box::new(InMemory::of(&self.changes))
    }

    async fn close(&self) {}
}
