//! What hydrating a case brings: fresh image links, names, the current status. Lives in memory
//! only; nothing here is ever stored, logged or printed.

use std::fmt;

use zeroize::Zeroizing;

use super::{Case, Millis, SessionId, Status, SubjectKind};

/// A presigned link to an image: whoever holds it can see the face. Prints as `Link(…)`, is wiped
/// when dropped, and has no `Serialize`.
#[derive(Clone, PartialEq, Eq)]
pub struct Link(Zeroizing<String>);

impl Link {
    /// Wraps a link as the API sent it; whether it may be followed is for the fetcher to decide.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The link itself, for the fetcher alone.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Link(…)")
    }
}

/// A face's box in pixels of the picture as it was sent: `[x_min, y_min, x_max, y_max]`, never empty.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BoundingBox {
    /// Left edge.
    pub x_min: f64,
    /// Top edge.
    pub y_min: f64,
    /// Right edge, greater than `x_min`.
    pub x_max: f64,
    /// Bottom edge, greater than `y_min`.
    pub y_max: f64,
}

impl BoundingBox {
    /// Reads the API's order; `None` for a box that is empty, inside out or not finite.
    #[must_use]
    pub fn new([x_min, y_min, x_max, y_max]: [f64; 4]) -> Option<Self> {
        let finite = [x_min, y_min, x_max, y_max].iter().all(|v| v.is_finite());
        (finite && x_max > x_min && y_max > y_min).then_some(Self { x_min, y_min, x_max, y_max })
    }
}

/// Which picture of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The subject's.
    Subject,
    /// The subject's of another face check of the same session, by [`super::Candidate::block`]: 1 or more.
    SubjectOf(u8),
    /// The candidate's at this place.
    Candidate(usize),
}

impl Side {
    /// The subject's picture that the candidates of a face check were compared with.
    #[must_use]
    pub fn subject_of(block: u8) -> Self {
        if block == 0 { Self::Subject } else { Self::SubjectOf(block) }
    }

    /// Whether it shows the subject.
    #[must_use]
    pub fn is_subject(self) -> bool {
        match self {
            Self::Subject | Self::SubjectOf(_) => true,
            Self::Candidate(_) => false,
        }
    }
}

/// What is known about a person. Every text is already [`super::printable`].
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Person {
    /// Full name.
    pub name: Option<String>,
    /// Kind of document (`Identity Card`).
    pub document_type: Option<String>,
    /// Document number, already masked to its last three characters.
    pub document_number: Option<String>,
    /// ISO 3166 alpha-3 code of the issuing country.
    pub country: Option<String>,
    /// The customer's own id for the person.
    pub vendor_data: Option<String>,
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Person(…)")
    }
}

/// The customer's own id of a person, as it came: what Didit's record of them is asked for by. Prints nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct UserKey(String);

impl UserKey {
    /// Wraps an id; nothing for an empty one.
    #[must_use]
    pub fn new(text: String) -> Option<Self> {
        (!text.is_empty()).then_some(Self(text))
    }

    /// The id itself, for the client alone.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for UserKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserKey(…)")
    }
}

/// A warning of Didit's, such as `POSSIBLE_DUPLICATED_FACE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The risk code, as it came.
    pub risk: String,
    /// Didit's own short sentence, printable.
    pub short: Option<String>,
    /// The face check that raised it, as [`super::Candidate::block`]: it speaks of that picture. `None` where
    /// it speaks of the session: of the selfie against the document.
    pub block: Option<u8>,
    /// The session of the face that it speaks of, where it names one.
    pub about: Option<SessionId>,
}

/// One line of a session's review feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewEntry {
    /// `API Client`, an e-mail address, or `Unknown`.
    pub who: String,
    /// The status it set, where it set one.
    pub new_status: Option<Status>,
    /// Its comment. Ours begin with `secondlook by:`.
    pub comment: Option<String>,
    /// When, where known.
    pub at: Option<Millis>,
}

/// The subject, hydrated.
#[derive(Debug, Clone, PartialEq)]
pub struct SubjectDetails {
    /// The link to the subject's own face; `None` when the API sent null.
    pub link: Option<Link>,
    /// Degrees the picture must be turned clockwise, as Didit found: 0, 90, 180 or 270.
    pub turn: u16,
    /// The faces found in it, largest first where known.
    pub faces: Vec<BoundingBox>,
    /// Who it claims to be.
    pub person: Person,
    /// When it was captured.
    pub captured_at: Option<Millis>,
}

/// A picture of the subject of another face check than the first that matters.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OtherPicture {
    /// The link to it; `None` when the API sent null.
    pub link: Option<Link>,
    /// Degrees it must be turned clockwise.
    pub turn: u16,
    /// The faces found in it, largest first where known.
    pub faces: Vec<BoundingBox>,
    /// Whether it shows several faces.
    pub several_faces: bool,
}

/// A candidate, hydrated; stands at the same place as in [`Case::candidates`].
#[derive(Debug, Clone, PartialEq)]
pub struct CandidateDetails {
    /// The link to the matched face; `None` when the API sent null.
    pub link: Option<Link>,
    /// Who it was enrolled as.
    pub person: Person,
    /// Status of its session.
    pub status: Option<Status>,
    /// When it was verified.
    pub verified_at: Option<Millis>,
    /// The API product that enrolled it (`PASSIVE_LIVENESS`), where not a workflow.
    pub api_service: Option<String>,
    /// Whose record at Didit it belongs to.
    pub user: Option<UserKey>,
    /// Didit's own id of that user. Never kept.
    pub user_id: Option<String>,
}

/// A case with everything a reviewer sees, as one decision call brought it.
#[derive(Debug, Clone, PartialEq)]
pub struct Details {
    /// The case as this call saw it: current status, candidates, flags.
    pub case: Case,
    /// The subject.
    pub subject: SubjectDetails,
    /// The candidates, at the same places as in `case.candidates`.
    pub candidates: Vec<CandidateDetails>,
    /// The pictures of the subject of further face checks: those of [`super::Candidate::block`] 1 and on.
    pub others: Vec<OtherPicture>,
    /// Warnings about faces.
    pub warnings: Vec<Warning>,
    /// Review feed, newest first; empty where the call brought none.
    pub reviews: Vec<ReviewEntry>,
    /// Whether the subject's picture shows several faces (`MULTIPLE_FACES_DETECTED`, or the boxes say so).
    pub several_faces: bool,
    /// Whether a decline lists the subject's face by itself, where Didit lets that be seen.
    pub auto_blocklist: Option<bool>,
    /// The id of its workflow, where it has one.
    pub workflow: Option<String>,
    /// When the call was answered.
    pub at: Millis,
}

impl Details {
    /// One of the subject's pictures, by [`super::Candidate::block`].
    #[must_use]
    pub fn other(&self, block: u8) -> Option<&OtherPicture> {
        self.others.get(usize::from(block).checked_sub(1)?)
    }

    /// The face checks that found the candidates, each once.
    pub fn blocks_with_candidates(&self) -> impl Iterator<Item = u8> {
        let blocks: std::collections::BTreeSet<_> =
            self.case.candidates.iter().map(|candidate| candidate.block).collect();
        blocks.into_iter()
    }

    /// The faces found in a picture of the subject, largest first.
    #[must_use]
    pub fn faces(&self, block: u8) -> &[BoundingBox] {
        match block {
            0 => &self.subject.faces,
            _ => self.other(block).map_or(&[], |picture| &picture.faces),
        }
    }

    /// Whether a picture of the subject shows several faces.
    #[must_use]
    pub fn shows_several(&self, block: u8) -> bool {
        match block {
            0 => self.several_faces,
            _ => self.other(block).is_some_and(|picture| picture.several_faces),
        }
    }

    /// The link to a picture of the subject.
    #[must_use]
    pub fn subject_link(&self, block: u8) -> Option<&Link> {
        match block {
            0 => self.subject.link.as_ref(),
            _ => self.other(block)?.link.as_ref(),
        }
    }

    /// How far a picture must be turned, and the faces in it; nothing is known of a candidate's.
    #[must_use]
    pub fn turn_and_faces(&self, side: Side) -> (u16, &[BoundingBox]) {
        match side {
            Side::Subject => (self.subject.turn, &self.subject.faces),
            Side::SubjectOf(block) => {
                self.other(block).map_or((0, &[]), |other| (other.turn, &other.faces))
            }
            Side::Candidate(_) => (0, &[]),
        }
    }

    /// Whether the session is an approved customer's, as far as this call tells. A saved search is
    /// nobody's: its status says how the search went.
    #[must_use]
    pub fn is_approved(&self, session: &SessionId) -> bool {
        let case = &self.case;
        // What kind it is, Didit's answer says as well: a case may have been taken in as another.
        let workflow = case.kind == SubjectKind::Workflow || self.workflow.is_some();
        let subject = case.key == *session && workflow;
        (subject && case.status == Status::Approved)
            || case.candidates.iter().zip(&self.candidates).any(|(candidate, known)| {
                candidate.session_id.as_ref() == Some(session)
                    && known.status == Some(Status::Approved)
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_or_a_person_never_prints_itself() {
        let link = Link::new("https://media.example/face?X-Amz-Signature=abc".into());
        assert_eq!(format!("{link:?}"), "Link(…)");
        let person = Person { name: Some("Ana Perez".into()), ..Person::default() };
        assert_eq!(format!("{person:?}"), "Person(…)");
    }

    #[test]
    fn an_inside_out_box_is_refused() {
        assert!(BoundingBox::new([10.0, 10.0, 20.0, 20.0]).is_some());
        assert!(BoundingBox::new([20.0, 10.0, 10.0, 20.0]).is_none());
        assert!(BoundingBox::new([0.0, 0.0, f64::NAN, 1.0]).is_none());
    }
}
