//! What an administrator does to the roster, as it is kept and signed.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::PersonId;
use crate::domain::{Millis, Origin, ReviewerId};
use crate::proof::Proof;

/// What decisions have to be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Require {
    /// Acts of two people only.
    #[default]
    TwoPerson,
    /// Every decision.
    EveryDecision,
}

impl Require {
    /// All, in the order of what they ask.
    pub const ALL: [Self; 2] = [Self::TwoPerson, Self::EveryDecision];

    /// The word on the command line and in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::TwoPerson => "two-person",
            Self::EveryDecision => "every-decision",
        }
    }

    /// Reads [`Require::word`] back.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|require| require.word() == word)
    }
}

/// One change of the roster. Its JSON is kept letter by letter: that is what the audit hashes and an
/// administrator signs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "kebab-case")]
pub enum Act {
    /// Adds a person, or more proofs of one who is there.
    Add {
        /// Who.
        person: PersonId,
        /// What people call them; nothing leaves it as it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        label: Option<String>,
        /// Whether they may change the roster; nothing leaves it as it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        admin: Option<bool>,
        /// How they prove who they are.
        proofs: Vec<Proof>,
    },
    /// Takes a person out, or one of their proofs.
    Remove {
        /// Who.
        person: PersonId,
        /// Which proof; the whole person where there is none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proof: Option<Proof>,
    },
    /// A key that somebody else may have: what it signed since then proves nothing.
    Revoke {
        /// `SHA256:…`, of a key or of a certificate authority.
        key: String,
        /// Since when.
        since: Millis,
    },
    /// Hands over what an identity still holds that no longer logs in.
    Adopt {
        /// The old identity.
        from: ReviewerId,
        /// Who has it from now on.
        to: ReviewerId,
    },
    /// The owner of the file or the database makes an administrator where none can act any more.
    Recover {
        /// Who.
        person: PersonId,
        /// How they prove who they are from now on.
        proofs: Vec<Proof>,
    },
    /// Sets what has to be signed.
    Policy {
        /// What.
        require: Require,
    },
}

impl Act {
    /// The word that names it in the audit.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Add { .. } => "add",
            Self::Remove { .. } => "remove",
            Self::Revoke { .. } => "revoke",
            Self::Adopt { .. } => "adopt",
            Self::Recover { .. } => "recover",
            Self::Policy { .. } => "policy",
        }
    }
}

/// What stands beside an act in its text. Acts of before it say none of it, and whoever knows of none reads past it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beside {
    /// Who did it with the rights of the database's owner, as far as that was proven.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hand: Option<PersonId>,
    /// Of a recovery: whoever comes with it is nobody's second until somebody else signs for them, also where
    /// the database tells its owner from reviewers.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unvouched: bool,
}

impl Beside {
    /// What stands in an act's text.
    pub(super) fn of(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }
}

/// An act's text and what stands beside it.
///
/// # Errors
/// When it cannot be written.
pub fn text(act: &Act, beside: &Beside) -> serde_json::Result<String> {
    #[derive(Serialize)]
    struct Text<'a> {
        #[serde(flatten)]
        act: &'a Act,
        #[serde(flatten)]
        beside: &'a Beside,
    }
    serde_json::to_string(&Text { act, beside })
}

/// An act as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enacted {
    /// Its place in the audit.
    pub seq: u64,
    /// When the store recorded it.
    pub at: Millis,
    /// When the entry before it was recorded: a time before that was made up, or a clock was wrong.
    pub not_before: Millis,
    /// Who did it: a person, an identity of the operating system, or a role of the database.
    pub by: ReviewerId,
    /// An [`Act`] as JSON.
    pub act: String,
    /// The administrator's signature of [`statement`], as `ssh-keygen -Y sign` writes it.
    pub signature: Option<String>,
    /// Whether the database says that its owner did it, whom it tells from reviewers: such an act needs no
    /// signature. Never so in a file, whose owner is the reviewer.
    pub owned: bool,
    /// Whether the audit has its entry: an act without one counts for nothing.
    pub entered: bool,
}

/// What signatures hold for: one application in one store, for ever. A new API key does not change it, nor
/// does carrying the store to another database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope(String);

impl Scope {
    /// The scope of rows of an origin in the store with this salt.
    #[must_use]
    pub fn of(salt: &[u8; 32], origin: &Origin) -> Self {
        use std::fmt::Write as _;
        let base = origin.0.rsplit_once('#').map_or(origin.0.as_str(), |(base, _)| base);
        let mut text = format!("{base} ");
        for byte in &Sha256::digest(salt)[..16] {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        Self(text)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an administrator signs: the act itself, for one store and one application, at one moment.
#[must_use]
pub fn statement(scope: &Scope, at: Millis, act: &str) -> String {
    format!("secondlook roster\nscope {scope}\nat {}\n{act}\n", at.0)
}
