//! Who may ask, and how often: keys, scopes and rate limits.

use std::collections::VecDeque;

use super::reply::Reply;
use super::route::{Place, Route};
use super::serve::Call;
use super::state::State;

/// Counted over this long, in milliseconds.
const WINDOW: i64 = 60_000;

/// An API key and what it may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The text of the `x-api-key` header.
    pub secret: String,
    /// A sandbox key: standalone checks answer a fixed mock and cost nothing.
    pub sandbox: bool,
    /// May see pictures; without, every link is null.
    pub media: bool,
    /// May change things; without, every write is refused.
    pub write: bool,
    /// Its expiry date is over.
    pub expired: bool,
}

impl Key {
    /// A key that may do everything.
    #[must_use]
    pub fn full(secret: &str) -> Self {
        Self { secret: secret.to_owned(), sandbox: false, media: true, write: true, expired: false }
    }
}

/// What a request with a wrong key or none gets; Didit's documents disagree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AuthStyle {
    /// Wrong key 401, no key 403: the newest documents.
    #[default]
    Split,
    /// Always 401: the older documents.
    Always401,
    /// Always 403: the `OpenAPI` document.
    Always403,
}

/// Requests a key may make in any 60 seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// All GET together.
    pub get: u32,
    /// All others together.
    pub write: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { get: 600, write: 300 }
    }
}

impl Limits {
    /// No limits.
    #[must_use]
    pub fn none() -> Self {
        Self { get: u32::MAX, write: u32::MAX }
    }
}

impl State {
    /// The key of a request, or the answer that refuses it. The decision route looks for the session
    /// before it looks at the key.
    pub(super) fn admit(&mut self, call: &Call) -> Result<Key, Reply> {
        if call.place.route() == Some(Route::Decision) {
            let id = call.place.id();
            if self.world.session(id).is_none() && !self.world.is_gone(id) {
                return Err(Reply::not_found());
            }
        }
        let key = self.key_of(call)?;
        self.count(&key.secret, call.method != "GET")?;
        if call.method != "GET" && !key.write {
            return Err(Reply::no_permission());
        }
        Ok(key)
    }

    fn key_of(&self, call: &Call) -> Result<Key, Reply> {
        let (status, text) = match (self.options.auth, call.key.is_some()) {
            (AuthStyle::Split, true) => (401, "Invalid API key."),
            (AuthStyle::Always401, _) => {
                (401, "Authentication credentials were not provided or are invalid.")
            }
            _ => (403, "You do not have permission to perform this action."),
        };
        let given = call.key.as_deref();
        let known = self.options.keys.iter().find(|key| Some(key.secret.as_str()) == given);
        match known {
            Some(key) if key.expired => Err(Reply::detail(status, "This API key has expired.")),
            Some(key) => Ok(key.clone()),
            None => Err(Reply::detail(status, text)),
        }
    }

    fn count(&mut self, secret: &str, write: bool) -> Result<(), Reply> {
        let limits = self.options.limits;
        let (limit, word) = if write { (limits.write, "Write") } else { (limits.get, "GET") };
        if limit == u32::MAX {
            return Ok(());
        }
        let now = self.now().as_millisecond();
        let seen = self.windows.entry((secret.to_owned(), write)).or_default();
        while seen.front().is_some_and(|at| *at + WINDOW <= now) {
            seen.pop_front();
        }
        if seen.len() < limit as usize {
            seen.push_back(now);
            return Ok(());
        }
        let text = format!(
            "{word} request rate limit exceeded. You can make up to {limit} requests per minute."
        );
        Err(throttled(text, limit, seen, now))
    }
}

fn throttled(text: String, limit: u32, seen: &VecDeque<i64>, now: i64) -> Reply {
    let free_at = seen.front().map_or(now, |at| at + WINDOW);
    let wait = (free_at - now).max(1).unsigned_abs().div_ceil(1000);
    Reply::detail(429, text)
        .header("Retry-After", wait.to_string())
        .header("X-RateLimit-Limit", limit.to_string())
        .header("X-RateLimit-Remaining", "0")
        .header("X-RateLimit-Reset", (now / 1000 + wait.cast_signed()).to_string())
}

/// Whether a place is behind the API key at all.
pub(super) fn is_guarded(place: &Place) -> bool {
    !matches!(
        place.route(),
        None | Some(
            Route::Health
                | Route::Register
                | Route::VerifyEmail
                | Route::ResendCode
                | Route::Login
                | Route::Organizations
                | Route::Applications
                | Route::Application
        )
    )
}
