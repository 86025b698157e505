//! The one error of this module: what went wrong, whether it was carried out, what to do next.
//! Holds words of Didit's own error text, cleaned and bounded; never a link, a name or a key.

use std::time::Duration;

use crate::domain;

/// A result of a call.
pub type Result<T> = std::result::Result<T, ApiError>;

/// Whether a failed call may have had an effect at Didit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CarriedOut {
    /// Certainly not: it was refused, or nothing was sent. Reads are always `No`.
    No,
    /// Nobody knows: the answer was lost, or the server failed. Read before writing again.
    Maybe,
    /// It was, but the answer to it could not be read.
    Yes,
}

/// What kind of failure it was, which decides the exit code, the next step and whether to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The key is missing, wrong, revoked or expired (401).
    Key,
    /// The key may not do this, or not from here (403). Older servers say so of a bad key too.
    Permission,
    /// Too little credit (402, or a 403 that speaks of credits).
    Credit,
    /// No such session or list, or no such call on this server (404, 405, 410).
    NotFound,
    /// The server refuses what was sent (400, 413, 415, 422).
    Validation,
    /// The session's present status allows no such change (400 to a status change).
    WrongStatus,
    /// In conflict with something that is already there (409).
    Conflict,
    /// Too many calls in a minute, by Didit's count (429) or by ours.
    Limited {
        /// How long to wait before the next call.
        after: Duration,
    },
    /// The server failed (5xx).
    Server,
    /// No connection, or it broke.
    Network,
    /// No answer before the deadline.
    Timeout,
    /// The answer is not what this API answers: a web page, no JSON, too long, another session.
    Protocol,
    /// The server points elsewhere (3xx); the key does not follow.
    Redirect,
    /// The address or the key in the settings cannot be used. Nothing was sent.
    Settings,
}

/// A call that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.sentence())]
pub struct ApiError {
    /// What kind of failure.
    pub kind: ErrorKind,
    /// Whether it may have had an effect at Didit.
    pub carried_out: CarriedOut,
    /// The HTTP status, where there was an answer.
    pub status: Option<u16>,
    detail: String,
    shape: BodyShape,
    known: Option<Known>,
}

/// Something that Didit is known to say, in our own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known {
    /// What is wrong.
    pub(super) what: &'static str,
    /// What to do next, as one sentence.
    pub(super) hint: &'static str,
}

/// Which of the API's shapes an error body had, for calls where that carries a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyShape {
    /// An object with `detail`, `error` or `message`.
    Detail,
    /// An object of field errors.
    Fields,
    /// A bare array of texts.
    BareArray,
    /// No JSON, nothing, or no body at all.
    Other,
}

/// How much of a server's text is kept, in graphemes.
const MOST_DETAIL: usize = 300;

impl ApiError {
    /// An error without an answer from the server, certainly without effect.
    pub(super) fn new(kind: ErrorKind, detail: impl AsRef<str>) -> Self {
        Self {
            kind,
            carried_out: CarriedOut::No,
            status: None,
            detail: without_links(&domain::printable(detail.as_ref(), MOST_DETAIL)),
            shape: BodyShape::Other,
            known: None,
        }
    }

    /// Whether Didit is known to say so.
    pub(super) fn is_known(&self) -> bool {
        self.known.is_some()
    }

    /// The same error, said in our own words where we have some.
    pub(super) fn with_known(mut self, known: Option<Known>) -> Self {
        self.known = known;
        self
    }

    /// The same error, its kind known better.
    pub(super) fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.kind = kind;
        self
    }

    /// The same error, with the shape its body had.
    pub(super) fn with_shape(mut self, shape: BodyShape) -> Self {
        self.shape = shape;
        self
    }

    /// Which shape the body had.
    pub(super) fn shape(&self) -> BodyShape {
        self.shape
    }

    /// The same error, with what is known about its effect.
    pub(super) fn with_carried_out(mut self, carried_out: CarriedOut) -> Self {
        self.carried_out = carried_out;
        self
    }

    /// The same error, with the status of the answer.
    pub(super) fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// The server's own words or ours, printable, at most a few hundred characters; may be empty.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// What to do next, as one sentence.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        if let Some(known) = self.known {
            return known.hint;
        }
        match self.kind {
            ErrorKind::Key => "Check DIDIT_API_KEY and that the key has not expired.",
            ErrorKind::Permission => {
                "Check the key, and in the Didit console what it may do and from which addresses."
            }
            ErrorKind::Credit => {
                "Top up with `secondlook top-up DOLLARS` or in the Didit console, then try again."
            }
            ErrorKind::NotFound => {
                "It may be deleted, belong to another application, or be hidden from this key."
            }
            ErrorKind::Validation => "Correct what was sent, then try again.",
            ErrorKind::WrongStatus => "Look at the session in the Didit console.",
            ErrorKind::Conflict => "Read it again, then decide anew.",
            ErrorKind::Limited { .. } => "Wait, then try again.",
            ErrorKind::Server => "Try again in a few minutes.",
            ErrorKind::Network => "Check the connection and the base URL, then try again.",
            ErrorKind::Timeout => "Check the connection, then try again.",
            ErrorKind::Protocol => "Check that the base URL is Didit's API and not a proxy's page.",
            ErrorKind::Redirect => "Set the base URL to the address the API really has.",
            ErrorKind::Settings => "Correct the setting, then start again.",
        }
    }

    /// What is wrong and what to do next, for a cell of a table.
    #[must_use]
    pub fn advice(&self) -> String {
        format!("{self}. {}", self.hint())
    }

    /// One clear sentence: what is wrong, then the server's words.
    fn sentence(&self) -> String {
        let status = self.status.map(|s| format!(" (HTTP {s})")).unwrap_or_default();
        if let Some(known) = self.known {
            return format!("{}{status}", known.what);
        }
        let what = match self.kind {
            ErrorKind::Key => "Didit does not accept the API key".to_owned(),
            ErrorKind::Permission => "Didit does not permit this".to_owned(),
            ErrorKind::Credit => "the balance at Didit is too low".to_owned(),
            ErrorKind::NotFound => "Didit does not know it".to_owned(),
            ErrorKind::Validation => "Didit refuses what was sent".to_owned(),
            ErrorKind::WrongStatus => "the session's status cannot be changed now".to_owned(),
            ErrorKind::Conflict => "it is in conflict with what Didit has".to_owned(),
            ErrorKind::Limited { after } => {
                format!("too many calls, wait {} s", after.as_millis().div_ceil(1000))
            }
            ErrorKind::Server => "Didit's server failed".to_owned(),
            ErrorKind::Network => "Didit cannot be reached".to_owned(),
            ErrorKind::Timeout => "Didit did not answer in time".to_owned(),
            ErrorKind::Protocol => "the answer is not one of Didit's API".to_owned(),
            ErrorKind::Redirect => "the server points to another address".to_owned(),
            ErrorKind::Settings => "the settings for Didit cannot be used".to_owned(),
        };
        match self.detail.as_str() {
            "" => format!("{what}{status}"),
            detail => format!("{what}{status}: {detail}"),
        }
    }
}

/// The text with every word that holds a link replaced: an error must not carry one into a log.
fn without_links(text: &str) -> String {
    let clean =
        |word: &str| if word.contains("://") { "(link)".to_owned() } else { word.to_owned() };
    text.split(' ').map(clean).collect::<Vec<_>>().join(" ")
}
