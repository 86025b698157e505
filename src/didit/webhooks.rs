//! The calls about webhook destinations: where Didit sends its events.

use std::fmt;

use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::client::Client;
use super::convert::{MOST_TEXT, protocol};
use super::error::{CarriedOut, Result};
use super::http::{Answer, Body, Call};
use super::read::{self, Field};
use crate::domain::printable;

/// The events that this program has a use for.
pub const EVENTS: [&str; 2] = ["status.updated", "data.updated"];

/// Where Didit sends events.
#[derive(Clone)]
pub struct Destination {
    /// Its id.
    pub id: Uuid,
    /// Its label, printable.
    pub label: String,
    /// Where the events go, printable.
    pub url: String,
    /// Whether any are sent.
    pub enabled: bool,
    /// The shape of the events: `v1`, `v2` or `v3`.
    pub version: String,
    /// Which events.
    pub events: Vec<String>,
    /// The secret of their signatures, where the answer holds it.
    pub secret: Option<SecretString>,
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Destination").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What a destination is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDestination {
    /// Its label; a new one gets `secondlook` where there is none.
    pub label: Option<String>,
    /// Where the events go.
    pub url: String,
    /// Whether any are sent.
    pub enabled: bool,
}

/// A destination as it travels.
#[derive(Deserialize)]
struct Shape {
    #[serde(default, deserialize_with = "read::word")]
    uuid: Option<String>,
    #[serde(default, deserialize_with = "read::text")]
    label: Option<String>,
    #[serde(default, deserialize_with = "read::word")]
    url: Option<String>,
    #[serde(default, deserialize_with = "read::flag")]
    enabled: Field<bool>,
    #[serde(default, deserialize_with = "read::text")]
    webhook_version: Option<String>,
    #[serde(default)]
    subscribed_events: serde_json::Value,
    #[serde(default, deserialize_with = "read::word")]
    secret_shared_key: Option<String>,
}

impl Client {
    /// Every destination of the application, without secrets.
    ///
    /// # Errors
    /// [`super::ApiError`].
    pub async fn webhook_destinations(&self) -> Result<Vec<Destination>> {
        let url = self.url(&["v3", "webhook", "destinations"]);
        let answer = self.call(Call::get(url)).await?;
        if !answer.text().trim_start().starts_with('[') {
            return Err(protocol("it holds no list of destinations"));
        }
        let rows = read::list::<Shape>(answer.text()).0;
        rows.into_iter().map(|row| row.map_err(protocol).and_then(destination)).collect()
    }

    /// One destination, with its secret.
    ///
    /// # Errors
    /// [`super::ApiError`].
    pub async fn webhook_destination(&self, id: Uuid) -> Result<Destination> {
        let url = self.url(&["v3", "webhook", "destinations", &id.to_string()]);
        destination(self.call(Call::get(url)).await?.read()?)
    }

    /// Makes a destination for [`EVENTS`]; the answer holds its secret. The same address twice is refused
    /// by Didit.
    ///
    /// # Errors
    /// [`super::ApiError`].
    pub async fn add_webhook_destination(&self, wanted: &NewDestination) -> Result<Destination> {
        let url = self.url(&["v3", "webhook", "destinations"]);
        let body = json!({
            "label": wanted.label.as_deref().unwrap_or("secondlook"),
            "url": wanted.url,
            "enabled": wanted.enabled,
            "webhook_version": "v3",
            "subscribed_events": EVENTS,
        });
        written(&self.call(Call::post(url, Body::Json(body))).await?)
    }

    /// Changes a destination's label, whether it is enabled, its version and events.
    ///
    /// # Errors
    /// [`super::ApiError`].
    pub async fn change_webhook_destination(
        &self,
        id: Uuid,
        wanted: &NewDestination,
    ) -> Result<Destination> {
        let url = self.url(&["v3", "webhook", "destinations", &id.to_string()]);
        let mut body = json!({
            "enabled": wanted.enabled,
            "webhook_version": "v3",
            "subscribed_events": EVENTS,
        });
        if let Some(label) = &wanted.label {
            body["label"] = json!(label);
        }
        written(&self.call(Call::patch(url, Body::Json(body))).await?)
    }
}

/// A written destination. An answer that cannot be read does not undo the writing.
fn written(answer: &Answer) -> Result<Destination> {
    let read = answer.read().and_then(destination);
    read.map_err(|error| error.with_carried_out(CarriedOut::Yes))
}

fn destination(shape: Shape) -> Result<Destination> {
    let id = shape.uuid.and_then(|text| Uuid::parse_str(&text).ok());
    let text = |text: Option<String>| printable(&text.unwrap_or_default(), MOST_TEXT);
    let events = shape.subscribed_events.as_array().map(Vec::as_slice).unwrap_or_default();
    let words = events.iter().filter_map(serde_json::Value::as_str);
    Ok(Destination {
        id: id.ok_or_else(|| protocol("a destination has no uuid"))?,
        label: text(shape.label),
        url: text(shape.url),
        enabled: shape.enabled == Field::Is(true),
        version: text(shape.webhook_version),
        events: words.map(|word| printable(word, 64)).collect(),
        secret: shape.secret_shared_key.filter(|s| !s.is_empty()).map(SecretString::from),
    })
}
