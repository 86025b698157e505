//! A case: a subject and all its candidates, as the queue knows it. Holds no name, no link and no
//! vendor data, because this is what the store keeps.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Millis, SessionId};

/// A similarity in percent, 0 to 100. The API's number is kept as it came.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Similarity(f64);

impl Similarity {
    /// Reads a percentage; `None` for anything that is not a number from 0 to 100.
    #[must_use]
    pub fn new(percent: f64) -> Option<Self> {
        (percent.is_finite() && (0.0..=100.0).contains(&percent)).then_some(Self(percent))
    }

    /// The percentage, 0 to 100.
    #[must_use]
    pub fn percent(self) -> f64 {
        self.0
    }
}

impl fmt::Display for Similarity {
    /// One decimal, cut and not rounded: 89.96 stays `89.9` and never looks like 90.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1}", (self.0 * 10.0 + 1e-9).floor() / 10.0)
    }
}

/// The two edges of the bands, in percent. Didit publishes none; these are the user's settings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bands {
    /// At or above this a match is possible. Default 70.
    pub lower: f64,
    /// At or above this a match is strong. Default 90.
    pub upper: f64,
}

impl Default for Bands {
    fn default() -> Self {
        Self { lower: 70.0, upper: 90.0 }
    }
}

impl Bands {
    /// The band of a similarity: `possible` is lower <= s < upper, so 89.99 is still possible.
    #[must_use]
    pub fn of(&self, s: Similarity) -> Band {
        if s.0 >= self.upper {
            Band::Strong
        } else if s.0 >= self.lower {
            Band::Possible
        } else {
            Band::Unlikely
        }
    }
}

/// How near a match is, by [`Bands`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Band {
    /// At or above the upper edge.
    Strong,
    /// Between the edges: what this console is for.
    Possible,
    /// Below the lower edge.
    Unlikely,
}

impl Band {
    /// The word used on screens and in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Strong => "strong",
            Self::Possible => "possible",
            Self::Unlikely => "unlikely",
        }
    }
}

/// Where a candidate's face was enrolled. An open set: unknown words are carried as text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Source {
    /// Another session.
    Session,
    /// A face uploaded to a user's profile.
    Imported,
    /// A face on a list.
    ListEntry,
    /// A template that was kept when its session was deleted: there is no picture of it.
    Retained,
    /// Any other word, as it came.
    Other(String),
}

impl From<String> for Source {
    fn from(word: String) -> Self {
        match word.as_str() {
            "session" => Self::Session,
            "imported" => Self::Imported,
            "list_entry" => Self::ListEntry,
            "retained_template" => Self::Retained,
            _ => Self::Other(word),
        }
    }
}

impl From<Source> for String {
    fn from(source: Source) -> Self {
        source.word().to_owned()
    }
}

impl Source {
    /// The API's own word.
    #[must_use]
    pub fn word(&self) -> &str {
        match self {
            Self::Session => "session",
            Self::Imported => "imported",
            Self::ListEntry => "list_entry",
            Self::Retained => "retained_template",
            Self::Other(word) => word,
        }
    }
}

/// A session's status at Didit. An open set; the literals are case-sensitive.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Status {
    /// Waiting for a decision.
    InReview,
    /// Let in.
    Approved,
    /// Turned away.
    Declined,
    /// Any other word, as it came (`Not Started`, `Kyc Expired`, …).
    Other(String),
}

impl From<String> for Status {
    fn from(word: String) -> Self {
        match word.as_str() {
            "In Review" => Self::InReview,
            "Approved" => Self::Approved,
            "Declined" => Self::Declined,
            _ => Self::Other(word),
        }
    }
}

impl From<&str> for Status {
    fn from(word: &str) -> Self {
        Self::from(word.to_owned())
    }
}

impl From<Status> for String {
    fn from(status: Status) -> Self {
        status.word().to_owned()
    }
}

impl Status {
    /// The statuses of a session that Didit documents.
    pub const KNOWN: [&str; 10] = [
        "Not Started",
        "In Progress",
        "Approved",
        "Declined",
        "In Review",
        "Expired",
        "Abandoned",
        "Kyc Expired",
        "Resubmitted",
        "Awaiting User",
    ];

    /// The API's own word.
    #[must_use]
    pub fn word(&self) -> &str {
        match self {
            Self::InReview => "In Review",
            Self::Approved => "Approved",
            Self::Declined => "Declined",
            Self::Other(word) => word,
        }
    }
}

/// What the subject of a case is, which decides what a disposition does at Didit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubjectKind {
    /// A session of a workflow.
    Workflow,
    /// A saved standalone Face Search.
    SavedSearch,
    /// Nothing Didit can be asked about again: decisions stay here.
    Unreachable,
}

/// An enrolled face that Face Search returned for the subject (`matches[]`), as the store keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its session; `None` for faces on lists and imported ones.
    pub session_id: Option<SessionId>,
    /// The number people call the session by.
    pub session_number: Option<u64>,
    /// `None` where the API sent null or something unreadable: counts as unjudged.
    pub similarity: Option<Similarity>,
    /// Where the face was enrolled.
    pub source: Source,
    /// Same person by the customer's own word: both `vendor_data` present, non-empty, byte-equal.
    pub self_match: bool,
    /// Already on a blocklist.
    pub blocklisted: bool,
    /// On an allowlist: left out of what must be judged.
    pub allowlisted: bool,
    /// Which of the session's face checks found it, 0-based as Didit sends them: it was compared with the
    /// picture of that check and with no other.
    #[serde(default, skip_serializing_if = "is_first")]
    pub block: u8,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde hands a reference
fn is_first(block: &u8) -> bool {
    *block == 0
}

impl Candidate {
    /// Whether the case may not be approved before this candidate was judged: at or above the lower
    /// edge, or blocklisted, or of unreadable score; never a self-match, never an allowlisted one.
    #[must_use]
    pub fn must_judge(&self, bands: &Bands) -> bool {
        if self.self_match || self.allowlisted {
            return false;
        }
        self.blocklisted || self.similarity.is_none_or(|s| s.percent() >= bands.lower)
    }

    /// Whether this candidate alone puts the case into the queue: one that must be judged, unless its score
    /// is strong. A score that cannot be read might be any, so it does too.
    #[must_use]
    pub fn flags(&self, bands: &Bands) -> bool {
        self.must_judge(bands) && self.similarity.is_none_or(|s| bands.of(s) != Band::Strong)
    }
}

/// A subject and all its candidates. Its key is the subject's session id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// The subject's session id.
    pub key: SessionId,
    /// The number people call the session by.
    pub session_number: Option<u64>,
    /// What the subject is.
    pub kind: SubjectKind,
    /// The subject's status when it was last read.
    pub status: Status,
    /// When the subject's session was created at Didit, where known. Older cases come first.
    pub created_at: Option<Millis>,
    /// Best first, as the API sent them.
    pub candidates: Vec<Candidate>,
    /// Candidates that could not be read; each keeps the case from being approved.
    pub set_aside: u32,
    /// How many matches Didit says there were, when it says so.
    pub total_matches: Option<u32>,
}

impl Case {
    /// Whether at least one candidate is in the possible band, or cannot be read (neither self-match nor
    /// allowlisted).
    #[must_use]
    pub fn is_flagged(&self, bands: &Bands) -> bool {
        self.set_aside > 0 || self.candidates.iter().any(|c| c.flags(bands))
    }

    /// Whether all that speaks for a duplicate is strong: counted as `left`, not queued.
    #[must_use]
    pub fn is_left(&self, bands: &Bands) -> bool {
        !self.is_flagged(bands) && self.candidates.iter().any(|c| c.must_judge(bands))
    }

    /// What the case is in the queue: `Open` when flagged, `Left` when it only has strong candidates, nothing
    /// when there is nothing to review ([`Case::explained`] says why).
    #[must_use]
    pub fn worth(&self, bands: &Bands) -> Option<CaseState> {
        if self.is_flagged(bands) {
            return Some(CaseState::Open);
        }
        self.is_left(bands).then_some(CaseState::Left)
    }

    /// Why the case is not in the queue; `None` when it is.
    #[must_use]
    pub fn explained(&self, bands: &Bands) -> Option<Explained> {
        if self.is_flagged(bands) {
            return None;
        }
        let any = |holds: fn(&Candidate) -> bool| self.candidates.iter().any(holds);
        Some(if self.is_left(bands) {
            Explained::StrongOnly
        } else if any(|c| !c.self_match && !c.allowlisted) {
            Explained::BelowBand
        } else if any(|c| c.allowlisted) {
            Explained::Allowlisted
        } else if any(|c| c.self_match) {
            Explained::SameCustomer
        } else {
            Explained::NoCandidate
        })
    }

    /// The places (0-based, in [`Case::candidates`]) of the candidates that must be judged.
    pub fn must_judge<'a>(&'a self, bands: &'a Bands) -> impl Iterator<Item = usize> + 'a {
        let wanted = move |(place, c): (usize, &Candidate)| c.must_judge(bands).then_some(place);
        self.candidates.iter().enumerate().filter_map(wanted)
    }

    /// What people call the case: `#4821`, or the start of its id.
    #[must_use]
    pub fn name(&self) -> String {
        match self.session_number {
            Some(number) => format!("#{number}"),
            None => self.key.short().to_owned(),
        }
    }
}

/// Why a session that Didit lists is not in the queue. Each has a name that scripts can rely on and words for
/// people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Explained {
    /// All that speaks for a duplicate is strong: kept, reachable by its state.
    StrongOnly,
    /// No candidate reaches the lower edge.
    BelowBand,
    /// Only faces of the same customer id.
    SameCustomer,
    /// Only faces on an allowlist.
    Allowlisted,
    /// Held for a face, and Didit names nobody it looks like.
    NoCandidate,
    /// Held for something else than a face.
    NoFaceReason,
    /// Only warnings that the settings leave out.
    NotWanted,
    /// A saved search older than is taken in.
    TooOld,
    /// Decided here or by another secondlook.
    Decided,
    /// No longer in the status it was listed in.
    MovedOn,
}

impl Explained {
    /// All of them, the ones that matter most first.
    pub const ALL: [Self; 10] = [
        Self::StrongOnly,
        Self::NoCandidate,
        Self::BelowBand,
        Self::SameCustomer,
        Self::Allowlisted,
        Self::NotWanted,
        Self::NoFaceReason,
        Self::TooOld,
        Self::Decided,
        Self::MovedOn,
    ];

    /// The name in JSON and in the store.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::StrongOnly => "strong_only",
            Self::BelowBand => "below_band",
            Self::SameCustomer => "same_customer",
            Self::Allowlisted => "allowlisted",
            Self::NoCandidate => "no_candidate",
            Self::NoFaceReason => "no_face_reason",
            Self::NotWanted => "not_wanted",
            Self::TooOld => "too_old",
            Self::Decided => "decided",
            Self::MovedOn => "moved_on",
        }
    }

    /// Reads [`Explained::word`] back.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.word() == word)
    }

    /// The words for people.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::StrongOnly => "strong only",
            Self::BelowBand => "below the lower edge",
            Self::SameCustomer => "same customer only",
            Self::Allowlisted => "allowlisted only",
            Self::NoCandidate => "no candidate named",
            Self::NoFaceReason => "held for no face",
            Self::NotWanted => "left out by intake.warnings",
            Self::TooOld => "too old",
            Self::Decided => "decided already",
            Self::MovedOn => "moved on at Didit",
        }
    }
}

/// Where a case stands here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaseState {
    /// Waiting in the queue.
    Open,
    /// In the second reviewer's queue.
    Escalated,
    /// A decision exists (held, on its way, or done).
    Decided,
    /// No longer in review at Didit, or no longer visible.
    Departed,
    /// Only strong candidates: counted, reachable by a filter, not queued.
    Left,
}

impl CaseState {
    /// All states, in the order of a case's life.
    pub const ALL: [Self; 5] =
        [Self::Open, Self::Escalated, Self::Left, Self::Departed, Self::Decided];

    /// The word used on screens, in JSON and in the store.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Escalated => "escalated",
            Self::Decided => "decided",
            Self::Departed => "departed",
            Self::Left => "left",
        }
    }

    /// Reads [`CaseState::word`] back.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.word() == word)
    }
}

/// How many cases stand where, for one origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Cases waiting.
    pub open: u64,
    /// Cases in the second reviewer's queue.
    pub escalated: u64,
    /// Cases decided.
    pub decided: u64,
    /// Cases that left on their own.
    pub departed: u64,
    /// Cases with strong candidates only.
    pub left: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(percent: Option<f64>) -> Candidate {
        Candidate {
            session_id: None,
            session_number: None,
            similarity: percent.and_then(Similarity::new),
            source: Source::Session,
            self_match: false,
            blocklisted: false,
            allowlisted: false,
            block: 0,
        }
    }

    #[test]
    fn the_band_has_the_edges_it_says() {
        let bands = Bands::default();
        for (percent, band) in [
            (69.99, Band::Unlikely),
            (70.0, Band::Possible),
            (89.5, Band::Possible),
            (89.999, Band::Possible),
            (90.0, Band::Strong),
            (100.0, Band::Strong),
        ] {
            assert_eq!(Similarity::new(percent).map(|s| bands.of(s)), Some(band), "{percent}");
        }
        assert_eq!(Similarity::new(f64::NAN), None);
        assert_eq!(Similarity::new(-0.1), None);
        assert_eq!(Similarity::new(100.1), None);
    }

    #[test]
    fn a_shown_similarity_never_crosses_an_edge() {
        let shown = |p| Similarity::new(p).map(|s| s.to_string());
        assert_eq!(shown(89.99).as_deref(), Some("89.9"));
        assert_eq!(shown(81.4).as_deref(), Some("81.4"));
        assert_eq!(shown(70.0).as_deref(), Some("70.0"));
    }

    #[test]
    fn what_must_be_judged() {
        let bands = Bands::default();
        let with = |change: fn(&mut Candidate), percent| {
            let mut c = candidate(percent);
            change(&mut c);
            (c.must_judge(&bands), c.flags(&bands))
        };
        assert_eq!(with(|_| (), Some(72.0)), (true, true));
        assert_eq!(with(|_| (), Some(97.0)), (true, false));
        assert_eq!(with(|_| (), Some(50.0)), (false, false));
        assert_eq!(with(|_| (), None), (true, true));
        assert_eq!(with(|c| c.blocklisted = true, Some(50.0)), (true, true));
        assert_eq!(with(|c| c.blocklisted = true, Some(97.0)), (true, false));
        assert_eq!(with(|c| c.self_match = true, None), (false, false));
        assert_eq!(with(|c| c.self_match = true, Some(80.0)), (false, false));
        assert_eq!(with(|c| c.allowlisted = true, Some(80.0)), (false, false));
    }
}
