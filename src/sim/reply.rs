//! An answer of the simulator before it goes onto the wire, and the bodies that Didit uses again and
//! again. Knows nothing of routes or state.

use axum::body::Body as WireBody;
use axum::response::Response;
use serde_json::{Value, json};

/// The body of a [`Reply`].
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// No body and no content type.
    Empty,
    /// A JSON document.
    Json(Value),
    /// Any bytes with their content type.
    Bytes(String, Vec<u8>),
}

/// An answer: status, extra headers, body.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Headers besides the content type.
    pub headers: Vec<(String, String)>,
    /// What is sent.
    pub body: Body,
}

impl Reply {
    /// A JSON answer.
    #[must_use]
    pub fn json(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body: Body::Json(body) }
    }

    /// An answer with nothing in it.
    #[must_use]
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Body::Empty }
    }

    /// An answer of any content type.
    #[must_use]
    pub fn bytes(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let body = Body::Bytes(content_type.to_owned(), body.into());
        Self { status, headers: Vec::new(), body }
    }

    /// The same answer with one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// `{"detail": …}`, the shape of most refusals.
    pub(super) fn detail(status: u16, text: impl Into<String>) -> Self {
        Self::json(status, json!({ "detail": text.into() }))
    }

    /// `{"error": …}`, the shape of image and credit failures.
    pub(super) fn error(status: u16, text: &str) -> Self {
        Self::json(status, json!({ "error": text }))
    }

    /// `{"field": ["…"]}`, the shape of field errors.
    pub(super) fn field(name: &str, text: impl Into<String>) -> Self {
        Self::json(400, json!({ name: [text.into()] }))
    }

    pub(super) fn not_found() -> Self {
        Self::detail(404, "Not found.")
    }

    pub(super) fn session_not_found() -> Self {
        Self::detail(404, "Session not found.")
    }

    pub(super) fn no_permission() -> Self {
        Self::detail(403, "You do not have permission to perform this action.")
    }

    /// The router's own page: what a malformed UUID gets.
    pub(super) fn html_not_found() -> Self {
        let page = "<!doctype html>\n<html lang=\"en\">\n<head><title>Not Found</title></head>\n\
                    <body><h1>Not Found</h1><p>The requested resource was not found on this \
                    server.</p></body>\n</html>\n";
        Self::bytes(404, "text/html; charset=utf-8", page)
    }

    /// The wire form. A header that HTTP cannot carry is a mistake of the test that set it and
    /// shows as 500.
    pub(super) fn into_response(self) -> Response {
        let mut builder = Response::builder().status(self.status);
        for (name, value) in &self.headers {
            builder = builder.header(name, value);
        }
        let made = match self.body {
            Body::Empty => builder.body(WireBody::empty()),
            Body::Json(value) => builder
                .header("content-type", "application/json")
                .body(WireBody::from(value.to_string())),
            Body::Bytes(kind, bytes) => {
                builder.header("content-type", kind).body(WireBody::from(bytes))
            }
        };
        made.unwrap_or_else(|_| {
            let mut broken = Response::new(WireBody::empty());
            *broken.status_mut() = axum::http::StatusCode::INTERNAL_SERVER_ERROR;
            broken
        })
    }
}
