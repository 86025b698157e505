//! From Didit's shapes to the words of the trade: checks, cleans, masks, counts what cannot be read.
//! Pure; the moment of receipt is handed in.

use url::Url;

use super::dto;
use super::error::{ApiError, ErrorKind, Result};
use super::read::{Field, Items};
use super::types::FaceSearchReply;
use crate::domain::{
    BoundingBox, Candidate, CandidateDetails, Case, Details, Link, Millis, OtherPicture, Person,
    ReviewEntry, SessionId, Similarity, Source, Status, SubjectDetails, SubjectKind, UserKey,
    Warning, mask_number, printable,
};

/// Longest word of an open set (status, source, risk), in graphemes.
const MOST_WORD: usize = 64;
/// Longest name or label.
const MOST_NAME: usize = 100;
/// Longest sentence or comment: ours has up to 500 characters and the marks around them.
pub(super) const MOST_TEXT: usize = 1000;
/// Warnings and faces kept of one answer.
const MOST_KEPT: usize = 50;

pub(super) fn protocol(why: &str) -> ApiError {
    ApiError::new(ErrorKind::Protocol, why)
}

pub(super) fn word(text: &str) -> String {
    printable(text, MOST_WORD)
}

pub(super) fn name(text: Option<String>) -> Option<String> {
    text.map(|t| printable(&t, MOST_NAME)).filter(|t| !t.is_empty())
}

pub(super) fn id(text: Option<&str>) -> Option<SessionId> {
    SessionId::parse(text?).ok()
}

/// A link that can be fetched over HTTP at all. An unsaved search has storage paths here.
pub(super) fn link(text: Option<String>) -> Option<Link> {
    let text = text?;
    let url = Url::parse(&text).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.has_host()).then(|| Link::new(text))
}

/// What a decision says, received at `at`.
pub(super) fn details(decision: dto::Decision, kind: SubjectKind, at: Millis) -> Result<Details> {
    let key = id(decision.session_id.as_deref()).ok_or_else(|| protocol("it names no session"))?;
    let status = decision.status.ok_or_else(|| protocol("it holds no status"))?;
    let vendor_data = decision.vendor_data.as_deref();
    let checks = decision.id_verifications.and(decision.id_verification);
    let mut warnings = Vec::new();
    let found = Found::in_blocks(
        decision.liveness_checks.and(decision.liveness),
        vendor_data,
        &mut warnings,
    );
    for face_match in decision.face_matches.and(decision.face_match).good() {
        note_warnings(&face_match.warnings, None, &mut warnings);
    }
    let several_faces = found.several_faces || says_several(&warnings, 0);
    let portrait = || checks.good().find_map(|check| link(check.portrait_image.clone()));
    let subject = SubjectDetails {
        link: found.link.or_else(portrait),
        turn: found.turn,
        faces: found.faces,
        person: subject_person(checks.good().next(), vendor_data),
        captured_at: decision.created_at,
    };
    let case = Case {
        key,
        session_number: decision.session_number,
        kind,
        status: Status::from(word(&status)),
        created_at: decision.created_at,
        candidates: found.pairs.candidates,
        set_aside: found.pairs.set_aside,
        total_matches: None,
    };
    Ok(Details {
        case,
        subject,
        candidates: found.pairs.details,
        others: found.others,
        warnings,
        reviews: reviews(decision.reviews),
        several_faces,
        // No documented field tells whether a decline lists the face by itself.
        auto_blocklist: None,
        workflow: decision.workflow_id.map(|id| word(&id)).filter(|id| !id.is_empty()),
        at,
    })
}

/// What a face-search reply says, received at `at`.
pub(super) fn face_search(reply: dto::FaceSearchReply, at: Millis) -> Result<FaceSearchReply> {
    let key = id(reply.request_id.as_deref()).ok_or_else(|| protocol("it has no request_id"))?;
    let search = reply.face_search.ok_or_else(|| protocol("it holds no face_search"))?;
    let status = search.status.ok_or_else(|| protocol("it holds no status"))?;
    let stored =
        |m: &dto::Match| m.match_image_url.is_some() && link(m.match_image_url.clone()).is_none();
    // Only an unsaved search shows storage paths instead of links.
    let unsaved = search.matches.good().any(stored);
    let mut warnings = Vec::new();
    note_warnings(&search.warnings, Some(0), &mut warnings);
    let pairs = Pairs::of(search.matches, reply.vendor_data.as_deref());
    let picture = Picture::of(search.user_image.as_ref());
    let no_face = warnings.iter().any(|w: &Warning| w.risk == "NO_FACE_DETECTED");
    let case = Case {
        key,
        session_number: None,
        kind: if unsaved { SubjectKind::Unreachable } else { SubjectKind::SavedSearch },
        status: Status::from(word(&status)),
        created_at: reply.created_at,
        candidates: pairs.candidates,
        set_aside: pairs.set_aside,
        total_matches: search.total_matches.and_then(|n| u32::try_from(n).ok()),
    };
    let details = Details {
        subject: SubjectDetails {
            link: None,
            turn: picture.turn,
            faces: picture.faces,
            person: subject_person(None, reply.vendor_data.as_deref()),
            captured_at: case.created_at,
        },
        case,
        candidates: pairs.details,
        several_faces: picture.several || says_several(&warnings, 0),
        others: Vec::new(),
        warnings,
        reviews: Vec::new(),
        auto_blocklist: None,
        workflow: None,
        at,
    };
    Ok(FaceSearchReply { details, no_face })
}

/// Candidates and their details, place by place, and how many could not be read.
#[derive(Default)]
struct Pairs {
    candidates: Vec<Candidate>,
    details: Vec<CandidateDetails>,
    set_aside: u32,
}

impl Pairs {
    fn of(matches: Items<dto::Match>, vendor_data: Option<&str>) -> Self {
        let mut pairs = Self::default();
        for item in matches.0 {
            match item.and_then(|found| pair(found, vendor_data)) {
                Ok((candidate, details)) => {
                    pairs.candidates.push(candidate);
                    pairs.details.push(details);
                }
                Err(_) => pairs.set_aside += 1,
            }
        }
        pairs
    }

    fn has_a_stranger(&self) -> bool {
        self.candidates.iter().any(|c| !c.self_match)
    }

    /// Adds what another check of the same session found: each keeps the check, because it was compared
    /// with that one's picture and with no other.
    fn take_in(&mut self, other: Self, block: u8) {
        self.set_aside += other.set_aside;
        for (mut theirs, details) in other.candidates.into_iter().zip(other.details) {
            theirs.block = block;
            self.candidates.push(theirs);
            self.details.push(details);
        }
    }
}

/// One match, or why it cannot be one.
fn pair(
    found: dto::Match,
    subject_vendor: Option<&str>,
) -> std::result::Result<(Candidate, CandidateDetails), &'static str> {
    let session_id = match &found.session_id {
        Field::Absent => None,
        Field::Unreadable => return Err("its session_id is no text"),
        Field::Is(text) => Some(SessionId::parse(text).map_err(|_| "its session_id is no id")?),
    };
    let similarity = found.similarity_percentage.and_then(Similarity::new);
    let says_nothing = session_id.is_none()
        && similarity.is_none()
        && found.source.is_none()
        && found.match_image_url.is_none()
        && found.vendor_user_id.is_none();
    if says_nothing {
        return Err("it holds no field of a match");
    }
    let set = |flag: Field<bool>, why| match flag {
        Field::Is(set) => Ok(set),
        Field::Absent => Ok(false),
        // Guessing would either hide a blocklisted face or let one through as allowed.
        Field::Unreadable => Err(why),
    };
    let vendor = found.vendor_data.as_deref();
    let candidate = Candidate {
        session_number: found.session_number,
        similarity,
        source: source(found.source.as_deref(), session_id.is_some()),
        self_match: vendor.is_some_and(|v| !v.is_empty() && subject_vendor == Some(v)),
        blocklisted: set(found.is_blocklisted, "its is_blocklisted is neither true nor false")?,
        allowlisted: set(found.is_allowlisted, "its is_allowlisted is neither true nor false")?,
        session_id,
        block: 0,
    };
    let details = CandidateDetails {
        user: found.vendor_data.clone().and_then(UserKey::new),
        user_id: found.vendor_user_id.map(|id| word(&id)).filter(|id| !id.is_empty()),
        person: candidate_person(found.user_details, found.vendor_data),
        link: link(found.match_image_url),
        status: found.status.map(|s| Status::from(word(&s))),
        verified_at: found.verification_date,
        api_service: found.api_service.map(|s| word(&s)),
    };
    Ok((candidate, details))
}

/// Older replies name no source; what has a session is one.
fn source(text: Option<&str>, has_session: bool) -> Source {
    match text {
        Some(text) => Source::from(word(text)),
        None if has_session => Source::Session,
        None => Source::Other("unknown".to_owned()),
    }
}

fn candidate_person(details: Option<dto::UserDetails>, vendor_data: Option<String>) -> Person {
    let vendor_data = name(vendor_data);
    match details {
        None => Person { vendor_data, ..Person::default() },
        Some(known) => Person {
            name: name(known.full_name).or_else(|| name(known.name)),
            document_type: name(known.document_type),
            document_number: known.document_number.map(|n| mask_number(&n)),
            country: None,
            vendor_data,
        },
    }
}

fn subject_person(check: Option<&dto::IdCheck>, vendor_data: Option<&str>) -> Person {
    let vendor_data = name(vendor_data.map(str::to_owned));
    let Some(check) = check else {
        return Person { vendor_data, ..Person::default() };
    };
    let parts = [&check.first_name, &check.last_name];
    let joined = parts.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(" ");
    Person {
        name: name(check.full_name.clone()).or_else(|| name(Some(joined))),
        document_type: name(check.document_type.clone()),
        document_number: check.document_number.as_deref().map(mask_number),
        country: name(check.issuing_state.clone()),
        vendor_data,
    }
}

/// What the liveness blocks of a decision say about the subject's pictures and their matches.
#[derive(Default)]
struct Found {
    link: Option<Link>,
    turn: u16,
    faces: Vec<BoundingBox>,
    several_faces: bool,
    pairs: Pairs,
    others: Vec<OtherPicture>,
}

/// One block.
struct Block {
    picture: OtherPicture,
    pairs: Pairs,
    warnings: Items<dto::Warning>,
}

impl Found {
    /// The first picture is the one whose matches are to be judged first: the first block's with a match
    /// that is not the same customer, else the first's with any, else the first's. The others follow in
    /// their order, each with its own matches.
    fn in_blocks(
        blocks: Items<dto::Liveness>,
        vendor_data: Option<&str>,
        warnings: &mut Vec<Warning>,
    ) -> Self {
        let mut unreadable = 0;
        let mut read = Vec::new();
        for block in blocks.0 {
            let Ok(block) = block else {
                unreadable += 1;
                continue;
            };
            let picture = Picture::of(block.user_image.as_ref());
            read.push(Block {
                picture: OtherPicture {
                    link: link(block.reference_image),
                    turn: picture.turn,
                    faces: picture.faces,
                    several_faces: picture.several,
                },
                pairs: Pairs::of(block.matches, vendor_data),
                warnings: block.warnings,
            });
        }
        let first = |wanted: fn(&Block) -> bool| read.iter().position(wanted);
        let main = first(|b| b.pairs.has_a_stranger())
            .or_else(|| first(|b| !b.pairs.candidates.is_empty()))
            .unwrap_or(0);
        if !read.is_empty() {
            read[..=main].rotate_right(1);
        }
        let mut found = Self::default();
        for (place, block) in read.into_iter().enumerate() {
            // A session has a handful of checks. What is beyond the count cannot be told apart any more.
            let Ok(number) = u8::try_from(place) else {
                unreadable += 1;
                continue;
            };
            note_warnings(&block.warnings, Some(number), warnings);
            let mut picture = block.picture;
            picture.several_faces |= says_several(warnings, number);
            if number == 0 {
                found.link = picture.link;
                found.turn = picture.turn;
                found.faces = picture.faces;
                found.several_faces = picture.several_faces;
                found.pairs = block.pairs;
            } else {
                found.pairs.take_in(block.pairs, number);
                found.others.push(picture);
            }
        }
        // A block that cannot be read may have held matches.
        found.pairs.set_aside += unreadable;
        found
    }
}

/// What was found in the subject's picture.
#[derive(Default)]
struct Picture {
    turn: u16,
    faces: Vec<BoundingBox>,
    several: bool,
}

impl Picture {
    fn of(image: Option<&dto::UserImage>) -> Self {
        let Some(image) = image else {
            return Self::default();
        };
        let boxes = image.entities.good().filter_map(|e| BoundingBox::new(e.bbox?));
        let mut faces: Vec<_> = boxes.take(MOST_KEPT).collect();
        let area = |b: &BoundingBox| (b.x_max - b.x_min) * (b.y_max - b.y_min);
        faces.sort_by(|a, b| area(b).total_cmp(&area(a)));
        // A face whose box cannot be read is still a face.
        Self { turn: turn(image.best_angle), faces, several: image.entities.0.len() > 1 }
    }
}

/// Quarter turns only; anything else is no turn.
fn turn(angle: Option<f64>) -> u16 {
    let turns = [0u16, 90, 180, 270];
    let wanted = angle.map_or(0.0, |degrees| degrees.rem_euclid(360.0));
    turns.into_iter().find(|t| (f64::from(*t) - wanted).abs() < f64::EPSILON).unwrap_or(0)
}

/// Notes warnings of a block, or of the session.
pub(super) fn note_warnings(
    items: &Items<dto::Warning>,
    block: Option<u8>,
    into: &mut Vec<Warning>,
) {
    for item in items.good() {
        let about = item.additional_data.as_ref().and_then(|about| {
            let named = [
                &about.duplicated_session_id,
                &about.blocklisted_session_id,
                &about.allowlisted_session_id,
            ];
            named.into_iter().find_map(|text| id(text.as_deref()))
        });
        let warning = Warning {
            risk: item.risk.as_deref().map_or_else(|| "UNKNOWN".to_owned(), word),
            short: name(item.short_description.clone()),
            block,
            about,
        };
        if !into.contains(&warning) && into.len() < MOST_KEPT {
            into.push(warning);
        }
    }
}

fn says_several(warnings: &[Warning], block: u8) -> bool {
    warnings.iter().any(|w| w.risk == "MULTIPLE_FACES_DETECTED" && w.block == Some(block))
}

/// The lines of a review feed, newest first, without those that only say that somebody looked.
pub(super) fn reviews(items: Items<dto::Review>) -> Vec<ReviewEntry> {
    let looked = |review: &dto::Review| {
        let event = review.metadata.as_ref().and_then(|m| m.system_event.as_deref());
        event == Some("DETAIL_VIEWED")
    };
    let read = items.0.into_iter().flatten().filter(|review| !looked(review));
    let mut entries: Vec<_> = read.map(review).collect();
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.at));
    entries
}

fn review(review: dto::Review) -> ReviewEntry {
    let who = [review.user, review.actor_email, review.actor_display];
    let text = |text: String| printable(&text, MOST_TEXT);
    ReviewEntry {
        who: who.into_iter().find_map(name).unwrap_or_else(|| "Unknown".to_owned()),
        new_status: review.new_status.map(|s| Status::from(word(&s))),
        comment: review.comment.or(review.note).map(text).filter(|t| !t.is_empty()),
        at: review.created_at,
    }
}
