//! The risks that Didit raises about faces, in words. A set that grows: one that is not in this table is shown as
//! it stands and taken in all the same.

/// What Didit is known to say of a face, and what that means for whoever looks at it.
const FACE_RISKS: [(&str, &str); 14] = [
    ("DUPLICATED_FACE", "the face was verified before under another customer id"),
    ("POSSIBLE_DUPLICATED_FACE", "the face resembles one verified under another customer id"),
    ("DUPLICATED_FACE_NAME_MISMATCH", "the face was verified before under another name"),
    ("FACE_IN_BLOCKLIST", "the face is on the blocklist"),
    ("POSSIBLE_FACE_IN_BLOCKLIST", "the face resembles one on the blocklist"),
    ("LIVENESS_FACE_ATTACK", "this may be a mask, a screen or a made face, not a person"),
    ("LOW_LIVENESS_SCORE", "it is doubtful that a live person was there"),
    ("NO_FACE_DETECTED", "no face was found"),
    ("MULTIPLE_FACES_DETECTED", "several faces were found; the largest was used"),
    ("LOW_FACE_QUALITY", "the picture of the face is poor"),
    ("LOW_FACE_LUMINANCE", "the picture of the face is too dark"),
    ("HIGH_FACE_LUMINANCE", "the picture of the face is too bright"),
    ("LOW_FACE_MATCH_SIMILARITY", "the face is unlike the one on the document"),
    ("NO_REFERENCE_IMAGE", "there was no picture to compare the face with"),
];

/// The codes of all face risks that are known.
pub fn face_risks() -> impl Iterator<Item = &'static str> {
    FACE_RISKS.into_iter().map(|(risk, _)| risk)
}

/// What a risk means, in words; `None` for one that is not known.
#[must_use]
pub fn risk_words(risk: &str) -> Option<&'static str> {
    FACE_RISKS.into_iter().find(|(known, _)| *known == risk).map(|(_, words)| words)
}
