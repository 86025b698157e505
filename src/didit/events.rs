//! What arrives without being asked for: a line of a file or the body of a webhook. It may be a
//! face-search reply, a decision, or an event that carries a decision or only names a session.

use serde::Deserialize;

use super::convert::{self, id, protocol, word};
use super::error::Result;
use super::read;
use super::{dto, types::FaceSearchReply};
use crate::domain::{Details, Millis, SessionId, Status, SubjectKind};

/// What a text from outside is.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// A reply to a face search.
    FaceSearch(Box<FaceSearchReply>),
    /// A session's decision, alone or in an event.
    Decision(Box<Details>),
    /// An event that names a session and says no more than its status.
    Session {
        /// The session.
        session: SessionId,
        /// What it is.
        kind: SubjectKind,
        /// The status it has now, where the event says so.
        status: Option<Status>,
    },
    /// An event about something else: a person, a business, a transaction.
    Elsewhere,
}

/// The fields that tell what it is, and those that an event puts around a decision.
#[derive(Deserialize)]
struct Envelope {
    #[serde(default, deserialize_with = "read::word")]
    webhook_type: Option<String>,
    #[serde(default, deserialize_with = "read::word")]
    request_id: Option<String>,
    #[serde(default, deserialize_with = "read::object")]
    face_search: Option<Presence>,
    #[serde(default, deserialize_with = "read::word")]
    session_id: Option<String>,
    #[serde(default, deserialize_with = "read::word")]
    session_kind: Option<String>,
    #[serde(default, deserialize_with = "read::word")]
    status: Option<String>,
    #[serde(default, deserialize_with = "read::word")]
    vendor_data: Option<String>,
    #[serde(default, deserialize_with = "read::object")]
    decision: Option<Kind>,
}

/// That an object is there.
#[derive(Deserialize)]
struct Presence {}

/// What a session is. A saved call has no workflow.
#[derive(Deserialize)]
struct Kind {
    #[serde(default, deserialize_with = "read::word")]
    workflow_id: Option<String>,
    #[serde(default, deserialize_with = "read::word")]
    api_service: Option<String>,
    #[serde(default)]
    features: serde_json::Value,
}

impl Kind {
    /// A saved call of another product holds no face search of its own, so it counts as a session.
    fn is_saved_search(&self) -> bool {
        let alone = self.features.as_array().is_some_and(|f| f.len() == 1 && f[0] == "FACE_SEARCH");
        self.workflow_id.is_none() && (alone || self.api_service.as_deref() == Some("FACE_SEARCH"))
    }
}

/// Reads a face-search reply, a decision or an event, older shapes or today's, received at `at`.
///
/// # Errors
/// [`super::ErrorKind::Protocol`] when `text` is none of these, or speaks of two sessions at once.
pub fn parse_item(text: &str, at: Millis) -> Result<Item> {
    let outside: Envelope = read::root(text)?;
    if outside.face_search.is_some() && outside.request_id.is_some() {
        let reply = convert::face_search(read::root(text)?, at)?;
        return Ok(Item::FaceSearch(Box::new(reply)));
    }
    let business = outside.session_kind.as_deref() == Some("business");
    let other = outside.webhook_type.is_some() && outside.session_id.is_none();
    if business || other {
        return Ok(Item::Elsewhere);
    }
    let around: Kind = read::root(text)?;
    let saved = match &outside.decision {
        Some(inner) => {
            inner.is_saved_search() && (around.workflow_id.is_none() || around.is_saved_search())
        }
        None => around.is_saved_search(),
    };
    let kind = if saved { SubjectKind::SavedSearch } else { SubjectKind::Workflow };
    if outside.decision.is_some() {
        return decision_inside(text, outside, kind, at);
    }
    if outside.webhook_type.is_some() {
        let session =
            id(outside.session_id.as_deref()).ok_or_else(|| protocol("it names no session"))?;
        let status = outside.status.map(|status| Status::from(word(&status)));
        return Ok(Item::Session { session, kind, status });
    }
    Ok(Item::Decision(Box::new(convert::details(read::root(text)?, kind, at)?)))
}

/// The decision in an event. What older ones leave out stands around it. Two sessions in one event are
/// refused, or a reviewer would judge one person by another's faces; where the two disagree otherwise,
/// only the session's name is taken, and Didit has to be asked.
fn decision_inside(text: &str, outside: Envelope, kind: SubjectKind, at: Millis) -> Result<Item> {
    let payload: dto::Payload = read::root(text)?;
    let mut inner = payload.decision.ok_or_else(|| protocol("its decision cannot be read"))?;
    let session = outside.session_id.as_deref();
    if let (Some(one), Some(other)) = (inner.session_id.as_deref(), session)
        && !one.eq_ignore_ascii_case(other)
    {
        return Err(protocol("its decision is about another session"));
    }
    let differ = |one: &Option<String>, other: &Option<String>| {
        one.is_some() && other.is_some() && one != other
    };
    let disagree =
        differ(&inner.status, &outside.status) || differ(&inner.vendor_data, &outside.vendor_data);
    if disagree && let Some(session) = id(session) {
        return Ok(Item::Session { session, kind, status: None });
    }
    inner.session_id = inner.session_id.or(outside.session_id);
    inner.status = inner.status.or(outside.status);
    inner.vendor_data = inner.vendor_data.or(outside.vendor_data);
    Ok(Item::Decision(Box::new(convert::details(inner, kind, at)?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const AT: Millis = Millis(1_795_132_800_000);

    fn read(value: &Value) -> Result<Item> {
        parse_item(&value.to_string(), AT)
    }

    fn decision() -> Value {
        json!({
            "session_id": "s-1", "session_number": 7, "status": "In Review",
            "workflow_id": "w-1", "vendor_data": "user-1", "features": ["LIVENESS"],
            "liveness_checks": [{ "matches": [{ "session_id": "s-2", "similarity_percentage": 81.5 }] }],
        })
    }

    #[test]
    fn each_shape_is_told_from_the_others() {
        let reply =
            json!({ "request_id": "s-1", "face_search": { "status": "Approved", "matches": [] } });
        assert!(matches!(read(&reply), Ok(Item::FaceSearch(_))));
        let Ok(Item::Decision(alone)) = read(&decision()) else { panic!("a decision") };
        assert_eq!(alone.case.kind, SubjectKind::Workflow);
        let event = json!({
            "event_id": "e-1", "webhook_type": "status.updated", "timestamp": 1_795_132_800,
            "session_id": "s-1", "status": "In Review", "workflow_id": "w-1", "decision": decision(),
        });
        let Ok(Item::Decision(inside)) = read(&event) else { panic!("a decision") };
        assert_eq!(inside.case, alone.case);
        // Older events name things once, outside, and use the singular.
        let old = json!({
            "webhook_type": "status.updated", "session_id": "s-1", "status": "In Review",
            "vendor_data": "user-1",
            "decision": { "session_number": 7, "liveness": { "matches": [
                { "session_id": "s-2", "similarity_percentage": 81.5 }
            ] } },
        });
        let Ok(Item::Decision(older)) = read(&old) else { panic!("a decision") };
        assert_eq!(older.case, alone.case);
        let bare =
            json!({ "webhook_type": "data.updated", "session_id": "s-1", "status": "Approved" });
        let session = SessionId::parse("s-1").unwrap();
        let (kind, status) = (SubjectKind::Workflow, Some(Status::Approved));
        assert_eq!(read(&bare), Ok(Item::Session { session, kind, status }));
        for other in [
            json!({ "webhook_type": "user.status.updated", "vendor_data": "user-1" }),
            json!({ "webhook_type": "status.updated", "session_kind": "business", "session_id": "b" }),
        ] {
            assert_eq!(read(&other), Ok(Item::Elsewhere));
        }
    }

    #[test]
    fn a_saved_search_is_known_by_its_only_step() {
        let mut saved = decision();
        saved["workflow_id"] = Value::Null;
        saved["features"] = json!(["FACE_SEARCH"]);
        let Ok(Item::Decision(found)) = read(&saved) else { panic!("a decision") };
        assert_eq!(found.case.kind, SubjectKind::SavedSearch);
        saved["features"] = json!([{ "feature": "LIVENESS" }, "FACE_SEARCH"]);
        let Ok(Item::Decision(found)) = read(&saved) else { panic!("a decision") };
        assert_eq!(found.case.kind, SubjectKind::Workflow);
    }

    #[test]
    fn an_event_at_odds_with_its_decision_is_not_believed() {
        let odd = |field: &str, other: &str| {
            let mut event = json!({
                "webhook_type": "status.updated", "session_id": "s-1", "status": "In Review",
                "vendor_data": "user-1", "workflow_id": "w-1", "decision": decision(),
            });
            event[field] = json!(other);
            read(&event)
        };
        assert!(odd("session_id", "s-9").is_err());
        assert!(matches!(odd("session_id", "S-1"), Ok(Item::Decision(_))));
        for (field, other) in [("status", "Approved"), ("vendor_data", "User-1")] {
            let found = odd(field, other);
            assert!(matches!(found, Ok(Item::Session { status: None, .. })), "{field}");
        }
    }

    #[test]
    fn what_is_none_of_these_is_refused_without_its_words() {
        for text in [
            "",
            "7",
            "[]",
            "<html>Ana</html>",
            "{",
            "{}",
            r#"{"name": "Ana"}"#,
            r#"{"webhook_type": "status.updated", "session_id": "../Ana"}"#,
        ] {
            let error = parse_item(text, AT).unwrap_err();
            assert!(!error.to_string().contains("Ana"), "{text}: {error}");
        }
    }
}
