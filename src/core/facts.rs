//! What is known of both people, side by side: what agrees, what differs, what is not known.

use crate::domain::{Details, Millis, Person};

/// Whether a fact agrees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Both known and equal.
    Same,
    /// Both known and different.
    Different,
    /// At least one not known.
    Unknown,
    /// Not to be compared.
    Plain,
}

impl Mark {
    /// The sign on the screen: never colour alone.
    #[must_use]
    pub fn sign(self) -> &'static str {
        match self {
            Self::Same => "=",
            Self::Different => "≠",
            Self::Unknown => "?",
            Self::Plain => " ",
        }
    }
}

/// One fact about both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// What it is.
    pub label: &'static str,
    /// The subject's.
    pub subject: String,
    /// The candidate's.
    pub candidate: String,
    /// Whether they agree.
    pub mark: Mark,
}

/// The facts about a pair, most telling first.
#[must_use]
pub fn facts(details: &Details, place: usize) -> Vec<Fact> {
    let Some(candidate) = details.candidates.get(place) else { return Vec::new() };
    let (a, b) = (&details.subject.person, &candidate.person);
    let compared = |label, of: fn(&Person) -> &Option<String>| {
        let (subject, candidate) = (of(a).clone(), of(b).clone());
        let mark = match (&subject, &candidate) {
            (Some(x), Some(y)) if x.to_lowercase() == y.to_lowercase() => Mark::Same,
            (Some(_), Some(_)) => Mark::Different,
            _ => Mark::Unknown,
        };
        let words = |v: Option<String>| v.unwrap_or_else(|| "-".to_owned());
        Fact { label, subject: words(subject), candidate: words(candidate), mark }
    };
    let day = |at: Option<Millis>| at.and_then(date).unwrap_or_else(|| "-".to_owned());
    vec![
        compared("name", |p| &p.name),
        compared("document", |p| &p.document_type),
        compared("number", |p| &p.document_number),
        compared("country", |p| &p.country),
        compared("customer id", |p| &p.vendor_data),
        Fact {
            label: "date",
            subject: day(details.subject.captured_at.or(details.case.created_at)),
            candidate: day(candidate.verified_at),
            mark: Mark::Plain,
        },
    ]
}

/// A day in UTC, `2026-08-30`.
#[must_use]
pub fn date(at: Millis) -> Option<String> {
    jiff::Timestamp::from_millisecond(at.0).ok().map(|t| t.strftime("%Y-%m-%d").to_string())
}

/// A time of day in UTC, `12:04:31`.
#[must_use]
pub fn clock(at: Millis) -> String {
    jiff::Timestamp::from_millisecond(at.0)
        .map_or_else(|_| "--:--:--".to_owned(), |t| t.strftime("%H:%M:%S").to_string())
}
