//! Proof, not claim: what an SSH signature proves of who made it. Keys, certificates, signatures and lists of
//! signers as OpenSSH writes them, read, checked and printed; nothing else. Knows no case, no decision, no store,
//! no agent and no clock; the time is handed in.
//!
//! All of it comes from outside: lengths are bounded, nothing is believed before its signature is checked, and what
//! is refused is refused in words.

mod allowed;
mod certificate;
mod key;
mod login;
mod sshsig;
pub(crate) mod wire;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use allowed::{AllowedSigner, BadLine, BadSigner, Unprintable, parse_signers, print_signers};
pub use certificate::{BadCertificate, Certificate};
pub use key::{BadKey, BadSignature, PublicKey};
pub use login::auth_info;
pub use sshsig::{LONGEST, NotProven, armoured, to_be_signed, verify};

use crate::domain::{Millis, printable};
use wire::Reader;

/// One way to prove who somebody is. In JSON: `{"key": "ssh-ed25519 AAAA…"}`, `{"certificate": {"ca": "ssh-ed25519
/// AAAA…", "name": {"key_id": "ana"}}}` (or `principal`), `{"role": "ana"}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Proof {
    /// A key of one's own.
    Key(PublicKey),
    /// Any key that this CA certifies under this name.
    Certificate {
        /// The key of the CA.
        ca: PublicKey,
        /// The name in the certificate.
        name: CertName,
    },
    /// A role of PostgreSQL. The server proves it, never a signature.
    Role(String),
}

/// Which name in a certificate says who somebody is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CertName {
    /// The key id (`ssh-keygen -I`).
    KeyId(String),
    /// One of the principals (`ssh-keygen -n`).
    Principal(String),
}

/// What signed, and what an agent can sign with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signer {
    /// A key.
    Key(PublicKey),
    /// A key with a certificate.
    Certificate(Box<Certificate>),
}

/// Why what signed is not what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// Another key.
    #[error("it was signed with the key {found}, not with {wanted}")]
    OtherKey {
        /// The fingerprint of what signed.
        found: String,
        /// The fingerprint of what should have.
        wanted: String,
    },
    /// A key alone, where a certificate is asked for.
    #[error(
        "it was signed with the key {0} alone, and a certificate is asked for: log in again to get one"
    )]
    NoCertificate(String),
    /// A certificate of another CA.
    #[error("the certificate is of the CA {found}, not of {wanted}")]
    OtherCa {
        /// The fingerprint of the CA that signed the certificate.
        found: String,
        /// The fingerprint of the CA that should have.
        wanted: String,
    },
    /// A certificate of somebody else.
    #[error("the certificate is of {found}, not of {wanted}")]
    OtherName {
        /// The name in it.
        found: String,
        /// The name that should be in it.
        wanted: String,
    },
    /// Signed before the certificate counts.
    #[error(
        "the certificate counts only from {0} on: look at the clock of this machine and of the CA"
    )]
    NotYet(String),
    /// Signed after the certificate counted.
    #[error("the certificate ended at {0}: log in again to get a new one")]
    Expired(String),
    /// No signature proves it.
    #[error("a role is proven by the database, not by a signature")]
    Role,
}

impl Signer {
    /// Reads what stands for a key or a certificate in signatures and agents.
    ///
    /// # Errors
    /// [`NotProven`], in words.
    pub fn of_blob(blob: &[u8]) -> Result<Self, NotProven> {
        if Reader::new(blob).text()?.ends_with(key::CERTIFICATE) {
            let certificate = Certificate::of_blob(blob).map_err(NotProven::Certificate)?;
            return Ok(Self::Certificate(Box::new(certificate)));
        }
        PublicKey::of_blob(blob).map(Self::Key).map_err(NotProven::Key)
    }

    /// The key that signs: its own, or the one that the certificate is about.
    #[must_use]
    pub fn key(&self) -> &PublicKey {
        match self {
            Self::Key(key) => key,
            Self::Certificate(certificate) => certificate.key(),
        }
    }

    /// As signatures and agents hold it.
    #[must_use]
    pub fn blob(&self) -> &[u8] {
        match self {
            Self::Key(key) => key.blob(),
            Self::Certificate(certificate) => certificate.blob(),
        }
    }

    /// Its line, as in a `.pub` file.
    #[must_use]
    pub fn line(&self) -> String {
        match self {
            Self::Key(key) => key.line(),
            Self::Certificate(certificate) => certificate.line(),
        }
    }

    /// Whether what signed at that moment is what the proof asks for. A certificate is held to its time only where
    /// its CA is what is asked for: whoever signs with a key holds it, with an old certificate too.
    ///
    /// # Errors
    /// [`Why`] not, in words.
    pub fn satisfies(&self, proof: &Proof, at: Millis) -> Result<(), Why> {
        match (proof, self) {
            (Proof::Role(_), _) => Err(Why::Role),
            (Proof::Key(wanted), _) if self.key() == wanted => Ok(()),
            (Proof::Key(wanted), _) => {
                Err(Why::OtherKey { found: self.key().fingerprint(), wanted: wanted.fingerprint() })
            }
            (Proof::Certificate { .. }, Self::Key(key)) => {
                Err(Why::NoCertificate(key.fingerprint()))
            }
            (Proof::Certificate { ca, name }, Self::Certificate(certificate)) => {
                certified(certificate, ca, name, at)
            }
        }
    }
}

fn certified(
    certificate: &Certificate,
    ca: &PublicKey,
    name: &CertName,
    at: Millis,
) -> Result<(), Why> {
    if certificate.ca() != ca {
        let (found, wanted) = (certificate.ca().fingerprint(), ca.fingerprint());
        return Err(Why::OtherCa { found, wanted });
    }
    if !name.is_in(certificate) {
        let found = name.like_it_in(certificate);
        return Err(Why::OtherName { found, wanted: name.in_words() });
    }
    match certificate.when(at) {
        std::cmp::Ordering::Less => Err(Why::NotYet(in_words(certificate.valid_after()))),
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => {
            Err(Why::Expired(certificate.valid_before().map_or_else(String::new, in_words)))
        }
    }
}

impl CertName {
    /// Whether the certificate names exactly that. An empty name is nobody's; a certificate without principals,
    /// which OpenSSH once took for everybody's, is nobody's either.
    fn is_in(&self, certificate: &Certificate) -> bool {
        match self {
            Self::KeyId(id) => !id.is_empty() && certificate.key_id() == id,
            Self::Principal(name) => !name.is_empty() && certificate.principals().contains(name),
        }
    }

    fn in_words(&self) -> String {
        match self {
            Self::KeyId(id) => format!("the key id `{}`", printable(id, 60)),
            Self::Principal(name) => format!("the principal `{}`", printable(name, 60)),
        }
    }

    /// What the certificate has where this name should be.
    fn like_it_in(&self, certificate: &Certificate) -> String {
        match self {
            Self::KeyId(_) => Self::KeyId(certificate.key_id().to_owned()).in_words(),
            Self::Principal(_) if certificate.principals().is_empty() => "no principal".to_owned(),
            Self::Principal(_) => {
                format!("the principals `{}`", printable(&certificate.principals().join(","), 120))
            }
        }
    }
}

/// A second since the epoch, in words.
fn in_words(second: u64) -> String {
    i64::try_from(second)
        .ok()
        .and_then(|second| jiff::Timestamp::from_second(second).ok())
        .map_or_else(
            || "the end of time".to_owned(),
            |time| time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        )
}
