//! The standalone checks: Face Search, passive liveness, face match and ID verification. What they
//! find in an uploaded picture is made from its bytes, the same every time, unless a test says
//! beforehand what is found.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::decision::warning;
use super::gate::Key;
use super::pictures::Seen;
use super::record::Effect;
use super::reply::Reply;
use super::serve::{Call, Part};
use super::state::State;
use super::world::{Candidate, Kind, Picture, Session};

const IMAGES: &str = "tiff, jpg, jpeg, png, webp";
const DOCUMENTS: &str = "tiff, jpg, jpeg, png, webp, pdf";
const MEGABYTE: usize = 1024 * 1024;

/// Above this the simulator calls a face the same, and possibly the same. Didit publishes neither.
const STRONG: f64 = 90.0;
const POSSIBLE: f64 = 70.0;

/// At most this many matches are sent.
const SENT: usize = 5;

/// What every check takes besides its pictures.
struct Common {
    save: bool,
    vendor_data: Option<String>,
    metadata: Value,
}

impl Common {
    fn of(call: &Call) -> Result<Self, Reply> {
        truth(call, "rotate_image", false)?;
        let metadata = match call.text("metadata") {
            None => Value::Null,
            Some(text) => serde_json::from_str(text)
                .map_err(|_| Reply::field("metadata", "Value must be valid JSON."))?,
        };
        Ok(Self {
            save: truth(call, "save_api_request", true)?,
            vendor_data: call.text("vendor_data").map(str::to_owned),
            metadata,
        })
    }
}

fn truth(call: &Call, name: &str, otherwise: bool) -> Result<bool, Reply> {
    match call.text(name).map(str::to_ascii_lowercase).as_deref() {
        None => Ok(otherwise),
        Some("true" | "1" | "yes" | "on") => Ok(true),
        Some("false" | "0" | "no" | "off") => Ok(false),
        Some(_) => Err(Reply::field(name, "Must be a valid boolean.")),
    }
}

/// A percentage field with Django's two messages for one out of range.
fn threshold(call: &Call, name: &str) -> Result<f64, Reply> {
    let Some(text) = call.text(name) else { return Ok(30.0) };
    let Some(number) = text.parse::<f64>().ok().filter(|n| n.is_finite()) else {
        return Err(Reply::field(name, "A valid number is required."));
    };
    if number > 100.0 {
        return Err(Reply::field(name, "Ensure this value is less than or equal to 100."));
    }
    if number < 0.0 {
        return Err(Reply::field(name, "Ensure this value is greater than or equal to 0."));
    }
    Ok(number)
}

fn choice(call: &Call, name: &str, allowed: &[&str]) -> Result<(), Reply> {
    match call.text(name).filter(|word| !allowed.contains(word)) {
        Some(word) => Err(Reply::field(name, format!("\"{word}\" is not a valid choice."))),
        None => Ok(()),
    }
}

/// The file of a field, once it has passed the checks that need no look at the picture.
fn file<'a>(
    call: &'a Call,
    name: &str,
    extensions: &str,
    megabytes: usize,
) -> Result<&'a Part, Reply> {
    let refuse = |text: &str| Err(Reply::field(name, text));
    let Some(part) = call.form.iter().find(|part| part.name == name) else {
        return refuse("No file was submitted.");
    };
    let Some(file_name) = &part.file_name else {
        return refuse("The submitted data was not a file. Check the encoding type on the form.");
    };
    let extension = file_name.rsplit_once('.').map_or("", |(_, ext)| ext).to_lowercase();
    if !extensions.split(", ").any(|allowed| allowed == extension) {
        return refuse(&format!(
            "File extension \u{201c}{extension}\u{201d} is not allowed. Allowed extensions are: \
             {extensions}."
        ));
    }
    if part.bytes.is_empty() {
        return refuse("The submitted file is empty.");
    }
    if part.bytes.len() > megabytes * MEGABYTE {
        return refuse(&format!("File size should not exceed {megabytes} MB"));
    }
    Ok(part)
}

/// Numbers made from bytes: the same bytes give the same numbers.
fn numbers_of(bytes: &[u8]) -> fastrand::Rng {
    let hash = Sha256::digest(bytes);
    let mut seed = [0; 8];
    seed.copy_from_slice(&hash[..8]);
    fastrand::Rng::with_seed(u64::from_be_bytes(seed))
}

fn no_credit() -> Reply {
    Reply::error(
        403,
        "You don't have enough credits to perform this request. Please top up at \
         https://business.didit.me",
    )
}

fn tenths(percent: f64) -> f64 {
    (percent * 10.0).round() / 10.0
}

impl State {
    fn pay(&mut self, service: &str, price: i64, saved: Option<Uuid>) {
        self.balance -= price;
        self.effects.push(Effect::Billed { service: service.to_owned(), price, saved });
    }

    /// The reply of any check: its own part between the common ones.
    fn checked(&self, id: Uuid, name: &str, part: Value, common: &Common) -> Reply {
        let created = self.now().strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string();
        let body = json!({
            "request_id": id,
            name: part,
            "vendor_data": common.vendor_data,
            "metadata": common.metadata,
            "created_at": created,
        });
        Reply::json(200, body)
    }

    /// Keeps a call as a session of its own.
    fn save(&mut self, id: Uuid, service: &str, made: SavedCall<'_>, common: &Common) {
        let number = self.world.next_number();
        let session = Session {
            id,
            kind: Kind::Api(service.to_owned()),
            status: made.status.to_owned(),
            vendor_data: common.vendor_data.clone(),
            metadata: common.metadata.clone(),
            created_at: self.now(),
            picture: Some(Picture::Bytes(made.kind.to_owned(), made.part.bytes.clone())),
            candidates: made.candidates,
            warnings: made.warnings,
            ..Session::saved_search(number)
        };
        self.world.add(session);
    }

    /// `POST /v3/face-search/`
    pub(super) fn face_search(&mut self, call: &Call, key: &Key) -> Reply {
        self.try_face_search(call, key).unwrap_or_else(|reply| reply)
    }

    fn try_face_search(&mut self, call: &Call, key: &Key) -> Result<Reply, Reply> {
        let part = file(call, "user_image", IMAGES, 5)?;
        choice(call, "search_type", &["most_similar", "blocklisted_or_approved"])?;
        let common = Common::of(call)?;
        let id = self.new_id();
        if key.sandbox {
            let mock = json!({
                "status": "Approved",
                "total_matches": 0,
                "matches": [],
                "user_image": one_face(),
                "warnings": [],
            });
            return Ok(self.checked(id, "face_search", mock, &common));
        }
        if self.balance < self.options.search_price {
            return Err(no_credit());
        }
        let Seen::Face(kind) = part.seen else {
            return Err(Reply::error(400, "No face detected in the image"));
        };
        let found = self.finds(part, call.text("search_type") == Some("blocklisted_or_approved"));
        let (risks, status) = self.judge(&found);
        let warnings: Vec<Value> =
            risks.iter().map(|(risk, about)| warning(risk, false, about.as_ref())).collect();
        if common.save {
            let made = SavedCall {
                status,
                kind,
                part,
                candidates: found.clone(),
                warnings: risks.iter().map(|(risk, _)| (*risk).to_owned()).collect(),
            };
            self.save(id, "FACE_SEARCH", made, &common);
        }
        self.pay("FACE_SEARCH", self.options.search_price, common.save.then_some(id));
        let matches: Vec<Value> = (0..found.len())
            .map(|at| self.search_match(id, at, &found, common.save, key))
            .collect();
        let body = json!({
            "status": status,
            "total_matches": matches.len(),
            "matches": matches,
            "user_image": one_face(),
            "warnings": warnings,
        });
        Ok(self.checked(id, "face_search", body, &common))
    }

    fn search_match(
        &mut self,
        id: Uuid,
        at: usize,
        found: &[Candidate],
        saved: bool,
        key: &Key,
    ) -> Value {
        let Some(candidate) = found.get(at) else { return Value::Null };
        let mut made = self.match_item(candidate);
        let ext = candidate.picture.as_ref().map(Picture::extension);
        made["match_image_url"] = match ext.filter(|_| key.media) {
            None => Value::Null,
            Some(ext) if saved => self.link(Some(format!("/{id}/match-{at}.{ext}"))),
            // An internal storage path: no link, and nothing can be done with it.
            Some(ext) => json!(format!("faces/{}/match-{at}.{ext}", id.simple())),
        };
        made
    }

    /// What a search finds: what a test said, else what the bytes say.
    fn finds(&mut self, part: &Part, narrow: bool) -> Vec<Candidate> {
        let mut found = match self.next_finds.pop_front() {
            Some(told) => told,
            None => self.finds_by_bytes(&part.bytes),
        };
        if narrow {
            found.retain(|c| {
                c.blocklisted
                    || c.allowlisted
                    || c.source == "imported"
                    || c.status.as_deref() == Some("Approved")
            });
        }
        found.sort_by(|a, b| {
            let first = |c: &Candidate| narrow && c.blocklisted;
            let score = |c: &Candidate| c.similarity.unwrap_or(0.0);
            first(b).cmp(&first(a)).then(score(b).total_cmp(&score(a)))
        });
        found.truncate(SENT);
        found
    }

    fn finds_by_bytes(&self, bytes: &[u8]) -> Vec<Candidate> {
        let mut rng = numbers_of(bytes);
        let mut found: Vec<Candidate> = Vec::new();
        for _ in 0..rng.usize(0..4) {
            let similarity = tenths(58.0 + rng.f64() * 37.0);
            let from = rng.u64(..self.world.next_number());
            let enrolled =
                |s: &&Session| s.picture.is_some() && s.kind != Kind::Api("FACE_SEARCH".to_owned());
            let Some(session) = self.world.numbered_from(from).find(enrolled) else { continue };
            if found.iter().all(|c| c.session_id != Some(session.id)) {
                found.push(Candidate::of(session, similarity));
            }
        }
        found
    }

    /// The warnings of a search, and whether it declines.
    fn judge(&self, found: &[Candidate]) -> (Vec<(&'static str, Option<Candidate>)>, &'static str) {
        let best = |wanted: &dyn Fn(&Candidate) -> bool| {
            found.iter().find(|c| wanted(c) && c.similarity.is_some_and(|s| s >= POSSIBLE))
        };
        let strong = |c: &Candidate| c.similarity.is_some_and(|s| s >= STRONG);
        let blocked = |c: &Candidate| self.match_item(c)["is_blocklisted"] == true;
        if let Some(hit) = best(&blocked) {
            let risk = if strong(hit) { "FACE_IN_BLOCKLIST" } else { "POSSIBLE_FACE_IN_BLOCKLIST" };
            return (vec![(risk, Some(hit.clone()))], "Declined");
        }
        let known =
            |c: &Candidate| c.status.as_deref() == Some("Approved") || c.source == "imported";
        let warnings = match best(&known) {
            Some(_) if found.iter().any(|c| c.allowlisted) => Vec::new(),
            Some(hit) if strong(hit) => vec![("DUPLICATED_FACE", Some(hit.clone()))],
            Some(hit) => vec![("POSSIBLE_DUPLICATED_FACE", Some(hit.clone()))],
            None => Vec::new(),
        };
        (warnings, "Approved")
    }

    /// `POST /v3/passive-liveness/`
    pub(super) fn passive_liveness(&mut self, call: &Call, key: &Key) -> Reply {
        self.try_passive_liveness(call, key).unwrap_or_else(|reply| reply)
    }

    fn try_passive_liveness(&mut self, call: &Call, key: &Key) -> Result<Reply, Reply> {
        let part = file(call, "user_image", IMAGES, 5)?;
        let edge = threshold(call, "face_liveness_score_decline_threshold")?;
        let common = Common::of(call)?;
        let id = self.new_id();
        let price = self.options.other_price;
        if !key.sandbox && self.balance < price {
            return Err(no_credit());
        }
        let score = tenths(60.0 + numbers_of(&part.bytes).f64() * 39.9);
        let (score, risk) = match part.seen {
            Seen::Unreadable => return Err(Reply::error(400, "Invalid user image format.")),
            Seen::Nobody(_) => (None, Some("NO_FACE_DETECTED")),
            Seen::Face(_) if score <= edge => (Some(score), Some("LOW_LIVENESS_SCORE")),
            Seen::Face(_) => (Some(score), None),
        };
        let status = if risk.is_some() { "Declined" } else { "Approved" };
        let warnings = declining(risk, "LIVENESS");
        if !key.sandbox {
            if let (true, Seen::Face(kind)) = (common.save, part.seen) {
                let made =
                    SavedCall { status, kind, part, candidates: Vec::new(), warnings: Vec::new() };
                self.save(id, "PASSIVE_LIVENESS", made, &common);
            }
            self.pay("PASSIVE_LIVENESS", price, common.save.then_some(id));
        }
        let body = json!({
            "status": status,
            "method": "PASSIVE",
            "score": score,
            "user_image": aged_face(part),
            "warnings": warnings,
            "face_quality": score.map(|_| 81.2),
            "face_luminance": score.map(|_| 47.5),
        });
        Ok(self.checked(id, "liveness", body, &common))
    }

    /// `POST /v3/face-match/`
    pub(super) fn face_match_check(&mut self, call: &Call, key: &Key) -> Reply {
        self.try_face_match(call, key).unwrap_or_else(|reply| reply)
    }

    fn try_face_match(&mut self, call: &Call, key: &Key) -> Result<Reply, Reply> {
        let user = file(call, "user_image", IMAGES, 5)?;
        let reference = file(call, "ref_image", IMAGES, 5)?;
        let edge = threshold(call, "face_match_score_decline_threshold")?;
        let common = Common::of(call)?;
        let id = self.new_id();
        let price = self.options.other_price;
        if !key.sandbox && self.balance < price {
            return Err(no_credit());
        }
        let both = [user, reference].iter().all(|part| matches!(part.seen, Seen::Face(_)));
        let score = both.then(|| match user.bytes == reference.bytes {
            true => 100.0,
            false => {
                let pair = [&user.bytes[..], &reference.bytes[..]].concat();
                tenths(numbers_of(&pair).f64() * 100.0)
            }
        });
        let risk = match score {
            None => Some("NO_REFERENCE_IMAGE"),
            Some(score) if score <= edge => Some("LOW_FACE_MATCH_SIMILARITY"),
            Some(_) => None,
        };
        let status = if risk.is_some() { "Declined" } else { "Approved" };
        if !key.sandbox {
            if let (true, Seen::Face(kind)) = (common.save, user.seen) {
                let (candidates, warnings) = (Vec::new(), Vec::new());
                let made = SavedCall { status, kind, part: user, candidates, warnings };
                self.save(id, "FACE_MATCH", made, &common);
            }
            self.pay("FACE_MATCH", price, common.save.then_some(id));
        }
        let body = json!({
            "status": status,
            "score": score,
            "user_image": aged_face(user),
            "ref_image": aged_face(reference),
            "warnings": declining(risk, "FACEMATCH"),
        });
        Ok(self.checked(id, "face_match", body, &common))
    }

    /// `POST /v3/id-verification/`
    pub(super) fn id_verification(&mut self, call: &Call, key: &Key) -> Reply {
        self.try_id_verification(call, key).unwrap_or_else(|reply| reply)
    }

    fn try_id_verification(&mut self, call: &Call, key: &Key) -> Result<Reply, Reply> {
        let front = file(call, "front_image", DOCUMENTS, 10)?;
        if call.form.iter().any(|part| part.name == "back_image") {
            file(call, "back_image", DOCUMENTS, 10)?;
        }
        for name in [
            "expiration_date_not_detected_action",
            "invalid_mrz_action",
            "inconsistent_data_action",
        ] {
            choice(call, name, &["NO_ACTION", "DECLINE"])?;
        }
        let common = Common::of(call)?;
        let id = self.new_id();
        let price = self.options.other_price;
        if !key.sandbox && self.balance < price {
            return Err(no_credit());
        }
        let kind = match front.seen {
            Seen::Face(kind) | Seen::Nobody(kind) => kind,
            Seen::Unreadable if front.bytes.starts_with(b"%PDF") => "application/pdf",
            Seen::Unreadable => return Err(Reply::error(400, "COULD_NOT_RECOGNIZE_DOCUMENT")),
        };
        let stored = common.save && !key.sandbox;
        if stored {
            let (candidates, warnings) = (Vec::new(), Vec::new());
            let made = SavedCall { status: "Approved", kind, part: front, candidates, warnings };
            self.save(id, "ID_VERIFICATION", made, &common);
        }
        if !key.sandbox {
            self.pay("ID_VERIFICATION", price, common.save.then_some(id));
        }
        let image = if stored {
            self.link(Some(format!("/{id}/reference.jpg")))
        } else {
            json!(STANDARD.encode(&front.bytes))
        };
        Ok(self.checked(id, "id_verification", document(&image, self.now()), &common))
    }
}

/// A check to be kept as a session.
struct SavedCall<'a> {
    status: &'static str,
    kind: &'static str,
    part: &'a Part,
    candidates: Vec<Candidate>,
    warnings: Vec<String>,
}

/// Warnings of a check that declines, with the feature they belong to.
fn declining(risk: Option<&str>, feature: &str) -> Vec<Value> {
    let full = |risk: &str| {
        let mut made = warning(risk, false, None);
        made["feature"] = json!(feature);
        made["log_type"] = json!("error");
        if let Some(fields) = made.as_object_mut() {
            fields.remove("node_id");
        }
        made
    };
    risk.map(full).into_iter().collect()
}

fn one_face() -> Value {
    json!({ "entities": [{ "bbox": [40, 40, 120, 160], "confidence": 0.93 }], "best_angle": 0 })
}

fn aged_face(part: &Part) -> Value {
    if !matches!(part.seen, Seen::Face(_)) {
        return json!({ "entities": [], "best_angle": 0 });
    }
    let age = 18.0 + (numbers_of(&part.bytes).f64() * 500.0).round() / 10.0;
    json!({
        "entities": [{
            "bbox": [40, 40, 120, 160],
            "confidence": 0.93,
            "age": age,
            "gender": "female",
            "race": null,
        }],
        "best_angle": 0,
    })
}

fn document(image: &Value, now: Timestamp) -> Value {
    json!({
        "status": "Approved",
        "document_type": "Identity Card",
        "document_subtype": "ID_CARD_GENERIC",
        "document_number": "CAA000000",
        "personal_number": null,
        "portrait_image": image,
        "front_image": image,
        "back_image": null,
        "front_image_quality_score": null,
        "back_image_quality_score": null,
        "date_of_birth": "1990-01-01",
        "age": 36,
        "expiration_date": "2031-06-02",
        "date_of_issue": now.strftime("%Y-01-02").to_string(),
        "issuing_state": "ESP",
        "issuing_state_name": "Spain",
        "first_name": "Carmen",
        "last_name": "Ejemplo",
        "full_name": "Carmen Ejemplo",
        "gender": "F",
        "address": null,
        "formatted_address": null,
        "place_of_birth": null,
        "marital_status": null,
        "nationality": "ESP",
        "extra_fields": {},
        "mrz": {},
        "parsed_address": null,
        "warnings": [],
        "barcodes": [],
    })
}
