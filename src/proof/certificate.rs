//! User certificates of OpenSSH (`…-cert-v01@openssh.com`): a CA says for a while that a key is of somebody.
//! Where one logs in with a fresh key every day, the CA and the name in the certificate are who one is.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::key::{BadKey, BadSignature, CERTIFICATE, Kind, PublicKey, decode, split};
use super::wire::{Broken, Reader};
use crate::domain::{Millis, printable};

/// No certificate is longer, in bytes.
const LONGEST: usize = 32 * 1024;
/// No certificate is for more names; it is OpenSSH's limit too.
const MOST_PRINCIPALS: usize = 256;
/// What stands for no end.
const FOREVER: u64 = u64::MAX;

/// A user certificate, signed by the CA that it names. It is no more than that: whether the CA is to be
/// believed, and whether it counts at a moment, is asked of [`super::Signer::satisfies`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Certificate {
    name: String,
    key: PublicKey,
    ca: PublicKey,
    serial: u64,
    key_id: String,
    principals: Vec<String>,
    valid_after: u64,
    valid_before: u64,
    verify_required: bool,
    blob: Vec<u8>,
}

/// Why a text is no certificate that counts here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCertificate {
    /// Not the form of one.
    #[error("it is not an OpenSSH certificate: give the whole line of the -cert.pub file")]
    NotALine,
    /// A kind of key that is not taken.
    #[error("certificates of the kind `{0}` do not count here: have one made for an ed25519 key")]
    Kind(String),
    /// It cannot be read.
    #[error("the certificate is damaged: get a new one from your CA")]
    Garbled,
    /// It is a machine's.
    #[error("it is the certificate of a host, not of a person: get one for a user from your CA")]
    Host,
    /// The key inside does not count.
    #[error("of the key in the certificate: {0}")]
    Key(BadKey),
    /// The CA's key does not count.
    #[error("of the key of the certificate's CA: {0}")]
    Ca(BadKey),
    /// The CA has not signed this.
    #[error("its CA has not signed this certificate: of the CA's signature, {0}")]
    Forged(BadSignature),
    /// It holds only under a condition that cannot be seen here.
    #[error(
        "the certificate counts only under `{0}`, which cannot be seen here: have your CA leave that option out"
    )]
    Condition(String),
}

impl From<Broken> for BadCertificate {
    fn from(_: Broken) -> Self {
        Self::Garbled
    }
}

impl Certificate {
    /// Reads the line of a `-cert.pub` file and checks the CA's signature.
    ///
    /// # Errors
    /// [`BadCertificate`], in words.
    pub fn parse(line: &str) -> Result<Self, BadCertificate> {
        let (name, blob) = split(line).ok_or(BadCertificate::NotALine)?;
        if !name.ends_with(CERTIFICATE) {
            return Err(BadCertificate::NotALine);
        }
        let blob = decode(blob, LONGEST).ok_or(BadCertificate::Garbled)?;
        let certificate = Self::of_blob(&blob)?;
        if certificate.name == name { Ok(certificate) } else { Err(BadCertificate::Garbled) }
    }

    /// Reads a certificate as agents and signatures hold it, and checks the CA's signature.
    ///
    /// # Errors
    /// [`BadCertificate`], in words.
    pub fn of_blob(blob: &[u8]) -> Result<Self, BadCertificate> {
        if blob.len() > LONGEST {
            return Err(BadCertificate::Garbled);
        }
        let mut reader = Reader::new(blob);
        let name = reader.text()?;
        let kind =
            Kind::certified(name).ok_or_else(|| BadCertificate::Kind(printable(name, 40)))?;
        let _nonce = reader.string()?;
        let key = PublicKey::within(kind, &mut reader).map_err(BadCertificate::Key)?;
        let serial = reader.u64()?;
        match reader.u32()? {
            1 => {}
            2 => return Err(BadCertificate::Host),
            _ => return Err(BadCertificate::Garbled),
        }
        let key_id = reader.text()?.to_owned();
        let principals = principals(reader.string()?)?;
        let (valid_after, valid_before) = (reader.u64()?, reader.u64()?);
        let conditions = reader.string()?;
        let extensions = reader.string()?;
        let _reserved = reader.string()?;
        let ca = PublicKey::of_blob(reader.string()?).map_err(BadCertificate::Ca)?;
        let signed = blob.len().saturating_sub(reader.rest().len());
        let signature = reader.string()?;
        reader.end()?;
        // Nothing that it says is believed, nor told, before its signature is.
        ca.check(blob.get(..signed).unwrap_or_default(), signature)
            .map_err(BadCertificate::Forged)?;
        let verify_required = conditions_hold(conditions)?;
        well_formed(extensions)?;
        Ok(Self {
            name: name.to_owned(),
            key,
            ca,
            serial,
            key_id,
            principals,
            valid_after,
            valid_before,
            verify_required,
            blob: blob.to_vec(),
        })
    }

    /// The key that it is about.
    #[must_use]
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The key of the CA that signed it.
    #[must_use]
    pub fn ca(&self) -> &PublicKey {
        &self.ca
    }

    /// Whom the CA says it is of (`ssh-keygen -I`). It comes from outside: [`printable`] before it is shown.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Whom it may log in as (`ssh-keygen -n`). They come from outside, too.
    #[must_use]
    pub fn principals(&self) -> &[String] {
        &self.principals
    }

    /// Its number at the CA; 0 where the CA does not count.
    #[must_use]
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// The first second at which it counts, since the Unix epoch.
    #[must_use]
    pub fn valid_after(&self) -> u64 {
        self.valid_after
    }

    /// The first second at which it no longer counts; `None` when it has no end.
    #[must_use]
    pub fn valid_before(&self) -> Option<u64> {
        (self.valid_before != FOREVER).then_some(self.valid_before)
    }

    /// Whether its signatures count only from a hardware key that asked for a PIN or a finger.
    #[must_use]
    pub fn verify_required(&self) -> bool {
        self.verify_required
    }

    /// As agents and signatures hold it.
    #[must_use]
    pub fn blob(&self) -> &[u8] {
        &self.blob
    }

    /// The line of a `-cert.pub` file, without a comment.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{} {}", self.name, STANDARD.encode(&self.blob))
    }

    /// Whether it counts at a moment: before, within or after its time.
    pub(super) fn when(&self, at: Millis) -> std::cmp::Ordering {
        let second = u64::try_from(at.0.div_euclid(1000)).unwrap_or(0);
        if second < self.valid_after {
            std::cmp::Ordering::Less
        } else if second < self.valid_before || self.valid_before == FOREVER {
            std::cmp::Ordering::Equal
        } else {
            std::cmp::Ordering::Greater
        }
    }
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Certificate({:?} by {:?})", self.key, self.ca)
    }
}

impl TryFrom<String> for Certificate {
    type Error = BadCertificate;

    fn try_from(line: String) -> Result<Self, BadCertificate> {
        Self::parse(&line)
    }
}

impl From<Certificate> for String {
    fn from(certificate: Certificate) -> Self {
        certificate.line()
    }
}

fn principals(bytes: &[u8]) -> Result<Vec<String>, BadCertificate> {
    let mut reader = Reader::new(bytes);
    let mut found = Vec::new();
    while !reader.rest().is_empty() {
        if found.len() == MOST_PRINCIPALS {
            return Err(BadCertificate::Garbled);
        }
        found.push(reader.text()?.to_owned());
    }
    Ok(found)
}

/// Reads the critical options: whether a PIN or a finger is asked for. `force-command` says what a login may
/// run, not who it is. `source-address` says from where it counts, which cannot be seen here, so that a key
/// that was carried elsewhere would count; and what is not known may say anything.
fn conditions_hold(bytes: &[u8]) -> Result<bool, BadCertificate> {
    let mut reader = Reader::new(bytes);
    let mut verify_required = false;
    while !reader.rest().is_empty() {
        let (name, _value) = (reader.text()?, reader.string()?);
        match name {
            "force-command" => {}
            "verify-required" => verify_required = true,
            _ => return Err(BadCertificate::Condition(printable(name, 40))),
        }
    }
    Ok(verify_required)
}

fn well_formed(extensions: &[u8]) -> Result<(), BadCertificate> {
    let mut reader = Reader::new(extensions);
    while !reader.rest().is_empty() {
        reader.string()?;
        reader.string()?;
    }
    Ok(())
}
