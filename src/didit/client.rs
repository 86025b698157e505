//! The client: settings, and one method a call.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use super::error::{ApiError, ErrorKind, Result};
use super::types::*;
use crate::domain::{Comment, Details, Millis, Origin, ReviewEntry, SessionId, SubjectKind};

/// How to reach Didit.
#[derive(Clone)]
pub struct Settings {
    /// Where the API is; paths such as `/v3/sessions/` are put behind it.
    pub base: Url,
    /// The key of one application.
    pub key: SecretString,
    /// Total time of one call, waiting and trying again included.
    pub timeout: Duration,
    /// Reads (GET) in any 60 seconds.
    pub reads_per_minute: u32,
    /// Writes (POST, PATCH, DELETE) in any 60 seconds.
    pub writes_per_minute: u32,
    /// What the client calls itself.
    pub user_agent: String,
}

impl Settings {
    /// Settings with Didit's documented limits and a deadline of 20 seconds a call.
    #[must_use]
    pub fn new(base: Url, key: SecretString) -> Self {
        Self {
            base,
            key,
            timeout: Duration::from_secs(20),
            reads_per_minute: 600,
            writes_per_minute: 300,
            user_agent: concat!("secondlook/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

struct Inner;

/// The client. Clones are cheap and share connections and the budget of calls.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client(…)")
    }
}

fn unfinished<T>() -> Result<T> {
    Err(ApiError::new(ErrorKind::Server, "not built yet"))
}

#[expect(unused_variables, clippy::unused_async, reason = "the bodies follow in the next commit")]
impl Client {
    /// Makes a client.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] when the base URL is not `https` (or `http` on loopback), holds a user,
    /// a query or a fragment, or when the key cannot stand in a header.
    pub fn new(settings: Settings) -> Result<Self> {
        Ok(Self { inner: Arc::new(Inner) })
    }

    /// The same client for work that can wait (prefetching): it leaves a tenth of the budget to others.
    #[must_use]
    pub fn background(&self) -> Self {
        self.clone()
    }

    /// Where what this client reads comes from: `BASE_URL#` and 12 hex digits of
    /// HMAC-SHA256(salt, key).
    #[must_use]
    pub fn origin(&self, salt: &[u8; 32]) -> Origin {
        Origin(String::new())
    }

    /// Whether the API is on this machine: then, and only then, its media may be too.
    #[must_use]
    pub fn base_is_loopback(&self) -> bool {
        false
    }

    /// Whether the API is up. Sent without the key, tried once.
    ///
    /// # Errors
    /// [`ApiError`] when it is not.
    pub async fn health(&self) -> Result<()> {
        unfinished()
    }

    /// A page of sessions.
    ///
    /// # Errors
    /// [`ApiError`]; [`ErrorKind::Protocol`] naming the host when the next page is on another one.
    pub async fn sessions(&self, query: &SessionQuery) -> Result<SessionPage> {
        unfinished()
    }

    /// The page after.
    ///
    /// # Errors
    /// As [`Client::sessions`].
    pub async fn next_sessions(&self, next: &NextPage) -> Result<SessionPage> {
        unfinished()
    }

    /// Hydrates a session: its status, its matches, fresh image links.
    ///
    /// # Errors
    /// [`ApiError`]; [`ErrorKind::Protocol`] when the answer is about another session.
    pub async fn decision(&self, id: &SessionId, kind: SubjectKind) -> Result<Details> {
        unfinished()
    }

    /// Writes a session's status. Never tried again once it may have been carried out.
    ///
    /// # Errors
    /// [`ApiError`]; [`ErrorKind::WrongStatus`] when the present status allows no change.
    pub async fn update_status(
        &self,
        id: &SessionId,
        status: NewStatus,
        comment: &Comment,
    ) -> Result<StatusWritten> {
        unfinished()
    }

    /// The review feed of a session, newest first, without the rows that only say that somebody looked.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn reviews(&self, id: &SessionId) -> Result<Vec<ReviewEntry>> {
        unfinished()
    }

    /// Adds a note to a session's review feed. Changes no status.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn post_review(&self, id: &SessionId, comment: &Comment) -> Result<()> {
        unfinished()
    }

    /// Puts a session's face on the blocklist, by the older call, which sets a flag: safe to repeat.
    ///
    /// # Errors
    /// [`ApiError`]; [`ErrorKind::NotFound`] (404, 405) when the session or the whole call is unknown.
    pub async fn blocklist_add_face(&self, id: &SessionId) -> Result<()> {
        unfinished()
    }

    /// Takes a session's face off the blocklist.
    ///
    /// # Errors
    /// As [`Client::blocklist_add_face`].
    pub async fn blocklist_remove_face(&self, id: &SessionId) -> Result<()> {
        unfinished()
    }

    /// A page of the face blocklist.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn blocklist(&self, offset: u32, limit: u32) -> Result<BlocklistPage> {
        unfinished()
    }

    /// The lists of a kind (up to 100).
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn lists(&self, list_type: ListType, entry_type: EntryType) -> Result<ListPage> {
        unfinished()
    }

    /// A page of up to 100 entries of a list; `search` looks into labels and values.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn list_entries(
        &self,
        list: ListId,
        search: Option<&str>,
        offset: u32,
    ) -> Result<EntryPage> {
        unfinished()
    }

    /// Adds a session's record to a list under a label. Didit guards against no repetition: search
    /// for the label first, and again after a lost answer.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn add_entry(
        &self,
        list: ListId,
        session: &SessionId,
        label: &str,
        comment: &Comment,
    ) -> Result<()> {
        unfinished()
    }

    /// Takes an entry off a list.
    ///
    /// # Errors
    /// [`ApiError`]; [`ErrorKind::NotFound`] when it is gone already.
    pub async fn remove_entry(&self, list: ListId, entry: EntryId) -> Result<()> {
        unfinished()
    }

    /// Searches all enrolled faces for one photograph. Costs a credit, so a lost answer is never
    /// tried again.
    ///
    /// # Errors
    /// [`ApiError`]; [`ErrorKind::Validation`] for a file Didit would refuse (nothing is sent then) or
    /// a picture without a face; [`ErrorKind::Credit`].
    pub async fn face_search(&self, request: &FaceSearchRequest) -> Result<FaceSearchReply> {
        unfinished()
    }

    /// The balance.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn balance(&self) -> Result<Balance> {
        unfinished()
    }
}

/// Reads a face-search reply, older shape or today's, received at `at`.
///
/// # Errors
/// [`ErrorKind::Protocol`] when `text` is no such reply, [`ErrorKind::Validation`] when it is a reply
/// without a `request_id` that can be a key.
pub fn parse_face_search(text: &str, at: Millis) -> Result<FaceSearchReply> {
    let _ = (text, at);
    unfinished()
}

/// Reads a session's decision (or the `decision` of a webhook), received at `at`.
///
/// # Errors
/// [`ErrorKind::Protocol`] when `text` is none.
pub fn parse_decision(text: &str, kind: SubjectKind, at: Millis) -> Result<Details> {
    let _ = (text, kind, at);
    unfinished()
}
