//! The client: its settings, its identity, and the calls about the account. The other calls stand in
//! `sessions`, `lists` and `search`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use url::Url;

use super::budget::SharedBudget;
use super::error::{ApiError, ErrorKind, Result};
use super::http::{Answer, Body, Call, Http, is_loopback};
use super::rows;
use super::types::{Balance, TopUp};
use crate::domain::{Origin, Urgency};

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

/// The client. Clones are cheap and share connections and the budget of calls.
#[derive(Clone)]
pub struct Client {
    http: Arc<Http>,
    urgency: Urgency,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("base", &self.http.base().as_str()).finish_non_exhaustive()
    }
}

impl Client {
    /// Makes a client.
    ///
    /// # Errors
    /// [`super::ErrorKind::Settings`] when the base URL is not `https` (or `http` on loopback), holds a
    /// user, a query or a fragment, or when the key is empty or cannot stand in a header.
    pub fn new(settings: Settings) -> Result<Self> {
        Ok(Self { http: Arc::new(Http::new(settings)?), urgency: Urgency::Now })
    }

    /// The same client for work that can wait (prefetching): it leaves a little of the budget to others.
    #[must_use]
    pub fn background(&self) -> Self {
        Self { http: Arc::clone(&self.http), urgency: Urgency::Background }
    }

    /// The same client for work that goes on for as long as it takes: it leaves as much of
    /// the budget to others as they use, and some more; and where no call may leave now it answers [`super::ErrorKind::Limited`] at once, so that whoever asks can wait and
    /// say so.
    #[must_use]
    pub fn patient(&self) -> Self {
        Self { http: Arc::clone(&self.http), urgency: Urgency::Patient }
    }

    /// Asks `budget` before every call from now on: other programs use the same key. All clones do;
    /// the first budget stays.
    pub fn share(&self, budget: Arc<dyn SharedBudget>) {
        self.http.share(budget);
    }

    /// Where what this client reads comes from: `BASE_URL#` and 12 hex digits of
    /// HMAC-SHA256(salt, key).
    #[must_use]
    pub fn origin(&self, salt: &[u8; 32]) -> Origin {
        // HMAC fills a short key up with zeros to a block; done here, nothing is left that can fail.
        let mut block = [0; 64];
        block[..salt.len()].copy_from_slice(salt);
        let mut mac = Hmac::<Sha256>::new(&block.into());
        mac.update(self.http.key().expose_secret().as_bytes());
        let digest = mac.finalize().into_bytes();
        let hex = digest.iter().take(6).map(|byte| format!("{byte:02x}"));
        let fingerprint = hex.collect::<String>();
        let base = self.http.base().as_str().trim_end_matches('/');
        Origin(format!("{base}#{fingerprint}"))
    }

    /// Whether the API is on this machine: then, and only then, its media may be too.
    #[must_use]
    pub fn base_is_loopback(&self) -> bool {
        is_loopback(self.http.base())
    }

    /// Whether the API is up. Sent without the key, tried once.
    ///
    /// # Errors
    /// [`super::ApiError`] when it is not.
    pub async fn health(&self) -> Result<()> {
        self.http.ask_openly(&["system", "healthcheck"]).await
    }

    /// How far Didit's clock is ahead of this computer's, in milliseconds, where that is worth mending
    /// (else 0); `None` before its first answer.
    #[must_use]
    pub fn ahead(&self) -> Option<i64> {
        self.http.ahead()
    }

    /// The balance.
    ///
    /// # Errors
    /// [`super::ApiError`].
    pub async fn balance(&self) -> Result<Balance> {
        let answer = self.call(Call::get(self.url(&["v3", "billing", "balance"]))).await?;
        rows::balance(answer.read()?)
    }

    /// Opens a page on which credit is bought: `dollars` is decimal text, such as `99.50`. Nothing is
    /// charged by the call.
    ///
    /// # Errors
    /// [`super::ApiError`]; [`super::ErrorKind::Validation`] for an amount that is no number (nothing
    /// is sent then) or that Didit refuses.
    pub async fn top_up(&self, dollars: &str) -> Result<TopUp> {
        let number = serde_json::from_str::<serde_json::Number>(dollars)
            .map_err(|_| ApiError::new(ErrorKind::Validation, "the amount is no number"))?;
        let url = self.url(&["v3", "billing", "top-up"]);
        let body = Body::Json(serde_json::json!({ "amount_in_dollars": number }));
        rows::top_up(self.call(Call::post(url, body)).await?.read()?)
    }

    pub(super) fn url(&self, path: &[&str]) -> Url {
        self.http.url(path)
    }

    /// A link of the server's own, if it stays with the API.
    pub(super) fn own(&self, link: &str) -> Result<Url> {
        self.http.own(link)
    }

    pub(super) async fn call(&self, call: Call<'_>) -> Result<Answer> {
        self.http.send(&call, self.urgency).await
    }
}
