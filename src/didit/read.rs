//! Readers for fields from outside that may be missing, null, mistyped or absurd. A field that cannot
//! be read is as good as absent, an item that cannot be read is set aside alone: neither fails what
//! it stands in. Where absent and unreadable must not be mixed up, [`Field`] tells them apart.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::error::{ApiError, ErrorKind, Result};
use crate::domain::Millis;

/// A field where unreadable means something else than absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Field<T> {
    /// Missing or null.
    #[default]
    Absent,
    /// There, and not what it should be.
    Unreadable,
    /// There.
    Is(T),
}

impl<T> Field<T> {
    fn of(raw: Option<&RawValue>, read: impl Fn(&str) -> Option<T>) -> Self {
        match raw.map(RawValue::get).filter(|text| *text != "null") {
            None => Self::Absent,
            Some(text) => read(text).map_or(Self::Unreadable, Self::Is),
        }
    }

    /// What was read, if anything was.
    pub(super) fn ok(self) -> Option<T> {
        match self {
            Self::Is(value) => Some(value),
            Self::Absent | Self::Unreadable => None,
        }
    }
}

/// Items of a list, each read or the reason why it was not.
#[derive(Debug, Clone)]
pub(super) struct Items<T>(pub(super) Vec<std::result::Result<T, &'static str>>);

impl<T> Default for Items<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Items<T> {
    /// The items that could be read.
    pub(super) fn good(&self) -> impl Iterator<Item = &T> {
        self.0.iter().filter_map(|item| item.as_ref().ok())
    }

    /// These items, then the others.
    pub(super) fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }
}

type Raw<'de, D> = std::result::Result<Option<&'de RawValue>, <D as Deserializer<'de>>::Error>;

/// The field as it stands in the text, whatever it is: this never fails on valid JSON.
fn raw<'de, D: Deserializer<'de>>(field: D) -> Raw<'de, D> {
    <&RawValue>::deserialize(field).map(Some)
}

type Read<'de, D, T> = std::result::Result<T, <D as Deserializer<'de>>::Error>;

/// A text; numbers as they are written.
pub(super) fn text<'de, D: Deserializer<'de>>(field: D) -> Read<'de, D, Option<String>> {
    Ok(Field::of(raw(field)?, |json| string(json).or_else(|| decimal(json))).ok())
}

/// A text and nothing else: what is compared byte by byte.
pub(super) fn word<'de, D: Deserializer<'de>>(field: D) -> Read<'de, D, Option<String>> {
    Ok(Field::of(raw(field)?, string).ok())
}

/// A text, where a mistyped one must be noticed.
pub(super) fn word_field<'de, D: Deserializer<'de>>(field: D) -> Read<'de, D, Field<String>> {
    Ok(Field::of(raw(field)?, string))
}

/// A number, and no text that looks like one.
pub(super) fn number<'de, D: Deserializer<'de>>(field: D) -> Read<'de, D, Option<f64>> {
    Ok(Field::of(raw(field)?, finite).ok())
}

/// A whole number, also one written as text.
pub(super) fn whole<'de, D: Deserializer<'de>>(field: D) -> Read<'de, D, Option<u64>> {
    let read = |json: &str| json.parse().ok().or_else(|| string(json)?.trim().parse().ok());
    Ok(Field::of(raw(field)?, read).ok())
}

/// True or false, where a mistyped one must be noticed.
pub(super) fn flag<'de, D: Deserializer<'de>>(field: D) -> Read<'de, D, Field<bool>> {
    Ok(Field::of(raw(field)?, boolean))
}

/// A moment: RFC 3339, a date and time without a zone (UTC), a date, or Unix seconds.
pub(super) fn time<'de, D: Deserializer<'de>>(field: D) -> Read<'de, D, Option<Millis>> {
    Ok(Field::of(raw(field)?, |json| string(json).map_or_else(|| seconds(json), |t| moment(&t)))
        .ok())
}

/// Four numbers.
pub(super) fn four<'de, D: Deserializer<'de>>(field: D) -> Read<'de, D, Option<[f64; 4]>> {
    Ok(Field::of(raw(field)?, |json| serde_json::from_str(json).ok()).ok())
}

/// An object.
pub(super) fn object<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    field: D,
) -> Read<'de, D, Option<T>> {
    Ok(Field::of(raw(field)?, |json| item(json).ok()).ok())
}

/// A list of objects. An object alone is a list of one; anything else is one unreadable item.
pub(super) fn items<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    field: D,
) -> Read<'de, D, Items<T>> {
    Ok(match raw(field)?.map(RawValue::get) {
        None | Some("null") => Items::default(),
        Some(json) => list(json),
    })
}

/// The rows of a page: only a list will do, or a page that failed would look like an empty one.
pub(super) fn page_items<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    field: D,
) -> Read<'de, D, Option<Items<T>>> {
    Ok(raw(field)?.map(RawValue::get).filter(|json| json.starts_with('[')).map(list))
}

/// A list of objects from its text; as [`items`].
pub(super) fn list<T: DeserializeOwned>(json: &str) -> Items<T> {
    match serde_json::from_str::<Vec<&RawValue>>(json) {
        Ok(raw) => Items(raw.into_iter().map(|raw| item(raw.get())).collect()),
        Err(_) => Items(vec![item(json)]),
    }
}

/// One object; the reason is ours, for the text of an item must not get into a message.
fn item<T: DeserializeOwned>(json: &str) -> std::result::Result<T, &'static str> {
    if !json.starts_with('{') {
        return Err("it is not an object");
    }
    serde_json::from_str(json).map_err(|_| "a field is there twice or cannot be read")
}

/// A whole answer that has to be an object.
pub(super) fn root<T: DeserializeOwned>(text: &str) -> Result<T> {
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.starts_with('<') {
        return Err(ApiError::new(ErrorKind::Protocol, "it is a web page"));
    }
    if serde_json::from_str::<&RawValue>(text).is_err() {
        return Err(ApiError::new(ErrorKind::Protocol, "it is not JSON"));
    }
    item(text).map_err(|why| ApiError::new(ErrorKind::Protocol, why))
}

fn string(json: &str) -> Option<String> {
    serde_json::from_str(json).ok()
}

/// A number as it is written, so that an amount keeps its digits.
fn decimal(json: &str) -> Option<String> {
    let first = json.bytes().next()?;
    (first == b'-' || first.is_ascii_digit()).then(|| json.to_owned())
}

fn finite(json: &str) -> Option<f64> {
    serde_json::from_str(json).ok().filter(|number: &f64| number.is_finite())
}

fn boolean(json: &str) -> Option<bool> {
    match json {
        "true" => Some(true),
        "false" => Some(false),
        _ => match string(json)?.to_ascii_lowercase().as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        },
    }
}

fn moment(text: &str) -> Option<Millis> {
    let zoned = text.parse::<jiff::Timestamp>().ok();
    let utc = || {
        let local = text.parse::<jiff::civil::DateTime>().ok()?;
        local.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|z| z.timestamp())
    };
    zoned.or_else(utc).map(|stamp| Millis(stamp.as_millisecond()))
}

fn seconds(json: &str) -> Option<Millis> {
    let seconds = finite(json)?;
    // The year 9999; beyond it the number is no time in seconds.
    let plausible = (0.0..=253_402_300_799.0).contains(&seconds);
    plausible.then_some(Millis((seconds * 1000.0) as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, Deserialize)]
    #[serde(default)]
    struct Probe {
        #[serde(deserialize_with = "text")]
        text: Option<String>,
        #[serde(deserialize_with = "word")]
        word: Option<String>,
        #[serde(deserialize_with = "number")]
        number: Option<f64>,
        #[serde(deserialize_with = "whole")]
        whole: Option<u64>,
        #[serde(deserialize_with = "flag")]
        flag: Field<bool>,
        #[serde(deserialize_with = "time")]
        time: Option<Millis>,
        #[serde(deserialize_with = "four")]
        four: Option<[f64; 4]>,
        #[serde(deserialize_with = "items")]
        items: Items<Probe>,
    }

    fn probe(name: &str, json: &str) -> Probe {
        root(&format!("{{\"{name}\": {json}, \"unknown\": [1e999]}}")).unwrap()
    }

    #[test]
    fn texts_and_numbers() {
        for (json, text, word, number, whole) in [
            (r#""a\u00e9""#, Some("aé"), Some("aé"), None, None),
            (r#""42""#, Some("42"), Some("42"), None, Some(42)),
            ("42", Some("42"), None, Some(42.0), Some(42)),
            ("1.50", Some("1.50"), None, Some(1.5), None),
            ("-3", Some("-3"), None, Some(-3.0), None),
            ("1e999", Some("1e999"), None, None, None),
            ("99999999999999999999", Some("99999999999999999999"), None, Some(1e20), None),
            ("null", None, None, None, None),
            ("true", None, None, None, None),
            ("{}", None, None, None, None),
            ("[1]", None, None, None, None),
        ] {
            assert_eq!(probe("text", json).text.as_deref(), text, "{json}");
            assert_eq!(probe("word", json).word.as_deref(), word, "{json}");
            assert_eq!(probe("number", json).number, number, "{json}");
            assert_eq!(probe("whole", json).whole, whole, "{json}");
        }
    }

    #[test]
    fn flags_tell_absent_from_unreadable() {
        for (json, expected) in [
            ("true", Field::Is(true)),
            ("false", Field::Is(false)),
            (r#""True""#, Field::Is(true)),
            ("null", Field::Absent),
            ("1", Field::Unreadable),
            (r#""yes""#, Field::Unreadable),
            ("[]", Field::Unreadable),
        ] {
            assert_eq!(probe("flag", json).flag, expected, "{json}");
        }
        assert_eq!(probe("other", "1").flag, Field::Absent);
    }

    #[test]
    fn moments() {
        for (json, expected) in [
            (r#""2026-01-20T09:15:00Z""#, Some(1_768_900_500_000)),
            (r#""2026-01-20T10:15:00.5+01:00""#, Some(1_768_900_500_500)),
            (r#""2026-01-20T09:15:00""#, Some(1_768_900_500_000)),
            (r#""2026-01-20""#, Some(1_768_867_200_000)),
            ("1768900500", Some(1_768_900_500_000)),
            ("1e300", None),
            ("-1", None),
            (r#""yesterday""#, None),
            ("null", None),
        ] {
            assert_eq!(probe("time", json).time.map(|t| t.0), expected, "{json}");
        }
    }

    #[test]
    fn boxes_and_lists() {
        assert_eq!(probe("four", "[1, 2, 3.5, 4]").four, Some([1.0, 2.0, 3.5, 4.0]));
        for json in ["[1, 2, 3]", "[1, 2, 3, \"4\"]", "null", "{}", "[1, 2, 3, 1e999]"] {
            assert_eq!(probe("four", json).four, None, "{json}");
        }
        let read = |json| {
            let items = probe("items", json).items.0;
            items.into_iter().map(|item| item.map(|p| p.whole)).collect::<Vec<_>>()
        };
        let no_object = Err("it is not an object");
        assert_eq!(
            read(r#"[{"whole": 1}, 7, null, {"whole": "x"}, [1], {"whole": 2}]"#),
            [Ok(Some(1)), no_object, no_object, Ok(None), no_object, Ok(Some(2))]
        );
        assert_eq!(read(r#"{"whole": 3}"#), [Ok(Some(3))]);
        assert_eq!(read("null"), []);
        assert_eq!(read("7"), [no_object]);
        assert!(read(r#"[{"whole": 1, "whole": 2}]"#)[0].is_err());
        // Deeper than a recursive reader dares to go.
        let deep = format!("[{}{}, {{\"whole\": 5}}]", "[".repeat(5000), "]".repeat(5000));
        assert_eq!(read(&deep), [no_object, Ok(Some(5))]);
    }

    #[test]
    fn a_whole_answer_is_an_object_or_an_error_without_its_text() {
        for (text, detail) in [
            ("<html>Ana", "it is a web page"),
            ("", "it is not JSON"),
            ("{\"a\": Ana}", "it is not JSON"),
            ("[\"Ana\"]", "it is not an object"),
            ("\"Ana\"", "it is not an object"),
        ] {
            let error = root::<Probe>(text).unwrap_err();
            assert_eq!((error.kind, error.detail()), (ErrorKind::Protocol, detail), "{text}");
        }
        assert_eq!(root::<Probe>("\u{feff} {\"whole\": 1} ").unwrap().whole, Some(1));
    }
}
