//! The face search, and the reading of its reply.

use serde_json::Value;

use super::client::Client;
use super::error::{ApiError, ErrorKind, Result};
use super::http::{Answer, Body, Call, Form};
use super::types::{FaceSearchReply, FaceSearchRequest, SavedSearch};
use super::{convert, dto, read};
use crate::domain::{Millis, SessionId, SubjectKind};

/// Largest file Didit takes.
const MOST_BYTES: usize = 5 << 20;
/// Endings that Didit takes, and what they are.
const MEDIA_TYPES: [(&str, &str); 5] = [
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("png", "image/png"),
    ("webp", "image/webp"),
    ("tiff", "image/tiff"),
];

impl Client {
    /// Searches all enrolled faces for one photograph. Costs a credit, so a lost answer is never
    /// tried again.
    ///
    /// # Errors
    /// [`ApiError`]; [`ErrorKind::Validation`] for a file Didit would refuse (nothing is sent then) or
    /// a picture without a face; [`ErrorKind::Credit`].
    pub async fn face_search(&self, request: &FaceSearchRequest) -> Result<FaceSearchReply> {
        let (ending, media_type) = checked(request)?;
        // The file's own name may be a person's; only its ending matters.
        let name = format!("image.{ending}");
        let form =
            Form { texts: texts(request), file: ("user_image", &name, media_type, &request.bytes) };
        let url = self.url(&["v3", "face-search"]);
        let answer = self.call(Call::post(url, Body::Form(&form))).await?;
        let mut reply = understood(&answer)?;
        if !request.save {
            reply.details.case.kind = SubjectKind::Unreachable;
        }
        Ok(reply)
    }
}

impl Client {
    /// Reads a saved search back, with its metadata: how a search is found whose answer was lost.
    ///
    /// # Errors
    /// As [`Client::decision`].
    pub async fn saved_search(&self, id: &SessionId) -> Result<SavedSearch> {
        let (details, answer) = self.read_decision(id, SubjectKind::SavedSearch).await?;
        let carried: dto::Carried = answer.read()?;
        let metadata = match carried.metadata {
            Value::Object(fields) => fields,
            // It travels as text, and a server may give it back so.
            Value::String(text) => serde_json::from_str(&text).unwrap_or_default(),
            _ => serde_json::Map::new(),
        };
        Ok(SavedSearch { details, metadata })
    }
}

/// A reply that cannot be read is still one: the search was done and paid for.
fn understood(answer: &Answer) -> Result<FaceSearchReply> {
    let reply = parse_face_search(answer.text(), answer.at);
    reply.map_err(|error| error.with_carried_out(super::CarriedOut::Yes))
}

/// Reads a face-search reply, older shape or today's, received at `at`.
///
/// # Errors
/// [`ErrorKind::Protocol`] when `text` is no such reply, or one without a `request_id` that can be a
/// key.
pub fn parse_face_search(text: &str, at: Millis) -> Result<FaceSearchReply> {
    convert::face_search(read::root(text)?, at)
}

/// The ending and media type of a file that Didit can take.
fn checked(request: &FaceSearchRequest) -> Result<(&'static str, &'static str)> {
    let wrong = |why| Err(ApiError::new(ErrorKind::Validation, why));
    if request.bytes.is_empty() {
        return wrong("the file is empty");
    }
    if request.bytes.len() > MOST_BYTES {
        return wrong("the file is larger than 5 MB");
    }
    let ending = request.file_name.rsplit_once('.').map_or("", |(_, ending)| ending);
    match MEDIA_TYPES.into_iter().find(|(known, _)| ending.eq_ignore_ascii_case(known)) {
        Some(known) => Ok(known),
        None => wrong("the file's name must end in jpg, jpeg, png, webp or tiff"),
    }
}

fn texts(request: &FaceSearchRequest) -> Vec<(&'static str, String)> {
    let mut texts = vec![
        ("search_type", request.search_type.word().to_owned()),
        ("rotate_image", request.rotate.to_string()),
        ("save_api_request", request.save.to_string()),
    ];
    texts.extend(request.vendor_data.clone().map(|text| ("vendor_data", text)));
    let metadata = request.metadata.clone().map(|fields| Value::Object(fields).to_string());
    texts.extend(metadata.map(|text| ("metadata", text)));
    texts
}
