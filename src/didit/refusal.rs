//! An answer that is no success, made into the one error. Didit has no common shape for its errors:
//! the status is trusted first, then a `code`, then the words.

use std::time::Duration;

use serde_json::Value;

use super::error::{ApiError, BodyShape, CarriedOut, ErrorKind, Known};
use crate::domain::{CallVerb, Millis};

/// What of an answer matters when it is no success.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refusal<'a> {
    /// The HTTP status.
    pub(super) status: u16,
    /// The header `Retry-After`, as it came.
    pub(super) retry_after: Option<&'a str>,
    /// When it was sent, by the server's clock where it says so.
    pub(super) sent: Millis,
    /// The host that the header `Location` names, where it names one.
    pub(super) location: Option<&'a str>,
    /// The body; empty where it could not be read.
    pub(super) body: &'a str,
}

/// The wait where the server asks for one and names none.
const UNNAMED_WAIT: Duration = Duration::from_secs(5);
/// No wait is longer, whatever the header says.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);
/// Words of so many fields are kept.
const MOST_FIELDS: usize = 8;

/// What Didit is known to say, in lower case: a part of its text, or its code; and our words for it.
const KNOWN: [(&str, Known); 15] = [
    known("api key has expired", "the API key has expired", RENEW),
    known(
        "application_deleted",
        "the application of this key was deleted at Didit",
        "Use the key of another application.",
    ),
    known(
        "contract_billing_suspended",
        "Didit has suspended the billing of this account",
        "Settle it with Didit, then try again.",
    ),
    known(
        "enough credits",
        "the balance at Didit is too low",
        "Top up with `secondlook top-up DOLLARS` or in the Didit console, then try again.",
    ),
    known(
        "no face detected",
        "Didit found no face in the picture",
        "Send a picture with one clear face, or try --rotate.",
    ),
    known(
        "no file was submitted",
        "no picture arrived at Didit",
        "Try again; a proxy in between may have taken it out.",
    ),
    known(
        "file extension",
        "Didit does not take pictures of this kind",
        "Send JPEG, PNG, WebP or TIFF.",
    ),
    known("file size should not exceed", TOO_LARGE, SMALLER),
    known(
        "invalid user image format",
        "Didit cannot read the picture",
        "Save it again as JPEG or PNG, then try again.",
    ),
    known(
        "could_not_recognize_document",
        "Didit does not recognize the document",
        "Take its picture again: all of it, flat, sharp and without glare.",
    ),
    known(
        "amount must be at least",
        "Didit takes no less than 50 dollars",
        "Name a larger amount.",
    ),
    known(
        "amount_in_dollars",
        "Didit does not understand the amount",
        "Write it like 100 or 99.50.",
    ),
    known(
        "annual",
        "Didit bills this account by a contract and takes no top-up",
        "Ask whoever pays the contract.",
    ),
    known(
        "invalid or expired",
        "Didit does not accept the code",
        "A code is good for ten minutes; `secondlook account resend` mails a new one.",
    ),
    known(
        "do not have permission to perform this action",
        "Didit does not permit this: the key is missing or lacks the right",
        "Check the key, and in the Didit console what it may do and from which addresses.",
    ),
];

const RENEW: &str =
    "Make a new one in the Didit console, or fetch one with `secondlook account login`.";
const TOO_LARGE: &str = "the picture is too large for Didit";
const SMALLER: &str = "Make it smaller; `secondlook search --shrink` does.";

const fn known(
    part: &'static str,
    what: &'static str,
    hint: &'static str,
) -> (&'static str, Known) {
    (part, Known { what, hint })
}

/// Our own words for it; also for a size that a proxy refuses without any.
fn in_our_words(refusal: &Refusal<'_>, words: &Words) -> Option<Known> {
    if refusal.status == 413 {
        return Some(Known { what: TOO_LARGE, hint: SMALLER });
    }
    // A server in trouble is in trouble, whatever it says; and a limit says how long to wait.
    if refusal.status == 429 || !(400..500).contains(&refusal.status) {
        return None;
    }
    let text = words.text.to_ascii_lowercase();
    let says = |part: &str| text.contains(part) || words.code == part;
    KNOWN.into_iter().find(|(part, _)| says(part)).map(|(_, known)| known)
}

/// Makes the error.
pub(super) fn read(refusal: &Refusal<'_>, verb: CallVerb) -> ApiError {
    let words = Words::read(refusal.body);
    let kind = kind(refusal, &words);
    let known = in_our_words(refusal, &words);
    let detail = match (kind, refusal.location) {
        (ErrorKind::Redirect, Some(host)) => format!("it points to {host}"),
        _ => words.text,
    };
    let carried_out = match (verb, refusal.status) {
        (CallVerb::Read, _) => CarriedOut::No,
        // A refusal; only a 408 leaves open how far the request came.
        (CallVerb::Write, 400..=499) if refusal.status != 408 => CarriedOut::No,
        (CallVerb::Write, _) => CarriedOut::Maybe,
    };
    ApiError::new(kind, detail)
        .with_status(refusal.status)
        .with_carried_out(carried_out)
        .with_shape(words.shape)
        .with_known(known)
}

fn kind(refusal: &Refusal<'_>, words: &Words) -> ErrorKind {
    match refusal.status {
        300..=399 => ErrorKind::Redirect,
        401 => ErrorKind::Key,
        402 => ErrorKind::Credit,
        403 if words.speak_of_credit() => ErrorKind::Credit,
        403 => ErrorKind::Permission,
        404 | 405 | 410 => ErrorKind::NotFound,
        408 => ErrorKind::Timeout,
        409 => ErrorKind::Conflict,
        429 => ErrorKind::Limited { after: wait(refusal.retry_after, refusal.sent) },
        400..=499 => ErrorKind::Validation,
        500..=599 => ErrorKind::Server,
        _ => ErrorKind::Protocol,
    }
}

/// Seconds, or the moment from which to try again (RFC 9110, 10.2.3).
fn wait(header: Option<&str>, sent: Millis) -> Duration {
    let text = header.unwrap_or_default().trim();
    let wait = match text.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => {
            http_date(text).map(|at| Duration::from_millis(at.since(sent).max(0).unsigned_abs()))
        }
    };
    wait.unwrap_or(UNNAMED_WAIT).min(LONGEST_WAIT)
}

/// A date in one of the three forms of RFC 9110, 5.6.7.
pub(super) fn http_date(text: &str) -> Option<Millis> {
    let parser = jiff::fmt::rfc2822::DateTimeParser::new();
    let at = parser.parse_timestamp(text).ok().or_else(|| {
        let old = ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];
        let civil = old.iter().find_map(|form| jiff::civil::DateTime::strptime(form, text).ok())?;
        Some(civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
    })?;
    Some(Millis(at.as_millisecond()))
}

/// What an error body says.
struct Words {
    text: String,
    code: String,
    shape: BodyShape,
}

impl Words {
    fn read(body: &str) -> Self {
        let bare = |text: &str, shape| Self { text: text.to_owned(), code: String::new(), shape };
        let body = body.trim_start_matches('\u{feff}').trim();
        if body.starts_with('<') {
            return bare("a web page instead of an answer", BodyShape::Other);
        }
        match serde_json::from_str(body) {
            Err(_) => bare(body, BodyShape::Other),
            Ok(Value::Object(fields)) => Self::of_object(&fields),
            Ok(array @ Value::Array(_)) => bare(&flat(&array), BodyShape::BareArray),
            Ok(other) => bare(&flat(&other), BodyShape::Other),
        }
    }

    fn of_object(fields: &serde_json::Map<String, Value>) -> Self {
        let code = fields.get("code").and_then(Value::as_str).unwrap_or_default().to_owned();
        let main = ["detail", "error", "message"].iter().find_map(|name| fields.get(*name));
        match main.map(flat).filter(|text| !text.is_empty()) {
            Some(text) => Self { text, code, shape: BodyShape::Detail },
            None => {
                let mut lines = Vec::new();
                fields.iter().for_each(|(name, field)| collect(field, name, &mut lines));
                Self { text: lines.join("; "), code, shape: BodyShape::Fields }
            }
        }
    }

    fn speak_of_credit(&self) -> bool {
        let names = |text: &str, word: &str| text.to_ascii_lowercase().contains(word);
        names(&self.text, "credit") || names(&self.code, "credit") || names(&self.code, "billing")
    }
}

/// A body's texts on one line, each behind the path of its field: `user_image: No file.; …`.
fn flat(value: &Value) -> String {
    let mut lines = Vec::new();
    collect(value, "", &mut lines);
    lines.join("; ")
}

/// Depth is bounded by the JSON reader (128), width here.
fn collect(value: &Value, path: &str, lines: &mut Vec<String>) {
    if lines.len() >= MOST_FIELDS {
        return;
    }
    let mut line = |text: &str| match path {
        "" => lines.push(text.to_owned()),
        path => lines.push(format!("{path}: {text}")),
    };
    match value {
        Value::Null => {}
        Value::String(text) => line(text),
        Value::Bool(_) | Value::Number(_) => line(&value.to_string()),
        Value::Array(items) => items.iter().for_each(|item| collect(item, path, lines)),
        Value::Object(fields) => {
            for (name, field) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                collect(field, &path, lines);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, body: &str, verb: CallVerb) -> ApiError {
        read(&Refusal { status, retry_after: None, sent: Millis(0), location: None, body }, verb)
    }

    #[test]
    fn every_shape_of_an_error_body_is_read() {
        for (status, body, kind, detail) in [
            (404, r#"{"detail": "Not found."}"#, ErrorKind::NotFound, "Not found."),
            (
                400,
                r#"{"date_from": ["Enter a valid date."]}"#,
                ErrorKind::Validation,
                "date_from: Enter a valid date.",
            ),
            (400, r#"{"new_status": "No."}"#, ErrorKind::Validation, "new_status: No."),
            (
                400,
                r#"{"nodes": [{"feature": ["Bad.", "Worse."]}]}"#,
                ErrorKind::Validation,
                "nodes.feature: Bad.; nodes.feature: Worse.",
            ),
            (
                400,
                r#"["The new status is the same as the current status."]"#,
                ErrorKind::Validation,
                "The new status is the same as the current status.",
            ),
            (
                400,
                r#"{"error": "No face detected in the image"}"#,
                ErrorKind::Validation,
                "No face detected in the image",
            ),
            (
                403,
                r#"{"error": "You don't have enough credits, top up at https://business.didit.me"}"#,
                ErrorKind::Credit,
                "You don't have enough credits, top up at (link)",
            ),
            (
                403,
                r#"{"detail": "Suspended.", "code": "contract_billing_suspended"}"#,
                ErrorKind::Credit,
                "Suspended.",
            ),
            (
                403,
                r#"{"detail": "You do not have permission to perform this action."}"#,
                ErrorKind::Permission,
                "You do not have permission to perform this action.",
            ),
            (402, "{}", ErrorKind::Credit, ""),
            (
                401,
                r#"{"detail": "This API key has expired."}"#,
                ErrorKind::Key,
                "This API key has expired.",
            ),
            (400, r#"{"message": "third spelling"}"#, ErrorKind::Validation, "third spelling"),
            (
                404,
                "<!doctype html><title>Ana Perez</title>",
                ErrorKind::NotFound,
                "a web page instead of an answer",
            ),
            (500, "", ErrorKind::Server, ""),
            (502, "upstream gone", ErrorKind::Server, "upstream gone"),
            (500, "null", ErrorKind::Server, ""),
            (
                405,
                r#"{"detail": "Method \"POST\" not allowed."}"#,
                ErrorKind::NotFound,
                "Method \"POST\" not allowed.",
            ),
            (409, r#"{"detail": {"why": 7}}"#, ErrorKind::Conflict, "why: 7"),
            (413, "", ErrorKind::Validation, ""),
            (
                429,
                r#"{"detail": "Slow down."}"#,
                ErrorKind::Limited { after: Duration::from_secs(5) },
                "Slow down.",
            ),
            (302, "", ErrorKind::Redirect, ""),
            (418, r#"{"detail": "\u001b[2Jteapot"}"#, ErrorKind::Validation, "[2Jteapot"),
        ] {
            let error = of(status, body, CallVerb::Read);
            assert_eq!((error.kind, error.detail()), (kind, detail), "{status} {body}");
            assert_eq!(error.status, Some(status));
            assert_eq!(error.carried_out, CarriedOut::No);
            assert!(error.to_string().contains(&status.to_string()), "{error}");
        }
    }

    #[test]
    fn what_a_refused_write_may_have_done() {
        for (status, carried_out) in [
            (400, CarriedOut::No),
            (403, CarriedOut::No),
            (404, CarriedOut::No),
            (409, CarriedOut::No),
            (429, CarriedOut::No),
            (408, CarriedOut::Maybe),
            (301, CarriedOut::Maybe),
            (500, CarriedOut::Maybe),
            (503, CarriedOut::Maybe),
        ] {
            assert_eq!(of(status, "", CallVerb::Write).carried_out, carried_out, "{status}");
        }
    }

    #[test]
    fn the_named_wait_is_kept_within_reason() {
        let sent = http_date("Wed, 21 Oct 2026 07:27:23 GMT").unwrap();
        let seconds = |header| wait(header, sent).as_secs();
        assert_eq!(seconds(Some("30")), 30);
        assert_eq!(seconds(Some(" 0 ")), 0);
        assert_eq!(seconds(Some("18446744073709551615")), 3600);
        assert_eq!(seconds(Some("Wed, 21 Oct 2026 07:28:00 GMT")), 37);
        assert_eq!(seconds(Some("Wednesday, 21-Oct-26 07:28:00 GMT")), 37);
        assert_eq!(seconds(Some("Wed Oct 21 07:28:00 2026")), 37);
        assert_eq!(seconds(Some("Wed, 21 Oct 2026 07:27:00 GMT")), 0);
        assert_eq!(seconds(Some("Thu, 21 Oct 2027 07:27:00 GMT")), 3600);
        assert_eq!(seconds(Some("tomorrow")), 5);
        assert_eq!(seconds(Some("-1")), 5);
        assert_eq!(seconds(None), 5);
    }

    #[test]
    fn a_long_text_is_cut() {
        let body = serde_json::json!({ "detail": "x".repeat(10_000) }).to_string();
        assert!(of(400, &body, CallVerb::Read).detail().len() < 400);
    }
}
