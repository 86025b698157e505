//! The queue, leases, deliveries and history as every layer sees them: what goes into the store and
//! what comes out of it. No name, link or vendor data has a place here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    Case, CaseState, Decision, DecisionId, DeliveryState, Disposition, Millis, Origin, Receipt,
    Reviewer, ReviewerId, SessionId, Status, Urgency, WorkerId, printable,
};

/// What admitting a case did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admitted {
    /// It is new in the queue (or back in it).
    New,
    /// It was there and something of it changed.
    Updated,
    /// It was there, unchanged.
    Same,
    /// A decision of ours stands; nothing was changed.
    Decided,
}

/// Which part of the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueQuery {
    /// Cases in one of these states.
    pub states: Vec<CaseState>,
    /// Only cases whose number or key contains this; empty for all.
    pub filter: String,
    /// Where it begins. Never a number of rows to pass over: while others decide, such a number leaves rows out.
    pub from: Start,
    /// How many at most.
    pub limit: u32,
}

/// Where a part of the queue begins.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Start {
    /// With the first case.
    #[default]
    Front,
    /// Behind a place: the next page.
    Behind(Place),
    /// Half a page before a case, or before where it stood when the query does not hold it any more; with the
    /// first case when nobody knows it.
    Around(SessionId),
    /// So that it ends with the last case.
    Last,
}

/// A place in the queue: its order is by time, then key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// The creation time at Didit, or when the case was put at the end.
    pub at: Millis,
    /// The key, as it is kept.
    pub key: String,
}

/// A page of the queue.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct QueuePage {
    /// The rows, in the queue's order.
    pub rows: Vec<QueueRow>,
    /// Those of this page that cannot be read; they take their places in it too.
    pub unreadable: Vec<Unreadable>,
    /// How many the query holds in all.
    pub total: u64,
    /// How many of the query come before it; counted where it begins around a case or is the last one, else 0.
    pub before: u64,
    /// Whether that is only about right, because it is far from both ends of a long queue.
    pub about: bool,
    /// The place of its last row, behind which the next page begins; `None` when it has none.
    pub end: Option<Place>,
}

impl QueuePage {
    /// How many places of the query it takes.
    #[must_use]
    pub fn places(&self) -> u64 {
        u64::try_from(self.rows.len() + self.unreadable.len()).unwrap_or(u64::MAX)
    }
}

/// What kind of row of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowKind {
    /// A case.
    Case,
    /// A decision.
    Decision,
    /// A change of the roster.
    Act,
    /// An entry of the audit.
    Entry,
    /// The signature of an entry or of a decision.
    Signature,
    /// The end of the audit.
    Head,
}

impl RowKind {
    /// In words.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Case => "case",
            Self::Decision => "decision",
            Self::Act => "the change of the roster at",
            Self::Entry => "entry",
            Self::Signature => "the signature of",
            Self::Head => "the end of the audit, kept as",
        }
    }
}

/// A row of the store that cannot be read: damaged, bent, or of a later version. It stands for itself in
/// lists, so that one such row hides none of the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// What it is.
    pub kind: RowKind,
    /// Which one, as far as it can be told; printable.
    pub name: String,
    /// Why it cannot be read, in words that hold nothing of it.
    pub why: String,
}

impl Unreadable {
    /// A row that cannot be read.
    #[must_use]
    pub fn new(kind: RowKind, name: &str, why: &str) -> Self {
        Self { kind, name: printable(name, 64), why: why.to_owned() }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, name, .. } = self;
        write!(out, "{} {name} cannot be read: `secondlook audit verify` says more", kind.word())
    }
}

/// A case in the queue.
#[derive(Debug, Clone, PartialEq)]
pub struct QueueRow {
    /// The case.
    pub case: Case,
    /// Where it stands.
    pub state: CaseState,
    /// Who has it now, if a lease is alive.
    pub taken: Option<Taken>,
    /// Who looks at it without having it.
    pub watched: Vec<Taken>,
    /// Its newest decision that was not undone; `None` while the case waits for another reader, who is
    /// to know nothing of what was said before.
    pub decision: Option<(DecisionId, Disposition, DeliveryState)>,
    /// Why it departed.
    pub note: Option<String>,
    /// The proposal that waits for a second person.
    pub proposal: Option<Box<Decision>>,
    /// The settled decision that the next one replaces, after the case was opened again.
    pub replaces: Option<DecisionId>,
}

impl QueueRow {
    /// The other reviewers who are at it: who has it, and who looks on.
    pub fn others<'a>(&'a self, me: &'a ReviewerId) -> impl Iterator<Item = &'a Taken> {
        self.taken.iter().chain(&self.watched).filter(move |taken| taken.reviewer.id != *me)
    }
}

/// Who has a case, or looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Who.
    pub reviewer: Reviewer,
    /// Which console.
    pub worker: WorkerId,
    /// Until when, unless renewed.
    pub until: Millis,
}

/// Who wants a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The reviewer.
    pub reviewer: Reviewer,
    /// The console.
    pub worker: WorkerId,
}

/// A case that belongs to one console for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Where the case comes from.
    pub origin: Origin,
    /// The case.
    pub case: SessionId,
    /// Who holds it.
    pub holder: Holder,
    /// Raised each time the case changes hands; a write under an older fence is refused.
    pub fence: i64,
    /// When it runs out.
    pub until: Millis,
}

/// What asking for a lease brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaseAnswer {
    /// The case is ours.
    Yours(Lease),
    /// Somebody else has it (or another terminal of the same reviewer).
    Taken(Taken),
    /// It is in a state in which nobody decides.
    Closed(CaseState),
    /// It waits for another reader, and this reviewer has read it.
    SecondReader,
    /// It waits for another reader, and this reviewer is nobody that a roster knows.
    NotProven,
    /// There is no such case.
    Unknown,
}

/// Which of Didit's two counters a call falls under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CallVerb {
    /// GET.
    Read,
    /// POST, PATCH, DELETE.
    Write,
}

impl CallVerb {
    /// The word in the store.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

/// Calls that somebody wants to make with a key that others use too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallsAsked {
    /// What kind.
    pub verb: CallVerb,
    /// How many at most.
    pub wanted: u32,
    /// How many all together may make in any minute.
    pub limit: u32,
    /// How long these can wait.
    pub urgency: Urgency,
}

/// What may be called of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallsGranted {
    /// So many, within the next [`Urgency::grant_lasts_ms`].
    Now(u32),
    /// None before so many milliseconds have passed.
    NoneFor(i64),
}

/// What undoing brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undone {
    /// The decision was held or waited for a second person, and is taken back; the case is where it was.
    TakenBack(SessionId),
    /// It is no longer held.
    NotHeld(DeliveryState),
    /// It is another reviewer's.
    NotYours,
    /// There is no such decision.
    Unknown,
}

/// What trying a decision again brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retried {
    /// It is due now: held where nothing of it has left, else unknown, so that Didit is read first.
    Due(DeliveryState),
    /// It is another reviewer's, and nothing of it has left: only theirs to send.
    NotYours,
    /// It is not the last word on its case any more.
    Replaced,
    /// There is nothing to try again: it is here.
    Not(DeliveryState),
    /// There is no such decision.
    Unknown,
}

/// A decision that had to be sent and cannot be read: nothing of it is sent any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    /// The decision.
    pub row: Unreadable,
    /// What became of it.
    pub how: ParkedAs,
}

/// What became of a decision that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParkedAs {
    /// It is refused, and its case is open again.
    Opened,
    /// It is refused; its case stays as it is, for somebody decided anew or the case cannot be read either.
    Ended,
    /// It stays where it is, for this reason.
    Left(String),
}

impl fmt::Display for Parked {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Unreadable { name, why, .. } = &self.row;
        write!(out, "decision {name} cannot be read and is not sent: {why}; ")?;
        match &self.how {
            ParkedAs::Opened => out.write_str("it is refused, its case is open again: decide anew"),
            ParkedAs::Ended => out.write_str("it is refused; `secondlook audit verify` says more"),
            ParkedAs::Left(why) => {
                write!(out, "it stays where it is ({why}); `secondlook audit verify` says more")
            }
        }
    }
}

/// How far a delivery has come. Each step is noted before the next begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// A write may have reached Didit: read back before anything is written again.
    pub may_have_written: bool,
    /// The subject's status was written by this decision and read back.
    pub status_done: bool,
    /// The target is on the blocklist.
    pub listed: bool,
    /// A review note was posted where the status could not be written.
    pub noted: bool,
    /// How often the step in hand was written, as far as anything of it may have reached Didit: counted
    /// before the request leaves. Begins anew when the status stands.
    pub writes: u32,
    /// When Didit first said yes to the step in hand.
    pub answered_at: Option<Millis>,
}

impl Progress {
    /// Whether anything of it may be at Didit: then nobody can take it back, and Didit is read first.
    #[must_use]
    pub fn has_left(self) -> bool {
        let Self { may_have_written, status_done, listed, noted, writes: _, answered_at } = self;
        may_have_written || status_done || listed || noted || answered_at.is_some()
    }
}

/// A decision claimed for delivery.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// Where it comes from.
    pub origin: Origin,
    /// The decision.
    pub decision: Decision,
    /// The state it was in before it was claimed: `held`, `sending` (claim run out) or `unknown`.
    pub was: DeliveryState,
    /// How far it has come.
    pub progress: Progress,
    /// How often it was claimed, this time included.
    pub attempts: u32,
    /// Raised with each claim.
    pub fence: i64,
    /// Who claimed it.
    pub worker: WorkerId,
    /// When the claim runs out.
    pub until: Millis,
}

/// What came of a delivery.
#[derive(Debug, Clone, PartialEq)]
pub enum Settled {
    /// Done and read back. The note says so in words.
    Sent {
        /// What to show.
        note: String,
    },
    /// Refused for good.
    Refused {
        /// Why, in words.
        why: String,
    },
    /// Somebody decided at Didit meanwhile; theirs stays.
    Conflict {
        /// The status found there.
        theirs: Status,
        /// Who and when, in words, as far as Didit says.
        by: String,
    },
    /// Didit cannot take it; the record stays here.
    Local {
        /// Why, in words.
        why: String,
    },
    /// The audit does not stand behind it: it is not sent, and its case is open again.
    Unproven {
        /// Why, in words.
        why: String,
    },
    /// To be tried again.
    Later {
        /// When.
        at: Millis,
        /// Why, in words.
        why: String,
        /// Whether a write may have reached Didit (`unknown`), or certainly has not (`held`, due then).
        may_have_written: bool,
    },
}

/// What was seen of a workflow after a decline of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenWorkflow {
    /// Its id at Didit.
    pub workflow: String,
    /// Whether the subject's face came onto the blocklist by itself.
    pub lists: bool,
    /// When.
    pub at: Millis,
}

/// Which decisions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HistoryQuery {
    /// In one of these states; empty for all.
    pub states: Vec<DeliveryState>,
    /// Of this case only.
    pub case: Option<SessionId>,
    /// This decision only.
    pub decision: Option<DecisionId>,
    /// By one of these reviewers; empty for all.
    pub by: Vec<ReviewerId>,
    /// How many at most; `None` for all.
    pub limit: Option<u32>,
    /// From where on, and in which direction.
    pub along: Along,
}

/// A way through the decisions. Each has a number, in the order of recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Along {
    /// From the newest one back.
    #[default]
    Newest,
    /// From before a number back.
    Before(u64),
    /// From behind a number on: oldest first.
    After(u64),
}

/// Decisions, newest first where nothing else was asked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Past {
    /// Those that can be read.
    pub rows: Vec<HistoryRow>,
    /// Those that cannot.
    pub unreadable: Vec<Unreadable>,
    /// The number of the last one, readable or not, to go on from; `None` when there is none.
    pub end: Option<u64>,
}

/// A decision and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryRow {
    /// The decision.
    pub decision: Decision,
    /// Where it is.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is sent (held) or tried again (unknown).
    pub due: Millis,
    /// The last word on it: why refused, who decided otherwise, what is done.
    pub note: Option<String>,
    /// How far it has come.
    pub progress: Progress,
    /// When it was settled.
    pub settled_at: Option<Millis>,
}

impl HistoryRow {
    /// Whether it is one reader's word that has decided nothing by itself.
    #[must_use]
    pub fn is_reading(&self) -> bool {
        let escalated = self.decision.disposition == Disposition::Escalate;
        match self.state {
            DeliveryState::Local => escalated,
            DeliveryState::Differs => true,
            _ => false,
        }
    }

    /// Whether a blocklisting is half done: the status is written, the face is not on the list. It is
    /// resumed by whoever sends, or, where Didit refuses the face, decided anew; until then it is shown.
    #[must_use]
    pub fn is_half(&self) -> bool {
        let waits = self.state.is_open() || self.state == DeliveryState::Refused;
        self.decision.disposition == Disposition::Blocklist
            && waits
            && self.progress.status_done
            && !self.progress.listed
    }

    /// What it has done already, in words: what nobody can take back by deciding anew.
    #[must_use]
    pub fn happened(&self) -> Vec<String> {
        let Progress { may_have_written, status_done, listed, noted, .. } = self.progress;
        let mut words = Vec::new();
        if let Some(status) = self.decision.disposition.subject_status().filter(|_| status_done) {
            words.push(format!("{} was written, and webhooks may have fired", status.word()));
        } else if may_have_written {
            words.push("something may have been written, and webhooks may have fired".to_owned());
        }
        if let Some(target) = self.decision.target.as_ref().filter(|_| listed) {
            let name = target
                .session_number
                .map_or_else(|| target.session_id.to_string(), |number| format!("#{number}"));
            words.push(format!("the face of {name} is on the blocklist"));
        }
        if noted {
            words.push("a review note was posted".to_owned());
        }
        words
    }

    /// The same with nothing of what was said: every reading looks like every other.
    pub fn veil(&mut self) {
        self.decision.disposition = Disposition::Escalate;
        self.decision.judgements.clear();
        self.decision.reason = None;
        self.decision.comment = None;
        self.decision.target = None;
        self.decision.receipt = Receipt::default();
        self.state = DeliveryState::Local;
        self.note = None;
    }
}

/// Hides from a reviewer what others said of the cases that wait for another reader, until they have said
/// something themselves. The rows are newest first. Returns the decisions of which something may be hidden.
pub fn blind(rows: &mut [HistoryRow], reviewer: &ReviewerId) -> BTreeSet<DecisionId> {
    // Per case, of the round that nothing has ended yet: whether it has readings, and one of theirs.
    let mut over = BTreeSet::new();
    let mut rounds: BTreeMap<SessionId, bool> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.state != DeliveryState::Undone) {
        let case = &row.decision.case;
        if !row.is_reading() {
            over.insert(case.clone());
        } else if !over.contains(case) {
            let own = row.decision.reviewer.id == *reviewer;
            *rounds.entry(case.clone()).or_default() |= own;
        }
    }
    over.clear();
    let mut hidden = BTreeSet::new();
    for row in rows {
        let case = &row.decision.case;
        if row.state != DeliveryState::Undone && !row.is_reading() {
            over.insert(case.clone());
        }
        let own = row.decision.reviewer.id == *reviewer;
        if !own && !over.contains(case) && rounds.get(case) == Some(&false) {
            row.veil();
            hidden.insert(row.decision.id);
        }
    }
    hidden
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Judged, Judgement, Reason, SubjectKind};

    fn row(case: &str, who: &str, disposition: Disposition, state: DeliveryState) -> HistoryRow {
        let decision = Decision {
            id: DecisionId(uuid::Uuid::nil()),
            case: SessionId::parse(case).unwrap(),
            session_number: None,
            kind: SubjectKind::Workflow,
            disposition,
            judgements: vec![Judged {
                place: 0,
                session_id: None,
                judgement: Some(Judgement::Same),
            }],
            reason: Some(Reason::Fraud),
            comment: Some("ears".to_owned()),
            target: None,
            reviewer: Reviewer { id: ReviewerId(who.to_owned()), name: who.to_owned() },
            seen_status: Status::InReview,
            at: Millis(1),
            receipt: Receipt { zooms: 3, ..Receipt::default() },
            replaces: None,
            answers: None,
            evidence: Vec::new(),
            workflow: None,
            signature: None,
        };
        let (due, note) = (Millis(1), Some("a third reader decides".to_owned()));
        let progress = Progress::default();
        HistoryRow { decision, state, attempts: 0, due, note, progress, settled_at: None }
    }

    /// Which of the rows still tell what was said.
    fn told(mut rows: Vec<HistoryRow>, who: &str) -> Vec<bool> {
        blind(&mut rows, &ReviewerId(who.to_owned()));
        rows.iter().map(|row| row.decision.comment.is_some()).collect()
    }

    #[test]
    fn what_others_said_is_hidden_until_one_has_read_the_case_oneself() {
        use DeliveryState::{Differs, Held, Local};
        let rows = || {
            vec![
                row("c", "ben", Disposition::Approve, Differs),
                row("c", "ana", Disposition::Escalate, Local),
                row("d", "ana", Disposition::Reject, Held),
                row("d", "ben", Disposition::Escalate, Local),
            ]
        };
        assert_eq!(told(rows(), "eva"), [false, false, true, true], "the round of d is over");
        assert_eq!(told(rows(), "ben"), [true, true, true, true], "a reader sees all readings");
        let mut veiled = rows();
        blind(&mut veiled, &ReviewerId("eva".to_owned()));
        let mut other = veiled[1].clone();
        other.decision.reviewer = veiled[0].decision.reviewer.clone();
        assert_eq!(veiled[0], other, "two readings look alike but for who and when");
    }

    #[test]
    fn an_older_round_that_is_over_hides_nothing_and_a_new_one_hides_itself() {
        use DeliveryState::{Local, Sent, Undone};
        let rows = vec![
            row("c", "ana", Disposition::Approve, Undone),
            row("c", "ana", Disposition::Escalate, Local),
            row("c", "ben", Disposition::Reject, Sent),
            row("c", "ana", Disposition::Escalate, Local),
        ];
        assert_eq!(told(rows.clone(), "ben"), [false, false, true, true]);
        assert_eq!(told(rows[2..].to_vec(), "eva"), [true, true]);
        assert_eq!(told(rows, "ana"), [true, true, true, true]);
    }
}
