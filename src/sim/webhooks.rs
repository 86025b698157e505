//! Webhook destinations: kept and shown, never called.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Value, json};
use url::{Host, Url};
use uuid::Uuid;

use super::decide::text_of;
use super::decision::stamp;
use super::reply::Reply;
use super::route::Route;
use super::serve::Call;
use super::state::State;

const EVENTS: [&str; 10] = [
    "status.updated",
    "data.updated",
    "user.status.updated",
    "user.data.updated",
    "business.status.updated",
    "business.data.updated",
    "activity.created",
    "transaction.created",
    "transaction.status.updated",
    "travel_rule.status.updated",
];

/// Where webhooks would go.
#[derive(Debug, Clone)]
pub(super) struct Destination {
    id: Uuid,
    label: String,
    url: String,
    enabled: bool,
    version: String,
    secret: String,
    events: Vec<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl Destination {
    fn full(&self) -> Value {
        json!({
            "uuid": self.id,
            "label": self.label,
            "url": self.url,
            "enabled": self.enabled,
            "webhook_version": self.version,
            "secret_shared_key": self.secret,
            "subscribed_events": self.events,
            "created_at": stamp(self.created_at),
            "updated_at": stamp(self.updated_at),
            "summary": {
                "total_deliveries": 0,
                "failed_deliveries": 0,
                "error_rate_percentage": 0,
                "min_response_time_ms": null,
                "avg_response_time_ms": null,
                "max_response_time_ms": null,
                "last_delivery_at": null,
            },
        })
    }

    fn row(&self) -> Value {
        json!({
            "uuid": self.id,
            "label": self.label,
            "url": self.url,
            "enabled": self.enabled,
            "webhook_version": self.version,
            "subscribed_events": self.events,
            "subscribed_events_count": self.events.len(),
            "deliveries_count": 0,
            "failed_deliveries_count": 0,
            "average_response_time_ms": null,
            "error_rate_percentage": 0,
            "last_delivery_at": null,
            "created_at": stamp(self.created_at),
            "updated_at": stamp(self.updated_at),
        })
    }

    /// Takes over the fields that a body names.
    fn change(&mut self, body: &Value) -> Result<(), Reply> {
        if let Some(label) = text_of(body, "label") {
            self.label = label;
        }
        if let Some(url) = text_of(body, "url") {
            check_url(&url)?;
            self.url = url;
        }
        if let Some(enabled) = body.get("enabled").and_then(Value::as_bool) {
            self.enabled = enabled;
        }
        if let Some(version) = text_of(body, "webhook_version") {
            if !["v1", "v2", "v3"].contains(&version.as_str()) {
                let text = format!("\"{version}\" is not a valid choice.");
                return Err(Reply::field("webhook_version", text));
            }
            self.version = version;
        }
        if let Some(events) = body.get("subscribed_events").and_then(Value::as_array) {
            self.events = check_events(events)?;
        }
        Ok(())
    }
}

fn check_events(events: &[Value]) -> Result<Vec<String>, Reply> {
    let refuse = |text: String| Err(Reply::field("subscribed_events", text));
    let words: Vec<&str> = events.iter().map(|event| event.as_str().unwrap_or("null")).collect();
    if words.is_empty() {
        return refuse("At least one subscribed event is required.".to_owned());
    }
    let strange: Vec<&str> = words.iter().copied().filter(|word| !EVENTS.contains(word)).collect();
    if !strange.is_empty() {
        return refuse(format!("Unsupported webhook events: {}", strange.join(", ")));
    }
    Ok(words.into_iter().map(str::to_owned).collect())
}

/// https on a public host, as Didit demands.
fn check_url(text: &str) -> Result<(), Reply> {
    let refuse = |text: &str| Err(Reply::field("url", text));
    let Ok(url) = Url::parse(text) else { return refuse("Enter a valid URL.") };
    if url.scheme() != "https" {
        return refuse("Webhook URL must use HTTPS.");
    }
    let private = match url.host() {
        None => true,
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => is_private(IpAddr::V4(ip)),
        Some(Host::Ipv6(ip)) => is_private(IpAddr::V6(ip)),
    };
    if private { refuse("Webhook URL must be publicly reachable.") } else { Ok(()) }
}

fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_unspecified()
        }
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unspecified() || ip.is_unique_local(),
    }
}

impl State {
    /// `GET /v3/webhook/destinations/`: a bare array.
    pub(super) fn list_webhooks(&self) -> Reply {
        Reply::json(200, self.webhooks.iter().map(Destination::row).collect())
    }

    /// `POST /v3/webhook/destinations/`
    pub(super) fn add_webhook(&mut self, call: &Call) -> Reply {
        for name in ["label", "url"] {
            if text_of(&call.json, name).is_none() {
                return Reply::field(name, "This field is required.");
            }
        }
        let (id, now) = (self.new_id(), self.now());
        let mut secret = [0; 32];
        self.rng.fill(&mut secret);
        let mut made = Destination {
            id,
            label: String::new(),
            url: String::new(),
            enabled: true,
            version: "v3".to_owned(),
            secret: URL_SAFE_NO_PAD.encode(secret),
            events: EVENTS.map(str::to_owned).to_vec(),
            created_at: now,
            updated_at: now,
        };
        if let Err(reply) = made.change(&call.json) {
            return reply;
        }
        if let Some(reply) = self.taken(&made) {
            return reply;
        }
        let body = made.full();
        self.webhooks.push(made);
        self.setting("webhook destination made");
        Reply::json(201, body)
    }

    fn taken(&self, wanted: &Destination) -> Option<Reply> {
        let twin = |own: &Destination| own.url == wanted.url && own.id != wanted.id;
        let text = "This webhook destination already exists for the application.";
        self.webhooks.iter().any(twin).then(|| Reply::field("url", text))
    }

    /// `GET`, `PATCH`, `DELETE /v3/webhook/destinations/{id}/`
    pub(super) fn one_webhook(&mut self, call: &Call) -> Reply {
        let (id, now) = (call.place.id(), self.now());
        let Some(at) = self.webhooks.iter().position(|own| own.id == id) else {
            return Reply::detail(404, "Webhook destination not found.");
        };
        match call.place.route() {
            Some(Route::DeleteWebhook) => {
                self.webhooks.remove(at);
                self.setting("webhook destination removed");
                Reply::empty(204)
            }
            Some(Route::EditWebhook) => {
                let mut wanted = self.webhooks[at].clone();
                if let Err(reply) = wanted.change(&call.json) {
                    return reply;
                }
                if let Some(reply) = self.taken(&wanted) {
                    return reply;
                }
                wanted.updated_at = now;
                let body = wanted.full();
                self.webhooks[at] = wanted;
                self.setting("webhook destination changed");
                Reply::json(200, body)
            }
            _ => Reply::json(200, self.webhooks[at].full()),
        }
    }
}
