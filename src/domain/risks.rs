//! The risks that Didit raises about faces, in words. A set that grows: one that is not in this table is shown as
//! it stands and taken in all the same.

/// What Didit is known to say of a face: the code, a few words for a narrow line, and what it means for whoever
/// looks at it.
const FACE_RISKS: [(&str, &str, &str); 14] = [
    ("DUPLICATED_FACE", "seen before", "the face was verified before under another customer id"),
    (
        "POSSIBLE_DUPLICATED_FACE",
        "maybe seen before",
        "the face resembles one verified under another customer id",
    ),
    (
        "DUPLICATED_FACE_NAME_MISMATCH",
        "seen under another name",
        "the face was verified before under another name",
    ),
    ("FACE_IN_BLOCKLIST", "on the blocklist", "the face is on the blocklist"),
    (
        "POSSIBLE_FACE_IN_BLOCKLIST",
        "maybe on the blocklist",
        "the face resembles one on the blocklist",
    ),
    (
        "LIVENESS_FACE_ATTACK",
        "maybe a mask or screen",
        "this may be a mask, a screen or a made face, not a person",
    ),
    ("LOW_LIVENESS_SCORE", "maybe not live", "it is doubtful that a live person was there"),
    ("NO_FACE_DETECTED", "no face found", "no face was found"),
    (
        "MULTIPLE_FACES_DETECTED",
        "several faces found",
        "several faces were found; the largest was used",
    ),
    ("LOW_FACE_QUALITY", "poor picture", "the picture of the face is poor"),
    ("LOW_FACE_LUMINANCE", "too dark", "the picture of the face is too dark"),
    ("HIGH_FACE_LUMINANCE", "too bright", "the picture of the face is too bright"),
    (
        "LOW_FACE_MATCH_SIMILARITY",
        "unlike the document",
        "the face is unlike the one on the document",
    ),
    (
        "NO_REFERENCE_IMAGE",
        "nothing to compare with",
        "there was no picture to compare the face with",
    ),
];

/// The codes of all face risks that are known.
pub fn face_risks() -> impl Iterator<Item = &'static str> {
    FACE_RISKS.into_iter().map(|(risk, _, _)| risk)
}

/// What a risk means, in words; `None` for one that is not known.
#[must_use]
pub fn risk_words(risk: &str) -> Option<&'static str> {
    FACE_RISKS.into_iter().find(|(known, _, _)| *known == risk).map(|(_, _, words)| words)
}

/// The same in a few words.
#[must_use]
pub fn risk_in_short(risk: &str) -> Option<&'static str> {
    FACE_RISKS.into_iter().find(|(known, _, _)| *known == risk).map(|(_, short, _)| short)
}
