//! `GET /v3/sessions/`: filters, pages and rows. Reads the world and changes nothing.

use std::sync::Arc;

use serde_json::{Value, json};
use uuid::Uuid;

use super::decision::{document_code, paths, person_id, stamp};
use super::gate::Key;
use super::reply::Reply;
use super::route::uuid;
use super::serve::Call;
use super::state::{State, Window};
use super::world::{Kind, Session};

const PATH: &str = "/v3/sessions/";

/// How many filters' results are kept; a console polls two or three.
const LISTINGS: usize = 4;

const SERVICES: [&str; 11] = [
    "ID_VERIFICATION",
    "FACE_MATCH",
    "AGE_ESTIMATION",
    "FACE_SEARCH",
    "POA",
    "AML",
    "KYB_REGISTRY",
    "PASSIVE_LIVENESS",
    "DATABASE_VALIDATION",
    "PHONE_VERIFICATION",
    "EMAIL_VERIFICATION",
];

/// What a filter found in one version of the world, newest first, so that page after page of a
/// large queue costs its rows and not a walk over all sessions.
#[derive(Debug)]
pub(super) struct Listing {
    version: u64,
    filter: Filter,
    numbers: Arc<[u64]>,
}

#[derive(Debug, Clone, PartialEq, Default)]
struct Filter {
    business_only: bool,
    statuses: Option<Vec<String>>,
    warnings: Option<Vec<String>>,
    types: Option<Vec<String>>,
    service: Option<String>,
    vendor_data: Option<String>,
    search: Option<String>,
    workflows: Option<Vec<String>>,
    countries: Option<Vec<String>>,
    documents: Option<Vec<String>>,
    from: Option<String>,
    to: Option<String>,
    person: Option<Uuid>,
    began_in_review: Option<bool>,
    nobody: bool,
}

impl Filter {
    fn of(query: &[(String, String)]) -> Result<Self, Reply> {
        let get = |name: &str| {
            query.iter().rev().find(|(k, v)| k == name && !v.is_empty()).map(|(_, v)| v.as_str())
        };
        let list = |name: &str| {
            get(name).map(|v| v.split(',').map(|word| word.trim().to_owned()).collect::<Vec<_>>())
        };
        let kind = get("session_kind").unwrap_or("user").to_ascii_lowercase();
        if !["user", "business", "all"].contains(&kind.as_str()) {
            let text = "Must be \"user\", \"business\", or \"all\".";
            return Err(Reply::json(400, json!({ "session_kind": text })));
        }
        let service = get("api_service").map(str::to_owned);
        if let Some(word) = service.as_ref().filter(|word| !SERVICES.contains(&word.as_str())) {
            let text =
                format!("Select a valid choice. {word} is not one of the available choices.");
            return Err(Reply::field("api_service", text));
        }
        let types = list("session_type").filter(|t| !t.iter().any(|word| word == "ALL"));
        Ok(Self {
            business_only: kind == "business",
            statuses: list("status"),
            warnings: list("warning"),
            types,
            service,
            vendor_data: get("vendor_data").map(str::to_owned),
            search: get("search").map(|s| s.trim().to_lowercase()),
            workflows: list("workflow_id"),
            countries: list("country"),
            documents: list("document_type"),
            from: date(get("date_from"), "date_from")?,
            to: date(get("date_to"), "date_to")?,
            person: id(get("didit_internal_id"), "didit_internal_id")?,
            began_in_review: get("status_initialized_as_in_review").map(|v| v == "true"),
            // Nothing here has these, so they match nothing, as Didit's do for strangers.
            nobody: id(get("euuid"), "euuid")?.is_some()
                || get("is_kyc_to_be_reviewed") == Some("true")
                || ["region", "document_name", "screened_full_name", "organization_name"]
                    .iter()
                    .any(|name| get(name).is_some()),
        })
    }

    fn matches(&self, session: &Session) -> bool {
        let any = |list: &Option<Vec<String>>, of: Option<&str>| {
            list.as_ref().is_none_or(|l| of.is_some_and(|of| l.iter().any(|word| word == of)))
        };
        let (kind, service) = match &session.kind {
            Kind::Workflow => ("HOSTED", None),
            Kind::Api(service) => ("API", Some(service.as_str())),
        };
        let workflow = session.workflow_id.map(|id| id.to_string());
        let raised = |warnings: &Vec<String>| session.risks().any(|risk| warnings.contains(risk));
        any(&self.statuses, Some(&session.status))
            && self.warnings.as_ref().is_none_or(raised)
            && any(&self.types, Some(kind))
            && self.service.as_ref().is_none_or(|wanted| service == Some(wanted))
            && (self.vendor_data.is_none() || self.vendor_data == session.vendor_data)
            && (self.workflows.is_none() || any(&self.workflows, workflow.as_deref()))
            && any(&self.countries, session.country.as_deref())
            && any(&self.documents, session.document_type.as_deref().map(document_code))
            && self.in_dates(session)
            && self.person.is_none_or(|id| person_id(session) == Some(id))
            && self.began_in_review.is_none_or(|wanted| began_in_review(session) == wanted)
            && self.search.as_deref().is_none_or(|text| finds(session, text))
    }

    fn in_dates(&self, session: &Session) -> bool {
        if self.from.is_none() && self.to.is_none() {
            return true;
        }
        let day = session.created_at.strftime("%Y-%m-%d").to_string();
        self.from.as_ref().is_none_or(|from| *from <= day)
            && self.to.as_ref().is_none_or(|to| day <= *to)
    }
}

fn date(given: Option<&str>, name: &str) -> Result<Option<String>, Reply> {
    match given.map(|text| text.parse::<jiff::civil::Date>()) {
        None => Ok(None),
        Some(Ok(day)) => Ok(Some(day.to_string())),
        Some(Err(_)) => Err(Reply::field(name, "Enter a valid date.")),
    }
}

fn id(given: Option<&str>, name: &str) -> Result<Option<Uuid>, Reply> {
    match given.map(uuid) {
        None => Ok(None),
        Some(Some(id)) => Ok(Some(id)),
        Some(None) => Err(Reply::field(name, "Enter a valid UUID.")),
    }
}

fn began_in_review(session: &Session) -> bool {
    let was = |r: &super::world::Review| r.previous_status.as_deref() == Some("In Review");
    session.status == "In Review" || session.reviews.first().is_some_and(was)
}

/// The "smart" search: what kind of text it is decides where it looks.
fn finds(session: &Session, text: &str) -> bool {
    if let Some(id) = uuid(text) {
        return session.id == id;
    }
    let holds = |field: &Option<String>| {
        field.as_ref().is_some_and(|field| field.to_lowercase().contains(text))
    };
    let starts = |field: &Option<String>| {
        field.as_ref().is_some_and(|field| field.to_lowercase().starts_with(text))
    };
    if text.contains('@') {
        return starts(&session.email);
    }
    let digits = text.contains(|c: char| c.is_ascii_digit());
    let numbers = || {
        session.number.to_string().starts_with(text)
            || holds(&session.document_number)
            || session.phone.as_ref().is_some_and(|p| p.trim_start_matches('+').starts_with(text))
    };
    (digits && numbers()) || holds(&session.full_name) || holds(&session.vendor_data)
}

impl State {
    /// Answers a list call.
    pub(super) fn list_sessions(&mut self, call: &Call, key: &Key) -> Reply {
        let filter = match Filter::of(&call.query) {
            Ok(filter) => filter,
            Err(reply) => return reply,
        };
        let numbers = self.found(filter);
        let window = Window::of(&call.query, 50);
        let shown: Vec<u64> = window.cut(&numbers).to_vec();
        let rows = shown.into_iter().map(|number| self.row(number, key)).collect();
        Reply::json(200, self.page(PATH, &window, numbers.len(), rows))
    }

    fn found(&mut self, filter: Filter) -> Arc<[u64]> {
        let version = self.world.version();
        self.listings.retain(|listing| listing.version == version);
        if let Some(known) = self.listings.iter().find(|listing| listing.filter == filter) {
            return Arc::clone(&known.numbers);
        }
        let matching = |s: &&Session| !filter.nobody && !filter.business_only && filter.matches(s);
        let numbers: Arc<[u64]> =
            self.world.sessions().filter(matching).map(|session| session.number).collect();
        self.listings.truncate(LISTINGS - 1);
        self.listings.push_front(Listing { version, filter, numbers: Arc::clone(&numbers) });
        numbers
    }

    fn row(&mut self, number: u64, key: &Key) -> Value {
        let Some(session) = self.world.numbered(number) else { return Value::Null };
        let portrait = paths(session).portrait.filter(|_| key.media);
        let step = |name: &str, status: &str| json!({ "feature": name, "status": status });
        let held_by = session.held_by.as_deref();
        let face = match session.status.as_str() {
            "In Review" if held_by.is_some() => "Approved",
            status @ ("In Review" | "Declined" | "Approved") => status,
            _ => "Not Finished",
        };
        let waits = held_by == Some("ID_VERIFICATION") && session.status == "In Review";
        let document = if waits { "In Review" } else { "Approved" };
        let features = match session.kind {
            Kind::Workflow => vec![
                step("ID_VERIFICATION", document),
                step("LIVENESS", face),
                step("FACE_MATCH", "Approved"),
            ],
            Kind::Api(_) => vec![step("LIVENESS", face)],
        };
        let mut row = json!({
            "session_id": session.id,
            "session_kind": "user",
            "session_number": session.number,
            "session_url": key.write.then(|| super::decision::session_url(session)),
            "portrait_image": null,
            "document_type": session.document_type,
            "full_name": session.full_name,
            "country": session.country,
            "status": session.status,
            "vendor_data": session.vendor_data,
            "didit_internal_id": person_id(session),
            "created_at": stamp(session.created_at),
            "features": features,
            "phone_number": session.phone.as_ref().map(|number| {
                json!({ "number": number, "is_verified": true })
            }),
            "email_address": session.email.as_ref().map(|email| {
                json!({ "email": email, "is_verified": true })
            }),
            "additional_details": { "liveness": { "method": "PASSIVE", "score": 97.4 } },
        });
        row["portrait_image"] = self.link(portrait);
        row
    }
}
