//! The other standalone checks: passive liveness, ID verification and face match. Their replies are
//! read for the verdict, the score and the warnings; names, document data and links stay unread.

use super::client::Client;
use super::error::{ApiError, CarriedOut, ErrorKind, Result};
use super::http::{Body, Call, Form, Upload};
use super::search::checked;
use super::types::{CheckFile, CheckOptions, CheckReply};
use super::{convert, dto};
use crate::domain::Status;

/// Largest picture of a face that Didit takes.
const MOST_FACE: usize = 5 << 20;
/// Largest picture of a document.
const MOST_DOCUMENT: usize = 10 << 20;

/// A file, its field in the form, and how large it may be.
type Part<'a> = (&'static str, &'a CheckFile, usize);

impl Client {
    /// Whether a photograph is of a living person. Billed; a lost answer is never tried again. Saved,
    /// it enrols the face, so that a search of the same photograph finds it.
    ///
    /// # Errors
    /// [`ApiError`], as [`Client::face_search`].
    pub async fn passive_liveness(
        &self,
        user: &CheckFile,
        options: &CheckOptions,
    ) -> Result<CheckReply> {
        self.check("passive-liveness", &[("user_image", user, MOST_FACE)], options).await
    }

    /// Whether a document is genuine and valid, as far as pictures show. Billed; a lost answer is never
    /// tried again.
    ///
    /// # Errors
    /// [`ApiError`], as [`Client::face_search`].
    pub async fn id_verification(
        &self,
        front: &CheckFile,
        back: Option<&CheckFile>,
        options: &CheckOptions,
    ) -> Result<CheckReply> {
        let mut parts = vec![("front_image", front, MOST_DOCUMENT)];
        parts.extend(back.map(|back| ("back_image", back, MOST_DOCUMENT)));
        self.check("id-verification", &parts, options).await
    }

    /// Whether two photographs show the same person. Billed; a lost answer is never tried again. Enrols
    /// nothing and looks at no list.
    ///
    /// # Errors
    /// [`ApiError`], as [`Client::face_search`].
    pub async fn face_match(
        &self,
        user: &CheckFile,
        reference: &CheckFile,
        options: &CheckOptions,
    ) -> Result<CheckReply> {
        let parts = [("user_image", user, MOST_FACE), ("ref_image", reference, MOST_FACE)];
        self.check("face-match", &parts, options).await
    }

    async fn check(
        &self,
        path: &str,
        parts: &[Part<'_>],
        options: &CheckOptions,
    ) -> Result<CheckReply> {
        let mut files = Vec::new();
        for (field, file, most) in parts {
            let (ending, media_type) = checked(&file.name, &file.bytes, *most)?;
            // The file's own name may be a person's; only its ending matters.
            let name = format!("image.{ending}");
            files.push(Upload { field, name, media_type, bytes: &file.bytes });
        }
        let mut texts = vec![("save_api_request", options.save.to_string())];
        texts.extend(options.vendor_data.clone().map(|text| ("vendor_data", text)));
        let form = Form { texts, files };
        let answer = self.call(Call::post(self.url(&["v3", path]), Body::Form(&form))).await?;
        // A reply that cannot be read is still one: the check was done and paid for.
        let read = answer.read().and_then(understood);
        read.map_err(|error: ApiError| error.with_carried_out(CarriedOut::Yes))
    }
}

fn understood(reply: dto::CheckReply) -> Result<CheckReply> {
    let protocol = |why| ApiError::new(ErrorKind::Protocol, why);
    let check = reply.liveness.or(reply.id_verification).or(reply.face_match);
    let check = check.ok_or_else(|| protocol("it holds no check"))?;
    let status = check.status.ok_or_else(|| protocol("it holds no status"))?;
    let mut warnings = Vec::new();
    convert::note_warnings(&check.warnings, Some(0), &mut warnings);
    Ok(CheckReply {
        request_id: convert::id(reply.request_id.as_deref()),
        status: Status::from(convert::word(&status)),
        score: check.score,
        warnings,
    })
}

#[cfg(test)]
mod tests {
    use super::super::read::root;
    use super::*;

    #[test]
    fn a_reply_is_read_in_any_of_its_shapes() {
        let read = |text: &str| root(text).and_then(understood);
        for (text, status, score, risks) in [
            (
                r#"{"request_id": "a-1", "liveness": {"status": "Approved", "score": 91.5, "warnings": []}}"#,
                "Approved",
                Some(91.5),
                vec![],
            ),
            (
                r#"{"face_match": {"status": "Declined", "score": null,
                    "warnings": [{"risk": "NO_REFERENCE_IMAGE"}, 7]}}"#,
                "Declined",
                None,
                vec!["NO_REFERENCE_IMAGE"],
            ),
            (
                r#"{"request_id": 7, "id_verification": {"status": "In Review", "warnings": null}}"#,
                "In Review",
                None,
                vec![],
            ),
        ] {
            let reply = read(text).unwrap();
            assert_eq!((reply.status.word(), reply.score), (status, score), "{text}");
            let found: Vec<_> = reply.warnings.iter().map(|w| w.risk.as_str()).collect();
            assert_eq!(found, risks, "{text}");
        }
        for text in ["{}", r#"{"liveness": {}}"#, "<html>", r#"{"liveness": 7}"#] {
            assert_eq!(read(text).unwrap_err().kind, ErrorKind::Protocol, "{text}");
        }
    }
}
