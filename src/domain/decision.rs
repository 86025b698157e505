//! A decision: what a reviewer judged, what is to happen at Didit, and what they saw.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    Candidate, DecisionId, Details, Millis, ReviewerId, SessionId, Status, SubjectKind, text,
};

/// A reviewer's word on one pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Judgement {
    /// Two people.
    Different,
    /// One person.
    Same,
    /// Cannot be told.
    Unsure,
}

impl Judgement {
    /// The word used on screens and in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Different => "different",
            Self::Same => "same",
            Self::Unsure => "unsure",
        }
    }
}

/// The judgement of one must-judge candidate; `None` where it was left unjudged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// Place in [`super::Case::candidates`], 0-based.
    pub place: usize,
    /// The candidate's session, where it has one.
    pub session_id: Option<SessionId>,
    /// The word, or none.
    pub judgement: Option<Judgement>,
}

impl Judged {
    /// Whether both are about one pair: candidates are known by their session, else by their place.
    fn is_of_the_pair(&self, other: &Self) -> bool {
        match (&self.session_id, &other.session_id) {
            (Some(one), Some(two)) => one == two,
            (None, None) => self.place == other.place,
            _ => false,
        }
    }
}

/// What one reader said of a case that goes to another: kept to compare, never shown before the other has
/// said something too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "KeptReading")]
pub struct Reading {
    /// Who: two readers are two people.
    pub by: ReviewerId,
    /// The word on each pair.
    pub said: Vec<Judged>,
}

/// How readings are kept: the first version kept nothing but who.
#[derive(Deserialize)]
#[serde(untagged)]
enum KeptReading {
    Who(ReviewerId),
    Whole { by: ReviewerId, said: Vec<Judged> },
}

impl From<KeptReading> for Reading {
    fn from(kept: KeptReading) -> Self {
        match kept {
            KeptReading::Who(by) => Self { by, said: Vec::new() },
            KeptReading::Whole { by, said } => Self { by, said },
        }
    }
}

/// How two readings of a case stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Agreement {
    /// On some pair one says `same` where the other says `different`.
    Contrary,
    /// On some pair both say the same word, and on none the contrary.
    Alike,
    /// Neither: `unsure` and what was left unjudged contradict nothing and support nothing.
    Apart,
}

impl Reading {
    /// How the decision stands to this reading. One that declines without a word on any pair (a
    /// script's) means that some pair is the same: contrary where all were called different.
    #[must_use]
    pub fn compare(&self, decision: &Decision) -> Agreement {
        let declines = decision.disposition.subject_status() == Some(Status::Declined);
        let silent = decision.judgements.iter().all(|judged| judged.judgement.is_none());
        if declines && silent {
            let said = |word| self.said.iter().any(|judged| judged.judgement == Some(word));
            let all = !self.said.is_empty()
                && self.said.iter().all(|j| j.judgement == Some(Judgement::Different));
            return match (all, said(Judgement::Same)) {
                (true, _) => Agreement::Contrary,
                (false, true) => Agreement::Alike,
                (false, false) => Agreement::Apart,
            };
        }
        let mut agreement = Agreement::Apart;
        for mine in &self.said {
            let theirs = decision.judgements.iter().find(|judged| mine.is_of_the_pair(judged));
            match (mine.judgement, theirs.and_then(|judged| judged.judgement)) {
                (Some(Judgement::Same), Some(Judgement::Different))
                | (Some(Judgement::Different), Some(Judgement::Same)) => {
                    return Agreement::Contrary;
                }
                (Some(a), Some(b)) if a == b && a != Judgement::Unsure => {
                    agreement = Agreement::Alike;
                }
                _ => {}
            }
        }
        agreement
    }
}

/// What happens to a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Disposition {
    /// The subject's status becomes `Approved`.
    Approve,
    /// The subject's status becomes `Declined`.
    Reject,
    /// `Declined`, then the target's face goes on the blocklist.
    Blocklist,
    /// To the second reviewer's queue; nothing at Didit.
    Escalate,
    /// Back to the end of the queue; nothing at Didit.
    Skip,
}

impl Disposition {
    /// All dispositions, in the order of their keys.
    pub const ALL: [Self; 5] =
        [Self::Approve, Self::Reject, Self::Blocklist, Self::Escalate, Self::Skip];

    /// The word used on screens, in JSON and in the store.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Blocklist => "blocklist",
            Self::Escalate => "escalate",
            Self::Skip => "skip",
        }
    }

    /// Reads [`Disposition::word`] back.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|d| d.word() == word)
    }

    /// The status that is written to the subject, if any.
    #[must_use]
    pub fn subject_status(self) -> Option<Status> {
        match self {
            Self::Approve => Some(Status::Approved),
            Self::Reject | Self::Blocklist => Some(Status::Declined),
            Self::Escalate | Self::Skip => None,
        }
    }
}

/// Why, in one word. A small closed set, so that figures can be drawn from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The faces are of two people.
    DifferentPeople,
    /// The faces are of one person.
    SamePerson,
    /// Relatives or twins.
    Relatives,
    /// The same person, and allowed to have both.
    KnownCustomer,
    /// A stolen, borrowed or made-up identity.
    Fraud,
    /// The pictures do not show enough.
    PoorPicture,
    /// There is no picture at all of a face that has to be judged: two people decide then.
    NoPicture,
    /// None of these.
    Other,
}

impl Reason {
    /// All reasons, each with the letter that picks it.
    pub const ALL: [(char, Self); 8] = [
        ('d', Self::DifferentPeople),
        ('s', Self::SamePerson),
        ('r', Self::Relatives),
        ('k', Self::KnownCustomer),
        ('f', Self::Fraud),
        ('p', Self::PoorPicture),
        ('n', Self::NoPicture),
        ('o', Self::Other),
    ];

    /// The word used on screens, in JSON, in the store and in the comment at Didit.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::DifferentPeople => "different_people",
            Self::SamePerson => "same_person",
            Self::Relatives => "relatives",
            Self::KnownCustomer => "known_customer",
            Self::Fraud => "fraud",
            Self::PoorPicture => "poor_picture",
            Self::NoPicture => "no_picture",
            Self::Other => "other",
        }
    }

    /// Reads [`Reason::word`] back.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().map(|(_, r)| r).find(|r| r.word() == word)
    }
}

/// Who decides: an identity, and a name as a label on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reviewer {
    /// The identity that two-person rules compare.
    pub id: ReviewerId,
    /// The name that people read, printable, without blanks.
    pub name: String,
}

/// The session whose face goes on the blocklist, named by the reviewer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The session.
    pub session_id: SessionId,
    /// The number that was typed.
    pub session_number: Option<u64>,
    /// Whether the target is the subject of the case (else a candidate).
    pub is_subject: bool,
    /// Whether it was an approved customer: then a second person has to confirm.
    #[serde(default, skip_serializing_if = "is_false")]
    pub approved: bool,
}

/// What older records do not hold is not written either: their hashes stay what they were.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands in a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// One picture as the reviewer saw it. No pixels.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenPicture {
    /// SHA-256 of the image file's bytes, hex.
    pub sha256: String,
    /// Cells it covered: columns, rows.
    pub cells: (u16, u16),
    /// How much of it the terminal was sent (`preview`, `review`, `fine`, `lossless`), where there are
    /// degrees of it; the best that was painted before the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// Whether it was the portrait in Didit's record of the user, and not the picture that matched.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub portrait: bool,
}

/// What the reviewer saw: evidence that a person looked, and at what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Which pictures were on the screen when the key was pressed: the subject, then the candidate.
    pub pictures: Vec<SeenPicture>,
    /// How they were drawn: `kitty`, `iterm2`, `sixel`, `blocks`, or `script` for a decision made
    /// without a screen.
    pub protocol: String,
    /// Pixels between the eyes as displayed, subject then candidate, where known.
    pub eye_pixels: Vec<u16>,
    /// How often the zoom was changed.
    pub zooms: u16,
    /// How often the pictures were flipped.
    pub flips: u16,
    /// Whether the score was hidden.
    pub score_hidden: bool,
    /// Milliseconds from both pictures painted to the key.
    pub dwell_ms: i64,
}

/// The durable record of what one reviewer decided about one case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Its id, also written into Didit's comment, which is how a lost answer is found again.
    pub id: DecisionId,
    /// The case, by the subject's session id.
    pub case: SessionId,
    /// The subject's number.
    pub session_number: Option<u64>,
    /// What the subject is.
    pub kind: SubjectKind,
    /// What is to happen.
    pub disposition: Disposition,
    /// The word on each must-judge candidate.
    pub judgements: Vec<Judged>,
    /// Why, in a word.
    pub reason: Option<Reason>,
    /// Why, in a sentence. Never holds a name that was on the screen.
    pub comment: Option<String>,
    /// Whose face is listed; present exactly when the disposition is blocklist.
    pub target: Option<Target>,
    /// Who decided.
    pub reviewer: Reviewer,
    /// The subject's status that was on the screen. Another one at Didit is a conflict.
    pub seen_status: Status,
    /// When the key was pressed.
    pub at: Millis,
    /// What they saw.
    pub receipt: Receipt,
    /// The sent decision that this one replaces, when a case was opened again.
    pub replaces: Option<DecisionId>,
    /// The id of the subject's workflow: what its declines do by themselves is remembered by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// The proposal that this one confirms or declines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<DecisionId>,
    /// What a proposal rests on: the candidates as they were on the screen. Empty in all others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Candidate>,
    /// The reviewer's signature, on its way into the store, where it stands beside the record: it signs it.
    #[serde(skip)]
    pub signature: Option<String>,
}

impl Decision {
    /// Whether it changes a status without a picture of a face that had to be judged: two people do that.
    #[must_use]
    pub fn is_without_picture(&self) -> bool {
        self.reason == Some(Reason::NoPicture) && self.disposition.subject_status().is_some()
    }

    /// Whether it only proposes: its target is an approved customer, or there was no picture to decide by, and
    /// nobody else has seen it yet.
    #[must_use]
    pub fn is_proposal(&self) -> bool {
        let approved = self.target.as_ref().is_some_and(|target| target.approved);
        let listing = self.disposition == Disposition::Blocklist && approved;
        (listing || self.is_without_picture()) && self.answers.is_none()
    }

    /// Whether it is a second person's yes to that proposal.
    #[must_use]
    pub fn confirms(&self, proposal: &Self) -> bool {
        let alike = self.disposition == Disposition::Blocklist
            || (self.is_without_picture() && proposal.is_without_picture());
        alike
            && self.disposition == proposal.disposition
            && self.answers == Some(proposal.id)
            && self.target == proposal.target
            && self.reviewer.id != proposal.reviewer.id
    }

    /// Why this proposal rests on what is no longer so, if it does.
    #[must_use]
    pub fn void_by(&self, now: &Details) -> Option<String> {
        let case = &now.case;
        if case.status != self.seen_status {
            return Some(format!("{} is {} by now", case.name(), case.status.word()));
        }
        if case.candidates != self.evidence {
            return Some(format!("the candidates of {} have changed", case.name()));
        }
        let target = self.target.as_ref().filter(|target| target.approved)?;
        let approved = now.is_approved(&target.session_id);
        let number = target.session_number.unwrap_or_default();
        (!approved).then(|| format!("#{number} is no approved customer any more"))
    }

    /// The comment as it is written to Didit:
    /// `secondlook by:NAME case:KEY decision:ID reason:CODE TEXT`, every `@` replaced.
    #[must_use]
    pub fn api_comment(&self) -> Comment {
        let reason = self.reason.map_or("none", Reason::word);
        let mut line = format!(
            "secondlook by:{} case:{} decision:{} reason:{reason}",
            text::printable(&self.reviewer.name, 64).replace(char::is_whitespace, "_"),
            self.case,
            self.id,
        );
        if let Some(words) = self.comment.as_deref().filter(|c| !c.is_empty()) {
            line.push(' ');
            line.push_str(&text::printable(words, 500));
        }
        Comment(text::redact_mentions(&line))
    }

    /// What people call its case: `#4821`, or the start of its id.
    #[must_use]
    pub fn case_name(&self) -> String {
        self.session_number
            .map_or_else(|| self.case.short().to_owned(), |number| format!("#{number}"))
    }

    /// What stands in a comment of ours about this decision and in no other.
    #[must_use]
    pub fn mark(&self) -> String {
        format!("decision:{}", self.id)
    }
}

/// A comment as Didit gets it: no `@` in it, made by [`Decision::api_comment`] alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment(String);

impl Comment {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Comment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a decision is on its way to Didit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// In the undo window: nothing has left.
    Held,
    /// Claimed by a worker; a request may be under way.
    Sending,
    /// Done at Didit and read back.
    Sent,
    /// Didit refused it for good; the reason is kept.
    Refused,
    /// An answer was lost: read back before anything is written again.
    Unknown,
    /// Somebody decided otherwise at Didit; theirs stays unless the reviewer decides again.
    Conflict,
    /// Nothing to send, or Didit cannot take it: the record stays here.
    Local,
    /// Waits for a second person's confirmation. Nothing is sent.
    Proposed,
    /// Counts as a reading only: an earlier reader said the contrary, and another one decides.
    Differs,
    /// Taken back while it was held. The row stays for the audit.
    Undone,
}

impl DeliveryState {
    /// All states, in the order of a decision's life; last those that wait for another person.
    pub const ALL: [Self; 10] = [
        Self::Held,
        Self::Sending,
        Self::Unknown,
        Self::Sent,
        Self::Refused,
        Self::Conflict,
        Self::Local,
        Self::Undone,
        Self::Proposed,
        Self::Differs,
    ];

    /// The word used on screens, in JSON and in the store.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
            Self::Conflict => "conflict",
            Self::Local => "local",
            Self::Proposed => "proposed",
            Self::Differs => "differs",
            Self::Undone => "undone",
        }
    }

    /// Reads [`DeliveryState::word`] back.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.word() == word)
    }

    /// Whether it is on its way to Didit.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Held | Self::Sending | Self::Unknown)
    }

    /// Whether it is what it will stay: neither on its way nor waiting for a second person.
    #[must_use]
    pub fn is_settled(self) -> bool {
        !self.is_open() && self != Self::Proposed
    }
}
