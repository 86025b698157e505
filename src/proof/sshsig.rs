//! Signatures of texts as `ssh-keygen -Y sign` makes them (OpenSSH's PROTOCOL.sshsig): what is to be signed,
//! the armour around it, and who signed. A signature for one namespace is none for another.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256, Sha512};

use super::Signer;
use super::certificate::BadCertificate;
use super::key::{BadKey, BadSignature};
use super::wire::{Broken, Reader, put};
use crate::domain::printable;

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
const END: &str = "-----END SSH SIGNATURE-----";
const MAGIC: &[u8; 6] = b"SSHSIG";
const VERSION: u32 = 1;
/// How wide OpenSSH writes the lines.
const WIDTH: usize = 70;
/// No armoured signature is longer, in bytes: one with the longest certificate is shorter.
pub const LONGEST: usize = 64 * 1024;

/// Why a signature proves nothing of a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotProven {
    /// Not the form of one.
    #[error("it is no SSH signature: it begins with `-----BEGIN SSH SIGNATURE-----`")]
    NotASignature,
    /// It cannot be read.
    #[error("the signature is damaged: have the text signed again")]
    Garbled,
    /// Of a form that did not exist yet.
    #[error("the signature is of version {0}, and only version 1 is known here")]
    Version(u32),
    /// Made for something else.
    #[error("the signature was made for `{found}`, not for `{wanted}`")]
    Namespace {
        /// What it was made for.
        found: String,
        /// What it should have been made for.
        wanted: String,
    },
    /// The text was hashed in a way that does not count.
    #[error("the signature rests on `{0}`, and only sha512 and sha256 count here")]
    Hash(String),
    /// The key does not count.
    #[error("of the key that signed: {0}")]
    Key(BadKey),
    /// The certificate does not count.
    #[error("of the certificate that signed: {0}")]
    Certificate(BadCertificate),
    /// It is none of that key over this text.
    #[error("of the signature: {0}")]
    Signature(BadSignature),
    /// The certificate asks for a PIN or a finger.
    #[error(
        "the certificate counts only with a PIN or a finger at the hardware key, and the signature was made without"
    )]
    Unverified,
}

impl From<Broken> for NotProven {
    fn from(_: Broken) -> Self {
        Self::Garbled
    }
}

/// Checks an armoured signature of a text in a namespace, and tells who made it: what they hold, not who they
/// are. That is [`Signer::satisfies`].
///
/// # Errors
/// [`NotProven`], in words.
pub fn verify(text: &[u8], signature: &str, namespace: &str) -> Result<Signer, NotProven> {
    let blob = unarmoured(signature)?;
    let mut reader = Reader::new(&blob);
    if reader.take(MAGIC.len())? != MAGIC {
        return Err(NotProven::NotASignature);
    }
    match reader.u32()? {
        VERSION => {}
        other => return Err(NotProven::Version(other)),
    }
    let by = reader.string()?;
    let found = reader.text()?;
    let reserved = reader.string()?;
    let hash = Hash::of(reader.text()?)?;
    let raw = reader.string()?;
    reader.end()?;
    if found != namespace {
        let (found, wanted) = (printable(found, 60), printable(namespace, 60));
        return Err(NotProven::Namespace { found, wanted });
    }
    if !reserved.is_empty() {
        return Err(NotProven::Garbled);
    }
    let signer = Signer::of_blob(by)?;
    let checked =
        signer.key().check(&framed(text, namespace, hash), raw).map_err(NotProven::Signature)?;
    match &signer {
        Signer::Certificate(certificate) if certificate.verify_required() && !checked.verified => {
            Err(NotProven::Unverified)
        }
        Signer::Certificate(_) | Signer::Key(_) => Ok(signer),
    }
}

/// The bytes that a key signs for a text in a namespace.
#[must_use]
pub fn to_be_signed(text: &[u8], namespace: &str) -> Vec<u8> {
    framed(text, namespace, Hash::Sha512)
}

/// The armour around a signature of [`to_be_signed`]: what [`verify`] and `ssh-keygen -Y verify` read.
#[must_use]
pub fn armoured(signer: &Signer, namespace: &str, signature: &[u8]) -> String {
    let mut blob = MAGIC.to_vec();
    blob.extend(VERSION.to_be_bytes());
    put(&mut blob, signer.blob());
    put(&mut blob, namespace.as_bytes());
    put(&mut blob, b"");
    put(&mut blob, Hash::Sha512.name().as_bytes());
    put(&mut blob, signature);
    let mut out = String::from(BEGIN);
    for (at, sign) in STANDARD.encode(&blob).chars().enumerate() {
        if at % WIDTH == 0 {
            out.push('\n');
        }
        out.push(sign);
    }
    out.push('\n');
    out.push_str(END);
    out.push('\n');
    out
}

/// How a text was hashed before it was signed.
#[derive(Debug, Clone, Copy)]
enum Hash {
    Sha256,
    Sha512,
}

impl Hash {
    fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    fn of(name: &str) -> Result<Self, NotProven> {
        let known = [Self::Sha512, Self::Sha256].into_iter().find(|hash| hash.name() == name);
        known.ok_or_else(|| NotProven::Hash(printable(name, 20)))
    }
}

fn framed(text: &[u8], namespace: &str, hash: Hash) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    put(&mut out, namespace.as_bytes());
    put(&mut out, b"");
    put(&mut out, hash.name().as_bytes());
    match hash {
        Hash::Sha256 => put(&mut out, &Sha256::digest(text)),
        Hash::Sha512 => put(&mut out, &Sha512::digest(text)),
    }
    out
}

fn unarmoured(signature: &str) -> Result<Vec<u8>, NotProven> {
    if signature.len() > LONGEST {
        return Err(NotProven::NotASignature);
    }
    let inner = signature.trim().strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(END));
    let inner = inner.ok_or(NotProven::NotASignature)?;
    let lines: String = inner.split_ascii_whitespace().collect();
    STANDARD.decode(lines).map_err(|_| NotProven::Garbled)
}
