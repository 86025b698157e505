//! The queue, leases, deliveries and history as every layer sees them: what goes into the store and
//! what comes out of it. No name, link or vendor data has a place here.

use serde::{Deserialize, Serialize};

use super::{
    Case, CaseState, Decision, DecisionId, DeliveryState, Disposition, Millis, Origin, Reviewer,
    ReviewerId, SessionId, Status, WorkerId,
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
    /// How many to pass over.
    pub offset: u64,
    /// How many at most.
    pub limit: u32,
}

/// A page of the queue.
#[derive(Debug, Clone, PartialEq)]
pub struct QueuePage {
    /// The rows, in the queue's order.
    pub rows: Vec<QueueRow>,
    /// How many the query holds in all.
    pub total: u64,
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
    /// Its newest decision that was not undone.
    pub decision: Option<(DecisionId, Disposition, DeliveryState)>,
    /// Why it departed, or the note of an escalation.
    pub note: Option<String>,
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
    /// It waits for a second reader, and this reviewer is one of those who escalated it.
    SecondReader,
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
    /// How many all together may make in any minute, as far as these calls are concerned.
    pub most: u32,
}

/// What may be called of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallsGranted {
    /// So many, within the next [`CallsGranted::LASTS_MS`].
    Now(u32),
    /// None before so many milliseconds have passed.
    NoneFor(i64),
}

impl CallsGranted {
    /// How long a grant lasts, in milliseconds.
    pub const LASTS_MS: i64 = 2_000;
}

/// What undoing brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undone {
    /// The decision was held and is taken back; the case is open again.
    TakenBack(SessionId),
    /// It is no longer held.
    NotHeld(DeliveryState),
    /// It is another reviewer's.
    NotYours,
    /// There is no such decision.
    Unknown,
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

/// Which decisions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HistoryQuery {
    /// In one of these states; empty for all.
    pub states: Vec<DeliveryState>,
    /// Of this case only.
    pub case: Option<SessionId>,
    /// This decision only.
    pub decision: Option<DecisionId>,
    /// How many at most; `None` for all.
    pub limit: Option<u32>,
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
