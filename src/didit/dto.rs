//! The shapes of Didit's answers as they travel, older and newer spellings side by side. Only fields
//! that are used stand here; unknown ones are passed over. Nothing here is checked or cleaned: that is
//! `convert`'s work.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::read::{self, Field, Items};
use crate::domain::Millis;

/// A page of a list.
#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
pub(super) struct Page<T> {
    #[serde(default, deserialize_with = "read::whole")]
    pub(super) count: Option<u64>,
    #[serde(default, deserialize_with = "read::word_field")]
    pub(super) next: Field<String>,
    #[serde(default, deserialize_with = "read::page_items")]
    pub(super) results: Option<Items<T>>,
}

/// A row of `GET /v3/sessions/`.
#[derive(Deserialize)]
pub(super) struct Session {
    #[serde(default, deserialize_with = "read::word")]
    pub(super) session_id: Option<String>,
    #[serde(default, deserialize_with = "read::whole")]
    pub(super) session_number: Option<u64>,
    #[serde(default, deserialize_with = "read::word")]
    pub(super) status: Option<String>,
    #[serde(default, deserialize_with = "read::time")]
    pub(super) created_at: Option<Millis>,
    #[serde(default, deserialize_with = "read::items")]
    pub(super) features: Items<Step>,
}

/// A step of a session, as the list shows it.
#[derive(Deserialize)]
pub(super) struct Step {
    #[serde(default, deserialize_with = "read::word")]
    pub(super) feature: Option<String>,
    #[serde(default, deserialize_with = "read::word")]
    pub(super) status: Option<String>,
}

/// `GET /v3/session/{id}/decision/`. The names in the singular are those of older webhooks.
#[derive(Deserialize)]
pub(super) struct Decision {
    #[serde(default, deserialize_with = "read::word")]
    pub(super) session_id: Option<String>,
    #[serde(default, deserialize_with = "read::whole")]
    pub(super) session_number: Option<u64>,
    #[serde(default, deserialize_with = "read::word")]
    pub(super) status: Option<String>,
    #[serde(default, deserialize_with = "read::word")]
    pub(super) workflow_id: Option<String>,
    #[serde(default, deserialize_with = "read::word")]
    pub(super) vendor_data: Option<String>,
    #[serde(default, deserialize_with = "read::time")]
    pub(super) created_at: Option<Millis>,
    #[serde(default, deserialize_with = "read::items")]
    pub(super) liveness_checks: Items<Liveness>,
    #[serde(default, deserialize_with = "read::items")]
    pub(super) liveness: Items<Liveness>,
    #[serde(default, deserialize_with = "read::items")]
    pub(super) id_verifications: Items<IdCheck>,
    #[serde(default, deserialize_with = "read::items")]
    pub(super) id_verification: Items<IdCheck>,
    #[serde(default, deserialize_with = "read::items")]
    pub(super) face_matches: Items<FaceMatch>,
    #[serde(default, deserialize_with = "read::items")]
    pub(super) face_match: Items<FaceMatch>,
    #[serde(default, deserialize_with = "read::items")]
    pub(super) reviews: Items<Review>,
}

/// What a session carries for its owner.
#[derive(Deserialize)]
pub(super) struct Carried {
    #[serde(default)]
    pub(super) metadata: serde_json::Value,
}

/// A webhook's payload.
#[derive(Deserialize)]
pub(super) struct Payload {
    #[serde(default, deserialize_with = "read::object")]
    pub(super) decision: Option<Decision>,
}

/// An item of `liveness_checks`.
#[derive(Deserialize)]
pub(super) struct Liveness {
    #[serde(default, deserialize_with = "read::word")]
    pub(super) reference_image: Option<String>,
    #[serde(default, deserialize_with = "read::object")]
    pub(super) user_image: Option<UserImage>,
    #[serde(default, deserialize_with = "read::items")]
    pub(super) matches: Items<Match>,
    #[serde(default, deserialize_with = "read::items")]
    pub(super) warnings: Items<Warning>,
}

/// An item of `id_verifications`.
#[derive(Deserialize)]
pub(super) struct IdCheck {
    #[serde(default, deserialize_with = "read::word")]
    pub(super) portrait_image: Option<String>,
    #[serde(default, deserialize_with = "read::text")]
    pub(super) full_name: Option<String>,
    #[serde(default, deserialize_with = "read::text")]
    pub(super) first_name: Option<String>,
    #[serde(default, deserialize_with = "read::text")]
    pub(super) last_name: Option<String>,
    #[serde(default, deserialize_with = "read::text")]
    pub(super) document_type: Option<String>,
    #[serde(default, deserialize_with = "read::text")]
    pub(super) document_number: Option<String>,
    #[serde(default, deserialize_with = "read::text")]
    pub(super) issuing_state: Option<String>,
}

/// An item of `face_matches`: the selfie against the document.
#[derive(Deserialize)]
pub(super) struct FaceMatch {
    #[serde(default, deserialize_with = "read::items")]
    pub(super) warnings: Items<Warning>,
}

/// `GET /v3/users/{vendor_data}/`.
#[derive(Deserialize)]
pub(super) struct User {
    #[serde(default, deserialize_with = "read::word")]
    pub(super) portrait_image_url: Option<String>,
}

/// The reply to `POST /v3/face-search/`.
#[derive(Deserialize)]
pub(super) struct FaceSearchReply {
    #[serde(default, deserialize_with = "read::word")]
    pub(super) request_id: Option<String>,
    #[serde(default, deserialize_with = "read::object")]
    pub(super) face_search: Option<FaceSearch>,
    #[serde(default, deserialize_with = "read::word")]
    pub(super) vendor_data: Option<String>,
    #[serde(default, deserialize_with = "read::time")]
    pub(super) created_at: Option<Millis>,
}

/// Its block `face_search`.
#[derive(Deserialize)]
pub(super) struct FaceSearch {
    #[serde(default, deserialize_with = "read::word")]
    pub(super) status: Option<String>,
    #[serde(default, deserialize_with = "read::whole")]
    pub(super) total_matches: Option<u64>,
    #[serde(default, deserialize_with = "read::items")]
    pub(super) matches: Items<Match>,
    #[serde(default, deserialize_with = "read::object")]
    pub(super) user_image: Option<UserImage>,
    #[serde(default, deserialize_with = "read::items")]
    pub(super) warnings: Items<Warning>,
}

/// An enrolled face: an item of `matches`.
#[derive(Deserialize)]
pub(super) struct Match {
    #[serde(default, deserialize_with = "read::word_field")]
    pub(super) session_id: Field<String>,
    #[serde(default, deserialize_with = "read::whole")]
    pub(super) session_number: Option<u64>,
    // A percentage that comes as text is not read: a score of unknown making counts as unjudged,
    // which is the safe side, while a guess at it might fold a face away.
    #[serde(default, deserialize_with = "read::number")]
    pub(super) similarity_percentage: Option<f64>,
    #[serde(default, deserialize_with = "read::word")]
    pub(super) source: Option<String>,
    #[serde(default, deserialize_with = "read::word")]
    pub(super) vendor_data: Option<String>,
    #[serde(default, deserialize_with = "read::time")]
    pub(super) verification_date: Option<Millis>,
    #[serde(default, deserialize_with = "read::object")]
    pub(super) user_details: Option<UserDetails>,
    #[serde(default, deserialize_with = "read::word")]
    pub(super) match_image_url: Option<String>,
    #[serde(default, deserialize_with = "read::word")]
    pub(super) status: Option<String>,
    #[serde(default, deserialize_with = "read::flag")]
    pub(super) is_blocklisted: Field<bool>,
    #[serde(default, deserialize_with = "read::flag")]
    pub(super) is_allowlisted: Field<bool>,
    #[serde(default, deserialize_with = "read::word")]
    pub(super) api_service: Option<String>,
    #[serde(default, deserialize_with = "read::word")]
    pub(super) vendor_user_id: Option<String>,
}

/// Who a face was enrolled as. `name` is the older spelling.
#[derive(Deserialize)]
pub(super) struct UserDetails {
    #[serde(default, deserialize_with = "read::text")]
    pub(super) full_name: Option<String>,
    #[serde(default, deserialize_with = "read::text")]
    pub(super) name: Option<String>,
    #[serde(default, deserialize_with = "read::text")]
    pub(super) document_type: Option<String>,
    #[serde(default, deserialize_with = "read::text")]
    pub(super) document_number: Option<String>,
}

/// What was found in the searched picture.
#[derive(Deserialize)]
pub(super) struct UserImage {
    #[serde(default, deserialize_with = "read::items")]
    pub(super) entities: Items<Entity>,
    #[serde(default, deserialize_with = "read::number")]
    pub(super) best_angle: Option<f64>,
}

/// One face in it.
#[derive(Deserialize)]
pub(super) struct Entity {
    #[serde(default, deserialize_with = "read::four")]
    pub(super) bbox: Option<[f64; 4]>,
}

/// A warning.
#[derive(Deserialize)]
pub(super) struct Warning {
    #[serde(default, deserialize_with = "read::word")]
    pub(super) risk: Option<String>,
    #[serde(default, deserialize_with = "read::word")]
    pub(super) short_description: Option<String>,
    #[serde(default, deserialize_with = "read::object")]
    pub(super) additional_data: Option<About>,
}

/// Whom a warning speaks of.
#[derive(Deserialize)]
pub(super) struct About {
    #[serde(default, deserialize_with = "read::word")]
    pub(super) duplicated_session_id: Option<String>,
    #[serde(default, deserialize_with = "read::word")]
    pub(super) blocklisted_session_id: Option<String>,
    #[serde(default, deserialize_with = "read::word")]
    pub(super) allowlisted_session_id: Option<String>,
}

/// A line of a review feed: of today's pages (`actor_*`), of the older array (`note`), and of a
/// decision's `reviews` (`user`).
#[derive(Deserialize)]
pub(super) struct Review {
    #[serde(default, deserialize_with = "read::word")]
    pub(super) actor_display: Option<String>,
    #[serde(default, deserialize_with = "read::word")]
    pub(super) actor_email: Option<String>,
    #[serde(default, deserialize_with = "read::word")]
    pub(super) user: Option<String>,
    #[serde(default, deserialize_with = "read::word")]
    pub(super) new_status: Option<String>,
    #[serde(default, deserialize_with = "read::word")]
    pub(super) comment: Option<String>,
    #[serde(default, deserialize_with = "read::word")]
    pub(super) note: Option<String>,
    #[serde(default, deserialize_with = "read::time")]
    pub(super) created_at: Option<Millis>,
    #[serde(default, deserialize_with = "read::object")]
    pub(super) metadata: Option<ReviewMetadata>,
}

/// What a review line is besides.
#[derive(Deserialize)]
pub(super) struct ReviewMetadata {
    #[serde(default, deserialize_with = "read::word")]
    pub(super) system_event: Option<String>,
}

/// A row of `GET /v3/blocklist/`.
#[derive(Deserialize)]
pub(super) struct Blocklisted {
    #[serde(default, deserialize_with = "read::word")]
    pub(super) session_id: Option<String>,
    #[serde(default, deserialize_with = "read::whole")]
    pub(super) session_number: Option<u64>,
    #[serde(default, deserialize_with = "read::time")]
    pub(super) blocklisted_at: Option<Millis>,
}

/// A row of `GET /v3/lists/`.
#[derive(Deserialize)]
pub(super) struct List {
    #[serde(default, deserialize_with = "read::word")]
    pub(super) uuid: Option<String>,
    #[serde(default, deserialize_with = "read::text")]
    pub(super) name: Option<String>,
    #[serde(default, deserialize_with = "read::flag")]
    pub(super) is_system: Field<bool>,
    #[serde(default, deserialize_with = "read::whole")]
    pub(super) entry_count: Option<u64>,
}

/// A row of `GET /v3/lists/{uuid}/entries/`.
#[derive(Deserialize)]
pub(super) struct Entry {
    #[serde(default, deserialize_with = "read::word")]
    pub(super) uuid: Option<String>,
    #[serde(default, deserialize_with = "read::word")]
    pub(super) display_label: Option<String>,
    #[serde(default, deserialize_with = "read::word")]
    pub(super) comment: Option<String>,
    #[serde(default, deserialize_with = "read::word")]
    pub(super) reference_session_id: Option<String>,
    #[serde(default, deserialize_with = "read::whole")]
    pub(super) reference_session_number: Option<u64>,
    #[serde(default, deserialize_with = "read::time")]
    pub(super) created_at: Option<Millis>,
}

/// `POST /v3/billing/top-up/`.
#[derive(Deserialize)]
pub(super) struct TopUp {
    #[serde(default, deserialize_with = "read::word")]
    pub(super) checkout_session_id: Option<String>,
    #[serde(default, deserialize_with = "read::word")]
    pub(super) checkout_session_url: Option<String>,
}

/// The reply to a check: one of the three is there.
#[derive(Deserialize)]
pub(super) struct CheckReply {
    #[serde(default, deserialize_with = "read::word")]
    pub(super) request_id: Option<String>,
    #[serde(default, deserialize_with = "read::object")]
    pub(super) liveness: Option<Check>,
    #[serde(default, deserialize_with = "read::object")]
    pub(super) id_verification: Option<Check>,
    #[serde(default, deserialize_with = "read::object")]
    pub(super) face_match: Option<Check>,
}

/// What a check says.
#[derive(Deserialize)]
pub(super) struct Check {
    #[serde(default, deserialize_with = "read::word")]
    pub(super) status: Option<String>,
    #[serde(default, deserialize_with = "read::number")]
    pub(super) score: Option<f64>,
    #[serde(default, deserialize_with = "read::items")]
    pub(super) warnings: Items<Warning>,
}

/// `POST …/programmatic/login/`.
#[derive(Deserialize)]
pub(super) struct Login {
    #[serde(default, deserialize_with = "read::word")]
    pub(super) access_token: Option<String>,
}

/// `POST …/programmatic/verify-email/`.
#[derive(Deserialize)]
pub(super) struct Verified {
    #[serde(default, deserialize_with = "read::object")]
    pub(super) application: Option<Application>,
}

/// An application of an account.
#[derive(Deserialize)]
pub(super) struct Application {
    #[serde(default, deserialize_with = "read::word")]
    pub(super) uuid: Option<String>,
    #[serde(default, deserialize_with = "read::word")]
    pub(super) name: Option<String>,
    #[serde(default, deserialize_with = "read::word")]
    pub(super) api_key: Option<String>,
}

/// An organization of an account.
#[derive(Deserialize)]
pub(super) struct Organization {
    #[serde(default, deserialize_with = "read::word")]
    pub(super) uuid: Option<String>,
}

/// `GET /v3/billing/balance/`. Amounts are decimal text; a number keeps its digits too.
#[derive(Deserialize)]
pub(super) struct Balance {
    #[serde(default, deserialize_with = "read::text")]
    pub(super) balance: Option<String>,
    #[serde(default, deserialize_with = "read::flag")]
    pub(super) auto_refill_enabled: Field<bool>,
    #[serde(default, deserialize_with = "read::text")]
    pub(super) auto_refill_amount: Option<String>,
    #[serde(default, deserialize_with = "read::text")]
    pub(super) auto_refill_threshold: Option<String>,
}
