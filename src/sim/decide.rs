//! What changes a session: its status, the status of one step, its feed, its deletion.

use serde_json::{Value, json};
use uuid::Uuid;

use super::SameStatus;
use super::decision::{nodes, stamp};
use super::record::Effect;
use super::reply::Reply;
use super::serve::Call;
use super::state::{State, Window};
use super::world::{Kind, Review};

/// Every status a session can have.
const STATUSES: [&str; 10] = [
    "Not Started",
    "In Progress",
    "Awaiting User",
    "In Review",
    "Approved",
    "Declined",
    "Resubmitted",
    "Expired",
    "Kyc Expired",
    "Abandoned",
];

/// The statuses a session must have for its status to be changed, in the order of the message.
const CHANGEABLE: [&str; 6] =
    ["Approved", "Declined", "In Review", "Kyc Expired", "Abandoned", "Resubmitted"];

const RESUBMITTABLE: [&str; 15] = [
    "OCR",
    "OCR_BACK",
    "NFC",
    "AML",
    "FACE",
    "LIVENESS",
    "FACE_MATCH",
    "IP_ANALYSIS",
    "AGE_ESTIMATION",
    "PROOF_OF_ADDRESS",
    "PHONE_VERIFICATION",
    "EMAIL_VERIFICATION",
    "FACE_SEARCH",
    "DATABASE_VALIDATION",
    "QUESTIONNAIRE",
];

/// How the API names itself in feeds, whatever the key.
pub(super) const API_CLIENT: &str = "API Client";

impl State {
    /// `PATCH /v3/session/{id}/update-status/`
    pub(super) fn update_status(&mut self, call: &Call) -> Reply {
        let id = call.place.id();
        let Some(session) = self.world.session(id) else { return Reply::not_found() };
        let (current, kind) = (session.status.clone(), session.kind.clone());
        if !CHANGEABLE.contains(&current.as_str()) {
            let text = format!(
                "Only sessions with status {} can be updated. Current status: {current}",
                CHANGEABLE.join(", ")
            );
            return Reply::detail(400, text);
        }
        if kind != Kind::Workflow && !self.options.api_sessions_change {
            return Reply::detail(400, "Cannot change status for API sessions.");
        }
        let wanted = match wanted_status(&call.json) {
            Ok(wanted) => wanted,
            Err(reply) => return reply,
        };
        if let Err(reply) = check_extras(&call.json) {
            return reply;
        }
        if wanted == current {
            let silent = self.options.same_status == SameStatus::NoOp200 && wanted != "Resubmitted";
            return match silent {
                true => Reply::json(200, json!({ "session_id": id })),
                false => {
                    let text = "The new status is the same as the current status.";
                    Reply::json(400, json!([text]))
                }
            };
        }
        if self.deaf.contains(&id) {
            return Reply::json(200, json!({ "session_id": id }));
        }
        self.decide(id, &wanted, API_CLIENT, text_of(&call.json, "comment"));
        self.after_decision(id, &wanted);
        Reply::json(200, json!({ "session_id": id }))
    }

    /// What a decision brings with it: blocklisting on a decline, deletion on a resubmission.
    fn after_decision(&mut self, id: Uuid, wanted: &str) {
        let Some(session) = self.world.session(id) else { return };
        let (automatic, who) = (session.auto_blocklist, session.vendor_data.clone());
        if wanted == "Declined" && automatic {
            for item in ["face", "document", "phone", "email"] {
                self.block(id, item, true);
            }
            if let Some(who) = who {
                self.set_user(&who, "BLOCKED");
            }
        }
        if wanted == "Resubmitted"
            && let Some(session) = self.world.session_mut(id)
        {
            session.picture = None;
        }
    }

    /// `PATCH /v3/session/{id}/features/{node}/update-status/`
    pub(super) fn update_feature(&mut self, call: &Call) -> Reply {
        let (id, node) = (call.place.id(), call.place.text().to_owned());
        let Some(session) = self.world.session(id) else { return Reply::session_not_found() };
        if session.kind != Kind::Workflow {
            return Reply::detail(400, "Cannot change feature status for API sessions.");
        }
        let Some((_, feature)) = nodes(session).iter().find(|(name, _)| *name == node) else {
            let text = format!("No feature found with node_id '{node}' in this session.");
            return Reply::detail(404, text);
        };
        let wanted = match call.json.get("new_status").and_then(Value::as_str) {
            None => return Reply::field("new_status", "This field is required."),
            Some(word @ ("Approved" | "Declined" | "In Review")) => word.to_owned(),
            Some(word) => {
                return Reply::field("new_status", format!("\"{word}\" is not a valid choice."));
            }
        };
        let place = (id, node.clone());
        if self.steps.get(&place) == Some(&wanted) {
            let text = "The new status is the same as the current status.";
            return Reply::json(400, json!({ "new_status": text }));
        }
        self.steps.insert(place, wanted.clone());
        self.effects.push(Effect::Feature { session: id, node: node.clone(), to: wanted.clone() });
        let body = json!({
            "session_id": id,
            "node_id": node,
            "feature_type": feature,
            "new_status": wanted,
        });
        Reply::json(200, body)
    }

    /// `DELETE /v3/session/{id}/delete/`
    pub(super) fn delete_session(&mut self, call: &Call) -> Reply {
        let id = call.place.id();
        if !self.vanish(id) {
            return Reply::not_found();
        }
        self.effects.push(Effect::Deleted { session: id });
        Reply::empty(204)
    }

    /// `GET /v3/sessions/{id}/reviews/`
    pub(super) fn list_reviews(&mut self, call: &Call) -> Reply {
        let id = call.place.id();
        let Some(session) = self.world.session(id) else {
            return Reply::session_not_found();
        };
        let mut reviews: Vec<&Review> = session.reviews.iter().collect();
        if let Some(lagging) = self.lagging.get_mut(&id) {
            reviews.truncate(lagging.feed(reviews.len()));
        }
        let oldest_first = call.query.iter().any(|(k, v)| k == "ordering" && v == "created_at");
        if !oldest_first {
            reviews.reverse();
        }
        if self.options.old_reviews {
            return Reply::json(200, reviews.into_iter().map(old_row).collect());
        }
        let window = Window::of(&call.query, 50);
        let rows = window.cut(&reviews).iter().map(|review| row(review)).collect();
        Reply::json(200, self.page(&call.path, &window, reviews.len(), rows))
    }

    /// `POST /v3/sessions/{id}/reviews/`: a note that names no author and decides nothing.
    pub(super) fn add_review(&mut self, call: &Call) -> Reply {
        let id = call.place.id();
        if self.world.session(id).is_none() {
            return Reply::session_not_found();
        }
        let new_status = text_of(&call.json, "new_status");
        if let Some(word) = new_status.as_ref().filter(|w| !STATUSES.contains(&w.as_str())) {
            return Reply::field("new_status", format!("\"{word}\" is not a valid choice."));
        }
        let comment = text_of(&call.json, "comment");
        let (uuid, created_at) = (self.new_id(), self.now());
        if let Some(session) = self.world.session_mut(id) {
            session.reviews.push(Review {
                uuid,
                activity: "STATUS_UPDATED".to_owned(),
                actor: "Unknown".to_owned(),
                new_status: new_status.clone(),
                previous_status: None,
                comment: comment.clone(),
                metadata: Value::Null,
                created_at,
            });
        }
        let body = json!({
            "user": "Unknown",
            "new_status": new_status,
            "comment": comment,
            "created_at": stamp(created_at),
        });
        self.effects.push(Effect::Note { session: id, new_status, comment });
        Reply::json(201, body)
    }
}

/// A text field; absent, null and other types are `None`.
pub(super) fn text_of(body: &Value, name: &str) -> Option<String> {
    body.get(name).and_then(Value::as_str).map(str::to_owned)
}

fn wanted_status(body: &Value) -> Result<String, Reply> {
    let refused = |text: &str| Err(Reply::field("new_status", text));
    match body.get("new_status") {
        None => refused("This field is required."),
        Some(Value::Null) => refused("This field may not be null."),
        Some(Value::String(word)) if ["Approved", "Declined", "Resubmitted"].contains(&&**word) => {
            Ok(word.clone())
        }
        Some(Value::String(word)) if STATUSES.contains(&&**word) => {
            refused("You can only update the status to 'Approved', 'Declined', or 'Resubmitted'.")
        }
        Some(other) => {
            let word = other.as_str().map_or_else(|| other.to_string(), str::to_owned);
            refused(&format!("\"{word}\" is not a valid choice."))
        }
    }
}

fn check_extras(body: &Value) -> Result<(), Reply> {
    let mails = body.get("send_email").and_then(Value::as_bool).unwrap_or(false);
    if mails && text_of(body, "email_address").is_none() {
        let text = "Email address is required when send_email is true.";
        return Err(Reply::field("email_address", text));
    }
    let Some(steps) = body.get("nodes_to_resubmit").and_then(Value::as_array) else {
        return Ok(());
    };
    for step in steps {
        let feature = text_of(step, "feature").unwrap_or_default();
        let refusal = if feature.starts_with("KYB_") {
            json!(format!(
                "The following features cannot be resubmitted directly: {feature}. Resubmit the \
                 relevant child KYC sessions instead; the parent will recompute automatically."
            ))
        } else if !RESUBMITTABLE.contains(&feature.as_str()) {
            json!([{ "feature": [format!("\"{feature}\" is not a valid choice.")] }])
        } else {
            continue;
        };
        return Err(Reply::json(400, json!({ "nodes_to_resubmit": refusal })));
    }
    Ok(())
}

fn row(review: &Review) -> Value {
    let (display, mail, kind) = match review.actor.as_str() {
        API_CLIENT => (API_CLIENT, None, "API_KEY"),
        "System" => ("System", None, "SYSTEM"),
        mail if mail.contains('@') => (mail, Some(mail), "CONSOLE_USER"),
        other => (other, None, "CONSOLE_USER"),
    };
    let changed = review.previous_status.is_some();
    let value = |status: &Option<String>| {
        status.as_ref().filter(|_| changed).map(|status| json!({ "status": status }))
    };
    json!({
        "uuid": review.uuid,
        "activity_type": review.activity,
        "actor_display": display,
        "actor_email": mail,
        "actor_type": kind,
        "new_status": review.new_status,
        "previous_status": review.previous_status,
        "comment": review.comment,
        "mentioned_emails": mentioned(review.comment.as_deref()),
        "previous_value": value(&review.previous_status),
        "new_value": value(&review.new_status),
        "changed_fields": if changed { vec!["status"] } else { Vec::new() },
        "metadata": review.metadata,
        "created_at": stamp(review.created_at),
    })
}

/// The e-mail addresses of a comment: Didit writes to them.
fn mentioned(comment: Option<&str>) -> Vec<&str> {
    let word = |c: char| c.is_alphanumeric() || "@.+-_".contains(c);
    let words = comment.unwrap_or_default().split(move |c| !word(c));
    words
        .map(|text| text.trim_matches(['@', '.']))
        .filter(|text| text.split_once('@').is_some_and(|(_, host)| host.contains('.')))
        .collect()
}

/// The unpaged row of older documents.
fn old_row(review: &Review) -> Value {
    json!({
        "id": review.uuid,
        "action": review.activity,
        "old_status": review.previous_status,
        "new_status": review.new_status,
        "note": review.comment,
        "created_at": stamp(review.created_at),
    })
}
