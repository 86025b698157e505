//! The account calls, on their own host: register, verify the address, log in, find the API key. They
//! know no API key; what they carry is a password, a code or a token, none of which is ever printed.

use std::fmt;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use url::Url;

use super::client::Settings;
use super::error::{ApiError, ErrorKind, Result};
use super::http::{Body, Call, Http, took};
use super::{convert, dto, read};

/// The client of the account calls.
pub struct Account {
    http: Http,
}

/// What a login opens: good for a day, wiped when dropped.
pub struct Token(SecretString);

/// An application of the account, with its key where this user may see it.
pub struct Application {
    /// Its id.
    pub id: String,
    /// Its name, printable.
    pub name: Option<String>,
    /// Its API key.
    pub key: Option<SecretString>,
}

impl fmt::Debug for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Application({})", self.id)
    }
}

impl Account {
    /// A client of the account calls at `base`.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] as [`super::Client::new`].
    pub fn new(base: Url) -> Result<Self> {
        let mut settings = Settings::new(base, SecretString::from(String::new()));
        settings.timeout = Duration::from_secs(30);
        Ok(Self { http: Http::keyless(settings)? })
    }

    /// Registers an address; a code is mailed to it.
    ///
    /// # Errors
    /// [`ApiError`]; [`ErrorKind::Limited`] after five from the same address in an hour.
    pub async fn register(&self, email: &str, password: &SecretString) -> Result<()> {
        let body = json!({ "email": email, "password": password.expose_secret() });
        self.post("register", body).await.map(|_| ())
    }

    /// Mails a new code.
    ///
    /// # Errors
    /// [`ApiError`]; [`ErrorKind::Limited`] within a minute.
    pub async fn resend(&self, email: &str) -> Result<()> {
        self.post("resend-otp", json!({ "email": email })).await.map(|_| ())
    }

    /// Proves that the address is one's own; the answer brings the key of the first application.
    ///
    /// # Errors
    /// [`ApiError`]; [`ErrorKind::Validation`] for a wrong or old code.
    pub async fn verify_email(&self, email: &str, code: &SecretString) -> Result<Application> {
        let body = json!({ "email": email, "code": code.expose_secret() });
        let reply: dto::Verified = self.post("verify-email", body).await?.read()?;
        let found = reply.application.and_then(application);
        found.ok_or_else(|| convert::protocol("it names no application"))
    }

    /// Logs in.
    ///
    /// # Errors
    /// [`ApiError`]; [`ErrorKind::Key`] for a wrong password, [`ErrorKind::Permission`] for a locked or
    /// unverified account.
    pub async fn login(&self, email: &str, password: &SecretString) -> Result<Token> {
        let body = json!({ "email": email, "password": password.expose_secret() });
        let reply: dto::Login = self.post("login", body).await?.read()?;
        let token = reply.access_token.filter(|token| !token.is_empty());
        let token = token.ok_or_else(|| convert::protocol("it holds no token"))?;
        Ok(Token(SecretString::from(token)))
    }

    /// All applications of all organizations of the user.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn applications(&self, token: &Token) -> Result<Vec<Application>> {
        let mut found = Vec::new();
        let organizations: read::Items<dto::Organization> =
            self.list(&["organizations", "me"], token).await?;
        for organization in organizations.good() {
            let Some(id) = convert::id(organization.uuid.as_deref()) else { continue };
            let path = ["organizations", "me", id.as_str(), "applications"];
            let rows: read::Items<dto::Application> = match self.list(&path, token).await {
                Ok(rows) => rows,
                // Only owners and administrators see the applications.
                Err(error) if error.kind == ErrorKind::Permission => continue,
                Err(error) => return Err(error),
            };
            found.extend(rows.0.into_iter().flatten().filter_map(application));
        }
        Ok(found)
    }

    async fn post(&self, path: &str, body: serde_json::Value) -> Result<super::http::Answer> {
        let url = self.http.url(&["programmatic", path]);
        let call = Call::post(url, Body::Json(body));
        let answer = self.http.send(&call, crate::domain::Urgency::Now).await?;
        took(&answer)?;
        Ok(answer)
    }

    async fn list<T: serde::de::DeserializeOwned>(
        &self,
        path: &[&str],
        token: &Token,
    ) -> Result<read::Items<T>> {
        let call = Call::get(self.http.url(path)).with_bearer(&token.0);
        let answer = self.http.send(&call, crate::domain::Urgency::Now).await?;
        let text = answer.text().trim();
        if text.starts_with('[') {
            return Ok(read::list(text));
        }
        let page: dto::Page<T> = answer.read()?;
        super::rows::results(page.results)
    }
}

fn application(row: dto::Application) -> Option<Application> {
    let id = convert::id(row.uuid.as_deref())?.to_string();
    let key = row.api_key.filter(|key| !key.is_empty()).map(SecretString::from);
    Some(Application { id, name: convert::name(row.name), key })
}

/// The error says what a person at a login has to know.
impl ApiError {
    /// What to do next after an account call was refused.
    #[must_use]
    pub fn account_hint(&self) -> &'static str {
        match self.kind {
            ErrorKind::Validation if self.is_known() => self.hint(),
            ErrorKind::Key => {
                "Check the address and the password; after 5 wrong ones the account is locked for 15 \
                 minutes, after 10 for an hour, after 20 for a day"
            }
            ErrorKind::Permission => {
                "A locked account opens again by itself (15 minutes after 5 wrong passwords, an hour after \
                 10, a day after 20); an address that is not verified needs `secondlook account verify-email`"
            }
            ErrorKind::Limited { .. } => {
                "Didit takes 5 registrations and 5 new codes an hour from one address, and one new code \
                 a minute; wait, then try again"
            }
            ErrorKind::Validation => {
                "A password has 8 characters or more, with upper and lower case, a digit and a symbol; a \
                 code is good for ten minutes, `secondlook account resend` mails a new one"
            }
            ErrorKind::NotFound => "Check DIDIT_AUTH_URL",
            _ => self.hint(),
        }
    }
}
