//! Public keys as OpenSSH writes them, and whether a signature is of one of them.
//!
//! ring does the arithmetic that TLS needs anyway (Ed25519, P-256, P-384, RSA), `p521` the one curve that ring has
//! not. A key has one form here: what has two (a number with leading zeros, a point beyond the field) is refused,
//! for who is who is told by equal keys.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use p521::ecdsa::signature::Verifier as _;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey,
    VerificationAlgorithm,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::wire::{Broken, Reader, put};
use crate::domain::printable;

/// No key is longer, in bytes: RSA of 8192 bits has some 1,040.
const LONGEST: usize = 4 * 1024;
/// How short and how long an RSA key may be, in bits.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
/// Ends the name of a kind of certificate.
pub(super) const CERTIFICATE: &str = "-cert-v01@openssh.com";

/// An OpenSSH public key, without a comment.
///
/// ```
/// use secondlook::proof::PublicKey;
///
/// let line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICOQoVLx0zSnpZGt24OvqUHMwmzJ4MIbSHQfm7eUYyX1 ana@laptop";
/// let key = PublicKey::parse(line)?;
/// assert!(line.starts_with(&key.line()));
/// # Ok::<(), secondlook::proof::BadKey>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKey {
    kind: Kind,
    numbers: Numbers,
    /// What the hardware key signs for (`ssh:`); none for others.
    application: Option<Vec<u8>>,
    blob: Vec<u8>,
}

/// The kinds of keys that are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    Ed25519,
    P256,
    P384,
    P521,
    Rsa,
    SkEd25519,
    SkP256,
}

/// What a key is made of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Numbers {
    /// A point, as its curve writes it.
    Point(Vec<u8>),
    Rsa {
        e: Vec<u8>,
        n: Vec<u8>,
    },
}

/// Why a text is no public key that counts here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// Not the form of one.
    #[error(
        "it is not an OpenSSH public key: give the whole line of the .pub file, as in `ssh-ed25519 AAAA…`"
    )]
    NotALine,
    /// A kind that is not taken.
    #[error("keys of the kind `{0}` do not count here: make another with `ssh-keygen -t ed25519`")]
    Kind(String),
    /// A certificate where a key belongs.
    #[error(
        "it is a certificate, not a key: give the public key of its CA and the certificate's key id"
    )]
    Certificate,
    /// The base64 says another kind than the word before it, or is cut or damaged.
    #[error("the key is damaged: copy the whole line of the .pub file again")]
    Garbled,
    /// RSA too short or too long.
    #[error(
        "an RSA key of {0} bits does not count here, only 2048 to 8192: make another with `ssh-keygen -t ed25519`"
    )]
    RsaBits(usize),
    /// One of the few keys for which anybody can sign.
    #[error("the key is one for which anybody can sign: make another with `ssh-keygen -t ed25519`")]
    Weak,
}

impl From<Broken> for BadKey {
    fn from(_: Broken) -> Self {
        Self::Garbled
    }
}

/// Why a signature is not one of a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSignature {
    /// It cannot be read.
    #[error("it is damaged")]
    Garbled,
    /// RSA with SHA-1.
    #[error("it was made with SHA-1, which can be forged")]
    Sha1,
    /// Made in a way that this key does not sign.
    #[error("it was made by `{0}`, which is no way that this key signs")]
    Algorithm(String),
    /// A hardware key that nobody touched.
    #[error("nobody touched the hardware key when it was made")]
    Untouched,
    /// It is none of this key over this text.
    #[error("it is of another text or by another key, or was changed since")]
    Wrong,
}

impl From<Broken> for BadSignature {
    fn from(_: Broken) -> Self {
        Self::Garbled
    }
}

/// What a good signature tells besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Checked {
    /// A hardware key that asked for a PIN or a finger.
    pub verified: bool,
}

impl Kind {
    const ALL: [Self; 7] = [
        Self::Ed25519,
        Self::P256,
        Self::P384,
        Self::P521,
        Self::Rsa,
        Self::SkEd25519,
        Self::SkP256,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "ssh-ed25519",
            Self::P256 => "ecdsa-sha2-nistp256",
            Self::P384 => "ecdsa-sha2-nistp384",
            Self::P521 => "ecdsa-sha2-nistp521",
            Self::Rsa => "ssh-rsa",
            Self::SkEd25519 => "sk-ssh-ed25519@openssh.com",
            Self::SkP256 => "sk-ecdsa-sha2-nistp256@openssh.com",
        }
    }

    /// The kind of that name.
    pub(super) fn of(name: &str) -> Result<Self, BadKey> {
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| {
            if name.ends_with(CERTIFICATE) {
                BadKey::Certificate
            } else {
                BadKey::Kind(printable(name, 40))
            }
        })
    }

    /// The kind of key within the certificates of that name.
    pub(super) fn certified(name: &str) -> Option<Self> {
        let inner = name.strip_suffix(CERTIFICATE)?;
        let plain = |kind: &Self| kind.name().trim_end_matches("@openssh.com") == inner;
        Self::ALL.into_iter().find(plain)
    }

    /// Its curve's name and how many bytes a number of it has.
    fn curve(self) -> Option<(&'static str, usize)> {
        match self {
            Self::P256 | Self::SkP256 => Some(("nistp256", 32)),
            Self::P384 => Some(("nistp384", 48)),
            Self::P521 => Some(("nistp521", 66)),
            Self::Ed25519 | Self::SkEd25519 | Self::Rsa => None,
        }
    }

    fn is_hardware(self) -> bool {
        matches!(self, Self::SkEd25519 | Self::SkP256)
    }
}

impl PublicKey {
    /// Reads the line of a `.pub` file. A comment behind the key is left out.
    ///
    /// # Errors
    /// [`BadKey`], in words.
    pub fn parse(line: &str) -> Result<Self, BadKey> {
        let (name, blob) = split(line).ok_or(BadKey::NotALine)?;
        let kind = Kind::of(name)?;
        let key = Self::of_blob(&decode(blob, LONGEST).ok_or(BadKey::Garbled)?)?;
        if key.kind == kind { Ok(key) } else { Err(BadKey::Garbled) }
    }

    /// Reads a key as agents and signatures hold it.
    ///
    /// # Errors
    /// [`BadKey`], in words.
    pub fn of_blob(blob: &[u8]) -> Result<Self, BadKey> {
        if blob.len() > LONGEST {
            return Err(BadKey::Garbled);
        }
        let mut reader = Reader::new(blob);
        let kind = Kind::of(reader.text()?)?;
        let key = Self::within(kind, &mut reader)?;
        reader.end()?;
        Ok(key)
    }

    /// Reads what stands behind the name of the kind, in a key and in a certificate alike.
    pub(super) fn within(kind: Kind, reader: &mut Reader) -> Result<Self, BadKey> {
        let before = reader.rest();
        let numbers = match kind.curve() {
            Some((curve, size)) => {
                if reader.text()? != curve {
                    return Err(BadKey::Garbled);
                }
                let point = reader.string()?;
                if point.first() != Some(&4) || point.len() != 1 + 2 * size {
                    return Err(BadKey::Garbled);
                }
                Numbers::Point(point.to_vec())
            }
            None if kind == Kind::Rsa => {
                let (e, n) = (reader.number()?.to_vec(), reader.number()?.to_vec());
                check_rsa(&e, &n)?;
                Numbers::Rsa { e, n }
            }
            None => {
                let point = reader.string()?;
                check_ed25519(point)?;
                Numbers::Point(point.to_vec())
            }
        };
        let application = if kind.is_hardware() { Some(reader.string()?.to_vec()) } else { None };
        let read = before.len().saturating_sub(reader.rest().len());
        let mut blob = Vec::new();
        put(&mut blob, kind.name().as_bytes());
        blob.extend(before.iter().take(read));
        Ok(Self { kind, numbers, application, blob })
    }

    /// As agents and signatures hold it.
    #[must_use]
    pub fn blob(&self) -> &[u8] {
        &self.blob
    }

    /// The line of a `.pub` file, without a comment.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{} {}", self.kind.name(), STANDARD.encode(&self.blob))
    }

    /// As `ssh-keygen -lf` prints it: `SHA256:…`.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(&self.blob)))
    }

    /// Which kind of key it is, as OpenSSH names it: `ssh-ed25519`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.kind.name()
    }

    /// Whether an agent must be told not to sign with SHA-1.
    #[must_use]
    pub fn is_rsa(&self) -> bool {
        self.kind == Kind::Rsa
    }

    /// Holds a signature, as agents give it, against what it should be of.
    pub(super) fn check(&self, data: &[u8], signature: &[u8]) -> Result<Checked, BadSignature> {
        let mut reader = Reader::new(signature);
        let name = reader.text()?;
        let raw = reader.string()?;
        if name == "ssh-rsa" && self.kind == Kind::Rsa {
            return Err(BadSignature::Sha1);
        }
        let fits = match self.kind {
            Kind::Rsa => matches!(name, "rsa-sha2-256" | "rsa-sha2-512"),
            kind => kind.name() == name,
        };
        if !fits {
            return Err(BadSignature::Algorithm(printable(name, 40)));
        }
        let Some(application) = &self.application else {
            reader.end()?;
            self.check_raw(name, data, raw)?;
            return Ok(Checked { verified: false });
        };
        // A hardware key signs what it was asked for, how it was touched, and how often it was used.
        let (flags, counter) = (reader.byte()?, reader.u32()?);
        reader.end()?;
        let mut signed = Sha256::digest(application).to_vec();
        signed.push(flags);
        signed.extend(counter.to_be_bytes());
        signed.extend(Sha256::digest(data));
        self.check_raw(name, &signed, raw)?;
        if flags & 1 == 0 {
            return Err(BadSignature::Untouched);
        }
        Ok(Checked { verified: flags & 4 != 0 })
    }

    fn check_raw(&self, name: &str, data: &[u8], raw: &[u8]) -> Result<(), BadSignature> {
        match &self.numbers {
            Numbers::Rsa { e, n } => {
                let way: &RsaParameters = match name {
                    "rsa-sha2-256" => &RSA_PKCS1_2048_8192_SHA256,
                    _ => &RSA_PKCS1_2048_8192_SHA512,
                };
                // Some agents leave leading zeros out, which ring wants.
                let raw = padded(raw, n.len()).ok_or(BadSignature::Garbled)?;
                RsaPublicKeyComponents { n, e }
                    .verify(way, data, &raw)
                    .map_err(|_| BadSignature::Wrong)
            }
            Numbers::Point(point) => match self.kind {
                Kind::P256 | Kind::SkP256 => {
                    by_ring(&ECDSA_P256_SHA256_FIXED, point, data, &two_numbers(raw, 32)?)
                }
                Kind::P384 => {
                    by_ring(&ECDSA_P384_SHA384_FIXED, point, data, &two_numbers(raw, 48)?)
                }
                Kind::P521 => {
                    let key = p521::ecdsa::VerifyingKey::from_sec1_bytes(point);
                    let signature = p521::ecdsa::Signature::from_slice(&two_numbers(raw, 66)?);
                    let (Ok(key), Ok(signature)) = (key, signature) else {
                        return Err(BadSignature::Wrong);
                    };
                    key.verify(data, &signature).map_err(|_| BadSignature::Wrong)
                }
                Kind::Ed25519 | Kind::SkEd25519 | Kind::Rsa => by_ring(&ED25519, point, data, raw),
            },
        }
    }
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PublicKey({} {})", self.kind.name(), self.fingerprint())
    }
}

impl TryFrom<String> for PublicKey {
    type Error = BadKey;

    fn try_from(line: String) -> Result<Self, BadKey> {
        Self::parse(&line)
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> Self {
        key.line()
    }
}

/// The name and the base64 at the front of a line.
pub(super) fn split(line: &str) -> Option<(&str, &str)> {
    let mut words = line.split_ascii_whitespace();
    let (name, blob) = (words.next()?, words.next()?);
    // Every blob begins with the length of its name, which is less than 64 KiB.
    (blob.starts_with("AAAA") && !line.trim().contains(['\n', '\r'])).then_some((name, blob))
}

/// Reads base64 of at most so many bytes.
pub(super) fn decode(text: &str, most: usize) -> Option<Vec<u8>> {
    if text.len() / 4 * 3 > most + 3 {
        return None;
    }
    STANDARD.decode(text).ok().filter(|bytes| bytes.len() <= most)
}

fn by_ring(
    way: &'static dyn VerificationAlgorithm,
    key: &[u8],
    data: &[u8],
    raw: &[u8],
) -> Result<(), BadSignature> {
    UnparsedPublicKey::new(way, key).verify(data, raw).map_err(|_| BadSignature::Wrong)
}

/// Two big numbers, each filled up to `size` bytes.
fn two_numbers(raw: &[u8], size: usize) -> Result<Vec<u8>, BadSignature> {
    let mut reader = Reader::new(raw);
    let (r, s) = (reader.number()?, reader.number()?);
    reader.end()?;
    let mut both = padded(r, size).ok_or(BadSignature::Garbled)?;
    both.extend(padded(s, size).ok_or(BadSignature::Garbled)?);
    Ok(both)
}

/// The bytes with zeros before them, `size` in all; `None` when they are more.
fn padded(bytes: &[u8], size: usize) -> Option<Vec<u8>> {
    let mut out = vec![0; size.checked_sub(bytes.len())?];
    out.extend_from_slice(bytes);
    Some(out)
}

fn check_rsa(e: &[u8], n: &[u8]) -> Result<(), BadKey> {
    let zeros = n.first().map_or(0, |byte| byte.leading_zeros() as usize);
    let bits = (n.len() * 8).saturating_sub(zeros);
    if !RSA_BITS.contains(&bits) {
        return Err(BadKey::RsaBits(bits));
    }
    // An exponent of 1 signs nothing; even numbers are none of RSA's; ring takes 33 bits.
    let odd = |number: &[u8]| number.last().is_some_and(|byte| byte & 1 == 1);
    if e == [1] {
        return Err(BadKey::Weak);
    }
    if odd(n) && odd(e) && e.len() <= 4 { Ok(()) } else { Err(BadKey::Garbled) }
}

/// Points of small order, with which a signature can be made for any text; without the sign bit.
const SMALL: [[u8; 32]; 5] = [
    [0; 32],
    {
        let mut one = [0; 32];
        one[0] = 1;
        one
    },
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
    [
        0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0x7f,
    ],
];

fn check_ed25519(point: &[u8]) -> Result<(), BadKey> {
    let mut y: [u8; 32] = point.try_into().map_err(|_| BadKey::Garbled)?;
    y[31] &= 0x7f;
    let beyond = y[0] >= 0xed && y[1..31].iter().all(|byte| *byte == 0xff) && y[31] == 0x7f;
    if beyond || SMALL.contains(&y) { Err(BadKey::Weak) } else { Ok(()) }
}
