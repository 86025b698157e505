//! The store that forgets: the same verbs over plain collections, for `demo` and as the model that
//! the databases are tested against. Does no I/O; everything is gone when it is dropped.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::watch;

use super::audit::{AuditEntry, Audited};
use super::budget::Window;
use super::evidence::{at_of, enacted_entry};
use super::news::{InMemory, News};
use super::row::{CaseRow, DecisionRow, Newest, may_be_second, may_enter, needs_call};
use super::{
    Admitted, AuditHead, AuditRow, AuditSignature, CallsAsked, CallsGranted, Delivery, Evidence,
    HistoryQuery, HistoryRow, Holder, Kept, Lease, LeaseAnswer, Login, Looked, NewAct, Parked,
    PassedOver, Past, Progress, QueuePage, QueueQuery, QueueRow, Result, Retried, SeenWorkflow,
    Settled, Store, StoreError, Taken, Undone, Unreadable, new_salt,
};
use crate::domain::{
    CallVerb, Case, CaseState, Decision, DecisionId, DeliveryState, Explained, Millis, Origin,
    ReviewerId, SessionId, SubjectKind, Tally, WorkerId,
};
use crate::roster::{Enacted, Roster, Scope};

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
impl Looked for MemoryStore {
    async fn passed_over(
        &self,
        origin: &Origin,
        keys: &[SessionId],
        rule: &str,
        now: Millis,
    ) -> Result<Vec<PassedOver>> {
        Ok(self.on(origin, |shelf| {
            let mut found = Vec::new();
            for key in keys {
                let known = shelf.passed.get_mut(key).filter(|(_, by, _)| by == rule);
                if let Some((passed, _, seen_at)) = known {
                    *seen_at = now;
                    found.push(passed.clone());
                }
            }
            found
        }))
    }

    async fn pass_over(
        &self,
        origin: &Origin,
        passed: &PassedOver,
        rule: &str,
        now: Millis,
    ) -> Result<()> {
        let row = (passed.clone(), rule.to_owned(), now);
        self.on(origin, |shelf| shelf.passed.insert(passed.key.clone(), row));
        Ok(())
    }

    async fn take_up(&self, origin: &Origin, key: &SessionId) -> Result<()> {
        self.on(origin, |shelf| shelf.passed.remove(key));
        Ok(())
    }

    async fn forget_passed(&self, origin: &Origin, before: Millis) -> Result<u64> {
        Ok(self.on(origin, |shelf| {
            let old = shelf.passed.extract_if(.., |_, (_, _, seen_at)| *seen_at < before);
            count(old)
        }))
    }

    async fn explained(&self, origin: &Origin) -> Result<Vec<(Explained, u64)>> {
        Ok(self.on(origin, |shelf| {
            let mut counts = BTreeMap::new();
            for (passed, _, _) in shelf.passed.values() {
                *counts.entry(passed.reason).or_default() += 1;
            }
            counts.into_iter().collect()
        }))
    }

    async fn place_in(&self, origin: &Origin, list: &str) -> Result<Option<String>> {
        Ok(self.on(origin, |shelf| shelf.places.get(list).cloned()))
    }

    async fn keep_place(&self, origin: &Origin, list: &str, record: &str) -> Result<()> {
        self.on(origin, |shelf| shelf.places.insert(list.to_owned(), record.to_owned()));
        Ok(())
    }
}

#[async_trait]
impl Store for MemoryStore {
    fn describe(&self) -> String {
        "memory:".to_owned()
    }

    async fn salt(&self) -> Result<[u8; 32]> {
        Ok(self.salt)
    }

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
        let shelf = shelves.entry(lease.origin.clone()).or_default();
        let mut proposal = shelf.proposal(&lease.case).cloned();
        let row = shelf.cases.get_mut(&lease.case).ok_or(StoreError::LostLease)?;
        if row.state == CaseState::Escalated {
            let roster = Roster::of(&self.scope(&lease.origin), &shelf.acts);
            may_be_second(&roster, decision, proposal.as_ref().map(|p| &p.row.decision))?;
        }
        let mut changed = row.clone();
        let decided = changed.decide(lease, decision, proposal.as_mut(), held_until, now)?;
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
                let answered = row.row.decision.answers.and_then(|id| shelf.decision(id));
                shelf.replace(row);
                if let Some(mut proposal) = answered {
                    proposal.propose_again();
                    shelf.record(Audited::Proposed, &proposal.row, now)?;
                    shelf.replace(proposal);
                }
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

    async fn retry(
        &self,
        origin: &Origin,
        decision: DecisionId,
        by: &ReviewerId,
        now: Millis,
    ) -> Result<Retried> {
        self.on(origin, |shelf| {
            let Some(mut row) = shelf.decision(decision) else { return Ok(Retried::Unknown) };
            let key = &row.row.decision.case;
            let newest = shelf.newest(key);
            let rests = shelf.cases.get(key).is_some_and(|c| c.rests_on(decision, newest.as_ref()));
            let was = row.row.state;
            let retried = row.retry(by, rests, now);
            if matches!(retried, Retried::Due(_)) {
                if was == DeliveryState::Refused {
                    shelf.record_by(Some(by), Audited::Retried, &row.row, now)?;
                }
                shelf.replace(row);
                self.announce(true);
            }
            Ok(retried)
        })
    }

    async fn rewind_held(
        &self,
        origin: &Origin,
        reviewer: &ReviewerId,
        until: Millis,
    ) -> Result<u64> {
        Ok(self.on(origin, |shelf| {
            let early = shelf.held(reviewer).filter(|row| row.due < until);
            count(early.map(|row| row.due = until))
        }))
    }

    async fn send_now(&self, origin: &Origin, reviewer: &ReviewerId, now: Millis) -> Result<u64> {
        Ok(self
            .on(origin, |shelf| count(shelf.held(reviewer).map(|row| row.due = row.due.min(now)))))
    }

    async fn take(
        &self,
        origin: &Origin,
        worker: &WorkerId,
        reviewer: &ReviewerId,
        now: Millis,
        ttl_ms: i64,
    ) -> Result<Option<Delivery>> {
        Ok(self.on(origin, |shelf| {
            let due = |d: &&mut DecisionRow| d.due_for(reviewer).is_some_and(|due| due <= now);
            let first = shelf.decisions.iter_mut().filter(due);
            let first = first.min_by_key(|d| (d.row.due, d.row.decision.id));
            first.map(|row| row.take(origin, worker, now.plus(ttl_ms)))
        }))
    }

    async fn is_ours(&self, delivery: &Delivery, until: Millis) -> Result<bool> {
        Ok(self.on(&delivery.origin, |shelf| {
            let claim = shelf.claimed(delivery).and_then(|row| row.claim.as_ref());
            claim.is_some_and(|claim| claim.until >= until)
        }))
    }

    async fn progress(&self, delivery: &Delivery, progress: &Progress) -> Result<bool> {
        Ok(self.on(&delivery.origin, |shelf| {
            shelf.claimed(delivery).map(|row| row.row.progress = *progress).is_some()
        }))
    }

    async fn settle(&self, delivery: &Delivery, settled: &Settled, now: Millis) -> Result<bool> {
        self.on(&delivery.origin, |shelf| {
            let Some(row) = shelf.claimed(delivery) else { return Ok(false) };
            row.settle(settled, now);
            let row = row.row.clone();
            if let (Settled::Unproven { .. }, Some(case)) =
                (settled, shelf.cases.get_mut(&row.decision.case))
            {
                case.open_after_unproven(&row.decision);
            }
            if !row.state.is_open() {
                shelf.record(Audited::Settled, &row, now)?;
                self.announce(true);
            }
            Ok(true)
        })
    }

    async fn next_due(&self, origin: &Origin, reviewer: &ReviewerId) -> Result<Option<Millis>> {
        Ok(self.on(origin, |shelf| {
            shelf.decisions.iter().filter_map(|row| row.due_for(reviewer)).min()
        }))
    }

    /// What is here is what was put here.
    async fn park_strays(&self, _origin: &Origin, _now: Millis) -> Result<Vec<Parked>> {
        Ok(Vec::new())
    }

    async fn history(&self, origin: &Origin, query: &HistoryQuery) -> Result<Past> {
        let wanted = |row: &&HistoryRow| {
            (query.states.is_empty() || query.states.contains(&row.state))
                && query.case.as_ref().is_none_or(|case| *case == row.decision.case)
                && query.decision.is_none_or(|id| id == row.decision.id)
        };
        let limit = query.limit.map_or(usize::MAX, |limit| limit as usize);
        Ok(self.on(origin, |shelf| {
            let newest_first = shelf.decisions.iter().rev().map(|d| &d.row);
            let rows = newest_first.filter(wanted).take(limit).cloned().collect();
            Past { rows, unreadable: Vec::new() }
        }))
    }

    async fn audit(&self, origin: &Origin, after: u64, limit: u32) -> Result<Vec<AuditRow>> {
        Ok(self.on(origin, |shelf| {
            let rows = shelf.audit.iter().filter(|row| row.seq > after);
            rows.take(limit as usize).cloned().collect()
        }))
    }

    async fn audit_head(&self, origin: &Origin) -> Result<AuditHead> {
        Ok(self.on(origin, |shelf| shelf.audit.last().map(AuditRow::head).unwrap_or_default()))
    }

    async fn saw_workflow(&self, origin: &Origin, seen: &SeenWorkflow) -> Result<()> {
        self.on(origin, |shelf| {
            let lists = shelf.workflows.get(&seen.workflow).is_some_and(|known| known.lists);
            let seen = SeenWorkflow { lists: lists || seen.lists, ..seen.clone() };
            shelf.workflows.insert(seen.workflow.clone(), seen);
        });
        Ok(())
    }

    async fn workflows(&self, origin: &Origin) -> Result<Vec<SeenWorkflow>> {
        Ok(self.on(origin, |shelf| shelf.workflows.values().cloned().collect()))
    }

    async fn sign(&self, origin: &Origin, seq: u64, signature: &str) -> Result<bool> {
        Ok(self.on(origin, |shelf| {
            let signs = shelf.audit.iter().any(|row| row.seq == seq)
                && !shelf.signatures.contains_key(&seq);
            if signs {
                shelf.signatures.insert(seq, signature.to_owned());
            }
            signs
        }))
    }

    async fn signatures(
        &self,
        origin: &Origin,
        after: u64,
        limit: u32,
    ) -> Result<Vec<AuditSignature>> {
        Ok(self.on(origin, |shelf| {
            let found = shelf.signatures.iter().filter(|(seq, _)| **seq > after);
            let signed = |(seq, text): (&u64, &String)| AuditSignature {
                seq: *seq,
                signature: text.clone(),
            };
            found.take(limit as usize).map(signed).collect()
        }))
    }

    async fn login(&self) -> Result<Login> {
        Ok(Login::default())
    }

    async fn acts(&self, origin: &Origin) -> Result<Vec<Enacted>> {
        Ok(self.on(origin, |shelf| shelf.acts.clone()))
    }

    async fn enact(&self, origin: &Origin, act: &NewAct, now: Millis) -> Result<Enacted> {
        let scope = self.scope(origin);
        let enacted = self.on(origin, |shelf| {
            let head = shelf.audit.last().map(AuditRow::head).unwrap_or_default();
            let NewAct { by, act: text, signature } = act.clone();
            let seq = head.seq.saturating_add(1);
            let not_before = shelf.audit.last().map_or(Millis(0), |row| at_of(&row.entry));
            let (owned, entered) = (false, true);
            let enacted =
                Enacted { seq, at: now, not_before, by, act: text, signature, owned, entered };
            let roster = Roster::of(&scope, &shelf.acts);
            let judged = roster.judge(&scope, &enacted)?;
            roster.has_its_own_names(&enacted.act)?;
            shelf.audit.push(enacted_entry(&head, act, judged.word(), now)?);
            shelf.acts.push(enacted.clone());
            Ok::<_, StoreError>(enacted)
        })?;
        self.announce(true);
        Ok(enacted)
    }

    async fn evidence(&self, origin: &Origin, decision: DecisionId) -> Result<Option<Evidence>> {
        let scope = self.scope(origin);
        self.on(origin, |shelf| {
            let Some(kept) = shelf.kept(decision)? else { return Ok(None) };
            let decision = kept.decision().ok();
            let case = decision.as_ref().map_or("", |decision| decision.case.as_str());
            let of = |row: &&AuditRow| {
                row.entry.contains(case)
                    && serde_json::from_str::<AuditEntry>(&row.entry)
                        .is_ok_and(|entry| entry.case == case)
            };
            let entries: Vec<_> = shelf.audit.iter().filter(of).cloned().collect();
            let at = |seq: u64| shelf.audit.iter().find(|row| row.seq + 1 == seq).cloned();
            let before = entries.iter().map(|row| at(row.seq)).collect();
            let answers = decision.as_ref().and_then(|decision| decision.answers);
            let proposal = answers.map_or(Ok(None), |id| shelf.kept(id))?;
            let acts = shelf.acts.clone();
            Ok(Some(Evidence { scope, kept, entries, before, proposal, acts }))
        })
    }

    async fn kept(&self, origin: &Origin, after: u64, limit: u32) -> Result<Vec<Kept>> {
        self.on(origin, |shelf| {
            let ids = shelf.decisions.iter().map(|row| row.row.decision.id);
            let after = usize::try_from(after).unwrap_or(usize::MAX);
            let ids = ids.skip(after).take(limit as usize);
            ids.filter_map(|id| shelf.kept(id).transpose()).collect()
        })
    }

    async fn unreadable(&self, _origin: &Origin) -> Result<Vec<Unreadable>> {
        Ok(Vec::new())
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
                shelf.replace(row);
                self.announce(true);
            }
            Ok(released)
        })
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
        if shelves.get(to).is_some_and(|shelf| !shelf.decisions.is_empty()) {
            return Err(StoreError::NotEmpty);
        }
        let Some(shelf) = shelves.remove(from) else { return Ok(false) };
        shelves.insert(to.clone(), shelf);
        Ok(true)
    }

    async fn take_duty(
        &self,
        origin: &Origin,
        worker: &WorkerId,
        now: Millis,
        ttl_ms: i64,
    ) -> Result<bool> {
        Ok(self.on(origin, |shelf| {
            let free = shelf.duty.as_ref().is_none_or(|(on, until)| on == worker || *until <= now);
            if free {
                shelf.duty = Some((worker.clone(), now.plus(ttl_ms)));
            }
            free
        }))
    }

    async fn leave_duty(&self, origin: &Origin, worker: &WorkerId) -> Result<()> {
        self.on(origin, |shelf| shelf.duty.take_if(|(on, _)| on == worker));
        Ok(())
    }

    async fn grant(
        &self,
        origin: &Origin,
        asked: &CallsAsked,
        now: Millis,
    ) -> Result<CallsGranted> {
        Ok(self.on(origin, |shelf| shelf.budgets.entry(asked.verb).or_default().grant(asked, now)))
    }

    fn news(&self, _origin: &Origin) -> Box<dyn News> {
        Box::new(InMemory::of(&self.changes))
    }

    async fn close(&self) {}
}
