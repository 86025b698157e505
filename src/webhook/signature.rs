//! Who sent an event, and when: the three schemes of Didit's signatures. Pure; the time is handed in.
//!
//! All are HMAC-SHA256 in hex with the destination's secret, compared in constant time. The newest is over
//! the canonical JSON of the body (with the time before it, by some documents), an older one over the
//! body's bytes, the oldest over four fields only, so that the rest of such a body is not to be believed.
//! An event bears several at once; who could take the newest away, or bend it, must not be left with the oldest.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::canonical::{Node, STYLES, Unread};
use crate::domain::Millis;

/// An event this far from the present, in seconds, is refused: somebody may be playing it again.
const WINDOW: i64 = 300;

/// The headers that speak of the signature.
#[derive(Debug, Clone, Copy, Default)]
pub struct Headers<'a> {
    /// `X-Signature-V2`.
    pub v2: Option<&'a str>,
    /// `X-Signature`.
    pub raw: Option<&'a str>,
    /// `X-Signature-Simple`.
    pub simple: Option<&'a str>,
    /// `X-Timestamp`.
    pub timestamp: Option<&'a str>,
}

/// How much of the body the signature covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// All of it.
    Whole,
    /// The time, the session, its status and the kind of event; nothing else.
    Named,
}

/// An event that Didit sent.
pub struct Signed {
    /// The text that was signed. It holds names and links.
    pub text: Zeroizing<String>,
    /// How much of it is Didit's word.
    pub trust: Trust,
    /// When it was signed.
    pub at: Millis,
    /// What tells the event from all others.
    pub name: String,
    /// Whether its bytes are not those that were signed, though its JSON is: something on the way wrote it anew.
    pub reencoded: bool,
}

/// A scheme of signing, by its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Over the canonical JSON.
    V2,
    /// Over the body's bytes.
    Raw,
    /// Over four fields.
    Simple,
}

impl Scheme {
    /// The header that bears it.
    #[must_use]
    pub fn header(self) -> &'static str {
        match self {
            Self::V2 => "X-Signature-V2",
            Self::Raw => "X-Signature",
            Self::Simple => "X-Signature-Simple",
        }
    }
}

/// Why an event is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No header with a signature.
    #[error("it bears no signature")]
    Unsigned,
    /// A signature is wrong. A right one beside it makes it no better.
    #[error("its {} is wrong", .0.header())]
    Forged(Scheme),
    /// No time that can be read, or none that the signature covers.
    #[error("it bears no signed time")]
    Timeless,
    /// Too old, or from the future.
    #[error("its time is more than 300 seconds away; it may be played again, or a clock is wrong")]
    Untimely,
    /// Not JSON.
    #[error("it is no JSON object")]
    Unreadable,
    /// A field stands in it twice: what was verified might not be what is used.
    #[error("it names a field twice")]
    Doubled,
}

/// Checks an event's signatures and time. Each signature that is there has to be right, but for one over the
/// body's bytes beside a right one over its JSON: a proxy may have written the body anew.
///
/// # Errors
/// [`Refusal`].
pub fn verify(
    secret: &SecretString,
    headers: &Headers<'_>,
    body: &[u8],
    now: Millis,
) -> Result<Signed, Refusal> {
    if headers.v2.is_none() && headers.raw.is_none() && headers.simple.is_none() {
        return Err(Refusal::Unsigned);
    }
    let sent = headers.timestamp.and_then(|text| text.trim().parse::<i64>().ok());
    let sent = sent.ok_or(Refusal::Timeless)?;
    let away = now.0.div_euclid(1000).saturating_sub(sent).saturating_abs();
    if away > WINDOW {
        return Err(Refusal::Untimely);
    }
    // Over the bytes first: it costs least, and nothing has to be read for it.
    let raw = headers.raw.map(|raw| signs(secret, raw, &[body]));
    if raw == Some(false) && headers.v2.is_none() {
        return Err(Refusal::Forged(Scheme::Raw));
    }
    let text = std::str::from_utf8(body).map_err(|_| Refusal::Unreadable)?;
    let value = Node::read(text).map_err(|why| match why {
        Unread::Json => Refusal::Unreadable,
        Unread::Doubled => Refusal::Doubled,
    })?;
    if !matches!(value, Node::Fields(_)) {
        return Err(Refusal::Unreadable);
    }
    let v2 = headers.v2.map(|v2| canonical(secret, v2, sent, &value).ok_or(Scheme::V2));
    let v2 = v2.transpose().map_err(Refusal::Forged)?;
    let simple = headers.simple.map(|simple| {
        let [session, status, kind] =
            ["session_id", "status", "webhook_type"].map(|name| value.word(name));
        signs(secret, simple, &[format!("{sent}:{session}:{status}:{kind}").as_bytes()])
    });
    if simple == Some(false) {
        return Err(Refusal::Forged(Scheme::Simple));
    }
    let reencoded = raw == Some(false);
    let covers_time = v2.as_ref().map_or(raw.is_none(), |signed| signed.covers_time);
    let trust = if v2.is_some() || raw.is_some() { Trust::Whole } else { Trust::Named };
    // The header alone is not signed: the body has to say the same.
    if !covers_time && value.whole("timestamp") != Some(sent) {
        return Err(Refusal::Timeless);
    }
    // What was signed is what is read.
    let text = v2.map_or_else(|| Zeroizing::new(text.to_owned()), |signed| signed.text);
    // An id that is not signed could be made up to push a real event aside.
    let name = match value.word("event_id") {
        id if trust == Trust::Whole && !id.is_empty() => format!("id {id}"),
        _ => {
            let [session, kind, status] =
                ["session_id", "webhook_type", "status"].map(|name| value.word(name));
            format!("session {session} {kind} {sent} {status}")
        }
    };
    let at = Millis(sent.saturating_mul(1000));
    Ok(Signed { text, trust, at, name, reencoded })
}

/// What a signature over the canonical JSON is of.
struct Canonical {
    text: Zeroizing<String>,
    covers_time: bool,
}

/// The text of a body that this signature is of, in any of the forms that signers make.
fn canonical(secret: &SecretString, v2: &str, sent: i64, value: &Node) -> Option<Canonical> {
    let prefix = format!("{sent}:");
    let mut tried: Vec<Zeroizing<String>> = Vec::new();
    for style in STYLES {
        let text = style.write(value);
        if tried.contains(&text) {
            continue;
        }
        // Some documents have the time before it.
        for covers_time in [false, true] {
            let prefix = if covers_time { prefix.as_bytes() } else { &[] };
            if signs(secret, v2, &[prefix, text.as_bytes()]) {
                return Some(Canonical { text, covers_time });
            }
        }
        tried.push(text);
    }
    None
}

/// Whether `signature` is the one over these parts.
fn signs(secret: &SecretString, signature: &str, parts: &[&[u8]]) -> bool {
    let Some(signature) = from_hex(signature.trim()) else { return false };
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()) else {
        return false;
    };
    parts.iter().for_each(|part| mac.update(part));
    mac.verify_slice(&signature).is_ok()
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        let digit = |at: usize| char::from(*pair.get(at)?).to_digit(16);
        *byte = u8::try_from(digit(0)? * 16 + digit(1)?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(1_795_132_800_500);
    const SENT: i64 = 1_795_132_800;

    fn secret() -> SecretString {
        "whsec-of-a-test".to_owned().into()
    }

    fn sign(message: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(b"whsec-of-a-test").unwrap();
        mac.update(message);
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn body() -> String {
        format!(
            "{{ \"webhook_type\": \"status.updated\", \"timestamp\": {SENT}, \"status\": \"In Review\",
                \"session_id\": \"s-1\", \"event_id\": \"e-1\", \"b\": {{\"z\": 81.0, \"a\": 81.4}}, \"ä\": \"Zoë\\u0020/\" }}"
        )
    }

    fn check(
        v2: Option<&str>,
        raw: Option<&str>,
        simple: Option<&str>,
        body: &str,
    ) -> Result<Trust, Refusal> {
        let sent = SENT.to_string();
        let headers = Headers { v2, raw, simple, timestamp: Some(&sent) };
        verify(&secret(), &headers, body.as_bytes(), NOW).map(|signed| signed.trust)
    }

    #[test]
    fn a_known_signature_is_right() {
        // From RFC 4231, test case 2: key "Jefe".
        let key: SecretString = "Jefe".to_owned().into();
        let known = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert!(signs(&key, known, &[b"what do ya want ", b"for nothing?"]));
        assert!(signs(&key, &known.to_uppercase(), &[b"what do ya want for nothing?"]));
        assert!(!signs(&key, known, &[b"what do ya want for nothing!"]));
    }

    #[test]
    fn the_canonical_form_is_the_documented_one() {
        let value = Node::read(&body()).unwrap();
        let wanted = format!(
            "{{\"b\":{{\"a\":81.4,\"z\":81}},\"event_id\":\"e-1\",\"session_id\":\"s-1\",\"status\":\"In Review\",\
             \"timestamp\":{SENT},\"webhook_type\":\"status.updated\",\"ä\":\"Zoë /\"}}"
        );
        assert_eq!(STYLES[0].write(&value).as_str(), wanted);
    }

    #[test]
    fn each_scheme_is_taken_and_a_wrong_one_spoils_all_but_the_bytes() {
        let body = body();
        let canonical = STYLES[0].write(&Node::read(&body).unwrap());
        let v2 = sign(canonical.as_bytes());
        let prefixed = sign(format!("{SENT}:{}", canonical.as_str()).as_bytes());
        let raw = sign(body.as_bytes());
        let simple = sign(format!("{SENT}:s-1:In Review:status.updated").as_bytes());
        let wrong = sign(b"something else");
        for (v2, raw, simple, wanted) in [
            (Some(&v2), None, None, Ok(Trust::Whole)),
            (Some(&prefixed), None, None, Ok(Trust::Whole)),
            (None, Some(&raw), None, Ok(Trust::Whole)),
            (None, None, Some(&simple), Ok(Trust::Named)),
            (Some(&v2), Some(&raw), Some(&simple), Ok(Trust::Whole)),
            (None, Some(&raw), Some(&simple), Ok(Trust::Whole)),
            (Some(&v2), Some(&wrong), None, Ok(Trust::Whole)),
            (Some(&wrong), Some(&raw), None, Err(Refusal::Forged(Scheme::V2))),
            (Some(&wrong), None, Some(&simple), Err(Refusal::Forged(Scheme::V2))),
            (Some(&wrong), Some(&raw), Some(&simple), Err(Refusal::Forged(Scheme::V2))),
            (None, Some(&wrong), Some(&simple), Err(Refusal::Forged(Scheme::Raw))),
            (Some(&v2), Some(&raw), Some(&wrong), Err(Refusal::Forged(Scheme::Simple))),
            (None, None, Some(&wrong), Err(Refusal::Forged(Scheme::Simple))),
            (Some(&raw), None, None, Err(Refusal::Forged(Scheme::V2))),
            (None, Some(&simple), None, Err(Refusal::Forged(Scheme::Raw))),
            (None, None, None, Err(Refusal::Unsigned)),
        ] {
            let [v2, raw, simple] = [v2, raw, simple].map(|s| s.map(String::as_str));
            assert_eq!(check(v2, raw, simple, &body), wanted);
        }
        for short in ["", "00", "zz", &"ä".repeat(32)] {
            let found = check(None, Some(short), None, &body);
            assert_eq!(found, Err(Refusal::Forged(Scheme::Raw)));
        }
        // One changed letter: only the signature over four fields does not see it.
        let changed = body.replace("81.4", "91.4");
        let found = check(Some(&v2), Some(&raw), None, &changed);
        assert_eq!(found, Err(Refusal::Forged(Scheme::V2)));
        let found = check(Some(&v2), None, Some(&simple), &changed);
        assert_eq!(found, Err(Refusal::Forged(Scheme::V2)));
        assert_eq!(check(None, None, Some(&simple), &changed), Ok(Trust::Named));
    }

    #[test]
    fn a_body_that_was_written_anew_on_the_way_is_known() {
        let canonical = STYLES[0].write(&Node::read(&body()).unwrap());
        let (v2, raw) = (sign(canonical.as_bytes()), sign(body().as_bytes()));
        let sent = SENT.to_string();
        let headers =
            Headers { v2: Some(&v2), raw: Some(&raw), timestamp: Some(&sent), simple: None };
        for (body, wanted) in [(body(), false), (format!("{} ", body()), true)] {
            let signed = verify(&secret(), &headers, body.as_bytes(), NOW).ok().unwrap();
            assert_eq!((signed.reencoded, signed.trust), (wanted, Trust::Whole));
            assert_eq!(signed.text, canonical, "what was signed is what is read");
        }
    }

    #[test]
    fn a_field_that_stands_twice_is_refused_however_it_is_signed() {
        let twice = body().replace("\"b\":", "\"status\": \"Approved\", \"b\":");
        let raw = sign(twice.as_bytes());
        assert_eq!(check(None, Some(&raw), None, &twice), Err(Refusal::Doubled));
        let inside = body().replace("\"z\": 81.0", "\"\\u0061\": 81.0");
        let raw = sign(inside.as_bytes());
        assert_eq!(check(None, Some(&raw), None, &inside), Err(Refusal::Doubled));
    }

    #[test]
    fn the_time_is_near_and_signed() {
        let body = body();
        let raw = sign(body.as_bytes());
        let at = |now: i64, timestamp: Option<&str>| {
            let headers = Headers { raw: Some(&raw), timestamp, ..Headers::default() };
            verify(&secret(), &headers, body.as_bytes(), Millis(now * 1000)).map(|s| s.at.0)
        };
        let sent = SENT.to_string();
        for (away, wanted) in [
            (0, Ok(SENT * 1000)),
            (300, Ok(SENT * 1000)),
            (-300, Ok(SENT * 1000)),
            (301, Err(Refusal::Untimely)),
            (-301, Err(Refusal::Untimely)),
        ] {
            assert_eq!(at(SENT + away, Some(&sent)), wanted, "{away}");
        }
        assert_eq!(at(SENT, None), Err(Refusal::Timeless));
        assert_eq!(at(SENT, Some("soon")), Err(Refusal::Timeless));
        // An old event under a new header: the header is not signed, the body is.
        let later = (SENT + 900).to_string();
        assert_eq!(at(SENT + 900, Some(&later)), Err(Refusal::Timeless));
        assert_eq!(at(SENT, Some(&i64::MIN.to_string())), Err(Refusal::Untimely));
    }

    #[test]
    fn what_is_no_object_is_refused() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(80), "]".repeat(80));
        for body in ["", "[]", "7", "{", "\u{feff}{}", &deep] {
            let raw = sign(body.as_bytes());
            assert_eq!(check(None, Some(&raw), None, body), Err(Refusal::Unreadable), "{body}");
        }
    }
}
