//! The paths that are served, in one table. Knows nothing of what they do.

use uuid::Uuid;

/// One call of the API (a method on a path), or the pictures' listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Route {
    /// `GET /system/healthcheck`
    Health,
    /// `GET /v3/sessions/`
    Sessions,
    /// `GET /v3/session/{id}/decision/`
    Decision,
    /// `PATCH /v3/session/{id}/update-status/`
    UpdateStatus,
    /// `PATCH /v3/session/{id}/features/{node}/update-status/`
    FeatureStatus,
    /// `DELETE /v3/session/{id}/delete/`
    DeleteSession,
    /// `GET /v3/sessions/{id}/reviews/`
    Reviews,
    /// `POST /v3/sessions/{id}/reviews/`
    AddReview,
    /// `GET /v3/blocklist/`
    Blocklist,
    /// `POST /v3/blocklist/add/`
    BlocklistAdd,
    /// `POST /v3/blocklist/remove/`
    BlocklistRemove,
    /// `GET /v3/lists/`
    Lists,
    /// `POST /v3/lists/`
    AddList,
    /// `GET /v3/lists/{id}/`
    List,
    /// `PATCH /v3/lists/{id}/`
    EditList,
    /// `DELETE /v3/lists/{id}/`
    DeleteList,
    /// `GET /v3/lists/{id}/entries/`
    Entries,
    /// `POST /v3/lists/{id}/entries/`
    AddEntry,
    /// `POST /v3/lists/{id}/entries/face-upload/`
    FaceUpload,
    /// `DELETE /v3/lists/{id}/entries/{entry}/`
    DeleteEntry,
    /// `POST /v3/face-search/`
    FaceSearch,
    /// `POST /v3/passive-liveness/`
    PassiveLiveness,
    /// `POST /v3/face-match/`
    FaceMatch,
    /// `POST /v3/id-verification/`
    IdVerification,
    /// `GET /v3/billing/balance/`
    Balance,
    /// `POST /v3/billing/top-up/`
    TopUp,
    /// `GET /v3/users/{vendor_data}/`
    User,
    /// `PATCH /v3/users/{vendor_data}/update-status/`
    UserStatus,
    /// `GET /v3/webhook/destinations/`
    Webhooks,
    /// `POST /v3/webhook/destinations/`
    AddWebhook,
    /// `GET /v3/webhook/destinations/{id}/`
    Webhook,
    /// `PATCH /v3/webhook/destinations/{id}/`
    EditWebhook,
    /// `DELETE /v3/webhook/destinations/{id}/`
    DeleteWebhook,
    /// `POST /auth/v2/programmatic/register/`
    Register,
    /// `POST /auth/v2/programmatic/verify-email/`
    VerifyEmail,
    /// `POST /auth/v2/programmatic/resend-otp/`
    ResendCode,
    /// `POST /auth/v2/programmatic/login/`
    Login,
    /// `GET /auth/v2/organizations/me/`
    Organizations,
    /// `GET /auth/v2/organizations/me/{org}/applications/`
    Applications,
    /// `GET /auth/v2/organizations/me/{org}/applications/{app}/`
    Application,
    /// Any picture on the pictures' listener.
    Media,
}

use Route as R;

/// `{id}` is one UUID, `{text}` one percent-encoded segment.
const TABLE: &[(Route, &str, &str)] = &[
    (R::Health, "GET", "/system/healthcheck"),
    (R::Sessions, "GET", "/v3/sessions/"),
    (R::Decision, "GET", "/v3/session/{id}/decision/"),
    (R::UpdateStatus, "PATCH", "/v3/session/{id}/update-status/"),
    (R::FeatureStatus, "PATCH", "/v3/session/{id}/features/{text}/update-status/"),
    (R::DeleteSession, "DELETE", "/v3/session/{id}/delete/"),
    (R::Reviews, "GET", "/v3/sessions/{id}/reviews/"),
    (R::AddReview, "POST", "/v3/sessions/{id}/reviews/"),
    (R::Blocklist, "GET", "/v3/blocklist/"),
    (R::BlocklistAdd, "POST", "/v3/blocklist/add/"),
    (R::BlocklistRemove, "POST", "/v3/blocklist/remove/"),
    (R::Lists, "GET", "/v3/lists/"),
    (R::AddList, "POST", "/v3/lists/"),
    (R::List, "GET", "/v3/lists/{id}/"),
    (R::EditList, "PATCH", "/v3/lists/{id}/"),
    (R::DeleteList, "DELETE", "/v3/lists/{id}/"),
    (R::Entries, "GET", "/v3/lists/{id}/entries/"),
    (R::AddEntry, "POST", "/v3/lists/{id}/entries/"),
    (R::FaceUpload, "POST", "/v3/lists/{id}/entries/face-upload/"),
    (R::DeleteEntry, "DELETE", "/v3/lists/{id}/entries/{id}/"),
    (R::FaceSearch, "POST", "/v3/face-search/"),
    (R::PassiveLiveness, "POST", "/v3/passive-liveness/"),
    (R::FaceMatch, "POST", "/v3/face-match/"),
    (R::IdVerification, "POST", "/v3/id-verification/"),
    (R::Balance, "GET", "/v3/billing/balance/"),
    (R::TopUp, "POST", "/v3/billing/top-up/"),
    (R::User, "GET", "/v3/users/{text}/"),
    (R::UserStatus, "PATCH", "/v3/users/{text}/update-status/"),
    (R::Webhooks, "GET", "/v3/webhook/destinations/"),
    (R::AddWebhook, "POST", "/v3/webhook/destinations/"),
    (R::Webhook, "GET", "/v3/webhook/destinations/{id}/"),
    (R::EditWebhook, "PATCH", "/v3/webhook/destinations/{id}/"),
    (R::DeleteWebhook, "DELETE", "/v3/webhook/destinations/{id}/"),
    (R::Register, "POST", "/auth/v2/programmatic/register/"),
    (R::VerifyEmail, "POST", "/auth/v2/programmatic/verify-email/"),
    (R::ResendCode, "POST", "/auth/v2/programmatic/resend-otp/"),
    (R::Login, "POST", "/auth/v2/programmatic/login/"),
    (R::Organizations, "GET", "/auth/v2/organizations/me/"),
    (R::Applications, "GET", "/auth/v2/organizations/me/{id}/applications/"),
    (R::Application, "GET", "/auth/v2/organizations/me/{id}/applications/{id}/"),
];

/// Where a request leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// A route and the segments its pattern left open, in order.
    Found { route: Route, ids: Vec<Uuid>, text: String },
    /// The path is served, by other methods.
    WrongMethod,
    /// Only the trailing slash is missing.
    MissingSlash,
    /// Nothing is there.
    Nowhere,
}

impl Place {
    /// Finds the place of a method and an undecoded path.
    pub(super) fn of(method: &str, path: &str) -> Self {
        let mut known = false;
        for (route, served, pattern) in TABLE {
            if let Some((ids, text)) = fits(pattern, path) {
                if *served == method {
                    return Self::Found { route: *route, ids, text };
                }
                known = true;
            }
        }
        let slashed = || TABLE.iter().any(|(.., p)| fits(p, &format!("{path}/")).is_some());
        match known {
            true => Self::WrongMethod,
            false if !path.ends_with('/') && slashed() => Self::MissingSlash,
            false => Self::Nowhere,
        }
    }

    pub(super) fn route(&self) -> Option<Route> {
        match self {
            Self::Found { route, .. } => Some(*route),
            _ => None,
        }
    }

    /// The first id of the path: the session's, on the routes that have one.
    pub(super) fn id(&self) -> Uuid {
        self.id_at(0)
    }

    pub(super) fn id_at(&self, place: usize) -> Uuid {
        match self {
            Self::Found { ids, .. } => ids.get(place).copied().unwrap_or_default(),
            _ => Uuid::nil(),
        }
    }

    pub(super) fn text(&self) -> &str {
        match self {
            Self::Found { text, .. } => text,
            _ => "",
        }
    }
}

fn fits(pattern: &str, path: &str) -> Option<(Vec<Uuid>, String)> {
    let (mut ids, mut text) = (Vec::new(), String::new());
    let (mut wanted, mut given) = (pattern.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some((ids, text)),
            (Some("{id}"), Some(segment)) => ids.push(uuid(segment)?),
            (Some("{text}"), Some(segment)) if !segment.is_empty() => text = decoded(segment)?,
            (Some(a), Some(b)) if a == b => {}
            _ => return None,
        }
    }
}

/// A UUID in its hyphened form; the router takes no other.
pub(super) fn uuid(text: &str) -> Option<Uuid> {
    (text.len() == 36).then(|| Uuid::try_parse(text).ok()).flatten()
}

fn decoded(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(if byte == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            u8::try_from(digit()? * 16 + digit()?).ok()?
        } else {
            byte
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let id = "0f5c0a52-0000-4000-8000-000000000001";
        let of = |method, path: &str| Place::of(method, &path.replace("ID", id));
        assert_eq!(of("GET", "/v3/session/ID/decision/").route(), Some(Route::Decision));
        assert_eq!(of("GET", "/v3/session/ID/decision/").id().to_string(), id);
        assert_eq!(of("GET", "/v3/session/ID/decision"), Place::MissingSlash);
        assert_eq!(of("GET", "/v3/sessions"), Place::MissingSlash);
        assert_eq!(of("PUT", "/v3/sessions/"), Place::WrongMethod);
        assert_eq!(of("GET", "/v3/session/nonsense/decision/"), Place::Nowhere);
        assert_eq!(of("GET", "/v3/users/a%2Fb%20c/").text(), "a/b c");
        assert_eq!(of("GET", "/v3/users/%zz/"), Place::Nowhere);
    }

    #[test]
    fn no_two_rows_of_the_table_fit_the_same_request() {
        for (at, (_, method, pattern)) in TABLE.iter().enumerate() {
            let twin = |(_, m, p): &(Route, &str, &str)| m == method && p == pattern;
            assert!(!TABLE[at + 1..].iter().any(twin), "{method} {pattern}");
        }
    }
}
