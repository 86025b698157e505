//! What is known of both people, side by side: what agrees, what differs, what is not known.

use crate::domain::{Candidate, Details, Millis, Person, risk_in_short, risk_words};

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

/// A warning of Didit's beside the face that it speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// `A`, the subject; `A, B` where it speaks of both; `A, 3` where of the third candidate; `A, other picture`
    /// where of a picture that is not on the screen now.
    pub face: String,
    /// A few words, or the code as it stands where nobody knows it.
    pub short: String,
    /// What it means, or the code and Didit's own words.
    pub words: String,
}

/// All warnings about faces, those of the pair on the screen first.
#[must_use]
pub fn told(details: &Details, place: usize) -> Vec<Told> {
    let block = details.case.candidates.get(place).map_or(0, |candidate| candidate.block);
    let mut found: Vec<(u8, Told)> = Vec::new();
    for warning in &details.warnings {
        let about = warning.about.as_ref().and_then(|session| {
            let at = |candidate: &Candidate| candidate.session_id.as_ref() == Some(session);
            // The same face may stand under several checks: the one on the screen counts first.
            let here = details.case.candidates.get(place).is_some_and(at).then_some(place);
            here.or_else(|| details.case.candidates.iter().position(at))
        });
        let (rank, face) = match (warning.block, about) {
            (Some(other), _) if other != block => (2, "A, other picture".to_owned()),
            (_, Some(at)) if at == place => (0, "A, B".to_owned()),
            (_, Some(at)) => (1, format!("A, {}", at + 1)),
            (_, None) => (0, "A".to_owned()),
        };
        let known = risk_in_short(&warning.risk).zip(risk_words(&warning.risk));
        let (short, words) = match (known, &warning.short) {
            (Some((short, words)), _) => (short.to_owned(), words.to_owned()),
            (None, Some(said)) => (warning.risk.clone(), format!("{}: {said}", warning.risk)),
            (None, None) => (warning.risk.clone(), warning.risk.clone()),
        };
        let told = Told { face, short, words };
        if !found.iter().any(|(_, known)| *known == told) {
            found.push((rank, told));
        }
    }
    found.sort_by_key(|(rank, _)| *rank);
    found.into_iter().map(|(_, told)| told).collect()
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
