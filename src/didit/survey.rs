//! Whether Didit says anything that this version does not know: names of fields, and words where a field holds one of
//! a set. What is known is what our own types read and what Didit documents beside it. Nothing else of an answer is
//! looked at or kept: values are passed over where they stand, and a name that is none of a field's is not repeated.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::Error as Nothing;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess,
    Visitor,
};
use serde::forward_to_deserialize_any;

use super::client::Client;
use super::error::Result;
use super::http::Call;
use super::types::SessionQuery;
use super::{dto, rows};
use crate::domain::{Source, Status, risk_words};

/// What kind of thing is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unknown {
    /// A field of an answer.
    Field,
    /// Where a face was enrolled.
    Source,
    /// What a warning about a face warns of.
    Risk,
    /// A status of a session.
    Status,
}

impl Unknown {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Field, Self::Source, Self::Risk, Self::Status];

    /// The word in a report.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Field => "fields",
            Self::Source => "sources",
            Self::Risk => "risks",
            Self::Status => "statuses",
        }
    }

    /// Whether our types know this word.
    fn knows(self, word: &str) -> bool {
        match self {
            Self::Field => false,
            Self::Source => !matches!(Source::from(word.to_owned()), Source::Other(_)),
            Self::Risk => risk_words(word).is_some(),
            Self::Status => Status::KNOWN.contains(&word),
        }
    }
}

/// What was met.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    /// Sessions whose answers were looked at.
    pub sessions: u64,
    /// Names that were met, known or not.
    pub names: u64,
    /// What is not known, and how often it was met.
    pub unknown: BTreeMap<(Unknown, String), u64>,
}

impl Survey {
    fn note(&mut self, kind: Unknown, name: &str) {
        // What does not look like a name may be somebody's.
        let plain =
            |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '[' | ']' | ' ');
        let fits = !name.is_empty() && name.len() <= 120 && name.chars().all(plain);
        let name = if fits { name } else { "(no name)" };
        *self.unknown.entry((kind, name.to_owned())).or_default() += 1;
    }
}

impl Client {
    /// Looks at the newest sessions and what is said of them, at most `most` of them.
    ///
    /// # Errors
    /// [`super::ApiError`] when the list cannot be read. A session that cannot is passed over.
    pub async fn survey(&self, most: u32) -> Result<Survey> {
        let mut survey = Survey::default();
        let query = SessionQuery { limit: most.clamp(1, 100), ..SessionQuery::default() };
        let answer = self.session_list(&query).await?;
        look(answer.text(), "sessions", &page(row()), &mut survey);
        let listed: dto::Page<dto::Session> = answer.read()?;
        let (listed, _) = rows::read(listed.results, rows::session)?;
        for row in listed {
            let url = self.url(&["v3", "session", row.session_id.as_str(), "decision"]);
            let Ok(answer) = self.call(Call::get(url)).await else { continue };
            survey.sessions += 1;
            look(answer.text(), "decision", &decision(), &mut survey);
        }
        Ok(survey)
    }
}

// What is known.

/// An object of Didit's.
struct Shape {
    /// The names of its fields.
    known: Vec<&'static str>,
    /// Fields that hold objects, or lists of them, which are looked at too.
    below: Vec<(&'static str, Shape)>,
    /// Fields that hold a word of a set.
    words: Vec<(&'static str, Unknown)>,
}

impl Shape {
    /// What a type of ours reads, and what Didit documents and nothing here reads.
    fn of<T: DeserializeOwned>(unread: &[&'static str]) -> Self {
        let known = names::<T>().iter().chain(unread).copied().collect();
        Self { known, below: Vec::new(), words: Vec::new() }
    }

    fn with(mut self, name: &'static str, shape: Self) -> Self {
        self.below.push((name, shape));
        self
    }

    fn word(mut self, name: &'static str, kind: Unknown) -> Self {
        self.words.push((name, kind));
        self
    }
}

fn page(row: Shape) -> Shape {
    Shape::of::<dto::Page<dto::Session>>(&["previous"]).with("results", row)
}

fn row() -> Shape {
    let unread = [
        "additional_details",
        "company_name",
        "country",
        "didit_internal_id",
        "document_type",
        "email_address",
        "full_name",
        "phone_number",
        "portrait_image",
        "registration_number",
        "session_kind",
        "session_url",
        "vendor_data",
        "workflow_id",
        "workflow_label",
        "workflow_type",
    ];
    let step = Shape::of::<dto::Step>(&["node_id"]);
    Shape::of::<dto::Session>(&unread).with("features", step).word("status", Unknown::Status)
}

fn decision() -> Shape {
    let unread = [
        "aml_screenings",
        "callback",
        "contact_details",
        "database_validations",
        "document_ai_documents",
        "document_verifications",
        "email_verifications",
        "environment",
        "events",
        "expected_details",
        "expires_at",
        "features",
        "ip_analyses",
        "key_people_checks",
        "metadata",
        "nfc_verifications",
        "phone_verifications",
        "poa_verifications",
        "questionnaire_responses",
        "registry_checks",
        "session_kind",
        "session_url",
        "workflow_version",
        "activity_reviews",
    ];
    let warning = || {
        let unread = ["feature", "log_type", "long_description", "node_id"];
        Shape::of::<dto::Warning>(&unread).word("risk", Unknown::Risk)
    };
    let found = Shape::of::<dto::Match>(&["biometric_template_id"])
        .with("user_details", Shape::of::<dto::UserDetails>(&[]))
        .word("source", Unknown::Source)
        .word("status", Unknown::Status);
    let image = Shape::of::<dto::UserImage>(&[])
        .with("entities", Shape::of::<dto::Entity>(&["age", "confidence", "gender"]));
    let unread_of_face = [
        "age_estimation",
        "face_luminance",
        "face_quality",
        "method",
        "node_id",
        "score",
        "status",
        "video_url",
    ];
    let face = || Shape::of::<dto::Liveness>(&unread_of_face).with("warnings", warning());
    let unread_of_pair =
        ["node_id", "score", "source_image", "source_image_session_id", "status", "target_image"];
    let pair = Shape::of::<dto::FaceMatch>(&unread_of_pair).with("warnings", warning());
    Shape::of::<dto::Decision>(&unread)
        .with("liveness_checks", face().with("matches", found).with("user_image", image))
        .with("face_matches", pair)
        .with("reviews", Shape::of::<dto::Review>(&[]).word("new_status", Unknown::Status))
        .word("status", Unknown::Status)
}

/// The names of the fields that a type reads, by itself.
fn names<T: DeserializeOwned>() -> &'static [&'static str] {
    let mut names: &'static [&'static str] = &[];
    // It always fails: all that is asked for is what it asks for.
    let _ = T::deserialize(Names(&mut names));
    names
}

/// Hears what a type asks for and gives nothing.
struct Names<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Names<'_> {
    type Error = Nothing;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> std::result::Result<V::Value, Nothing> {
        Err(Nothing::custom("names only"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> std::result::Result<V::Value, Nothing> {
        *self.0 = fields;
        Err(Nothing::custom("names only"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

// Looking.

/// Looks through an answer. What breaks off was looked at up to there.
fn look(text: &str, path: &str, shape: &Shape, survey: &mut Survey) {
    let mut json = serde_json::Deserializer::from_str(text);
    let _ = Look { path, at: At::Shape(shape), survey }.deserialize(&mut json);
}

/// What stands at a place.
#[derive(Clone, Copy)]
enum At<'a> {
    Shape(&'a Shape),
    Word(Unknown),
}

/// Looks at one value, and keeps none.
struct Look<'a> {
    path: &'a str,
    at: At<'a>,
    survey: &'a mut Survey,
}

impl<'de> DeserializeSeed<'de> for Look<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> std::result::Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Look<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            let At::Shape(shape) = self.at else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            self.survey.names += 1;
            let below = shape.below.iter().find(|(known, _)| *known == name);
            let word = shape.words.iter().find(|(known, _)| *known == name);
            let at = match (below, word) {
                (Some((_, below)), _) => At::Shape(below),
                (None, Some((_, kind))) => At::Word(*kind),
                (None, None) => {
                    if !shape.known.contains(&name.as_str()) {
                        self.survey.note(Unknown::Field, &format!("{}.{name}", self.path));
                    }
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            let path = format!("{}.{name}", self.path);
            map.next_value_seed(Look { path: &path, at, survey: &mut *self.survey })?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> std::result::Result<(), A::Error> {
        let Look { path, at, survey } = self;
        while items.next_element_seed(Look { path, at, survey: &mut *survey })?.is_some() {}
        Ok(())
    }

    fn visit_str<E>(self, word: &str) -> std::result::Result<(), E> {
        if let At::Word(kind) = self.at {
            self.survey.names += 1;
            if !kind.knows(word) {
                self.survey.note(kind, word);
            }
        }
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> std::result::Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> std::result::Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> std::result::Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> std::result::Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> std::result::Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_types_say_what_is_known() {
        assert!(names::<dto::Match>().contains(&"similarity_percentage"));
        assert!(names::<dto::Page<dto::Session>>().contains(&"results"));
        assert!(names::<dto::Decision>().contains(&"liveness_checks"));
    }

    #[test]
    fn names_are_told_and_values_are_not() {
        let text = r#"{"status": "Frozen", "secret": "Ana Ejemplo", "ana@example.org": 1, "reviews": null,
            "liveness_checks": [{"matches": [{"source": "hologram", "status": "Approved", "halo": {"x": 1}},
                                             {"source": "hologram", "similarity_percentage": [1, {"y": 2}]}],
                                 "warnings": [{"risk": "FACE_OF_THE_FUTURE"}, {"risk": "DUPLICATED_FACE"}, 7]}],
            "metadata": {"anything": "goes"}, "session_id": {"odd": true}}"#;
        let mut survey = Survey::default();
        look(text, "decision", &decision(), &mut survey);
        let found: Vec<_> =
            survey.unknown.iter().map(|((kind, name), n)| (*kind, name.as_str(), *n)).collect();
        assert_eq!(
            found,
            [
                (Unknown::Field, "(no name)", 1),
                (Unknown::Field, "decision.liveness_checks.matches.halo", 1),
                (Unknown::Field, "decision.secret", 1),
                (Unknown::Source, "hologram", 2),
                (Unknown::Risk, "FACE_OF_THE_FUTURE", 1),
                (Unknown::Status, "Frozen", 1),
            ]
        );
        // What is no JSON ends it.
        look("{\"halo\": <", "decision", &decision(), &mut survey);
    }
}
