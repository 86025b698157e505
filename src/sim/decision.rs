//! `GET /v3/session/{id}/decision/`: a session in full, with new links each time. Reads the world
//! and changes nothing.

use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::gate::Key;
use super::state::State;
use super::world::{Candidate, Kind, Picture, Review, Session};

/// The step that holds the face and its matches.
pub(super) const FACE_NODE: &str = "feature_liveness_1";
const DOCUMENT_NODE: &str = "feature_ocr_1";
const MATCH_NODE: &str = "feature_face_match_1";

/// A time as Didit writes it: six decimals and `Z`.
pub(super) fn stamp(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

/// Where a session's pictures are on the pictures' listener.
pub(super) struct Paths {
    pub reference: Option<String>,
    pub portrait: Option<String>,
    pub front: Option<String>,
}

pub(super) fn paths(session: &Session) -> Paths {
    let path = |slot: &str, ext: &str| format!("/{}/{slot}.{ext}", session.id);
    let picture = session.picture.as_ref();
    let document = picture.filter(|_| session.document_type.is_some());
    Paths {
        reference: picture.map(|p| path("reference", p.extension())),
        portrait: document.map(|_| path("portrait", "jpg")),
        front: document.map(|_| path("front", "jpg")),
    }
}

fn match_path(session: &Session, place: usize, candidate: &Candidate) -> Option<String> {
    let picture = candidate.picture.as_ref()?;
    Some(format!("/{}/match-{place}.{}", session.id, picture.extension()))
}

/// The picture at a place of [`paths`].
pub(super) fn picture(session: &Session, slot: &str) -> Option<Picture> {
    match slot {
        "reference" => session.picture.clone(),
        _ if slot.starts_with("reference-") => {
            let check: usize = slot.strip_prefix("reference-")?.parse().ok()?;
            session.further.get(check)?.picture.clone()
        }
        "portrait" | "front" => Some(on_document(session.picture.clone()?)),
        _ => {
            let place: usize = slot.strip_prefix("match-")?.parse().ok()?;
            session.candidates.get(place)?.picture.clone()
        }
    }
}

/// The same face on a document: another photograph, always an upright JPEG.
fn on_document(picture: Picture) -> Picture {
    match picture {
        Picture::Drawn { face, shot, .. } => Picture::of(face, shot.wrapping_add(1_000_003)),
        bytes @ Picture::Bytes(..) => bytes,
    }
}

/// Didit's own id of a person, made from the customer's.
pub(super) fn person_id(session: &Session) -> Option<Uuid> {
    session.vendor_data.as_deref().map(person_id_of)
}

pub(super) fn person_id_of(vendor_data: &str) -> Uuid {
    let hash = Sha256::digest(vendor_data.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

pub(super) fn session_url(session: &Session) -> String {
    format!("https://verify.didit.me/session/{}", session.id.simple())
}

/// The code that the list's `document_type` filter takes, for a display name.
pub(super) fn document_code(name: &str) -> &'static str {
    match name {
        "Passport" => "P",
        "Identity Card" => "ID",
        "Driver's License" => "DL",
        "Residence Permit" => "RP",
        "Health Insurance Card" => "HIC",
        "Tax Card" => "TC",
        _ => "OTHER",
    }
}

/// A warning in full. `about` is the candidate it speaks of.
pub(super) fn warning(risk: &str, review: bool, about: Option<&Candidate>) -> Value {
    let kind = match risk {
        "POSSIBLE_DUPLICATED_FACE" | "DUPLICATED_FACE" => "duplicated",
        "FACE_IN_BLOCKLIST" | "POSSIBLE_FACE_IN_BLOCKLIST" => "blocklisted",
        _ => "",
    };
    let additional = about.filter(|_| !kind.is_empty()).map(|candidate| {
        json!({
            format!("{kind}_session_id"): candidate.session_id,
            format!("{kind}_session_number"): candidate.session_number,
            "api_service": candidate.api_service,
        })
    });
    let log_type = match risk {
        "FACE_IN_BLOCKLIST" => "error",
        "POSSIBLE_FACE_IN_BLOCKLIST" if !review => "error",
        "MULTIPLE_FACES_DETECTED" | "POSSIBLE_FACE_IN_BLOCKLIST" => "warning",
        _ if review => "warning",
        _ => "information",
    };
    let (short, long) = describe(risk);
    json!({
        "feature": "LIVENESS",
        "risk": risk,
        "additional_data": additional,
        "log_type": log_type,
        "short_description": short,
        "long_description": long,
    })
}

fn describe(risk: &str) -> (&'static str, &'static str) {
    match risk {
        "POSSIBLE_DUPLICATED_FACE" => (
            "Possible duplicated face",
            "The face resembles one that was verified before under another identifier.",
        ),
        "DUPLICATED_FACE" => {
            ("Duplicated face", "The face was verified before under another identifier.")
        }
        "FACE_IN_BLOCKLIST" => ("Face in blocklist", "The face matches one on the blocklist."),
        "POSSIBLE_FACE_IN_BLOCKLIST" => {
            ("Possible face in blocklist", "The face resembles one on the blocklist.")
        }
        "MULTIPLE_FACES_DETECTED" => {
            ("Multiple faces detected", "More than one face was found; the largest was used.")
        }
        _ => ("Warning", "The check raised a warning."),
    }
}

impl State {
    /// The decision of a session as it is now. `events` is `?include=events`.
    pub(super) fn decision(&mut self, id: Uuid, key: &Key, events: bool) -> Option<Value> {
        let mut session = self.world.session(id)?.clone();
        if let Some(lagging) = self.lagging.get_mut(&id) {
            session.status = lagging.status(&session.status).to_owned();
            session.reviews.truncate(lagging.feed(session.reviews.len()));
        }
        if self.options.reviews_in_feed_only {
            session.reviews.clear();
        }
        let workflow = session.kind == Kind::Workflow;
        let mut made = json!({
            "session_id": session.id,
            "session_kind": "user",
            "session_number": session.number,
            "session_url": key.write.then(|| session_url(&session)),
            "status": session.status,
            "environment": if key.sandbox { "sandbox" } else { "live" },
            "workflow_id": session.workflow_id,
            "features": features(&session),
            "vendor_data": session.vendor_data,
            "metadata": session.metadata,
            "expected_details": null,
            "contact_details": null,
            "callback": null,
            "id_verifications": workflow.then(|| [self.document(&session, key)]),
            "nfc_verifications": null,
            "liveness_checks": (0..=session.further.len())
                .map(|check| self.face(&session, check, key))
                .collect::<Vec<_>>(),
            "face_matches": workflow.then(|| [self.face_match(&session, key)]),
            "reviews": session.reviews.iter().map(review).collect::<Vec<_>>(),
            "created_at": stamp(session.created_at),
            "expires_at": null,
        });
        for absent in [
            "poa_verifications",
            "document_ai_documents",
            "phone_verifications",
            "email_verifications",
            "aml_screenings",
            "ip_analyses",
            "database_validations",
            "questionnaire_responses",
        ] {
            made[absent] = Value::Null;
        }
        if events {
            add_events(&mut made, &session);
        }
        Some(made)
    }

    fn step(&self, session: &Session, node: &str, otherwise: &str) -> String {
        let own = self.steps.get(&(session.id, node.to_owned()));
        own.map_or_else(|| otherwise.to_owned(), Clone::clone)
    }

    fn document(&mut self, session: &Session, key: &Key) -> Value {
        let paths = paths(session);
        let shown = |path: Option<String>| path.filter(|_| key.media);
        let (first, last) = match session.full_name.as_deref() {
            Some(name) => name.split_once(' ').unwrap_or((name, "")),
            None => ("", ""),
        };
        let born = session.created_at.strftime("%Y").to_string();
        let year = born.parse::<i32>().unwrap_or(2026) - i32::from(session.age);
        json!({
            "node_id": DOCUMENT_NODE,
            "status": self.step(session, DOCUMENT_NODE, "Approved"),
            "document_type": session.document_type,
            "document_subtype": null,
            "document_number": session.document_number,
            "portrait_image": self.link(shown(paths.portrait)),
            "front_image": self.link(shown(paths.front)),
            "date_of_birth": format!("{year:04}-01-01"),
            "age": session.age,
            "expiration_date": "2031-06-02",
            "date_of_issue": "2021-06-02",
            "issuing_state": session.country,
            "first_name": first,
            "last_name": last,
            "full_name": session.full_name,
            "gender": "U",
            "nationality": session.country,
            "matches": [],
            "warnings": [],
        })
    }

    fn face(&mut self, session: &Session, check: usize, key: &Key) -> Value {
        let status = match session.status.as_str() {
            "In Review" if session.held_by.is_some() => "Approved",
            known @ ("Approved" | "Declined" | "In Review") => known,
            "Resubmitted" => "Resub Requested",
            _ => "Not Finished",
        };
        let of_check = |place: &usize| session.candidates[*place].check == check;
        let places: Vec<usize> = (0..session.candidates.len()).filter(of_check).collect();
        let mut found = places.iter().map(|place| &session.candidates[*place]);
        let about = found.find(|c| c.session_id.is_some());
        let in_workflow = session.kind == Kind::Workflow;
        let further = check.checked_sub(1).and_then(|at| Some((at, session.further.get(at)?)));
        let node = match further {
            None => FACE_NODE.to_owned(),
            Some(_) => format!("feature_liveness_{}", check + 1),
        };
        let warnings: Vec<Value> = further
            .map_or(&session.warnings, |(_, check)| &check.warnings)
            .iter()
            .map(|risk| {
                let mut one = warning(risk, in_workflow, about);
                one["node_id"] = json!(node);
                one
            })
            .collect();
        let path = match further {
            None => paths(session).reference,
            Some((at, check)) => check
                .picture
                .as_ref()
                .map(|p| format!("/{}/reference-{at}.{}", session.id, p.extension())),
        };
        let matches: Vec<Value> =
            places.into_iter().map(|place| self.found_match(session, place, key)).collect();
        json!({
            "node_id": node,
            "status": self.step(session, FACE_NODE, status),
            "method": "PASSIVE",
            "score": 97.4,
            "reference_image": self.link(path.filter(|_| key.media)),
            "age_estimation": f64::from(session.age) + 0.6,
            "face_quality": 82.5,
            "face_luminance": 51.3,
            "matches": matches,
            "warnings": warnings,
        })
    }

    /// One match as a decision carries it. Status and blocklist flag are the live ones while the
    /// candidate's session exists.
    fn found_match(&mut self, session: &Session, place: usize, key: &Key) -> Value {
        let Some(candidate) = session.candidates.get(place) else { return Value::Null };
        let path = match_path(session, place, candidate).filter(|_| key.media);
        let mut made = self.match_item(candidate);
        made["match_image_url"] = self.link(path);
        made
    }

    /// A match without its picture.
    pub(super) fn match_item(&self, candidate: &Candidate) -> Value {
        let live = candidate.session_id.and_then(|id| self.world.session(id));
        let status = live.map(|s| s.status.clone()).or_else(|| candidate.status.clone());
        json!({
            "session_id": candidate.session_id,
            "session_number": candidate.session_number,
            "similarity_percentage": candidate
                .raw_score
                .clone()
                .unwrap_or_else(|| json!(candidate.similarity)),
            "source": candidate.source,
            "vendor_data": candidate.vendor_data,
            "verification_date": candidate.verified_at.map(stamp),
            "user_details": user_details(candidate),
            "match_image_url": null,
            "status": status,
            "is_blocklisted": candidate.blocklisted || live.is_some_and(|s| s.blocked.face),
            "is_allowlisted": candidate.allowlisted,
            "api_service": candidate.api_service,
            "vendor_user_id": candidate.vendor_user_id,
            "biometric_template_id": candidate.template_id,
        })
    }

    fn face_match(&mut self, session: &Session, key: &Key) -> Value {
        let paths = paths(session);
        let shown = |path: Option<String>| path.filter(|_| key.media);
        json!({
            "node_id": MATCH_NODE,
            "status": self.step(session, MATCH_NODE, "Approved"),
            "score": 93.1,
            "source_image_session_id": null,
            "source_image": self.link(shown(paths.portrait)),
            "target_image": self.link(shown(paths.reference)),
            "warnings": [],
        })
    }
}

/// The nodes of a session and the feature of each.
pub(super) fn nodes(session: &Session) -> &'static [(&'static str, &'static str)] {
    match session.kind {
        Kind::Workflow => &[
            (DOCUMENT_NODE, "ID_VERIFICATION"),
            (FACE_NODE, "LIVENESS"),
            (MATCH_NODE, "FACE_MATCH"),
        ],
        Kind::Api(_) => &[(FACE_NODE, "LIVENESS")],
    }
}

fn features(session: &Session) -> Vec<String> {
    match &session.kind {
        Kind::Workflow => nodes(session).iter().map(|(_, name)| (*name).to_owned()).collect(),
        Kind::Api(service) => vec![service.clone()],
    }
}

fn user_details(candidate: &Candidate) -> Value {
    if ["list_entry", "retained_template"].contains(&candidate.source.as_str()) {
        return Value::Null;
    }
    json!({
        "full_name": candidate.full_name,
        "document_type": candidate.document_type,
        "document_number": candidate.document_number,
    })
}

fn review(review: &Review) -> Value {
    json!({
        "user": review.actor,
        "new_status": review.new_status,
        "comment": review.comment,
        "created_at": stamp(review.created_at),
    })
}

/// What `?include=events` changes.
fn add_events(made: &mut Value, session: &Session) {
    if let Some(fields) = made.as_object_mut() {
        fields.remove("session_kind");
    }
    let blocked = session.blocked;
    let named = |(node, name): &(&str, &str)| json!({ "feature": name, "node_id": node });
    made["features"] = nodes(session).iter().map(named).collect();
    made["events"] = json!([]);
    made["activity_reviews"] = json!([]);
    made["blocklisted"] = json!({
        "face": blocked.face,
        "document": blocked.document,
        "phone": blocked.phone,
        "email": blocked.email,
    });
    made["cost_breakdown"] = Value::Null;
    made["workflow_type"] = json!("kyc");
    made["workflow_version"] = json!(1);
    made["api_service"] = match &session.kind {
        Kind::Workflow => Value::Null,
        Kind::Api(service) => json!(service),
    };
    made["session_type"] = json!(if session.kind == Kind::Workflow { "HOSTED" } else { "API" });
}
