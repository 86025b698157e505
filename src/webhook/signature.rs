//! Who sent an event, and when: the three schemes of Didit's signatures. Pure; the time is handed in.
//!
//! All are HMAC-SHA256 in hex with the destination's secret, compared in constant time. The newest is over
//! the canonical JSON of the body (with the time before it, by some documents), an older one over the
//! body's bytes, the oldest over four fields only, so that the rest of such a body is not to be believed.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use sha2::Sha256;
use zeroize::Zeroizing;

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
}

/// Why an event is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No header with a signature.
    #[error("it bears no signature")]
    Unsigned,
    /// No signature is right.
    #[error("its signature is wrong")]
    Forged,
    /// No time that can be read, or none that the signature covers.
    #[error("it bears no signed time")]
    Timeless,
    /// Too old, or from the future.
    #[error("its time is more than 300 seconds away; it may be played again, or a clock is wrong")]
    Untimely,
    /// Not JSON.
    #[error("it is no JSON object")]
    Unreadable,
}

/// Checks an event's signature and time.
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
    let text = std::str::from_utf8(body).map_err(|_| Refusal::Unreadable)?;
    let value: Value = serde_json::from_str(text).map_err(|_| Refusal::Unreadable)?;
    if !value.is_object() {
        return Err(Refusal::Unreadable);
    }
    let canonical = Zeroizing::new(canonical(&value));
    let (covers_time, trust, text) = if signs(secret, headers.raw, &[body]) {
        (false, Trust::Whole, Zeroizing::new(text.to_owned()))
    } else if signs(secret, headers.v2, &[canonical.as_bytes()]) {
        // What was signed is what is read: a body that says a thing twice says it once here.
        (false, Trust::Whole, canonical)
    } else if signs(secret, headers.v2, &[format!("{sent}:").as_bytes(), canonical.as_bytes()]) {
        (true, Trust::Whole, canonical)
    } else {
        let named = format!(
            "{sent}:{}:{}:{}",
            word(&value, "session_id"),
            word(&value, "status"),
            word(&value, "webhook_type")
        );
        if !signs(secret, headers.simple, &[named.as_bytes()]) {
            return Err(Refusal::Forged);
        }
        (true, Trust::Named, canonical)
    };
    // The header alone is not signed: the body has to say the same.
    if !covers_time && value.get("timestamp").and_then(Value::as_i64) != Some(sent) {
        return Err(Refusal::Timeless);
    }
    // An id that is not signed could be made up to push a real event aside.
    let own = value.get("event_id").and_then(Value::as_str).filter(|id| !id.is_empty());
    let name = match own.filter(|_| trust == Trust::Whole) {
        Some(id) => format!("id {id}"),
        None => format!(
            "session {} {} {sent} {}",
            word(&value, "session_id"),
            word(&value, "webhook_type"),
            word(&value, "status")
        ),
    };
    let at = Millis(sent.saturating_mul(1000));
    Ok(Signed { text, trust, at, name })
}

fn word<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or("")
}

/// Whether `signature` is the one over these parts.
fn signs(secret: &SecretString, signature: Option<&str>, parts: &[&[u8]]) -> bool {
    let Some(signature) = signature.and_then(|text| from_hex(text.trim())) else { return false };
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

/// JSON with keys sorted, no blanks, whole numbers without a fraction, letters as they are.
fn canonical(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Array(items) => {
            out.push('[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            let mut names: Vec<&String> = fields.keys().collect();
            names.sort_unstable();
            out.push('{');
            for (place, name) in names.into_iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                write(&Value::String(name.clone()), out);
                out.push(':');
                write(&fields[name], out);
            }
            out.push('}');
        }
        Value::Number(number) => match number.as_f64() {
            #[expect(clippy::cast_possible_truncation, reason = "whole and small enough")]
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 9e15 => {
                out.push_str(&(float as i64).to_string());
            }
            _ => out.push_str(&number.to_string()),
        },
        plain => out.push_str(&plain.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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
        assert!(signs(&key, Some(known), &[b"what do ya want ", b"for nothing?"]));
        assert!(signs(&key, Some(&known.to_uppercase()), &[b"what do ya want for nothing?"]));
        assert!(!signs(&key, Some(known), &[b"what do ya want for nothing!"]));
    }

    #[test]
    fn the_canonical_form_is_the_documented_one() {
        let value: Value = serde_json::from_str(&body()).unwrap();
        let wanted = format!(
            "{{\"b\":{{\"a\":81.4,\"z\":81}},\"event_id\":\"e-1\",\"session_id\":\"s-1\",\"status\":\"In Review\",\
             \"timestamp\":{SENT},\"webhook_type\":\"status.updated\",\"ä\":\"Zoë /\"}}"
        );
        assert_eq!(canonical(&value), wanted);
        let odd = json!([-0.0, 1e300, 0.1, null, true, "\n\"\\"]);
        assert_eq!(canonical(&odd), "[0,1e+300,0.1,null,true,\"\\n\\\"\\\\\"]");
    }

    #[test]
    fn each_scheme_is_taken_and_no_other() {
        let body = body();
        let canonical = canonical(&serde_json::from_str(&body).unwrap());
        let v2 = sign(canonical.as_bytes());
        let prefixed = sign(format!("{SENT}:{canonical}").as_bytes());
        let raw = sign(body.as_bytes());
        let simple = sign(format!("{SENT}:s-1:In Review:status.updated").as_bytes());
        let wrong = sign(b"something else");
        for (v2, raw, simple, wanted) in [
            (Some(&v2), None, None, Ok(Trust::Whole)),
            (Some(&prefixed), None, None, Ok(Trust::Whole)),
            (None, Some(&raw), None, Ok(Trust::Whole)),
            (None, None, Some(&simple), Ok(Trust::Named)),
            (Some(&wrong), Some(&raw), None, Ok(Trust::Whole)),
            (Some(&wrong), None, Some(&simple), Ok(Trust::Named)),
            (Some(&wrong), Some(&wrong), Some(&wrong), Err(Refusal::Forged)),
            (Some(&raw), None, None, Err(Refusal::Forged)),
            (None, Some(&simple), None, Err(Refusal::Forged)),
            (None, None, None, Err(Refusal::Unsigned)),
        ] {
            let [v2, raw, simple] = [v2, raw, simple].map(|s| s.map(String::as_str));
            assert_eq!(check(v2, raw, simple, &body), wanted);
        }
        for short in ["", "00", "zz", &"ä".repeat(32)] {
            assert_eq!(check(None, Some(short), None, &body), Err(Refusal::Forged));
        }
        // One changed letter: only the signature over four fields does not see it.
        let changed = body.replace("81.4", "91.4");
        assert_eq!(check(Some(&v2), Some(&raw), None, &changed), Err(Refusal::Forged));
        assert_eq!(check(Some(&v2), None, Some(&simple), &changed), Ok(Trust::Named));
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
        for body in ["", "[]", "7", "{", "\u{feff}{}"] {
            let raw = sign(body.as_bytes());
            assert_eq!(check(None, Some(&raw), None, body), Err(Refusal::Unreadable), "{body}");
        }
    }
}
