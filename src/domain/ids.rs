//! Identifiers, each a type of its own, so that a reviewer is never passed where a session
//! was meant.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A moment, in milliseconds since the Unix epoch. Always handed in, never read from a clock here.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Millis(pub i64);

impl Millis {
    /// This moment plus `ms` milliseconds (saturating).
    #[must_use]
    pub fn plus(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to this moment; negative when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A text that cannot be an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be 1 to {most} letters, digits, '-' or '_'")]
pub struct BadId {
    what: &'static str,
    most: usize,
}

/// The id of a Didit session (workflow session or saved search). Also the key of a case.
///
/// Didit uses UUIDs. The type accepts any short word of letters, digits, `-` and `_`, so that a
/// hostile server can put no path, query or escape sequence where an id belongs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SessionId(String);

impl SessionId {
    const MOST: usize = 64;

    /// Reads an id, trimming nothing. A UUID is kept in small letters: Didit takes it in either, and two
    /// spellings would be two cases.
    ///
    /// # Errors
    /// [`BadId`] when `text` is empty, too long or holds another character.
    pub fn parse(text: &str) -> Result<Self, BadId> {
        let fits = !text.is_empty()
            && text.len() <= Self::MOST
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if !fits {
            return Err(BadId { what: "a session id", most: Self::MOST });
        }
        let uuid = text.len() == 36 && Uuid::try_parse(text).is_ok();
        Ok(Self(if uuid { text.to_ascii_lowercase() } else { text.to_owned() }))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first eight characters: enough to tell cases apart on a screen without a number.
    #[must_use]
    pub fn short(&self) -> &str {
        &self.0[..self.0.len().min(8)]
    }
}

impl TryFrom<String> for SessionId {
    type Error = BadId;
    fn try_from(text: String) -> Result<Self, BadId> {
        Self::parse(&text)
    }
}

impl From<SessionId> for String {
    fn from(id: SessionId) -> Self {
        id.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The id of a decision: a version 7 UUID, so ids sort by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DecisionId(pub Uuid);

impl DecisionId {
    /// Reads the hyphenated form.
    ///
    /// # Errors
    /// [`BadId`] when `text` is not a UUID.
    pub fn parse(text: &str) -> Result<Self, BadId> {
        Uuid::parse_str(text).map(Self).map_err(|_| BadId { what: "a decision id", most: 36 })
    }
}

impl fmt::Display for DecisionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.hyphenated())
    }
}

/// Who decides: a person of the roster (`person:ana`), else the operating system's user (`os:1000`), whom
/// nothing proves. Older records hold fingerprints of SSH keys (`ssh:SHA256:…`), which anybody could
/// claim. Two-person rules count people of the roster only.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReviewerId(pub String);

impl ReviewerId {
    /// The identity of a person of the roster.
    #[must_use]
    pub fn of_person(id: &str) -> Self {
        Self(format!("person:{id}"))
    }

    /// The identity of a role of a database that is no person's: its owner, say.
    #[must_use]
    pub fn of_role(role: &str) -> Self {
        Self(format!("db:{role}"))
    }

    /// The short id of the person it names, where it names one.
    #[must_use]
    pub fn person(&self) -> Option<&str> {
        self.0.strip_prefix("person:")
    }

    /// The role of a database that it names, where it names one.
    #[must_use]
    pub fn role(&self) -> Option<&str> {
        self.0.strip_prefix("db:")
    }
}

impl fmt::Display for ReviewerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a row comes from: `BASE_URL#FINGERPRINT`, the fingerprint an HMAC of the API key with a
/// salt kept in the store. Rows of another origin are never listed, claimed or sent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Origin(pub String);

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One running console or command: `HOST/BOOT/PID/START`. Lets a dead worker of this machine be told
/// from one that is slow.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WorkerId(pub String);

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_id_is_a_plain_word() {
        assert!(SessionId::parse("0f5c0a52-0000-4000-8000-000000000001").is_ok());
        for bad in ["", "../x", "a b", "a/b", "a\u{1b}[2J", "ä", &"x".repeat(65)] {
            assert!(SessionId::parse(bad).is_err(), "{bad:?}");
        }
    }
}
