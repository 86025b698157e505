//! One call over HTTP: its place in the budget, its tries, its deadline, its answer within bounds.
//! The only file that touches the HTTP library, and the only one that shows the key to anybody.

use std::error::Error as _;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use reqwest::header::{
    AUTHORIZATION, CONTENT_LENGTH, DATE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER,
};
use reqwest::{Method, Response, multipart, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use url::{Host, Url};
use zeroize::Zeroizing;

use super::budget::{Budget, Granted, SharedBudget};
use super::client::Settings;
use super::error::{ApiError, CarriedOut, ErrorKind, Result};
use super::{read, refusal, retry};
use crate::domain::{CallVerb, CallsAsked, CallsGranted, Millis, Urgency};

/// Longest body that is read. A page of 100 rows with their links stays far below.
const MOST_BYTES: usize = 8 << 20;
/// Time to connect, out of the time of the whole call.
const CONNECT: Duration = Duration::from_secs(5);

/// A clock that is off by less, in milliseconds, is as good as right: the header tells whole seconds, and
/// an answer takes a while.
const CLOCK_MS: i64 = 5_000;

/// Of a shared minute this part is fetched at once by what goes on for long, and this one by the others: what is
/// not used of it is lost to everybody.
const AT_ONCE: (u32, u32) = (120, 300);

/// No call takes longer, whatever the settings say.
const LONGEST: Duration = Duration::from_secs(3600);

/// What goes with a request.
pub(super) enum Body<'a> {
    /// Nothing.
    None,
    /// JSON.
    Json(serde_json::Value),
    /// A form with files.
    Form(&'a Form<'a>),
}

/// A form with files, made into parts anew for every try.
pub(super) struct Form<'a> {
    pub(super) texts: Vec<(&'static str, String)>,
    pub(super) files: Vec<Upload<'a>>,
}

/// A file in a form.
pub(super) struct Upload<'a> {
    pub(super) field: &'static str,
    pub(super) name: String,
    pub(super) media_type: &'static str,
    pub(super) bytes: &'a [u8],
}

impl Form<'_> {
    fn parts(&self) -> reqwest::Result<multipart::Form> {
        let mut form = multipart::Form::new();
        for file in &self.files {
            let part = multipart::Part::bytes(file.bytes.to_vec()).file_name(file.name.clone());
            form = form.part(file.field, part.mime_str(file.media_type)?);
        }
        let texts = self.texts.iter().cloned();
        Ok(texts.fold(form, |form, (field, text)| form.text(field, text)))
    }
}

/// A request to the API.
pub(super) struct Call<'a> {
    method: Method,
    url: Url,
    body: Body<'a>,
    /// Goes along instead of a key, where the account calls want it.
    bearer: Option<&'a SecretString>,
}

impl<'a> Call<'a> {
    pub(super) fn get(url: Url) -> Self {
        Self { method: Method::GET, url, body: Body::None, bearer: None }
    }

    pub(super) fn post(url: Url, body: Body<'a>) -> Self {
        Self { method: Method::POST, url, body, bearer: None }
    }

    pub(super) fn patch(url: Url, body: Body<'a>) -> Self {
        Self { method: Method::PATCH, url, body, bearer: None }
    }

    pub(super) fn delete(url: Url) -> Self {
        Self { method: Method::DELETE, url, body: Body::None, bearer: None }
    }

    pub(super) fn with_bearer(mut self, token: &'a SecretString) -> Self {
        self.bearer = Some(token);
        self
    }

    fn verb(&self) -> CallVerb {
        if self.method == Method::GET { CallVerb::Read } else { CallVerb::Write }
    }
}

/// A successful answer (2xx), in full. Its text holds links and names: it is wiped when dropped.
pub(super) struct Answer {
    text: Zeroizing<String>,
    /// When it had arrived.
    pub(super) at: Millis,
}

impl Answer {
    /// The text as it came.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Reads an object out of it.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T> {
        read::root(&self.text)
    }
}

/// The line to the API: connections, key and budget.
pub(super) struct Http {
    client: reqwest::Client,
    base: Url,
    key: SecretString,
    timeout: Duration,
    reads: Mutex<Places>,
    writes: Mutex<Places>,
    /// How far the server's clock is ahead of this computer's, in milliseconds, by its newest answer.
    ahead: Mutex<Option<i64>>,
    /// Held by a patient call that asks for a part of the shared minute: who comes next finds what it brought. The
    /// others are few, and nobody who waits is kept by one that is not polled.
    asking: tokio::sync::Mutex<()>,
    /// The budget of all who use this key, once there is one.
    shared: OnceLock<Arc<dyn SharedBudget>>,
}

/// The places of one kind of call.
struct Places {
    budget: Budget,
    granted: Granted,
    /// What was granted to patient calls. They never take of the others': that is what was kept from them.
    granted_patient: Granted,
}

impl Places {
    fn new(per_minute: u32) -> Mutex<Self> {
        let (granted, granted_patient) = (Granted::default(), Granted::default());
        Mutex::new(Self { budget: Budget::new(per_minute), granted, granted_patient })
    }

    fn granted(&mut self, urgency: Urgency) -> &mut Granted {
        match urgency {
            Urgency::Now | Urgency::Background => &mut self.granted,
            Urgency::Patient => &mut self.granted_patient,
        }
    }
}

impl Http {
    pub(super) fn new(settings: Settings) -> Result<Self> {
        let wrong = |why: &str| ApiError::new(ErrorKind::Settings, why);
        if settings.key.expose_secret().is_empty() {
            return Err(wrong("the API key is empty"));
        }
        key_header(&settings.key)
            .ok_or_else(|| wrong("the API key holds a character no header may"))?;
        Self::keyless(settings)
    }

    /// A line that shows no key unless the settings hold one.
    pub(super) fn keyless(settings: Settings) -> Result<Self> {
        let base = checked_base(settings.base)?;
        let wrong = |why: &str| ApiError::new(ErrorKind::Settings, why);
        // Somebody else in this process may have installed one; any will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(&settings.user_agent)
            .redirect(redirect::Policy::none())
            .referer(false)
            // What is tried again is decided in `retry` alone.
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT.min(settings.timeout))
            .https_only(base.scheme() == "https");
        if is_loopback(&base) {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| wrong(&root_cause(&error)))?;
        Ok(Self {
            client,
            base,
            key: settings.key,
            timeout: settings.timeout.min(LONGEST),
            reads: Places::new(settings.reads_per_minute),
            writes: Places::new(settings.writes_per_minute),
            asking: tokio::sync::Mutex::default(),
            shared: OnceLock::new(),
            ahead: Mutex::new(None),
        })
    }

    pub(super) fn base(&self) -> &Url {
        &self.base
    }

    /// How far the server's clock is ahead, in milliseconds; nothing worth mending is 0. `None` before its
    /// first answer.
    pub(super) fn ahead(&self) -> Option<i64> {
        let ahead = *self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        ahead.map(|ms| if ms.abs() < CLOCK_MS { 0 } else { ms })
    }

    pub(super) fn key(&self) -> &SecretString {
        &self.key
    }

    /// The address of a path of the API, with the slash at its end that keeps the API from redirecting.
    pub(super) fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path).push("");
        }
        url
    }

    /// A link of the server's own, if it stays with the API: same scheme, host and port. One that differs in
    /// nothing but `http`, as behind a proxy that ends TLS, is followed over https.
    pub(super) fn own(&self, link: &str) -> Result<Url> {
        let protocol = |why: String| ApiError::new(ErrorKind::Protocol, why);
        let url =
            Url::parse(link).map_err(|_| protocol("the next page has no address".to_owned()))?;
        let home = &self.base;
        let of = |url: &Url| url.host_str().unwrap_or("(none)").to_owned();
        let (host, port) = (of(&url), url.port_or_known_default());
        if url.host() != home.host() {
            let expected = of(home);
            let why = format!("the next page is on another host: {host} in place of {expected}");
            return Err(protocol(why));
        }
        if has_user(&url) {
            return Err(protocol("the address of the next page holds a user name".to_owned()));
        }
        let (came, expected) = (url.scheme(), home.scheme());
        if came == "http" && expected == "https" && port == Some(80) {
            let mut url = url;
            // The port first: a default one of the new scheme is left out by itself.
            if url.set_port(home.port()).is_ok() && url.set_scheme(expected).is_ok() {
                return Ok(url);
            }
            return Err(protocol("the next page has no address".to_owned()));
        }
        if came != expected {
            let why = format!(
                "the next page on {host} has another scheme: {came} in place of {expected}"
            );
            return Err(protocol(why));
        }
        if port != home.port_or_known_default() {
            let shown = |port: Option<u16>| port.map_or("none".to_owned(), |port| port.to_string());
            let (came, expected) = (shown(port), shown(home.port_or_known_default()));
            let why = format!(
                "the next page on {host} is on another port: {came} in place of {expected}"
            );
            return Err(protocol(why));
        }
        Ok(url)
    }

    /// Makes a call: waits for a place in the budget, sends, tries again where that is right.
    pub(super) async fn send(&self, call: &Call<'_>, urgency: Urgency) -> Result<Answer> {
        let verb = call.verb();
        let deadline = Instant::now() + self.timeout;
        let mut tries = 0;
        loop {
            self.wait_for_a_place(verb, urgency, deadline).await?;
            tries += 1;
            let left = deadline.saturating_duration_since(Instant::now());
            let error = match self.try_once(call, self.shown_key(), left).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let now = Instant::now();
            if let ErrorKind::Limited { after } = error.kind {
                self.places(verb, |places| places.budget.close(now + after));
            }
            let patient = urgency == Urgency::Patient;
            if patient && matches!(error.kind, ErrorKind::Limited { .. }) {
                return Err(error);
            }
            let left = deadline.saturating_duration_since(now);
            match retry::wait(verb, error.kind, tries, left, fastrand::f64()) {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return Err(error),
            }
        }
    }

    /// Asks for a public path without the key, outside the budget, once. Such paths have no slash at
    /// their end.
    pub(super) async fn ask_openly(&self, path: &[&str]) -> Result<()> {
        let mut url = self.url(path);
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty();
        }
        self.try_once(&Call::get(url), None, self.timeout).await.map(|_| ())
    }

    async fn wait_for_a_place(
        &self,
        verb: CallVerb,
        urgency: Urgency,
        deadline: Instant,
    ) -> Result<()> {
        loop {
            let place = match self.shared.get() {
                None => self.places(verb, |places| places.budget.take(Instant::now(), urgency)),
                Some(shared) => self.take_shared(shared.as_ref(), verb, urgency).await,
            };
            let Err(wait) = place else { return Ok(()) };
            let no_time = wait >= deadline.saturating_duration_since(Instant::now());
            if no_time || (urgency == Urgency::Patient && !wait.is_zero()) {
                let limited = ErrorKind::Limited { after: wait };
                return Err(ApiError::new(limited, "the calls of this minute are used up"));
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// Takes a place in the minute that all share, or says how long to wait. A few places are
    /// fetched at a time.
    async fn take_shared(
        &self,
        shared: &dyn SharedBudget,
        verb: CallVerb,
        urgency: Urgency,
    ) -> std::result::Result<(), Duration> {
        let granted = || {
            self.places(verb, |places| {
                places.budget.open(Instant::now())?;
                let had = places.granted(urgency).take(Instant::now());
                Ok::<_, Duration>((had, places.budget.limit()))
            })
        };
        if granted()?.0 {
            return Ok(());
        }
        let _asking = match urgency {
            Urgency::Patient => Some(self.asking.lock().await),
            Urgency::Now | Urgency::Background => None,
        };
        let (had, limit) = granted()?;
        if had {
            return Ok(());
        }
        // Counted from before the question: an answer that was long under way is good for less.
        let asked_at = Instant::now();
        let wanted = match urgency {
            Urgency::Now | Urgency::Background => (limit / AT_ONCE.1).clamp(1, 4),
            Urgency::Patient => (limit / AT_ONCE.0).clamp(1, 16),
        };
        match shared.grant(CallsAsked { verb, wanted, limit, urgency }).await {
            CallsGranted::Now(calls) => {
                let lasts = Duration::from_millis(urgency.grant_lasts_ms().unsigned_abs());
                let until = asked_at + lasts;
                self.places(verb, |places| {
                    let granted = places.granted(urgency);
                    granted.put(calls, until);
                    granted.take(Instant::now()).then_some(()).ok_or(Duration::ZERO)
                })
            }
            CallsGranted::NoneFor(ms) => Err(Duration::from_millis(ms.max(1).unsigned_abs())),
        }
    }

    /// Asks `budget` from now on, instead of the own one, before a call leaves. The first one stays.
    pub(super) fn share(&self, budget: Arc<dyn SharedBudget>) {
        let _ = self.shared.set(budget);
    }

    fn places<T>(&self, verb: CallVerb, act: impl FnOnce(&mut Places) -> T) -> T {
        let places = match verb {
            CallVerb::Read => &self.reads,
            CallVerb::Write => &self.writes,
        };
        // Places are whole after every step, so a panic elsewhere cannot have broken them.
        act(&mut places.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn shown_key(&self) -> Option<&SecretString> {
        (!self.key.expose_secret().is_empty()).then_some(&self.key)
    }

    /// The text without the key, which a server may send back.
    fn without_key(&self, text: Zeroizing<String>) -> Zeroizing<String> {
        let key = self.key.expose_secret();
        // A word this short is no secret, and taking it out would garble the text.
        if key.len() < 8 { text } else { Zeroizing::new(text.replace(key, "(key)")) }
    }

    async fn try_once(
        &self,
        call: &Call<'_>,
        key: Option<&SecretString>,
        left: Duration,
    ) -> Result<Answer> {
        let verb = call.verb();
        let mut request = self.client.request(call.method.clone(), call.url.clone()).timeout(left);
        if let Some(header) = key.and_then(key_header) {
            request = request.header("x-api-key", header);
        }
        if let Some(header) = call.bearer.and_then(bearer_header) {
            request = request.header(AUTHORIZATION, header);
        }
        request = match &call.body {
            Body::None => request,
            Body::Json(value) => request.json(value),
            Body::Form(form) => request.multipart(form.parts().map_err(|e| lost(&e, verb))?),
        };
        let response = request.send().await.map_err(|error| lost(&error, verb))?;
        let status = response.status();
        let headers = response.headers().clone();
        if let Some(date) = headers.get(DATE).and_then(date) {
            let ahead = date.since(now());
            *self.ahead.lock().unwrap_or_else(PoisonError::into_inner) = Some(ahead);
        }
        let body = whole_body(response).await;
        if !status.is_success() {
            // Without its words a refusal is still a refusal.
            let text = self.without_key(body.unwrap_or_default());
            return Err(refused(status.as_u16(), &headers, &text, verb));
        }
        let known = if verb == CallVerb::Read { CarriedOut::No } else { CarriedOut::Yes };
        let text = body.map_err(|e| e.with_carried_out(known).with_status(status.as_u16()))?;
        Ok(Answer { text, at: now().plus(self.ahead().unwrap_or_default()) })
    }
}

/// An answer to a write has to look like one of the API's: a proxy's page proves nothing.
pub(super) fn took(answer: &Answer) -> Result<()> {
    let text = answer.text().trim();
    if text.is_empty() || serde_json::from_str::<&RawValue>(text).is_ok() {
        return Ok(());
    }
    let why = ApiError::new(ErrorKind::Protocol, "it is not JSON");
    Err(why.with_carried_out(CarriedOut::Maybe))
}

/// Whether an address is this machine's.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

fn has_user(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

fn checked_base(base: Url) -> Result<Url> {
    let wrong = |why| Err(ApiError::new(ErrorKind::Settings, why));
    match base.scheme() {
        "https" => {}
        "http" if is_loopback(&base) => {}
        "http" => return wrong("the base URL must be https, because the API key goes there"),
        _ => return wrong("the base URL must begin with https"),
    }
    if has_user(&base) || base.query().is_some() || base.fragment().is_some() {
        return wrong("the base URL must hold no user, no query and no fragment");
    }
    Ok(base)
}

fn key_header(key: &SecretString) -> Option<HeaderValue> {
    let mut header = HeaderValue::from_str(key.expose_secret()).ok()?;
    header.set_sensitive(true);
    Some(header)
}

fn bearer_header(token: &SecretString) -> Option<HeaderValue> {
    let text = Zeroizing::new(format!("Bearer {}", token.expose_secret()));
    let mut header = HeaderValue::from_str(&text).ok()?;
    header.set_sensitive(true);
    Some(header)
}

/// The server's time in a `Date` header: a whole second, of which half has passed on average.
fn date(header: &HeaderValue) -> Option<Millis> {
    Some(refusal::http_date(header.to_str().ok()?)?.plus(500))
}

fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

async fn whole_body(mut response: Response) -> Result<Zeroizing<String>> {
    let too_long = || ApiError::new(ErrorKind::Protocol, "it is longer than 8 MiB");
    let announced =
        response.headers().get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: usize| length > MOST_BYTES) {
        return Err(too_long());
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| lost(&e, CallVerb::Read))? {
        if bytes.len() + chunk.len() > MOST_BYTES {
            return Err(too_long());
        }
        bytes.extend_from_slice(&chunk);
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| ApiError::new(ErrorKind::Protocol, "it is not UTF-8"))?;
    Ok(Zeroizing::new(text))
}

fn refused(status: u16, headers: &HeaderMap, body: &str, verb: CallVerb) -> ApiError {
    let header = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let location = header(LOCATION).and_then(|text| Url::parse(text).ok());
    let refusal = refusal::Refusal {
        status,
        retry_after: header(RETRY_AFTER),
        sent: header(DATE).and_then(refusal::http_date).unwrap_or_else(now),
        location: location.as_ref().and_then(Url::host_str),
        body,
    };
    refusal::read(&refusal, verb)
}

/// An error of the line. A connection that never stood carried nothing.
fn lost(error: &reqwest::Error, verb: CallVerb) -> ApiError {
    let kind = match error {
        e if e.is_builder() => ErrorKind::Settings,
        e if e.is_connect() => ErrorKind::Network,
        e if e.is_timeout() => ErrorKind::Timeout,
        _ => ErrorKind::Network,
    };
    let nothing_sent = error.is_builder() || error.is_connect();
    let carried_out = match verb {
        CallVerb::Write if !nothing_sent => CarriedOut::Maybe,
        _ => CarriedOut::No,
    };
    ApiError::new(kind, root_cause(error)).with_carried_out(carried_out)
}

/// The innermost reason: the outer ones repeat the address.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause = error.source();
    while let Some(deeper) = cause.and_then(std::error::Error::source) {
        cause = Some(deeper);
    }
    cause.map_or_else(|| "the request could not be made".to_owned(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(base: &str) -> Http {
        let settings = Settings::new(Url::parse(base).unwrap(), SecretString::from("sk_x"));
        Http::keyless(settings).unwrap()
    }

    #[test]
    fn a_next_page_says_what_differs_and_goes_on_over_https_at_home() {
        let page = "/v3/sessions/?offset=50";
        for (base, link, wanted) in [
            ("https://api.example", "https://api.example", Ok("https://api.example")),
            // A proxy ends TLS, and the server behind it writes what it sees.
            ("https://api.example", "http://api.example", Ok("https://api.example")),
            ("https://api.example", "http://api.example:80", Ok("https://api.example")),
            ("https://api.example:8443", "http://api.example", Ok("https://api.example:8443")),
            (
                "https://api.example",
                "http://other.example",
                Err("another host: other.example in place of api.example"),
            ),
            (
                "https://api.example",
                "http://api.example:8080",
                Err("on api.example has another scheme: http in place of https"),
            ),
            (
                "https://api.example",
                "ftp://api.example",
                Err("on api.example has another scheme: ftp in place of https"),
            ),
            (
                "https://api.example",
                "https://api.example:8443",
                Err("on api.example is on another port: 8443 in place of 443"),
            ),
            ("http://127.0.0.1:81", "http://127.0.0.1", Err("another port: 80 in place of 81")),
            (
                "http://127.0.0.1:81",
                "https://127.0.0.1:81",
                Err("another scheme: https in place of http"),
            ),
            ("https://api.example", "http://x@api.example", Err("holds a user name")),
        ] {
            let found = line(base).own(&format!("{link}{page}"));
            match (found, wanted) {
                (Ok(url), Ok(wanted)) => assert_eq!(url.as_str(), format!("{wanted}{page}")),
                (Err(error), Err(words)) => {
                    assert_eq!(error.kind, ErrorKind::Protocol, "{link}");
                    assert!(error.detail().contains(words), "{link}: {}", error.detail());
                }
                (found, wanted) => panic!("{link}: {found:?} {wanted:?}"),
            }
        }
    }
}
