//! What exists behind the simulated API: sessions, the faces they showed, and what a face search
//! found for them. Plain data that a test can build by hand; knows nothing of HTTP.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::faces::Broken;

/// How a drawn picture is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Coding {
    /// JPEG, upright.
    Jpeg,
    /// PNG.
    Png,
    /// WebP, lossless.
    WebP,
    /// TIFF.
    Tiff,
    /// JPEG stored turned, with the EXIF orientation (1 to 8) that sets it right.
    Turned(u8),
    /// Not a picture that can be shown.
    Broken(Broken),
}

/// A face to draw: a person, or somebody who looks like them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Face {
    /// The person: equal numbers are the same person.
    pub identity: u64,
    /// Somebody else who resembles `identity`: a number of their own, and how near (0 to 1).
    pub like: Option<(u64, f32)>,
}

impl Face {
    /// A person of their own.
    #[must_use]
    pub fn of(identity: u64) -> Self {
        Self { identity, like: None }
    }
}

/// A picture of a session, a candidate or a list entry.
#[derive(Debug, Clone, PartialEq)]
pub enum Picture {
    /// Drawn when somebody asks for it.
    Drawn {
        /// Who is on it.
        face: Face,
        /// Which photograph of them: light, pose, expression.
        shot: u64,
        /// Somebody else beside them.
        beside: Option<Face>,
        /// How it is stored.
        coding: Coding,
    },
    /// Bytes handed in, with their content type.
    Bytes(String, Arc<[u8]>),
}

impl Picture {
    /// An upright JPEG of a person.
    #[must_use]
    pub fn of(face: Face, shot: u64) -> Self {
        Self::Drawn { face, shot, beside: None, coding: Coding::Jpeg }
    }

    /// The same picture stored in another way; bytes handed in stay as they are, unless they are to
    /// be broken.
    #[must_use]
    pub fn coded(mut self, new: Coding) -> Self {
        match (&mut self, new) {
            (Self::Drawn { coding, .. }, _) => *coding = new,
            (Self::Bytes(..), Coding::Broken(_)) => return Self::of(Face::of(0), 0).coded(new),
            (Self::Bytes(..), _) => {}
        }
        self
    }

    pub(super) fn extension(&self) -> &'static str {
        match self {
            Self::Drawn { coding, .. } => match coding {
                Coding::Png => "png",
                Coding::WebP => "webp",
                Coding::Tiff => "tiff",
                _ => "jpg",
            },
            Self::Bytes(kind, _) => match kind.as_str() {
                "image/png" => "png",
                "image/webp" => "webp",
                "image/tiff" => "tiff",
                _ => "jpg",
            },
        }
    }
}

/// An enrolled face that a face search returned: one of `matches[]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Its session, for source `session`.
    pub session_id: Option<Uuid>,
    /// That session's number.
    pub session_number: Option<u64>,
    /// `similarity_percentage`, 0 to 100; `None` is sent as null.
    pub similarity: Option<f64>,
    /// `session`, `imported`, `list_entry`, or a word of the future.
    pub source: String,
    /// The session's status when the search was made; while its session exists, the live one is
    /// sent.
    pub status: Option<String>,
    /// The customer's own name for the person.
    pub vendor_data: Option<String>,
    /// Name on the document.
    pub full_name: Option<String>,
    /// Such as `Passport`.
    pub document_type: Option<String>,
    /// Unmasked, as Didit sends it.
    pub document_number: Option<String>,
    /// When the face was verified; null for list entries.
    pub verified_at: Option<Timestamp>,
    /// On a blocklist when the search was made.
    pub blocklisted: bool,
    /// On an allowlist.
    pub allowlisted: bool,
    /// Set when a standalone call enrolled the face.
    pub api_service: Option<String>,
    /// The face; `None` is sent as a null link.
    pub picture: Option<Picture>,
    /// What is sent as `similarity_percentage` in place of the number: text, an object, 101.
    pub raw_score: Option<serde_json::Value>,
    /// Which of the session's face checks found it: 0 is its first, the others are [`Session::further`].
    pub check: usize,
    /// Didit's id of the user, for a template kept after its session was deleted.
    pub vendor_user_id: Option<Uuid>,
    /// The id of that template.
    pub template_id: Option<Uuid>,
    /// Whether it really is the subject, for drawn faces. Never sent.
    pub truth: Option<bool>,
}

impl Candidate {
    /// A candidate from another session, approved, of a person of its own.
    #[must_use]
    pub fn session(number: u64, similarity: f64) -> Self {
        Self {
            session_id: Some(session_id(number)),
            session_number: Some(number),
            similarity: Some(similarity),
            source: "session".to_owned(),
            status: Some("Approved".to_owned()),
            vendor_data: Some(format!("user-{number}")),
            full_name: Some(format!("Person {number}")),
            document_type: Some("Passport".to_owned()),
            document_number: Some(format!("P{number:07}")),
            verified_at: Timestamp::from_second(1_769_000_000).ok(),
            blocklisted: false,
            allowlisted: false,
            api_service: None,
            picture: Some(Picture::of(Face::of(number), 1)),
            raw_score: None,
            check: 0,
            vendor_user_id: None,
            template_id: None,
            truth: None,
        }
    }

    /// A candidate that is the face of a session, as it is now.
    #[must_use]
    pub fn of(session: &Session, similarity: f64) -> Self {
        Self {
            session_id: Some(session.id),
            session_number: Some(session.number),
            similarity: Some(similarity),
            source: "session".to_owned(),
            status: Some(session.status.clone()),
            vendor_data: session.vendor_data.clone(),
            full_name: session.full_name.clone(),
            document_type: session.document_type.clone(),
            document_number: session.document_number.clone(),
            verified_at: Some(session.created_at),
            blocklisted: session.blocked.face,
            allowlisted: false,
            api_service: match &session.kind {
                Kind::Workflow => None,
                Kind::Api(service) => Some(service.clone()),
            },
            picture: session.picture.clone(),
            raw_score: None,
            check: 0,
            vendor_user_id: None,
            template_id: None,
            truth: None,
        }
    }

    /// A face uploaded to a user's profile: no session, only a name.
    #[must_use]
    pub fn imported(vendor_data: &str, similarity: f64) -> Self {
        Self {
            vendor_data: Some(vendor_data.to_owned()),
            document_type: None,
            document_number: None,
            ..Self::without_session("imported", similarity)
        }
    }

    /// A face on a list: no session, no person.
    #[must_use]
    pub fn list_entry(similarity: f64) -> Self {
        Self {
            vendor_data: None,
            full_name: None,
            document_type: None,
            document_number: None,
            verified_at: None,
            blocklisted: true,
            ..Self::without_session("list_entry", similarity)
        }
    }

    /// A face template that was kept when its session was deleted: no session, no picture, no name.
    #[must_use]
    pub fn retained(user: Uuid, similarity: f64) -> Self {
        Self {
            vendor_data: None,
            full_name: None,
            document_type: None,
            document_number: None,
            verified_at: None,
            picture: None,
            vendor_user_id: Some(user),
            template_id: Some(Uuid::from_u128(user.as_u128() ^ 1)),
            ..Self::without_session("retained_template", similarity)
        }
    }

    fn without_session(source: &str, similarity: f64) -> Self {
        let seed = similarity.to_bits();
        Self {
            session_id: None,
            session_number: None,
            status: None,
            source: source.to_owned(),
            picture: Some(Picture::of(Face::of(seed), 1)),
            ..Self::session(0, similarity)
        }
    }
}

/// What kind of session it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A run of a workflow by an end user.
    Workflow,
    /// A saved standalone call, with its `api_service` (`FACE_SEARCH`, `PASSIVE_LIVENESS`, …).
    Api(String),
}

/// One line of a session's feed.
#[derive(Debug, Clone, PartialEq)]
pub struct Review {
    /// Its own id.
    pub uuid: Uuid,
    /// `STATUS_UPDATED`, `COMMENT`, …
    pub activity: String,
    /// `API Client`, `Unknown` or an e-mail address.
    pub actor: String,
    /// The status it speaks of.
    pub new_status: Option<String>,
    /// The status before, where the line is a change.
    pub previous_status: Option<String>,
    /// Free text.
    pub comment: Option<String>,
    /// Anything else, such as `{"system_event": "DETAIL_VIEWED"}`.
    pub metadata: serde_json::Value,
    /// When.
    pub created_at: Timestamp,
}

/// Which of a session's records are on the system blocklists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Blocked {
    /// The face.
    pub face: bool,
    /// The document.
    pub document: bool,
    /// The phone number.
    pub phone: bool,
    /// The e-mail address.
    pub email: bool,
}

/// A further face check of a session, with a picture of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// The face it saw; `None` is sent as null.
    pub picture: Option<Picture>,
    /// Its risk codes.
    pub warnings: Vec<String>,
}

/// A session.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    /// Its id.
    pub id: Uuid,
    /// The number people call it by; newest is highest.
    pub number: u64,
    /// A workflow's, or a saved call.
    pub kind: Kind,
    /// Any of the ten statuses.
    pub status: String,
    /// The customer's own name for the person.
    pub vendor_data: Option<String>,
    /// Name on the document; `None` also for saved searches.
    pub full_name: Option<String>,
    /// Such as `Passport`.
    pub document_type: Option<String>,
    /// Unmasked.
    pub document_number: Option<String>,
    /// ISO 3166 alpha-3.
    pub country: Option<String>,
    /// E-mail address of the person.
    pub email: Option<String>,
    /// Phone number of the person.
    pub phone: Option<String>,
    /// Free JSON of the customer.
    pub metadata: serde_json::Value,
    /// When it was made.
    pub created_at: Timestamp,
    /// The workflow it ran.
    pub workflow_id: Option<Uuid>,
    /// The face it showed; `None` is sent as null.
    pub picture: Option<Picture>,
    /// What the face search found, in the order it is sent.
    pub candidates: Vec<Candidate>,
    /// Risk codes, such as `POSSIBLE_DUPLICATED_FACE`.
    pub warnings: Vec<String>,
    /// Its face checks after the first.
    pub further: Vec<Check>,
    /// The step that holds it in review, where that is not its face: `ID_VERIFICATION`.
    pub held_by: Option<String>,
    /// Whether a decline also blocklists the session's records.
    pub auto_blocklist: bool,
    /// What is on the blocklists.
    pub blocked: Blocked,
    /// Its feed, oldest first.
    pub reviews: Vec<Review>,
    /// Estimated age, in years.
    pub age: u8,
}

impl Session {
    /// A workflow session in review for a possible duplicate, of a person of its own, with an id
    /// made from its number ([`session_id`]) and no candidates yet.
    #[must_use]
    pub fn in_review(number: u64) -> Self {
        Self {
            id: session_id(number),
            number,
            kind: Kind::Workflow,
            status: "In Review".to_owned(),
            vendor_data: Some(format!("user-{number}")),
            full_name: Some(format!("Person {number}")),
            document_type: Some("Identity Card".to_owned()),
            document_number: Some(format!("X{number:07}")),
            country: Some("ESP".to_owned()),
            email: None,
            phone: None,
            metadata: serde_json::Value::Null,
            created_at: Timestamp::UNIX_EPOCH,
            workflow_id: Some(Uuid::from_u128(0x0b5e_55ed_0000_4000_8000_0000_0000_0001)),
            picture: Some(Picture::of(Face::of(number), 0)),
            candidates: Vec::new(),
            warnings: vec!["POSSIBLE_DUPLICATED_FACE".to_owned()],
            further: Vec::new(),
            held_by: None,
            auto_blocklist: false,
            blocked: Blocked::default(),
            reviews: Vec::new(),
            age: 34,
        }
    }

    /// A saved standalone Face Search: an API session that is already `Approved`.
    #[must_use]
    pub fn saved_search(number: u64) -> Self {
        Self {
            kind: Kind::Api("FACE_SEARCH".to_owned()),
            status: "Approved".to_owned(),
            full_name: None,
            document_type: None,
            document_number: None,
            country: None,
            workflow_id: None,
            ..Self::in_review(number)
        }
    }

    /// An enrolled person: an approved workflow session with nothing to decide.
    #[must_use]
    pub fn approved(number: u64) -> Self {
        Self { status: "Approved".to_owned(), warnings: Vec::new(), ..Self::in_review(number) }
    }

    /// The same session with one more candidate at the end.
    #[must_use]
    pub fn with(mut self, candidate: Candidate) -> Self {
        self.candidates.push(candidate);
        self
    }

    /// The same session with one more face check, whose picture is another photograph, and with one more
    /// candidate that this check found.
    #[must_use]
    pub fn with_check(mut self, candidate: Candidate) -> Self {
        let shot = self.further.len() as u64 + 2;
        let picture = Some(Picture::of(Face::of(self.number), shot));
        self.further.push(Check { picture, warnings: vec!["POSSIBLE_DUPLICATED_FACE".to_owned()] });
        self.candidates.push(Candidate { check: self.further.len(), ..candidate });
        self
    }

    /// All its risk codes.
    pub fn risks(&self) -> impl Iterator<Item = &String> {
        self.warnings.iter().chain(self.further.iter().flat_map(|check| &check.warnings))
    }

    /// The same session after any change.
    #[must_use]
    pub fn but(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// The id that [`Session::in_review`] and [`Candidate::session`] give to a number.
#[must_use]
pub fn session_id(number: u64) -> Uuid {
    Uuid::from_u128((0x5e55_1000_0000_4000_8000_u128 << 48) | u128::from(number))
}

/// All sessions, findable by number and id. Numbers and ids are unique: a later one replaces.
#[derive(Debug, Clone, Default)]
pub struct World {
    sessions: BTreeMap<u64, Session>,
    by_id: HashMap<Uuid, u64>,
    by_vendor: HashMap<String, BTreeSet<u64>>,
    /// Sessions that were here and are no longer.
    gone: HashSet<Uuid>,
    /// Faces of imported users, by `vendor_data`.
    pub(super) imported: HashMap<String, Picture>,
    /// Counts changes, so that a stored list page knows when it is old.
    version: u64,
    start: Timestamp,
}

impl World {
    /// A world with nothing in it. `start` is the time a session without a time of its own gets.
    #[must_use]
    pub fn new(start: Timestamp) -> Self {
        Self { start, ..Self::default() }
    }

    /// Adds a session, and an approved one for each candidate whose session is not there yet, so
    /// that every `session_id` the API names can be asked for. Returns the session's id.
    pub fn add(&mut self, mut session: Session) -> Uuid {
        if session.created_at == Timestamp::UNIX_EPOCH {
            session.created_at = self.start;
        }
        for candidate in &session.candidates {
            self.enrol(candidate);
        }
        let id = session.id;
        self.put(session);
        id
    }

    fn enrol(&mut self, candidate: &Candidate) {
        if candidate.source == "imported"
            && let (Some(who), Some(picture)) = (&candidate.vendor_data, &candidate.picture)
        {
            self.imported.insert(who.clone(), picture.clone());
        }
        let (Some(id), Some(number)) = (candidate.session_id, candidate.session_number) else {
            return;
        };
        if self.by_id.contains_key(&id) || self.sessions.contains_key(&number) {
            return;
        }
        self.put(Session {
            id,
            kind: candidate.api_service.clone().map_or(Kind::Workflow, Kind::Api),
            status: candidate.status.clone().unwrap_or_else(|| "Approved".to_owned()),
            vendor_data: candidate.vendor_data.clone(),
            full_name: candidate.full_name.clone(),
            document_type: candidate.document_type.clone(),
            document_number: candidate.document_number.clone(),
            created_at: candidate.verified_at.unwrap_or(self.start),
            picture: candidate.picture.clone(),
            blocked: Blocked { face: candidate.blocklisted, ..Blocked::default() },
            ..Session::approved(number)
        });
    }

    fn put(&mut self, session: Session) {
        self.version += 1;
        self.gone.remove(&session.id);
        if let Some(old) = self.by_id.get(&session.id).copied() {
            self.take(old);
        }
        self.take(session.number);
        self.by_id.insert(session.id, session.number);
        if let Some(who) = session.vendor_data.clone() {
            self.by_vendor.entry(who).or_default().insert(session.number);
        }
        self.sessions.insert(session.number, session);
    }

    fn take(&mut self, number: u64) -> Option<Session> {
        let session = self.sessions.remove(&number)?;
        self.version += 1;
        self.by_id.remove(&session.id);
        if let Some(numbers) = session.vendor_data.as_ref().and_then(|v| self.by_vendor.get_mut(v))
        {
            numbers.remove(&number);
        }
        Some(session)
    }

    /// Takes a session away; its links die and it answers 404 from now on.
    pub(super) fn remove(&mut self, id: Uuid) -> Option<Session> {
        let number = self.by_id.get(&id).copied()?;
        self.gone.insert(id);
        self.take(number)
    }

    /// Whether a session was here once.
    pub(super) fn is_gone(&self, id: Uuid) -> bool {
        self.gone.contains(&id)
    }

    /// The session of an id.
    #[must_use]
    pub fn session(&self, id: Uuid) -> Option<&Session> {
        self.sessions.get(self.by_id.get(&id)?)
    }

    /// The session of a number.
    #[must_use]
    pub fn numbered(&self, number: u64) -> Option<&Session> {
        self.sessions.get(&number)
    }

    pub(super) fn session_mut(&mut self, id: Uuid) -> Option<&mut Session> {
        self.version += 1;
        self.sessions.get_mut(self.by_id.get(&id)?)
    }

    /// All sessions, newest first.
    pub fn sessions(&self) -> impl Iterator<Item = &Session> {
        self.sessions.values().rev()
    }

    /// How many sessions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// The sessions from a number on, oldest first.
    pub(super) fn numbered_from(&self, number: u64) -> impl Iterator<Item = &Session> {
        self.sessions.range(number..).map(|(_, session)| session)
    }

    /// The number after the newest.
    pub(super) fn next_number(&self) -> u64 {
        self.sessions.last_key_value().map_or(1000, |(number, _)| number + 1)
    }

    /// The sessions of a person, oldest first.
    pub(super) fn of_vendor(&self, who: &str) -> impl Iterator<Item = &Session> {
        self.by_vendor.get(who).into_iter().flatten().filter_map(|n| self.sessions.get(n))
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }
}
