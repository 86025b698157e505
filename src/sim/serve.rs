//! One request of the API from arrival to answer: recorded, held, met by faults, admitted, done.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body as WireBody, Bytes, to_bytes};
use axum::extract::{ConnectInfo, FromRequest, Multipart, Request, State as Handed};
use axum::http::request::Parts;
use axum::response::Response;
use futures_util::StreamExt as _;
use serde_json::{Map, Value, json};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::bend::bend;
use super::decide::text_of;
use super::gate::{Key, is_guarded};
use super::knobs::Fault;
use super::pictures::{Pictures, Seen, look};
use super::record::Recorded;
use super::reply::{Body, Reply};
use super::route::{Place, Route, uuid};
use super::state::State;
use super::wire::Scissors;

/// A request's body may be this large.
const BODY_LIMIT: usize = 24 * 1024 * 1024;

/// So many pictures are drawn at a time.
const DRAWING: usize = 4;

/// What the two listeners share.
#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    /// Counts requests answered and gates moved; waiters look again when it grows.
    changed: watch::Sender<u64>,
    pub pictures: Pictures,
    /// So many pictures are drawn at a time; the others wait.
    pub drawing: Semaphore,
    /// The simulator is ending: held requests go on, delays end.
    pub ending: CancellationToken,
}

/// A field of a form.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub name: String,
    /// `None` for a field that is plain text.
    pub file_name: Option<String>,
    pub content_type: Option<String>,
    pub bytes: Arc<[u8]>,
    pub seen: Seen,
}

/// A request, read.
#[derive(Debug)]
pub(super) struct Call {
    pub method: String,
    pub path: String,
    pub raw_query: String,
    pub query: Vec<(String, String)>,
    pub key: Option<String>,
    pub bearer: Option<String>,
    pub json: Value,
    pub form: Vec<Part>,
    pub place: Place,
    /// The body could not be read; this is the answer.
    unread: Option<Reply>,
}

impl Call {
    /// A text field of the form.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let part = self.form.iter().find(|p| p.name == name && p.file_name.is_none())?;
        std::str::from_utf8(&part.bytes).ok()
    }

    /// The session that the request names, in its path or its body.
    fn session(&self) -> Option<Uuid> {
        match self.place.route()? {
            Route::Decision
            | Route::UpdateStatus
            | Route::FeatureStatus
            | Route::DeleteSession
            | Route::Reviews
            | Route::AddReview => Some(self.place.id()),
            Route::BlocklistAdd | Route::BlocklistRemove => {
                text_of(&self.json, "session_id").as_deref().and_then(uuid)
            }
            Route::AddEntry => {
                text_of(&self.json, "reference_session_id").as_deref().and_then(uuid)
            }
            _ => None,
        }
    }

    fn recorded_body(&self) -> Value {
        if self.form.is_empty() {
            return self.json.clone();
        }
        let field = |part: &Part| {
            let value = match &part.file_name {
                None => json!(String::from_utf8_lossy(&part.bytes)),
                Some(name) => json!({
                    "file_name": name,
                    "content_type": part.content_type,
                    "bytes": part.bytes.len(),
                }),
            };
            (part.name.clone(), value)
        };
        Value::Object(self.form.iter().map(field).collect::<Map<_, _>>())
    }
}

impl Shared {
    pub(super) fn new(state: State, ending: CancellationToken) -> Self {
        Self {
            state: Mutex::new(state),
            changed: watch::Sender::new(0),
            pictures: Pictures::default(),
            drawing: Semaphore::new(DRAWING),
            ending,
        }
    }

    /// Does something with the state. Never awaited under the lock.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Wakes all who wait for a change.
    pub(super) fn tick(&self) {
        self.changed.send_modify(|count| *count += 1);
    }

    /// Waits until a condition holds, or the simulator ends, or the time is over.
    pub(super) async fn until(
        &self,
        limit: Duration,
        mut holds: impl FnMut(&mut State) -> bool,
    ) -> bool {
        let mut news = self.changed.subscribe();
        let wait = async {
            while !self.with(&mut holds) {
                if news.changed().await.is_err() {
                    return false;
                }
            }
            true
        };
        tokio::select! {
            held = tokio::time::timeout(limit, wait) => held.unwrap_or(false),
            () = self.ending.cancelled() => false,
        }
    }

    pub(super) fn draw(&self, route: Option<Route>, session: Option<Uuid>) -> Vec<Fault> {
        self.with(|state| state.faults.draw(route, session, &mut state.rng))
    }

    /// Waits at a held route until it is stepped or released.
    pub(super) async fn pass_gate(&self, route: Route) {
        if self.with(|state| state.gates.pass(route)) {
            return;
        }
        let _waiting = Waiting::at(self, route);
        let mut news = self.changed.subscribe();
        while !self.with(|state| state.gates.pass(route)) {
            tokio::select! {
                _ = news.changed() => {}
                () = self.ending.cancelled() => return,
            }
        }
    }

    pub(super) async fn delay(&self, faults: &[Fault]) {
        for fault in faults {
            if let Fault::Delay(time) = fault {
                tokio::select! {
                    () = tokio::time::sleep(*time) => {}
                    () = self.ending.cancelled() => return,
                }
            }
        }
    }
}

/// Counts a request as waiting for as long as it is held, also if the client goes away.
struct Waiting<'a> {
    shared: &'a Shared,
    route: Route,
}

impl<'a> Waiting<'a> {
    fn at(shared: &'a Shared, route: Route) -> Self {
        shared.with(|state| state.gates.count(route, 1));
        shared.tick();
        Self { shared, route }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.shared.with(|state| state.gates.count(self.route, -1));
        self.shared.tick();
    }
}

/// Answers one request of the API.
pub(super) async fn serve(
    Handed(shared): Handed<Arc<Shared>>,
    ConnectInfo(scissors): ConnectInfo<Scissors>,
    request: Request,
) -> Response {
    let call = read(request).await;
    let (route, session) = (call.place.route(), call.session());
    let number = shared.with(|state| state.arrived(&call));
    shared.tick();
    if let Some(route) = route {
        shared.pass_gate(route).await;
    }
    let faults = shared.draw(route, session);
    shared.delay(&faults).await;
    if faults.contains(&Fault::DropBefore) {
        scissors.cut();
        return Reply::empty(500).into_response();
    }
    let reply = shared.with(|state| {
        let (reply, took_effect) = state.answer_with(&call, session, &faults);
        let dropped = faults.contains(&Fault::DropAfter) || faults.contains(&Fault::Withhold);
        state.record.change(number, |row| {
            row.status = (!dropped).then_some(reply.status);
            row.took_effect = took_effect;
        });
        reply
    });
    shared.tick();
    if faults.contains(&Fault::Withhold) {
        shared.ending.cancelled().await;
    }
    if faults.contains(&Fault::DropAfter) {
        scissors.cut();
        return Reply::empty(500).into_response();
    }
    let date = date(shared.with(|state| state.now()));
    let mut response = cut_body(reply, &faults, &scissors);
    // The server's clock is the simulator's own.
    if let Ok(date) = date.parse() {
        response.headers_mut().entry(axum::http::header::DATE).or_insert(date);
    }
    response
}

/// A moment as the `Date` header has it.
fn date(at: jiff::Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// The wire form of a reply, ending early where a fault says so.
pub(super) fn cut_body(reply: Reply, faults: &[Fault], scissors: &Scissors) -> Response {
    let limit = faults.iter().find_map(|fault| match fault {
        Fault::CutBody(bytes) => Some(*bytes),
        _ => None,
    });
    let Some(limit) = limit else { return reply.into_response() };
    let (kind, bytes) = match &reply.body {
        Body::Empty => return reply.into_response(),
        Body::Json(value) => ("application/json".to_owned(), value.to_string().into_bytes()),
        Body::Bytes(kind, bytes) => (kind.clone(), bytes.clone()),
    };
    let full = bytes.len();
    let start = Bytes::from(bytes).slice(..limit.min(full));
    let scissors = scissors.clone();
    // The start goes out whole before the line is cut: the second poll comes after its flush.
    let first = futures_util::stream::once(async move { Ok::<_, std::io::Error>(start) });
    let then = futures_util::stream::once(async move {
        tokio::task::yield_now().await;
        scissors.cut();
        Err(std::io::Error::from(std::io::ErrorKind::ConnectionAborted))
    });
    let mut response = Reply { body: Body::Empty, ..reply }.into_response();
    *response.body_mut() = WireBody::from_stream(first.chain(then));
    let headers = response.headers_mut();
    headers.insert("content-length", full.into());
    if let Ok(kind) = kind.parse() {
        headers.insert("content-type", kind);
    }
    response
}

async fn read(request: Request) -> Call {
    let (parts, body) = request.into_parts();
    let header = |name: &str| {
        parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
    };
    let method = parts.method.as_str().to_owned();
    let path = parts.uri.path().to_owned();
    let raw_query = parts.uri.query().unwrap_or_default().to_owned();
    let mut call = Call {
        place: Place::of(&method, &path),
        query: url::form_urlencoded::parse(raw_query.as_bytes()).into_owned().collect(),
        key: header("x-api-key"),
        bearer: header("authorization").and_then(|v| Some(v.strip_prefix("Bearer ")?.to_owned())),
        json: Value::Null,
        form: Vec::new(),
        unread: None,
        method,
        path,
        raw_query,
    };
    let content_type = header("content-type").unwrap_or_default();
    match to_bytes(body, BODY_LIMIT).await {
        Err(_) => call.unread = Some(Reply::bytes(413, "text/html", "Request Entity Too Large")),
        Ok(bytes) if bytes.is_empty() => {}
        Ok(bytes) if content_type.starts_with("multipart/form-data") => {
            match read_form(parts, bytes).await {
                Some(form) => call.form = form,
                None => call.unread = Some(Reply::detail(400, "Multipart form parse error")),
            }
        }
        Ok(bytes) if content_type.starts_with("application/json") => {
            match serde_json::from_slice(&bytes) {
                Ok(value) => call.json = value,
                Err(error) => {
                    let text = format!("JSON parse error - {error}");
                    call.unread = Some(Reply::detail(400, text));
                }
            }
        }
        Ok(_) => {
            let text = format!("Unsupported media type \"{content_type}\" in request.");
            call.unread = Some(Reply::detail(415, text));
        }
    }
    call
}

/// Reads a form and looks at its pictures, off the async threads.
async fn read_form(parts: Parts, bytes: Bytes) -> Option<Vec<Part>> {
    let request = Request::from_parts(parts, WireBody::from(bytes));
    let mut multipart = Multipart::from_request(request, &()).await.ok()?;
    let mut form = Vec::new();
    while let Some(field) = multipart.next_field().await.ok()? {
        let name = field.name().unwrap_or_default().to_owned();
        let file_name = field.file_name().map(str::to_owned);
        let content_type = field.content_type().map(str::to_owned);
        let bytes: Arc<[u8]> = Arc::from(&field.bytes().await.ok()?[..]);
        form.push(Part { name, file_name, content_type, bytes, seen: Seen::Unreadable });
    }
    let look_at_all = move || {
        for part in form.iter_mut().filter(|part| part.file_name.is_some()) {
            part.seen = look(&part.bytes);
        }
        form
    };
    tokio::task::spawn_blocking(look_at_all).await.ok()
}

impl State {
    fn arrived(&mut self, call: &Call) -> u64 {
        let key_known = self.options.keys.iter().any(|key| Some(&key.secret) == call.key.as_ref());
        let row = Recorded {
            at: self.now().as_millisecond(),
            route: call.place.route(),
            method: call.method.clone(),
            path: call.path.clone(),
            query: call.query.clone(),
            body: call.recorded_body(),
            key_known,
            status: None,
            took_effect: false,
        };
        self.record.push(row)
    }

    /// The answer with all faults but those of the connection, and whether the request changed
    /// something. What others did meanwhile does not count.
    fn answer_with(
        &mut self,
        call: &Call,
        session: Option<Uuid>,
        faults: &[Fault],
    ) -> (Reply, bool) {
        for fault in faults {
            match (fault, session) {
                (Fault::Answer(reply), _) => return (reply.clone(), false),
                (Fault::DecidedElsewhere { status, by, comment }, Some(id)) => {
                    self.decide(id, status, by, comment.clone());
                }
                (Fault::Vanish, Some(id)) => {
                    self.vanish(id);
                }
                _ => {}
            }
        }
        let before = self.effects.total();
        let mut reply = self.answer(call);
        for fault in faults {
            if let Fault::AnswerAfter(instead) = fault {
                reply = instead.clone();
            } else if let Body::Json(value) = &mut reply.body {
                bend(value, fault, &self.links.base);
            }
        }
        (reply, self.effects.total() > before)
    }

    fn answer(&mut self, call: &Call) -> Reply {
        match &call.place {
            Place::Nowhere => return Reply::html_not_found(),
            Place::MissingSlash => return slashed(call),
            Place::WrongMethod => {
                let text = format!("Method \"{}\" not allowed.", call.method);
                return Reply::detail(405, text);
            }
            Place::Found { .. } => {}
        }
        let key = match is_guarded(&call.place) {
            false => Key::full(""),
            true => match self.admit(call) {
                Ok(key) => key,
                Err(reply) => return reply,
            },
        };
        match &call.unread {
            Some(reply) => reply.clone(),
            None => self.routed(call, &key),
        }
    }

    fn routed(&mut self, call: &Call, key: &Key) -> Reply {
        let Some(route) = call.place.route() else { return Reply::html_not_found() };
        match route {
            Route::Health => {
                let time = super::decision::stamp(self.now());
                Reply::json(200, json!({ "status": "ok", "timestamp": time }))
            }
            Route::Sessions => self.list_sessions(call, key),
            Route::Decision => {
                let events = call.query.iter().any(|(k, v)| k == "include" && v == "events");
                let found = self.decision(call.place.id(), key, events);
                found.map_or_else(Reply::session_not_found, |body| Reply::json(200, body))
            }
            Route::UpdateStatus => self.update_status(call),
            Route::FeatureStatus => self.update_feature(call),
            Route::DeleteSession => self.delete_session(call),
            Route::Reviews => self.list_reviews(call),
            Route::AddReview => self.add_review(call),
            Route::Blocklist => self.list_blocklist(call),
            Route::BlocklistAdd | Route::BlocklistRemove => self.flag_session(call),
            Route::Lists => self.list_lists(call),
            Route::AddList => self.add_list(call),
            Route::List | Route::EditList | Route::DeleteList => self.one_list(call),
            Route::Entries => self.list_entries(call),
            Route::AddEntry => self.add_entry(call),
            Route::FaceUpload => self.upload_face(call),
            Route::DeleteEntry => self.delete_entry(call),
            Route::FaceSearch => self.face_search(call, key),
            Route::PassiveLiveness => self.passive_liveness(call, key),
            Route::FaceMatch => self.face_match_check(call, key),
            Route::IdVerification => self.id_verification(call, key),
            Route::Balance => self.show_balance(),
            Route::TopUp => self.top_up(call),
            Route::User => self.user(call),
            Route::UserStatus => self.update_user(call),
            Route::Webhooks => self.list_webhooks(),
            Route::AddWebhook => self.add_webhook(call),
            Route::Webhook | Route::EditWebhook | Route::DeleteWebhook => self.one_webhook(call),
            Route::Register => self.register(call),
            Route::VerifyEmail => self.verify_email(call),
            Route::ResendCode => self.resend_code(call),
            Route::Login => self.login(call),
            Route::Organizations | Route::Applications | Route::Application => {
                self.organization(call)
            }
            Route::Media => Reply::html_not_found(),
        }
    }
}

/// Django sends such a request to the path with the slash.
fn slashed(call: &Call) -> Reply {
    let query = &call.raw_query;
    let mark = if query.is_empty() { "" } else { "?" };
    Reply::empty(301).header("location", format!("{}/{mark}{query}", call.path))
}
