//! The case on the reviewer's desk: which pair is shown, what was judged, and whether a key may decide.

use std::collections::{BTreeMap, BTreeSet};

use super::event::Painted;
use super::opening::Opening;
use super::sight::Sight;
pub use crate::domain::Side;
use crate::domain::{
    BoundingBox, Candidate, CaseState, DecisionId, Details, Judgement, Millis, Reason, SessionId,
    Taken,
};

/// Where a picture stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PictureState {
    /// Asked for.
    Waiting,
    /// Its bytes are here.
    Ready {
        /// SHA-256 of the file, hex.
        sha256: String,
        /// Pixels, upright.
        pixels: (u32, u32),
        /// Until when the bytes may be shown.
        until: Millis,
    },
    /// Not yet: it is tried again.
    Failed {
        /// In words.
        why: String,
    },
    /// Not to be had: refused twice, null, or not an image. Decision keys are off.
    Gone {
        /// In words.
        why: String,
    },
}

/// Which pictures stand in the panes. A verdict needs both side by side first; only then can one take
/// the other's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shown {
    /// Subject left, candidate right. The sides never swap.
    #[default]
    Pair,
    /// The candidate in the subject's place.
    CandidateFlipped,
    /// The subject in its own place again: the other half of a flip.
    SubjectFlipped,
}

impl Shown {
    /// What the flip key makes of it: from both to the candidate, then the two by turns.
    #[must_use]
    pub fn flip(self) -> Self {
        match self {
            Self::Pair | Self::SubjectFlipped => Self::CandidateFlipped,
            Self::CandidateFlipped => Self::SubjectFlipped,
        }
    }
}

/// Whether the case is ours to decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaseState {
    /// Asked for.
    Asking,
    /// Ours.
    Ours,
    /// Somebody else's, or another terminal's of this reviewer.
    Taken(Taken),
    /// In a state in which nobody decides.
    Closed(CaseState),
    /// Lost or refused, in words.
    Lost(String),
}

/// Why a key would not decide now. The status line shows these words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotArmed {
    /// No case is on the desk.
    NoCase,
    /// The screen is too small to show faces.
    TooSmall,
    /// The lease is not ours (yet).
    Lease(String),
    /// A picture is not here.
    Loading,
    /// A picture cannot be had.
    Gone(String),
    /// The terminal has not answered yet what it is.
    Asking,
    /// The terminal has not answered that the pictures are painted.
    Painting,
    /// It does not confirm that it holds the pictures.
    Unconfirmed,
    /// Nothing that draws answers: this key, which stands on the pair's own frame, opens the pair.
    Shut(char),
    /// Nobody looks, or too many do.
    Off(String),
    /// Painted, but not long enough on the screen.
    Dwell,
    /// Something covers the pictures.
    Covered,
    /// Decisions cannot be kept.
    Store(String),
}

impl NotArmed {
    /// The words of the status line.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::NoCase => "no case".to_owned(),
            Self::TooSmall => "window too small".to_owned(),
            Self::Lease(why) | Self::Gone(why) | Self::Store(why) | Self::Off(why) => why.clone(),
            Self::Asking => "asking the terminal".to_owned(),
            Self::Unconfirmed => "the terminal confirms no picture".to_owned(),
            Self::Shut(key) => format!("shut, press '{key}' to open"),
            Self::Loading => "loading images".to_owned(),
            Self::Painting => "painting".to_owned(),
            Self::Dwell => "look first".to_owned(),
            Self::Covered => "covered".to_owned(),
        }
    }
}

/// The case on the desk.
#[derive(Debug, Clone, PartialEq)]
pub struct Desk {
    /// Its key.
    pub key: SessionId,
    /// The candidate shown, by its place.
    pub place: usize,
    /// The face check that found it: its picture of the subject stands beside it.
    pub block: u8,
    /// What was judged so far, by place.
    pub judged: BTreeMap<usize, Judgement>,
    /// The pictures that were judged by, as their hashes: another picture is judged anew.
    pub judged_by: BTreeMap<Side, String>,
    /// Candidates that the reviewer passed although there is no picture: two people decide such a case.
    pub blind: BTreeSet<usize>,
    /// Why, in a word.
    pub reason: Option<Reason>,
    /// Why, in a sentence.
    pub comment: Option<String>,
    /// Which face is meant, where the subject's picture shows several.
    pub face: Option<usize>,
    /// Whether it is ours.
    pub lease: LeaseState,
    /// What the terminal said is painted, and when.
    pub painted: Option<(Painted, Millis)>,
    /// The terminal has answered, and does not hold both pictures of this epoch.
    pub unconfirmed: Option<u64>,
    /// The key that opens the pair, where nothing that draws answers.
    pub opening: Option<Opening>,
    /// Raised by everything that changes what the pair on the screen means.
    pub epoch: u64,
    /// The settled decision this one will replace.
    pub replaces: Option<DecisionId>,
    /// Both pictures, or one of them in the other's place.
    pub shown: Shown,
    /// How both are looked at.
    pub sight: Sight,
    /// Whether the candidate is mirrored.
    pub mirrored: bool,
    /// How often flipped and zoomed, for the receipt.
    pub looks: (u16, u16),
    /// Whether it came by itself, after the one before was decided, and nobody has said yet whose it is:
    /// where somebody else was faster, the next one comes.
    pub by_itself: bool,
}

impl Desk {
    /// A case just put on the desk, its first candidate shown.
    #[must_use]
    pub fn new(key: SessionId, place: usize, epoch: u64) -> Self {
        Self {
            key,
            place,
            block: 0,
            judged: BTreeMap::new(),
            judged_by: BTreeMap::new(),
            blind: BTreeSet::new(),
            reason: None,
            comment: None,
            face: None,
            lease: LeaseState::Asking,
            painted: None,
            unconfirmed: None,
            opening: None,
            epoch,
            replaces: None,
            shown: Shown::Pair,
            sight: Sight::default(),
            mirrored: false,
            looks: (0, 0),
            by_itself: false,
        }
    }

    /// Whether nobody decides about this case here (any more).
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self.lease, LeaseState::Closed(_))
    }

    /// Shows another candidate, or the same pair in a new light: what was painted counts no more.
    pub fn turn_to(&mut self, place: usize) {
        self.place = place;
        self.disarm();
    }

    /// Nothing was judged.
    pub fn forget_judgements(&mut self) {
        self.judged.clear();
        self.judged_by.clear();
        self.blind.clear();
    }

    /// A picture is here, or may be yet: it is not passed as if there were none.
    pub fn wait_for(&mut self, side: Side) {
        match side {
            Side::Subject | Side::SubjectOf(_) => self.blind.clear(),
            Side::Candidate(place) => _ = self.blind.remove(&place),
        }
    }

    /// Forgets what was judged by another picture of this side.
    pub fn match_picture(&mut self, side: Side, sha256: &str) {
        if self.judged_by.get(&side).is_none_or(|seen| seen == sha256) {
            return;
        }
        match side {
            Side::Subject | Side::SubjectOf(_) => {
                self.forget_judgements();
                self.face = None;
            }
            Side::Candidate(place) => {
                self.judged.remove(&place);
                self.judged_by.remove(&side);
            }
        }
        self.disarm();
    }

    /// What was painted counts no more: both pictures are to be seen side by side again.
    pub fn disarm(&mut self) {
        self.shown = Shown::Pair;
        self.epoch += 1;
        self.painted = None;
    }

    /// The moment the pair of this epoch was painted.
    #[must_use]
    pub fn painted_at(&self) -> Option<Millis> {
        let (painted, at) = self.painted.as_ref()?;
        let ours =
            painted.epoch == self.epoch && painted.case == self.key && painted.place == self.place;
        ours.then_some(*at)
    }

    /// The face boxes that must be told apart before `a` counts.
    #[must_use]
    pub fn several_faces<'a>(&self, details: &'a Details) -> Option<&'a [BoundingBox]> {
        (details.shows_several(self.block) && self.face.is_none())
            .then_some(details.faces(self.block))
    }

    /// The pictures of the pair: the subject's that the candidate was compared with, and the candidate's.
    #[must_use]
    pub fn sides(&self) -> [Side; 2] {
        [Side::subject_of(self.block), Side::Candidate(self.place)]
    }

    /// Puts the subject's picture beside the candidate that it was compared with. A face that was chosen in
    /// another picture is none in this one.
    pub fn match_block(&mut self, block: u8) {
        if self.block != block {
            self.block = block;
            self.face = None;
            self.disarm();
        }
    }

    /// The candidate shown, in the case.
    #[must_use]
    pub fn candidate<'a>(&self, candidates: &'a [Candidate]) -> Option<&'a Candidate> {
        candidates.get(self.place)
    }
}
