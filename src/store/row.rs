//! The rules of the queue and the outbox, each on one row in memory: who may lease, decide, undo,
//! claim and settle. Every backend loads a row, asks it, and saves it again, so that a rule stands
//! in one place. Knows no SQL, no clock and no other row.

use super::audit::hash_of;
use super::{
    Admitted, Delivery, HistoryRow, Holder, Lease, LeaseAnswer, Progress, QueueRow, Result,
    Retried, Settled, StoreError, Taken, Undone,
};
use crate::domain::{
    Agreement, Case, CaseState, Decision, DecisionId, DeliveryState, Disposition, Millis, Origin,
    Reading, Reviewer, ReviewerId, Status, SubjectKind, WorkerId,
};
use crate::proof;
use crate::roster::{DECISION, Require, Roster, Scope, decision_statement, needs_signature};

/// A case as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct CaseRow {
    /// The case itself.
    pub case: Case,
    /// Where it stands.
    pub state: CaseState,
    /// Its place in the queue: the lowest comes first, then the key decides.
    pub place: Millis,
    /// Why it departed, or the note of an escalation.
    pub note: Option<String>,
    /// When a listing last showed it (or it was taken in).
    pub seen_at: Millis,
    /// Raised each time the case changes hands.
    pub fence: i64,
    /// Who has it, or had it last and did not give it back.
    pub lease: Option<Taken>,
    /// The decision that the next one has to name, after the case was opened again.
    pub must_replace: Option<DecisionId>,
    /// Who has read it since it was last opened, and what they said of it.
    pub readings: Vec<Reading>,
}

/// The newest decision of a case that was not undone.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Newest {
    /// Which.
    pub id: DecisionId,
    /// What it says.
    pub disposition: Disposition,
    /// Where it is.
    pub state: DeliveryState,
    /// When it was settled.
    pub settled_at: Option<Millis>,
    /// The whole of it, where it waits for a second person.
    pub proposal: Option<Box<Decision>>,
}

impl CaseRow {
    /// A case that was not there before. Older ones come first.
    pub fn new(case: &Case, state: CaseState, now: Millis) -> Self {
        Self {
            place: case.created_at.unwrap_or(now),
            case: case.clone(),
            state,
            note: None,
            seen_at: now,
            fence: 0,
            lease: None,
            must_replace: None,
            readings: Vec::new(),
        }
    }

    /// Takes in what a decision call said about a case that is there already.
    pub fn admit(
        &mut self,
        newest: Option<Newest>,
        case: &Case,
        state: CaseState,
        read_at: Millis,
        now: Millis,
    ) -> Admitted {
        match self.state {
            CaseState::Decided if !is_back(newest, case, read_at) => Admitted::Decided,
            CaseState::Decided | CaseState::Departed => {
                // Who read a case that left undecided has read it still.
                if self.state == CaseState::Decided {
                    self.readings.clear();
                }
                self.case = case.clone();
                self.state = self.waits_as(state);
                self.note = None;
                self.seen_at = now;
                Admitted::New
            }
            CaseState::Open | CaseState::Escalated | CaseState::Left => {
                let state = self.state_after(state, now);
                if self.state == state && self.case == *case {
                    return Admitted::Same;
                }
                self.case = case.clone();
                self.state = state;
                Admitted::Updated
            }
        }
    }

    /// An escalated case stays escalated, and a case on somebody's screen stays in the queue until
    /// they let go of it.
    fn state_after(&self, wanted: CaseState, now: Millis) -> CaseState {
        match self.state {
            CaseState::Open if self.taken(now).is_some() => CaseState::Open,
            CaseState::Escalated => CaseState::Escalated,
            _ => wanted,
        }
    }

    /// Takes it out of the queue; false when it is not in it.
    pub fn depart(&mut self, why: &str) -> bool {
        let waits = matches!(self.state, CaseState::Open | CaseState::Escalated | CaseState::Left);
        if waits {
            self.state = CaseState::Departed;
            self.note = Some(why.to_owned());
            self.lease = None;
        }
        waits
    }

    /// Who has it now.
    pub fn taken(&self, now: Millis) -> Option<&Taken> {
        self.lease.as_ref().filter(|lease| lease.until > now)
    }

    /// Leases it, or says who has it.
    pub fn lease(
        &mut self,
        origin: &Origin,
        holder: &Holder,
        now: Millis,
        ttl_ms: i64,
    ) -> LeaseAnswer {
        if !self.is_decidable() {
            return LeaseAnswer::Closed(self.state);
        }
        if self.needs_another(&holder.reviewer.id) {
            return LeaseAnswer::SecondReader;
        }
        if self.needs_a_person(&holder.reviewer.id) {
            return LeaseAnswer::NotProven;
        }
        let is_ours = self.lease.as_ref().is_some_and(|lease| lease.worker == holder.worker);
        if let Some(taken) = self.taken(now).filter(|_| !is_ours) {
            return LeaseAnswer::Taken(taken.clone());
        }
        if !is_ours {
            self.fence = self.fence.saturating_add(1);
        }
        let until = now.plus(ttl_ms);
        let Holder { reviewer, worker } = holder.clone();
        self.lease = Some(Taken { reviewer, worker, until });
        LeaseAnswer::Yours(Lease {
            origin: origin.clone(),
            case: self.case.key.clone(),
            holder: holder.clone(),
            fence: self.fence,
            until,
        })
    }

    /// Renews a lease; `None` when it is not that holder's any more.
    pub fn renew(&mut self, lease: &Lease, now: Millis, ttl_ms: i64) -> Option<Lease> {
        if !self.is_leased_by(lease) {
            return None;
        }
        let until = now.plus(ttl_ms);
        self.lease.as_mut()?.until = until;
        Some(Lease { until, ..lease.clone() })
    }

    /// Gives a lease back; false when it is not that holder's any more.
    pub fn release(&mut self, lease: &Lease) -> bool {
        let ours = self.is_leased_by(lease);
        if ours {
            self.lease = None;
        }
        ours
    }

    /// Puts it behind `last`, the last place taken so far, and gives the lease back.
    pub fn skip(&mut self, lease: &Lease, last: Millis, now: Millis) -> Result<()> {
        if !self.release(lease) {
            return Err(StoreError::LostLease);
        }
        self.place = now.max(last.plus(1));
        Ok(())
    }

    /// Decides it: changes the case, ends the proposal that waits for a second person, if one does, and
    /// returns the row of the outbox.
    pub fn decide(
        &mut self,
        lease: &Lease,
        decision: &Decision,
        proposal: Option<&mut DecisionRow>,
        held_until: Millis,
        now: Millis,
    ) -> Result<DecisionRow> {
        if self.state == CaseState::Decided {
            return Err(StoreError::Conflict);
        }
        if !self.is_leased_by(lease) {
            return Err(StoreError::LostLease);
        }
        // A screen that does not know that the case was opened again decides nothing.
        if self.must_replace.is_some() && self.must_replace != decision.replaces {
            return Err(StoreError::Conflict);
        }
        is_sound(lease, decision)?;
        if self.needs_another(&decision.reviewer.id) {
            return Err(StoreError::SecondReader);
        }
        let proposes = decision.is_proposal() && decision.reviewer.id.person().is_none();
        if proposes || self.needs_a_person(&decision.reviewer.id) {
            return Err(StoreError::NotProven);
        }
        let waits = proposal.as_ref().map(|p| &p.row.decision);
        answers(decision, waits)?;
        let state = outcome(&self.readings, decision);
        let row = DecisionRow::new(decision, state, self.state, held_until, now);
        if let Some(proposal) = proposal {
            proposal.answer(decision, now);
        }
        self.lease = None;
        self.must_replace = None;
        let waits = row.row.is_reading() || state == DeliveryState::Proposed;
        self.state = if waits { CaseState::Escalated } else { CaseState::Decided };
        if waits {
            let said = decision.judgements.clone();
            self.readings.push(Reading { by: decision.reviewer.id.clone(), said });
        }
        Ok(row)
    }

    /// Puts it back where it was before an undone decision.
    pub fn put_back(&mut self, undone: &DecisionRow) {
        let decision = &undone.row.decision;
        self.state = undone.case_was;
        self.must_replace = decision.replaces;
        self.readings.retain(|reading| reading.by != decision.reviewer.id);
    }

    /// Whether an escalation or a proposal may still be taken back: it is the newest word on the case, and
    /// nobody looks at it.
    pub fn lets_go(&self, decision: DecisionId, newest: Option<&Newest>, now: Millis) -> bool {
        self.state == CaseState::Escalated
            && newest.is_some_and(|newest| newest.id == decision)
            && self.taken(now).is_none()
    }

    /// Opens it after a decision that the audit does not stand behind, as if that had never been.
    pub fn open_after_unproven(&mut self, decision: &Decision) {
        if self.open_anew() {
            self.must_replace = decision.replaces;
        }
    }

    /// Opens a decided case whose decision counts for nothing; false when it is not decided.
    pub fn open_anew(&mut self) -> bool {
        let decided = self.state == CaseState::Decided;
        if decided {
            self.state = self.waits_as(CaseState::Open);
            self.must_replace = None;
            self.lease = None;
        }
        decided
    }

    /// How it waits: for another reader where it was read.
    fn waits_as(&self, state: CaseState) -> CaseState {
        if self.readings.is_empty() { state } else { CaseState::Escalated }
    }

    /// Opens it again, so that the decision can be replaced; false when there is nothing to open.
    pub fn reopen(&mut self, decision: DecisionId, newest: Option<Newest>, now: Millis) -> bool {
        let settled = newest.is_some_and(|n| n.id == decision && n.state.is_settled());
        let opens = settled && self.state == CaseState::Decided && self.taken(now).is_none();
        if opens {
            self.state = CaseState::Open;
            self.note = None;
            self.readings.clear();
            self.lease = None;
            self.must_replace = Some(decision);
        }
        opens
    }

    /// Whether a decision is the last word on it: nobody decided anew, and nobody is about to.
    pub fn rests_on(&self, decision: DecisionId, newest: Option<&Newest>) -> bool {
        self.state == CaseState::Decided && newest.is_some_and(|newest| newest.id == decision)
    }

    /// As the queue shows it: what was said of a case that waits for another reader is not told.
    pub fn shown(self, newest: Option<Newest>, now: Millis) -> QueueRow {
        let proposal = newest.as_ref().and_then(|n| n.proposal.clone());
        let told = self.state != CaseState::Escalated || proposal.is_some();
        QueueRow {
            taken: self.taken(now).cloned(),
            watched: Vec::new(),
            case: self.case,
            state: self.state,
            decision: newest.filter(|_| told).map(|n| (n.id, n.disposition, n.state)),
            note: self.note,
            proposal,
            replaces: self.must_replace,
        }
    }

    /// Whether it waits for another reader than this one, who has read it.
    fn needs_another(&self, reviewer: &ReviewerId) -> bool {
        self.state == CaseState::Escalated && self.readings.iter().any(|r| r.by == *reviewer)
    }

    /// Whether it waits for another reader, which this one cannot be: only people of the roster count as two.
    fn needs_a_person(&self, reviewer: &ReviewerId) -> bool {
        self.state == CaseState::Escalated && reviewer.person().is_none()
    }

    /// Cases with strong candidates only are not queued, and decided by whoever takes one.
    fn is_decidable(&self) -> bool {
        matches!(self.state, CaseState::Open | CaseState::Escalated | CaseState::Left)
    }

    /// A lease that has run out is still its holder's until somebody else takes the case.
    fn is_leased_by(&self, lease: &Lease) -> bool {
        let same_worker = self.lease.as_ref().is_some_and(|l| l.worker == lease.holder.worker);
        self.is_decidable() && same_worker && self.fence == lease.fence
    }
}

/// Whether a decided case is in review again, as far as an answer read at `read_at` can tell.
fn is_back(newest: Option<Newest>, case: &Case, read_at: Millis) -> bool {
    let in_review = case.kind == SubjectKind::Workflow && case.status == Status::InReview;
    in_review
        && newest.is_some_and(|n| {
            n.state == DeliveryState::Sent && n.settled_at.is_some_and(|at| at < read_at)
        })
}

/// Whether a listed session is worth a decision call although it is known: it departed, or it is a
/// workflow case whose decision was settled before the listing and yet it is in review again.
pub(super) fn needs_call(
    state: CaseState,
    kind: SubjectKind,
    settled_at: Option<Millis>,
    listed_at: Millis,
) -> bool {
    match state {
        CaseState::Departed => true,
        CaseState::Decided => {
            kind == SubjectKind::Workflow && settled_at.is_some_and(|at| at < listed_at)
        }
        CaseState::Open | CaseState::Escalated | CaseState::Left => false,
    }
}

/// Refuses a decision that cannot be meant: about another case, by another person, or a skip.
fn is_sound(lease: &Lease, decision: &Decision) -> Result<()> {
    let wrong = if decision.case != lease.case {
        "the decision is about another case"
    } else if decision.reviewer.id != lease.holder.reviewer.id {
        "the decision is another reviewer's"
    } else if decision.disposition == Disposition::Skip {
        "a skip is not a decision"
    } else {
        return Ok(());
    };
    Err(StoreError::Other(wrong.to_owned()))
}

/// Refuses a decision that passes a proposal by, or answers one that does not wait, and every yes that is
/// not a second person's to exactly what was proposed.
fn answers(decision: &Decision, proposal: Option<&Decision>) -> Result<()> {
    if decision.answers != proposal.map(|proposal| proposal.id) {
        return Err(StoreError::Conflict);
    }
    let Some(proposal) = proposal else { return Ok(()) };
    if decision.disposition == Disposition::Blocklist && !decision.confirms(proposal) {
        return Err(StoreError::Other("another face was proposed for the blocklist".to_owned()));
    }
    // One person's word without a picture is a proposal, and one waits already.
    if decision.is_without_picture() && !decision.confirms(proposal) {
        return Err(StoreError::Other(
            "something else was proposed about this case, and that waits for an answer".to_owned(),
        ));
    }
    Ok(())
}

/// Refuses what would be recorded and never sent: where there should be a roster, in the name of somebody who is
/// not on it or of another who is, and without the signature that it needs. `case_was` is where the case stands.
pub(super) fn may_decide(
    (scope, roster): (&Scope, &Roster),
    decision: &Decision,
    case_was: CaseState,
    now: Millis,
) -> Result<()> {
    if let Some(missing) = roster.is_missing() {
        return Err(StoreError::NoRoster(missing));
    }
    let Reviewer { id, name } = &decision.reviewer;
    if !roster.is_begun() {
        return Ok(());
    }
    let another = roster.of_name(name).filter(|person| person.id.reviewer() != *id);
    if let Some(person) = another {
        return Err(StoreError::NotThem(format!("{name} is the name of {}", person.id)));
    }
    if id.person().is_some() && roster.named(id).is_none() {
        return Err(StoreError::NotThem(format!("{id} is on the roster no more")));
    }
    // That only people are one of two is said elsewhere.
    let every = roster.require() == Require::EveryDecision;
    if !needs_signature(roster, decision, case_was) || (id.person().is_none() && !every) {
        return Ok(());
    }
    let record = serde_json::to_string(decision)
        .map_err(|_| StoreError::Other("a decision cannot be written".to_owned()))?;
    let text = decision_statement(scope, decision, &hash_of(&record));
    let signer = decision
        .signature
        .as_ref()
        .and_then(|signature| proof::verify(text.as_bytes(), signature, DECISION).ok());
    match signer
        .and_then(|signer| roster.person_of(&signer, now).map(|person| person.id.reviewer()))
    {
        Some(signed) if signed == *id => Ok(()),
        _ => Err(StoreError::NotThem(format!("it has to be signed, and no key of {id} signed it"))),
    }
}

/// Refuses the word on a case that waits for another person by somebody who is nobody's second: whoever it is
/// that proposed, where it is a yes to a proposal.
pub(super) fn may_be_second(
    roster: &Roster,
    decision: &Decision,
    proposal: Option<&Decision>,
) -> Result<()> {
    let who = &decision.reviewer.id;
    let why = match proposal.filter(|proposal| decision.confirms(proposal)) {
        Some(proposal) => roster.may_not_confirm(who, &proposal.reviewer.id),
        None if roster.named(who).is_some() => roster.is_nobodys_second(who),
        None => None,
    };
    match why {
        Some(why) => Err(StoreError::NotSecond(why)),
        None => Ok(()),
    }
}

/// Refuses to take a case in as anything but open or left.
pub(super) fn may_enter(state: CaseState) -> Result<()> {
    match state {
        CaseState::Open | CaseState::Left => Ok(()),
        CaseState::Escalated | CaseState::Decided | CaseState::Departed => {
            Err(StoreError::Other("a case is taken in as open or left".to_owned()))
        }
    }
}

/// Who delivers a decision at the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claim {
    /// Which console.
    pub worker: WorkerId,
    /// Until when.
    pub until: Millis,
}

/// A decision and its place in the outbox, as they are kept.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct DecisionRow {
    /// What everybody may see of it.
    pub row: HistoryRow,
    /// Where its case stood before: undoing puts it back there.
    pub case_was: CaseState,
    /// Raised with each claim.
    pub fence: i64,
    /// Who delivers it.
    pub claim: Option<Claim>,
}

/// What a decision is at first, after these readings of its case. One reader's word against another's decides
/// nothing: it takes effect once no more readers of this round say the contrary than say the same.
pub fn outcome(readings: &[Reading], decision: &Decision) -> DeliveryState {
    // A reading by nobody that the roster knows may be this very reviewer's.
    let people = || readings.iter().filter(|reading| reading.by.person().is_some());
    let count = |wanted| people().filter(|r| r.compare(decision) == wanted).count();
    if decision.is_proposal() {
        DeliveryState::Proposed
    } else if decision.disposition == Disposition::Escalate {
        DeliveryState::Local
    } else if count(Agreement::Contrary) > count(Agreement::Alike) {
        DeliveryState::Differs
    } else if decision.kind == SubjectKind::Unreachable {
        DeliveryState::Local
    } else {
        DeliveryState::Held
    }
}

impl DecisionRow {
    fn new(
        decision: &Decision,
        state: DeliveryState,
        case_was: CaseState,
        held_until: Millis,
        now: Millis,
    ) -> Self {
        let due = if state == DeliveryState::Held { held_until } else { now };
        let settled_at = state.is_settled().then_some(now);
        let row = HistoryRow {
            decision: decision.clone(),
            state,
            attempts: 0,
            due,
            note: None,
            progress: Progress::default(),
            settled_at,
        };
        Self { row, case_was, fence: 0, claim: None }
    }

    /// As [`Newest`] of its case; `None` when it was undone.
    pub fn newest(&self) -> Option<Newest> {
        let HistoryRow { decision, state, settled_at, .. } = &self.row;
        let proposed = *state == DeliveryState::Proposed;
        (*state != DeliveryState::Undone).then(|| Newest {
            id: decision.id,
            disposition: decision.disposition,
            state: *state,
            settled_at: *settled_at,
            proposal: proposed.then(|| Box::new(decision.clone())),
        })
    }

    /// Ends a proposal with a second person's answer.
    fn answer(&mut self, decision: &Decision, now: Millis) {
        let name = &decision.reviewer.name;
        let note = if decision.confirms(&self.row.decision) {
            format!("confirmed by {name}")
        } else {
            format!("declined by {name}, who decided {}", decision.disposition.word())
        };
        self.end_proposal(note, now);
    }

    /// Ends a proposal that rests on what is no longer so; false when it does not wait any more.
    pub fn void(&mut self, why: &str, now: Millis) -> bool {
        let waits = self.row.state == DeliveryState::Proposed;
        if waits {
            self.end_proposal(format!("void: {why}"), now);
        }
        waits
    }

    fn end_proposal(&mut self, note: String, now: Millis) {
        self.row.state = DeliveryState::Local;
        self.row.note = Some(note);
        self.row.settled_at = Some(now);
    }

    /// A proposal waits again: its answer was taken back.
    pub fn propose_again(&mut self) {
        self.row.state = DeliveryState::Proposed;
        self.row.note = None;
        self.row.settled_at = None;
    }

    /// Takes it back: what is held, and what still waits for another person (`waits`).
    pub fn undo(&mut self, reviewer: &ReviewerId, waits: bool, now: Millis) -> Undone {
        if self.row.decision.reviewer.id != *reviewer {
            return Undone::NotYours;
        }
        let escalation = self.row.decision.disposition == Disposition::Escalate;
        let takes_back = match self.row.state {
            DeliveryState::Held => true,
            DeliveryState::Proposed => waits,
            DeliveryState::Local => waits && escalation,
            _ => false,
        };
        if !takes_back {
            return Undone::NotHeld(self.row.state);
        }
        self.row.state = DeliveryState::Undone;
        self.row.settled_at = Some(now);
        Undone::TakenBack(self.row.decision.case.clone())
    }

    /// Takes it back for somebody who does not come back to it: what is held, and nothing of which has left.
    pub fn release(&mut self, by: &ReviewerId, now: Millis) -> Undone {
        let held = self.row.state == DeliveryState::Held && !self.row.progress.has_left();
        if !held {
            return Undone::NotHeld(self.row.state);
        }
        self.row.state = DeliveryState::Undone;
        self.row.note = Some(format!("released by {by}"));
        self.row.settled_at = Some(now);
        Undone::TakenBack(self.row.decision.case.clone())
    }

    /// Makes it due now: what was refused, while it is the last word on its case (`rests`), and what was put
    /// off. What is held again can be undone again, and is its reviewer's alone as before.
    pub fn retry(&mut self, by: &ReviewerId, rests: bool, now: Millis) -> Retried {
        let state = match self.row.state {
            DeliveryState::Unknown => DeliveryState::Unknown,
            DeliveryState::Refused if !rests => return Retried::Replaced,
            DeliveryState::Refused => self.unsent(false),
            other => return Retried::Not(other),
        };
        if state == DeliveryState::Held && self.row.decision.reviewer.id != *by {
            return Retried::NotYours;
        }
        self.row.state = state;
        self.row.due = self.row.due.min(now);
        self.row.settled_at = None;
        Retried::Due(state)
    }

    /// When this reviewer's worker may claim it; `None` when it never may.
    pub fn due_for(&self, reviewer: &ReviewerId) -> Option<Millis> {
        match self.row.state {
            DeliveryState::Held => {
                (self.row.decision.reviewer.id == *reviewer).then_some(self.row.due)
            }
            DeliveryState::Sending | DeliveryState::Unknown => {
                let free = self.claim.as_ref().map_or(self.row.due, |claim| claim.until);
                Some(self.row.due.max(free))
            }
            _ => None,
        }
    }

    /// Claims it.
    pub fn take(&mut self, origin: &Origin, worker: &WorkerId, until: Millis) -> Delivery {
        let was = self.row.state;
        self.row.state = DeliveryState::Sending;
        self.row.attempts = self.row.attempts.saturating_add(1);
        self.fence = self.fence.saturating_add(1);
        self.claim = Some(Claim { worker: worker.clone(), until });
        Delivery {
            origin: origin.clone(),
            decision: self.row.decision.clone(),
            was,
            progress: self.row.progress,
            attempts: self.row.attempts,
            fence: self.fence,
            worker: worker.clone(),
            until,
        }
    }

    /// Whether a claim is still the one that holds.
    pub fn is_claimed_by(&self, delivery: &Delivery) -> bool {
        let same_worker = self.claim.as_ref().is_some_and(|c| c.worker == delivery.worker);
        self.row.state == DeliveryState::Sending && same_worker && self.fence == delivery.fence
    }

    /// Ends the claim of a dead worker: whoever comes next reads back first.
    pub fn bury(&mut self) {
        self.row.state = DeliveryState::Unknown;
        self.claim = None;
    }

    /// Ends the claim with what came of it.
    pub fn settle(&mut self, settled: &Settled, now: Millis) {
        let (state, note) = match settled {
            Settled::Sent { note } => (DeliveryState::Sent, note.clone()),
            Settled::Refused { why } => (DeliveryState::Refused, why.clone()),
            Settled::Conflict { theirs, by } => {
                (DeliveryState::Conflict, format!("{}, {by}", theirs.word()))
            }
            Settled::Local { why } => (DeliveryState::Local, why.clone()),
            Settled::Unproven { why } => (DeliveryState::Refused, format!("not sent: {why}")),
            Settled::Later { at, why, may_have_written } => {
                self.row.due = *at;
                self.row.progress.may_have_written = *may_have_written;
                (self.unsent(*may_have_written), why.clone())
            }
        };
        self.row.state = state;
        self.row.note = Some(note);
        self.row.settled_at = (!state.is_open()).then_some(now);
        self.claim = None;
    }

    /// What is done in part at Didit never becomes held again, because held can be undone.
    fn unsent(&self, may_have_written: bool) -> DeliveryState {
        if (Progress { may_have_written, ..self.row.progress }).has_left() {
            DeliveryState::Unknown
        } else {
            DeliveryState::Held
        }
    }
}
