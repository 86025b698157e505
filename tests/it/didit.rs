//! The client of Didit's API against real HTTP on loopback: a server that records what it is asked and
//! answers exact bytes, byte for byte what a test wants, also wrong ones.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use secondlook::didit::{
    ApiError, CarriedOut, Client, EntryId, EntryType, ErrorKind, FaceSearchRequest, ListId,
    ListType, NewStatus, SearchType, SessionQuery, Settings, StatusWritten, parse_decision,
    parse_face_search,
};
use secondlook::domain::{
    Bands, Comment, Decision, DecisionId, Disposition, Millis, Reason, Receipt, Reviewer,
    ReviewerId, SessionId, Source, Status, SubjectKind,
};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;
use uuid::Uuid;

const KEY: &str = "sk_test_0123456789abcdef";
const SUBJECT: &str = "0f5c0a52-0000-4000-8000-000000000001";
const OTHER: &str = "0f5c0a52-0000-4000-8000-000000000002";
const THIRD: &str = "0f5c0a52-0000-4000-8000-000000000003";

/// What the server does with a request, once it has read it.
enum Act {
    /// Writes these bytes and closes.
    Write(Vec<u8>),
    /// Closes without a word.
    Close,
    /// Never answers.
    Hang,
}

/// A request as it came.
#[derive(Clone)]
struct Seen {
    /// Method and target: `GET /v3/sessions/?limit=50`.
    line: String,
    /// The whole head, in lower case.
    head: String,
    body: Vec<u8>,
}

impl Seen {
    fn has_key(&self) -> bool {
        self.head.contains("x-api-key") || self.head.contains(KEY)
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// Answers one request after the other by a script; a request beyond it is answered by closing.
struct Server {
    base: Url,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    async fn start(script: Vec<Act>) -> Self {
        Self::start_with(|_| script).await
    }

    /// Starts one whose answers name its own address.
    async fn start_with(script: impl FnOnce(&Url) -> Vec<Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/", listener.local_addr().unwrap());
        let base = Url::parse(&base).unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let script = Arc::new(Mutex::new(VecDeque::from(script(&base))));
        let server = Self { base, seen: Arc::clone(&seen) };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&script), Arc::clone(&seen)));
            }
        });
        server
    }

    /// A server for one call, and what the call made of its answer.
    async fn of(status: u16, body: &str) -> (Self, Client) {
        let server = Self::start(vec![reply(status, body)]).await;
        let client = server.client();
        (server, client)
    }

    fn client(&self) -> Client {
        Client::new(self.settings()).unwrap()
    }

    fn settings(&self) -> Settings {
        Settings::new(self.base.clone(), SecretString::from(KEY))
    }

    fn impatient(&self) -> Client {
        let timeout = Duration::from_millis(300);
        Client::new(Settings { timeout, ..self.settings() }).unwrap()
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    fn lines(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.line).collect()
    }
}

async fn answer(
    mut stream: TcpStream,
    script: Arc<Mutex<VecDeque<Act>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
) {
    let Some(request) = read_request(&mut stream).await else { return };
    seen.lock().unwrap().push(request);
    let act = script.lock().unwrap().pop_front().unwrap_or(Act::Close);
    match act {
        Act::Write(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
        Act::Close => {}
        Act::Hang => std::future::pending().await,
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let line = head.lines().next()?.trim_end_matches(" HTTP/1.1").to_owned();
    let head = head.to_lowercase();
    let length = head.lines().find_map(|l| l.strip_prefix("content-length: ")?.parse().ok());
    let mut body = bytes.split_off(end);
    while body.len() < length.unwrap_or(0) {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    Some(Seen { line, head, body })
}

fn bytes(status: u16, headers: &str, body: &str) -> Act {
    let length = body.len();
    let text = format!(
        "HTTP/1.1 {status} Word\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}"
    );
    Act::Write(text.into_bytes())
}

fn reply(status: u16, body: &str) -> Act {
    bytes(status, "content-type: application/json\r\n", body)
}

fn id(text: &str) -> SessionId {
    SessionId::parse(text).unwrap()
}

fn comment() -> Comment {
    let decision = Decision {
        id: DecisionId(Uuid::nil()),
        case: id(SUBJECT),
        session_number: None,
        kind: SubjectKind::Workflow,
        disposition: Disposition::Approve,
        judgements: Vec::new(),
        reason: Some(Reason::DifferentPeople),
        comment: None,
        target: None,
        reviewer: Reviewer { id: ReviewerId("os:1".into()), name: "ana".into() },
        seen_status: Status::InReview,
        at: Millis(0),
        receipt: Receipt::default(),
        replaces: None,
        answers: None,
        evidence: Vec::new(),
        workflow: None,
        signature: None,
    };
    decision.api_comment()
}

fn photograph() -> FaceSearchRequest {
    FaceSearchRequest {
        file_name: "/home/ana/Ana Perez.JPG".into(),
        bytes: b"picture".to_vec(),
        rotate: true,
        search_type: SearchType::BlocklistedOrApproved,
        save: true,
        vendor_data: Some("user-123".into()),
        metadata: json!({"desk": 7}).as_object().cloned(),
    }
}

fn a_match(session: &str, percent: f64) -> Value {
    json!({
        "session_id": session, "session_number": 1042, "similarity_percentage": percent,
        "source": "session", "vendor_data": "user-9", "verification_date": "2026-01-20T09:15:00Z",
        "user_details": {"full_name": "Ana\u{1b}[2J Perez", "document_type": "ID", "document_number": "X123456"},
        "match_image_url": "https://media.example/face/abc.jpg?X-Amz-Expires=3600",
        "status": "Approved", "is_blocklisted": false, "is_allowlisted": false, "api_service": null,
    })
}

fn a_decision() -> Value {
    json!({
        "session_id": SUBJECT, "session_kind": "user", "session_number": 4821, "status": "In Review",
        "vendor_data": "user-1", "created_at": "2026-01-21T00:00:00Z",
        "liveness_checks": [{
            "node_id": "n1", "status": "In Review", "reference_image": "https://media.example/subject.jpg",
            "matches": [a_match(OTHER, 81.4)],
            "warnings": [{"risk": "POSSIBLE_DUPLICATED_FACE", "feature": "LIVENESS", "short_description": "Possible duplicate"}],
        }],
        "id_verifications": [{
            "portrait_image": "https://media.example/portrait.jpg", "full_name": null,
            "first_name": "Eva", "last_name": "Roth", "document_type": "Passport",
            "document_number": "P7654321", "issuing_state": "DEU",
        }],
        "reviews": [
            {"user": "API Client", "new_status": "In Review", "comment": "first", "created_at": "2026-01-21T01:00:00Z"},
            {"user": "max@example.com", "new_status": null, "comment": "second", "created_at": "2026-01-21T02:00:00Z"},
        ],
    })
}

fn details(decision: &Value) -> secondlook::domain::Details {
    parse_decision(&decision.to_string(), SubjectKind::Workflow, Millis(5)).unwrap()
}

// What is asked, and how.

#[tokio::test]
async fn every_call_asks_what_the_api_documents() {
    let page = r#"{"count": 0, "next": null, "results": []}"#;
    let list = ListId(Uuid::from_u128(1));
    let entry = EntryId(Uuid::from_u128(2));
    let done = r#"{"message": "done"}"#;
    let subject = &id(SUBJECT);
    let note = comment();
    let server = Server::start(vec![
        reply(200, page),
        reply(200, &a_decision().to_string()),
        reply(200, &json!({ "session_id": SUBJECT }).to_string()),
        reply(200, page),
        reply(201, r#"{"user": "Unknown"}"#),
        reply(200, done),
        reply(200, done),
        reply(200, page),
        reply(200, page),
        reply(200, page),
        reply(201, "{}"),
        bytes(204, "", ""),
        reply(200, r#"{"balance": "142.5000"}"#),
    ])
    .await;
    let client = server.client();
    let warnings = ["DUPLICATED_FACE", "POSSIBLE_DUPLICATED_FACE"].map(str::to_owned).to_vec();
    let statuses = vec![Status::InReview];
    let query = SessionQuery { statuses, warnings, ..SessionQuery::default() };
    client.sessions(&query).await.unwrap();
    client.decision(subject, SubjectKind::Workflow).await.unwrap();
    client.update_status(subject, NewStatus::Declined, &note).await.unwrap();
    client.reviews(subject).await.unwrap();
    client.post_review(subject, &note).await.unwrap();
    client.blocklist_add_face(subject).await.unwrap();
    client.blocklist_remove_face(subject).await.unwrap();
    client.blocklist(40, 20).await.unwrap();
    client.lists(ListType::Blocklist, EntryType::Face).await.unwrap();
    client.list_entries(list, Some("decision:1"), 100).await.unwrap();
    client.add_entry(list, subject, "decision:1", &note).await.unwrap();
    client.remove_entry(list, entry).await.unwrap();
    client.balance().await.unwrap();
    let list = "/v3/lists/00000000-0000-0000-0000-000000000001/entries/";
    let expected = [
        "GET /v3/sessions/?status=In+Review&warning=DUPLICATED_FACE%2CPOSSIBLE_DUPLICATED_FACE&limit=50&offset=0".to_owned(),
        format!("GET /v3/session/{SUBJECT}/decision/"),
        format!("PATCH /v3/session/{SUBJECT}/update-status/"),
        format!("GET /v3/sessions/{SUBJECT}/reviews/?limit=100"),
        format!("POST /v3/sessions/{SUBJECT}/reviews/"),
        "POST /v3/blocklist/add/".to_owned(),
        "POST /v3/blocklist/remove/".to_owned(),
        "GET /v3/blocklist/?item_type=face&limit=20&offset=40".to_owned(),
        "GET /v3/lists/?list_type=blocklist&entry_type=face&limit=100".to_owned(),
        format!("GET {list}?search=decision%3A1&limit=100&offset=100"),
        format!("POST {list}"),
        format!("DELETE {list}00000000-0000-0000-0000-000000000002/"),
        "GET /v3/billing/balance/".to_owned(),
    ];
    assert_eq!(server.lines(), expected);
    let seen = server.seen();
    let keyed = format!("x-api-key: {KEY}\r\n");
    assert!(seen.iter().all(|s| s.head.contains(&keyed) && !s.head.contains("cookie")));
    let note = note.as_str();
    assert_eq!(seen[2].json(), json!({ "new_status": "Declined", "comment": note }));
    assert_eq!(seen[4].json(), json!({ "comment": note }));
    assert_eq!(seen[5].json(), json!({ "session_id": SUBJECT, "blocklist_face": true }));
    assert_eq!(seen[6].json(), json!({ "session_id": SUBJECT, "unblock_face": true }));
    let entry =
        json!({ "reference_session_id": SUBJECT, "display_label": "decision:1", "comment": note });
    assert_eq!(seen[10].json(), entry);
}

#[tokio::test]
async fn a_base_with_a_path_keeps_it() {
    let good = || reply(200, r#"{"balance": "1"}"#);
    let server = Server::start(vec![good(), good()]).await;
    for (path, line) in [("didit", "GET /didit/v3/"), ("didit/", "GET /didit/v3/")] {
        let base = server.base.join(path).unwrap();
        let client = Client::new(Settings { base, ..server.settings() }).unwrap();
        client.balance().await.unwrap();
        assert!(server.lines().last().unwrap().starts_with(line));
    }
}

#[tokio::test]
async fn the_health_check_goes_without_the_key_and_once() {
    let server = Server::start(vec![bytes(200, "", "fine"), bytes(503, "", "")]).await;
    let client = server.client();
    client.health().await.unwrap();
    assert_eq!(client.health().await.unwrap_err().kind, ErrorKind::Server);
    assert_eq!(server.lines(), ["GET /system/healthcheck"; 2]);
    assert!(server.seen().iter().all(|seen| !seen.has_key()));
}

#[test]
fn settings_that_would_show_the_key_are_refused() {
    for (base, key) in [
        ("http://verification.didit.me", KEY),
        ("ftp://verification.didit.me", KEY),
        ("https://user:word@verification.didit.me", KEY),
        ("https://verification.didit.me/?a=b", KEY),
        ("https://verification.didit.me/#a", KEY),
        ("https://verification.didit.me", ""),
        ("https://verification.didit.me", "two\nlines"),
    ] {
        let settings = Settings::new(Url::parse(base).unwrap(), SecretString::from(key));
        let error = Client::new(settings).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Settings, "{base} {key:?}");
        assert_eq!(error.carried_out, CarriedOut::No);
    }
    for base in ["http://localhost:1", "http://127.0.0.2:1", "http://[::1]:1"] {
        let settings = Settings::new(Url::parse(base).unwrap(), SecretString::from(KEY));
        assert!(Client::new(settings).unwrap().base_is_loopback(), "{base}");
    }
}

#[test]
fn the_origin_names_the_base_and_never_the_key() {
    let with = |base, key: &str| {
        Client::new(Settings::new(Url::parse(base).unwrap(), SecretString::from(key))).unwrap()
    };
    let mut salt = [0; 32];
    (0..).zip(&mut salt).for_each(|(n, byte)| *byte = n);
    let client = with("https://verification.didit.me", KEY);
    // Computed with another program.
    assert_eq!(client.origin(&salt).0, "https://verification.didit.me#412310ce66fd");
    assert_eq!(client.origin(&salt), client.background().origin(&salt));
    assert_ne!(client.origin(&salt), client.origin(&[0; 32]));
    assert_ne!(
        client.origin(&salt),
        with("https://verification.didit.me", "another").origin(&salt)
    );
    let settings = Settings::new(Url::parse("https://a.example").unwrap(), SecretString::from(KEY));
    let shown = format!("{client:?} {settings:?}");
    assert!(!shown.contains(KEY), "{shown}");
}

#[test]
fn no_proxy_stands_between_the_client_and_this_machine() {
    // The variables are read when a client is made, so another process has to do it.
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "didit::amounts_keep_their_digits"]);
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
    {
        child.env(name, "http://127.0.0.1:9");
    }
    let output = child.env_remove("NO_PROXY").env_remove("no_proxy").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

// What is refused.

#[tokio::test]
async fn each_refusal_has_its_kind() {
    for (status, body, kind) in [
        (400, r#"{"date_from": ["Enter a valid date."]}"#, ErrorKind::Validation),
        (401, r#"{"detail": "This API key has expired."}"#, ErrorKind::Key),
        (402, "{}", ErrorKind::Credit),
        (403, r#"{"error": "You don't have enough credits"}"#, ErrorKind::Credit),
        (
            403,
            r#"{"detail": "You do not have permission to perform this action."}"#,
            ErrorKind::Permission,
        ),
        (404, "<!doctype html><h1>Not Found</h1>", ErrorKind::NotFound),
        (404, r#"{"detail": "Session not found."}"#, ErrorKind::NotFound),
        (405, "", ErrorKind::NotFound),
        (409, "{}", ErrorKind::Conflict),
        (418, "\u{1b}[2J", ErrorKind::Validation),
    ] {
        let (server, client) = Server::of(status, body).await;
        let error = client.decision(&id(SUBJECT), SubjectKind::Workflow).await.unwrap_err();
        assert_eq!((error.kind, error.status), (kind, Some(status)), "{body}");
        assert_eq!(error.carried_out, CarriedOut::No);
        assert!(!error.to_string().contains(char::is_control));
        assert_eq!(server.lines().len(), 1, "{status} is not tried again");
    }
}

#[tokio::test]
async fn a_key_or_a_link_in_an_answer_gets_into_no_error() {
    let body =
        json!({ "detail": format!("{KEY} at https://media.example/a?X-Amz-Signature=1 is bad") });
    let (_server, client) = Server::of(401, &body.to_string()).await;
    let error = client.balance().await.unwrap_err();
    assert_eq!(error.detail(), "(key) at (link) is bad");
    assert!(!format!("{error} {error:?}").contains(KEY));
}

#[tokio::test]
async fn an_answer_that_is_not_the_apis_is_said_to_be_so() {
    let huge = format!("{{\"balance\": \"{}\"}}", "1".repeat(9 << 20));
    for (body, detail) in [
        ("<html><title>Log in</title>", "it is a web page"),
        ("", "it is not JSON"),
        ("balance", "it is not JSON"),
        ("[1]", "it is not an object"),
        ("{}", "it holds no balance"),
        (r#"{"balance": "12.3.4"}"#, "it holds no balance"),
        (huge.as_str(), "it is longer than 8 MiB"),
    ] {
        let (_server, client) = Server::of(200, body).await;
        let error = client.balance().await.unwrap_err();
        assert_eq!((error.kind, error.detail()), (ErrorKind::Protocol, detail));
    }
}

#[tokio::test]
async fn a_long_body_of_unknown_length_is_not_read_to_its_end() {
    let head = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
    let mut bytes = head.as_bytes().to_vec();
    bytes.resize(9 << 20, b' ');
    let server = Server::start(vec![Act::Write(bytes)]).await;
    let error = server.client().balance().await.unwrap_err();
    assert_eq!((error.kind, error.detail()), (ErrorKind::Protocol, "it is longer than 8 MiB"));
}

#[tokio::test]
async fn the_key_follows_no_redirect() {
    let elsewhere = Server::start(vec![reply(200, r#"{"balance": "1"}"#)]).await;
    for status in [301, 302, 303, 307, 308] {
        let location = format!("location: {}v3/billing/balance/\r\n", elsewhere.base);
        let server = Server::start(vec![bytes(status, &location, "")]).await;
        let error = server.client().balance().await.unwrap_err();
        assert_eq!((error.kind, error.status), (ErrorKind::Redirect, Some(status)));
        assert_eq!(error.detail(), "it points to 127.0.0.1");
        let server = Server::start(vec![bytes(status, &location, "")]).await;
        let error = server.client().blocklist_add_face(&id(SUBJECT)).await.unwrap_err();
        assert_eq!((error.kind, error.carried_out), (ErrorKind::Redirect, CarriedOut::Maybe));
    }
    assert_eq!(elsewhere.lines(), [""; 0]);
}

// What gets lost.

fn outcome(error: &ApiError) -> (ErrorKind, CarriedOut) {
    (error.kind, error.carried_out)
}

#[tokio::test]
async fn a_server_that_never_answers_ends_at_the_deadline() {
    let server = Server::start(vec![Act::Hang, Act::Hang]).await;
    let client = server.impatient();
    let read = client.balance().await.unwrap_err();
    assert_eq!(outcome(&read), (ErrorKind::Timeout, CarriedOut::No));
    let written = client.blocklist_add_face(&id(SUBJECT)).await.unwrap_err();
    assert_eq!(outcome(&written), (ErrorKind::Timeout, CarriedOut::Maybe));
    assert_eq!(server.lines().len(), 2);
}

#[tokio::test]
async fn where_nobody_listens_nothing_was_carried_out() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let client = Client::new(Settings::new(base, SecretString::from(KEY))).unwrap();
    let error = client.update_status(&id(SUBJECT), NewStatus::Approved, &comment()).await;
    assert_eq!(outcome(&error.unwrap_err()), (ErrorKind::Network, CarriedOut::No));
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_not_repeated() {
    for act in [Act::Close, reply(500, ""), reply(502, "<html>"), reply(200, "<html>")] {
        let server = Server::start(vec![act]).await;
        let error =
            server.client().update_status(&id(SUBJECT), NewStatus::Approved, &comment()).await;
        assert_eq!(error.unwrap_err().carried_out, CarriedOut::Maybe);
        assert_eq!(server.lines().len(), 1);
    }
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\nconnection: close\r\n\r\n{\"session";
    let server = Server::start(vec![Act::Write(cut.into())]).await;
    let error = server.client().update_status(&id(SUBJECT), NewStatus::Approved, &comment()).await;
    assert_eq!(outcome(&error.unwrap_err()), (ErrorKind::Network, CarriedOut::Yes));
    assert_eq!(server.lines().len(), 1);
}

#[tokio::test]
async fn a_read_is_repeated_after_a_failure() {
    let good = || reply(200, r#"{"balance": "142.5000"}"#);
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\nconnection: close\r\n\r\n{\"bal";
    for bad in [Act::Close, reply(500, ""), reply(503, "<html>"), Act::Write(cut.into())] {
        let server = Server::start(vec![bad, good()]).await;
        assert_eq!(server.client().balance().await.unwrap().balance, "142.5000");
        assert_eq!(server.lines().len(), 2);
    }
}

// How many calls.

#[tokio::test]
async fn after_a_429_a_write_may_follow_as_it_was_not_carried_out() {
    let wait = bytes(429, "retry-after: 0\r\n", r#"{"detail": "Slow down."}"#);
    let server = Server::start(vec![wait, reply(200, "{}")]).await;
    let written =
        server.client().update_status(&id(SUBJECT), NewStatus::Approved, &comment()).await;
    assert_eq!(written.unwrap(), StatusWritten::Written);
    assert_eq!(server.lines().len(), 2);
}

#[tokio::test]
async fn a_429_longer_than_the_deadline_closes_the_line_for_all_clones() {
    let wait = bytes(429, "retry-after: 3000\r\n", r#"{"detail": "Slow down."}"#);
    let server = Server::start(vec![wait, reply(200, "{}")]).await;
    let client = server.client();
    let error = client.blocklist_add_face(&id(SUBJECT)).await.unwrap_err();
    let after = Duration::from_secs(3000);
    assert_eq!(outcome(&error), (ErrorKind::Limited { after }, CarriedOut::No));
    let error = client.clone().blocklist_add_face(&id(SUBJECT)).await.unwrap_err();
    assert!(matches!(error.kind, ErrorKind::Limited { after } if after.as_secs() > 2900));
    assert_eq!(error.carried_out, CarriedOut::No);
    assert_eq!(server.lines().len(), 1, "the second was not sent");
    // Reads are counted apart.
    assert_eq!(client.balance().await.unwrap_err().kind, ErrorKind::Protocol);
}

#[tokio::test]
async fn the_budget_is_shared_and_prefetching_leaves_some() {
    let good = || reply(200, r#"{"balance": "1"}"#);
    let server = Server::start((0..10).map(|_| good()).collect()).await;
    let settings = Settings { reads_per_minute: 10, ..server.settings() };
    let client = Client::new(settings).unwrap();
    let background = client.background();
    for _ in 0..9 {
        background.balance().await.unwrap();
    }
    let limited = |error: ApiError| matches!(error.kind, ErrorKind::Limited { .. });
    assert!(limited(background.balance().await.unwrap_err()));
    client.balance().await.unwrap();
    assert!(limited(client.clone().balance().await.unwrap_err()));
    assert_eq!(server.lines().len(), 10);
}

// Pages.

#[tokio::test]
async fn a_bad_row_is_set_aside_and_the_page_kept() {
    let row = json!({
        "session_id": SUBJECT, "session_number": "4821", "status": "Kyc\u{7} Expired",
        "created_at": "2026-01-21T00:00:00Z", "features": [{"feature": 7}],
    });
    let body = json!({ "count": "3", "next": null, "results": [
        null, row, {"session_id": "../x", "status": "Approved"}, {"session_id": OTHER}, "row",
    ]});
    let (_server, client) = Server::of(200, &body.to_string()).await;
    let page = client.sessions(&SessionQuery::default()).await.unwrap();
    assert_eq!(page.rows.len(), 1);
    assert_eq!(page.rows[0].session_number, Some(4821));
    assert_eq!(page.rows[0].status, Status::from("Kyc Expired"));
    assert_eq!(page.rows[0].created_at, Some(Millis(1_768_953_600_000)));
    assert_eq!(page.set_aside.iter().map(|s| s.place).collect::<Vec<_>>(), [0, 2, 3, 4]);
    assert_eq!((page.count, page.next), (Some(3), None));
}

#[tokio::test]
async fn the_next_page_is_followed_at_home_only() {
    let page = |next: &Value| json!({ "next": next, "results": [] }).to_string();
    let server = Server::start_with(|base| {
        let second = format!("{base}v3/sessions/?limit=50&offset=50");
        let first = format!("{base}v3/sessions/?limit=50&offset=0");
        vec![
            reply(200, &page(&json!(second))),
            reply(200, &page(&Value::Null)),
            reply(200, &page(&json!(first))),
        ]
    })
    .await;
    let client = server.client();
    let first = client.sessions(&SessionQuery::default()).await.unwrap();
    let next = first.next.unwrap();
    assert_eq!(format!("{next:?}"), "NextPage(…)");
    assert_eq!(client.next_sessions(&next).await.unwrap().next, None);
    assert_eq!(server.lines()[1], "GET /v3/sessions/?limit=50&offset=50");
    let circle = client.sessions(&SessionQuery::default()).await.unwrap_err();
    assert_eq!(circle.detail(), "a page names itself as the next");

    let stranger = Server::start(vec![]).await;
    assert_eq!(stranger.client().next_sessions(&next).await.unwrap_err().kind, ErrorKind::Protocol);
    assert_eq!(stranger.lines(), [""; 0]);

    let elsewhere = Server::start(vec![]).await;
    for next in [
        json!(format!("{}v3/sessions/?offset=50", elsewhere.base)),
        json!("https://evil.example/v3/sessions/?offset=50"),
        json!("/v3/sessions/?offset=50"),
        json!(7),
    ] {
        let (_server, client) = Server::of(200, &page(&next)).await;
        let error = client.sessions(&SessionQuery::default()).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Protocol, "{next}");
        if next.as_str().is_some_and(|n| n.contains("evil")) {
            assert!(error.to_string().contains("evil.example"), "{error}");
        }
    }
    assert_eq!(elsewhere.lines(), [""; 0]);
}

// Sessions.

#[tokio::test]
async fn writing_a_status_tells_written_from_already_so_from_impossible() {
    let same = r#"["The new status is the same as the current status."]"#;
    let wrong = r#"{"detail": "Only sessions with status Approved, Declined can be updated. Current status: In Progress"}"#;
    let session = json!({ "session_id": SUBJECT }).to_string();
    for (status, body, expected) in [
        (200, session.as_str(), Ok(StatusWritten::Written)),
        (400, same, Ok(StatusWritten::AlreadySo)),
        (400, wrong, Err(ErrorKind::WrongStatus)),
        (400, r#"["Something else."]"#, Err(ErrorKind::Validation)),
        (400, r#"{"new_status": ["The same."]}"#, Err(ErrorKind::Validation)),
        (404, r#"{"detail": "Not found."}"#, Err(ErrorKind::NotFound)),
    ] {
        let (_server, client) = Server::of(status, body).await;
        let written = client.update_status(&id(SUBJECT), NewStatus::Approved, &comment()).await;
        assert_eq!(written.map_err(|e| e.kind), expected, "{body}");
    }
}

#[tokio::test]
async fn a_decision_about_another_session_is_never_shown() {
    let mut other = a_decision();
    other["session_id"] = json!(OTHER);
    for body in [other, json!({ "status": "In Review" }), json!({ "session_id": SUBJECT })] {
        let (_server, client) = Server::of(200, &body.to_string()).await;
        let error = client.decision(&id(SUBJECT), SubjectKind::Workflow).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Protocol, "{body}");
    }
}

#[test]
fn a_decision_becomes_a_case_and_its_details() {
    let seen = details(&a_decision());
    assert_eq!(seen.case.name(), "#4821");
    assert_eq!(seen.case.status, Status::InReview);
    assert!(seen.case.is_flagged(&Bands::default()));
    assert_eq!((seen.case.set_aside, seen.auto_blocklist, seen.at), (0, None, Millis(5)));
    let candidate = &seen.case.candidates[0];
    assert_eq!(candidate.session_id, Some(id(OTHER)));
    assert_eq!(candidate.similarity.unwrap().to_string(), "81.4");
    assert_eq!((candidate.source.clone(), candidate.self_match), (Source::Session, false));
    let person = &seen.candidates[0].person;
    assert_eq!(person.name.as_deref(), Some("Ana[2J Perez"));
    assert_eq!(person.document_number.as_deref(), Some("***456"));
    assert_eq!(seen.candidates[0].verified_at, Some(Millis(1_768_900_500_000)));
    assert_eq!(seen.subject.link.as_ref().unwrap().reveal(), "https://media.example/subject.jpg");
    assert_eq!(seen.subject.person.name.as_deref(), Some("Eva Roth"));
    assert_eq!(seen.subject.person.document_number.as_deref(), Some("***321"));
    assert_eq!(seen.subject.person.country.as_deref(), Some("DEU"));
    assert_eq!(seen.warnings[0].risk, "POSSIBLE_DUPLICATED_FACE");
    let feed: Vec<_> =
        seen.reviews.iter().map(|r| (r.who.as_str(), r.comment.as_deref())).collect();
    assert_eq!(feed, [("max@example.com", Some("second")), ("API Client", Some("first"))]);
    let shown = format!("{seen:?}");
    assert!(
        ["Perez", "Roth", "456", "https"].iter().all(|secret| !shown.contains(secret)),
        "{shown}"
    );
}

#[test]
fn a_score_that_cannot_be_read_counts_as_unjudged() {
    for score in [json!(null), json!("81.4"), json!(181.4), json!(-1), json!([81.4]), json!({})] {
        let mut decision = a_decision();
        decision["liveness_checks"][0]["matches"][0]["similarity_percentage"] = score.clone();
        let seen = details(&decision);
        assert_eq!(seen.case.candidates[0].similarity, None, "{score}");
        assert!(seen.case.candidates[0].must_judge(&Bands::default()), "{score}");
    }
}

#[test]
fn the_same_customer_is_one_only_by_equal_bytes() {
    for (subject, candidate, same) in [
        (json!("user-9"), json!("user-9"), true),
        (json!("user-9"), json!("User-9"), false),
        (json!("user-9"), json!("user-9 "), false),
        (json!(""), json!(""), false),
        (json!(null), json!(null), false),
        (json!(9), json!("9"), false),
        (json!(9), json!(9), false),
    ] {
        let mut decision = a_decision();
        decision["vendor_data"] = subject.clone();
        decision["liveness_checks"][0]["matches"][0]["vendor_data"] = candidate.clone();
        assert_eq!(details(&decision).case.candidates[0].self_match, same, "{subject} {candidate}");
    }
}

#[test]
fn a_malformed_candidate_is_counted_and_the_others_kept() {
    let with = |field: &str, value: Value| {
        let mut item = a_match(THIRD, 75.0);
        item[field] = value;
        item
    };
    let bad = [
        json!(null),
        json!("match"),
        json!({}),
        with("session_id", json!("../../users")),
        with("session_id", json!(7)),
        with("is_blocklisted", json!("perhaps")),
        with("is_allowlisted", json!(1)),
    ];
    for item in bad {
        let mut decision = a_decision();
        decision["liveness_checks"][0]["matches"] = json!([item, a_match(OTHER, 81.4)]);
        let seen = details(&decision);
        assert_eq!((seen.case.candidates.len(), seen.case.set_aside), (1, 1), "{item}");
        assert_eq!(seen.candidates.len(), 1);
    }
    let mut decision = a_decision();
    decision["liveness_checks"] = json!("gone");
    assert_eq!(details(&decision).case.set_aside, 1, "what cannot be read may have held matches");
}

#[test]
fn only_web_addresses_are_links() {
    for (text, kept) in [
        (json!("https://media.example/a.jpg"), true),
        (json!("http://127.0.0.1:9/a.jpg"), true),
        (json!("faces/2026/abc.jpg"), false),
        (json!("file:///etc/passwd"), false),
        (json!("data:image/png;base64,AA"), false),
        (json!("https://"), false),
        (json!(null), false),
        (json!(7), false),
    ] {
        let mut decision = a_decision();
        decision["liveness_checks"][0]["matches"][0]["match_image_url"] = text.clone();
        assert_eq!(details(&decision).candidates[0].link.is_some(), kept, "{text}");
    }
}

#[test]
fn each_match_keeps_the_picture_it_was_found_for() {
    let block =
        |picture: Value, matches: Value| json!({ "reference_image": picture, "matches": matches });
    let shown = |blocks: Value| {
        let mut decision = a_decision();
        decision["liveness_checks"] = blocks;
        let seen = details(&decision);
        let link = seen.subject.link.as_ref().map(|l| l.reveal().to_owned());
        let scores = seen
            .case
            .candidates
            .iter()
            .map(|c| {
                let picture = seen.subject_link(c.block).map(|l| l.reveal().to_owned());
                (c.similarity.map(|s| s.percent()), picture)
            })
            .collect::<Vec<_>>();
        (link.unwrap_or_default(), scores, seen.case.set_aside)
    };
    let found = |score: f64, picture: &str| (Some(score), Some(picture.to_owned()));
    let portrait = "https://media.example/portrait.jpg";
    let (a, b) = ("https://media.example/a", "https://media.example/b");
    let of = |link: &str| link.to_owned();
    assert_eq!(
        shown(json!([block(json!(a), json!([])), block(json!(b), json!([a_match(OTHER, 80.0)]))])),
        (of(b), vec![found(80.0, b)], 0)
    );
    assert_eq!(
        shown(json!([block(json!(null), json!([a_match(OTHER, 80.0)]))])),
        (of(portrait), vec![found(80.0, portrait)], 0)
    );
    // A face found for another picture is judged against that one, the same face too.
    let second = block(json!(b), json!([a_match(OTHER, 85.0), a_match(THIRD, 75.0)]));
    assert_eq!(
        shown(json!([block(json!(a), json!([a_match(OTHER, 80.0)])), second])),
        (of(a), vec![found(80.0, a), found(85.0, b), found(75.0, b)], 0)
    );
    // What flags the case may stand in the third check.
    let third = json!([
        block(json!(a), json!([a_match(OTHER, 91.5)])),
        block(json!(b), json!([])),
        block(json!("https://media.example/c"), json!([a_match(THIRD, 77.7)])),
    ]);
    let wanted = vec![found(91.5, a), found(77.7, "https://media.example/c")];
    assert_eq!(shown(third), (of(a), wanted, 0));
    assert_eq!(shown(json!(null)), (of(portrait), vec![], 0));
}

#[test]
fn faces_turns_and_warnings_of_the_picture() {
    let with = |image: Value, warnings: Value| {
        let mut decision = a_decision();
        decision["liveness_checks"][0]["user_image"] = image;
        decision["liveness_checks"][0]["warnings"] = warnings;
        details(&decision)
    };
    let entity = |b: Value| json!({ "bbox": b, "age": "31", "gender": null });
    let seen = with(
        json!({ "best_angle": -90, "entities": [
            entity(json!([0, 0, 10, 10])), entity(json!([9, 9, 1, 1])), entity(json!([0, 0, 40.5, 40])),
        ]}),
        json!([]),
    );
    assert_eq!(seen.subject.turn, 270);
    assert_eq!(seen.subject.faces.iter().map(|f| f.x_max).collect::<Vec<_>>(), [40.5, 10.0]);
    assert!(seen.several_faces);
    let several = json!([{"risk": "MULTIPLE_FACES_DETECTED", "additional_data": null}, 7]);
    assert!(with(json!(null), several).several_faces);
    let one =
        with(json!({ "best_angle": null, "entities": [entity(json!([0, 0, 1, 1]))] }), json!(null));
    assert_eq!((one.subject.turn, one.several_faces), (0, false));
    for angle in [json!(45), json!("90"), json!(1e300)] {
        assert_eq!(with(json!({ "best_angle": angle }), json!([])).subject.turn, 0, "{angle}");
    }
}

#[test]
fn a_webhook_payload_is_read_like_a_decision() {
    let payload = json!({ "event_id": "e", "session_id": SUBJECT, "decision": a_decision() });
    assert_eq!(details(&payload), details(&a_decision()));
    let mut older = a_decision();
    older["liveness"] = older["liveness_checks"][0].take();
    older["liveness_checks"] = json!(null);
    assert_eq!(details(&older).case.candidates.len(), 1);
}

#[tokio::test]
async fn reviews_come_in_both_shapes_newest_first() {
    let row = |comment: &str, at: &str| {
        json!({ "actor_display": "API Client", "actor_email": null, "activity_type": "COMMENT",
            "comment": comment, "new_status": "Approved", "created_at": at })
    };
    let viewed = json!({ "comment": "seen", "metadata": {"system_event": "DETAIL_VIEWED"} });
    let server = Server::start_with(|base| {
        let next = format!("{base}v3/sessions/{SUBJECT}/reviews/?limit=100&offset=100");
        let first =
            json!({ "next": next, "results": [viewed, row("late", "2026-01-21T02:00:00Z"), 7] });
        let second = json!({ "next": null, "results": [row("early", "2026-01-21T01:00:00Z")] });
        vec![reply(200, &first.to_string()), reply(200, &second.to_string())]
    })
    .await;
    let feed = server.client().reviews(&id(SUBJECT)).await.unwrap();
    let comments: Vec<_> = feed.iter().map(|r| r.comment.as_deref().unwrap()).collect();
    assert_eq!(comments, ["late", "early"]);
    assert_eq!(
        (feed[0].who.as_str(), &feed[0].new_status),
        ("API Client", &Some(Status::Approved))
    );

    let older = json!([
        {"id": 1, "action": "a", "old_status": "In Review", "new_status": "Approved", "note": "early", "created_at": "2026-01-21T01:00:00Z"},
        {"id": 2, "action": "a", "new_status": "Declined", "note": "late", "created_at": "2026-01-21T02:00:00Z"},
    ]);
    let (_server, client) = Server::of(200, &older.to_string()).await;
    let feed = client.reviews(&id(SUBJECT)).await.unwrap();
    let comments: Vec<_> = feed.iter().map(|r| r.comment.as_deref().unwrap()).collect();
    assert_eq!((comments, feed[0].who.as_str()), (vec!["late", "early"], "Unknown"));
}

#[tokio::test]
async fn our_mark_survives_the_way_to_didit_and_back() {
    let note = comment();
    let feed = json!({ "next": null, "results": [{ "comment": note.as_str() }] });
    let (_server, client) = Server::of(200, &feed.to_string()).await;
    let feed = client.reviews(&id(SUBJECT)).await.unwrap();
    assert_eq!(feed[0].comment.as_deref(), Some(note.as_str()));
}

// Lists and balance.

#[tokio::test]
async fn lists_and_their_entries_are_read() {
    let list = Uuid::from_u128(1).to_string();
    let lists = json!({ "count": 2, "results": [
        {"uuid": list, "name": "Faces", "list_type": "blocklist", "is_system": true, "entry_count": 3},
        {"uuid": "none"},
    ]});
    let entries = json!({ "count": 1, "results": [{
        "uuid": list, "display_label": "decision:1", "comment": "c", "reference_session_id": OTHER,
        "reference_session_number": 7, "created_at": "2026-01-20T09:15:00Z", "metadata": {"full_name": "Ana"},
    }]});
    let blocked = json!({ "count": 1, "results": [
        {"type": "face", "session_id": OTHER, "session_number": 7, "face_image": "https://media.example/x"},
        {"type": "face"},
    ]});
    let script = [lists, entries, blocked].map(|body| reply(200, &body.to_string()));
    let server = Server::start(script.into()).await;
    let client = server.client();
    let page = client.lists(ListType::Blocklist, EntryType::Face).await.unwrap();
    assert_eq!((page.rows.len(), page.set_aside.len(), page.rows[0].is_system), (1, 1, true));
    let entries = client.list_entries(page.rows[0].id, None, 0).await.unwrap();
    assert_eq!(entries.rows[0].label.as_deref(), Some("decision:1"));
    assert_eq!(entries.rows[0].session_id, Some(id(OTHER)));
    let blocked = client.blocklist(0, 20).await.unwrap();
    assert_eq!((blocked.rows.len(), blocked.set_aside.len()), (1, 1));
    assert_eq!(blocked.rows[0].session_number, Some(7));
}

#[tokio::test]
async fn amounts_keep_their_digits() {
    for (body, balance, refill) in [
        (r#"{"balance": "142.5000", "auto_refill_amount": "500.00"}"#, "142.5000", Some("500.00")),
        (r#"{"balance": 142.5000, "auto_refill_amount": null}"#, "142.5000", None),
        (r#"{"balance": "-0.10", "auto_refill_amount": "a lot"}"#, "-0.10", None),
    ] {
        let (_server, client) = Server::of(200, body).await;
        let read = client.balance().await.unwrap();
        assert_eq!((read.balance.as_str(), read.refill_amount.as_deref()), (balance, refill));
    }
}

// Face search.

fn a_search() -> Value {
    json!({
        "request_id": SUBJECT,
        "face_search": {
            "status": "Approved", "total_matches": 3, "matches": [a_match(OTHER, 81.4)],
            "user_image": {"entities": [{"bbox": [40, 40, 120, 120], "confidence": 0.73}], "best_angle": 0},
            "warnings": [{"risk": "POSSIBLE_DUPLICATED_FACE", "additional_data": {"duplicated_session_id": OTHER}}],
        },
        "vendor_data": "user-9", "metadata": null, "created_at": "2026-06-12T01:04:42.763237+00:00",
    })
}

#[tokio::test]
async fn a_search_sends_the_picture_and_never_its_name() {
    let (server, client) = Server::of(200, &a_search().to_string()).await;
    let reply = client.face_search(&photograph()).await.unwrap();
    assert_eq!(reply.details.case.kind, SubjectKind::SavedSearch);
    assert_eq!(server.lines(), ["POST /v3/face-search/"]);
    let body = String::from_utf8(server.seen()[0].body.clone()).unwrap();
    for (field, value) in [
        ("search_type", "blocklisted_or_approved"),
        ("rotate_image", "true"),
        ("save_api_request", "true"),
        ("vendor_data", "user-123"),
        ("metadata", r#"{"desk":7}"#),
    ] {
        assert!(
            body.contains(&format!("name=\"{field}\"\r\n\r\n{value}\r\n")),
            "{field} in {body}"
        );
    }
    assert!(
        body.contains("name=\"user_image\"; filename=\"image.jpg\"\r\nContent-Type: image/jpeg")
    );
    assert!(body.contains("\r\n\r\npicture\r\n"));
    assert!(!body.to_lowercase().contains("perez"));
    assert!(!format!("{:?}", photograph()).contains("Perez"));
}

#[tokio::test]
async fn a_file_that_didit_would_refuse_is_not_sent() {
    let server = Server::start(vec![]).await;
    let client = server.client();
    for request in [
        FaceSearchRequest { bytes: Vec::new(), ..photograph() },
        FaceSearchRequest { bytes: vec![0; (5 << 20) + 1], ..photograph() },
        FaceSearchRequest { file_name: "face.pdf".into(), ..photograph() },
        FaceSearchRequest { file_name: "jpg".into(), ..photograph() },
    ] {
        let error = client.face_search(&request).await.unwrap_err();
        assert_eq!(outcome(&error), (ErrorKind::Validation, CarriedOut::No));
    }
    assert_eq!(server.lines(), [""; 0]);
}

#[tokio::test]
async fn a_search_that_was_paid_for_is_said_to_be_so() {
    let (_server, client) = Server::of(200, r#"{"request_id": 7}"#).await;
    let error = client.face_search(&photograph()).await.unwrap_err();
    assert_eq!(outcome(&error), (ErrorKind::Protocol, CarriedOut::Yes));
    let (_server, client) = Server::of(400, r#"{"error": "No face detected in the image"}"#).await;
    let error = client.face_search(&photograph()).await.unwrap_err();
    assert_eq!(outcome(&error), (ErrorKind::Validation, CarriedOut::No));
    assert_eq!(error.detail(), "No face detected in the image");
    let (_server, client) = Server::of(200, &a_search().to_string()).await;
    let unsaved = FaceSearchRequest { save: false, ..photograph() };
    let reply = client.face_search(&unsaved).await.unwrap();
    assert_eq!(reply.details.case.kind, SubjectKind::Unreachable);
}

#[test]
fn a_reply_is_read_in_todays_shape_and_the_older_one() {
    let today = parse_face_search(&a_search().to_string(), Millis(5)).unwrap();
    let case = &today.details.case;
    assert_eq!((case.key.clone(), case.total_matches), (id(SUBJECT), Some(3)));
    assert!(case.candidates[0].self_match, "both are user-9");
    assert_eq!(case.created_at, Some(Millis(1_781_226_282_763)));
    assert_eq!((today.details.subject.faces.len(), today.no_face), (1, false));

    let older = json!({ "request_id": SUBJECT, "face_search": {
        "status": "In Review",
        "matches": [{
            "session_id": OTHER, "similarity_percentage": 72, "user_details": {"name": "Ana Perez",
            "document_type": "ID", "document_number": "***456"}, "match_image_url": "faces/abc.jpg",
            "is_blocklisted": true,
        }],
        "user_image": {"entities": [{"age": "27.6", "gender": "male", "bbox": [1, 2, 3, 4], "confidence": 0.7}], "best_angle": 90},
        "warnings": [{"risk": "NO_FACE_DETECTED", "additional_data": "text", "log_type": "error"}],
    }});
    let older = parse_face_search(&older.to_string(), Millis(5)).unwrap();
    let case = &older.details.case;
    assert_eq!(case.status, Status::InReview);
    assert_eq!(
        case.kind,
        SubjectKind::Unreachable,
        "a storage path is shown for unsaved searches only"
    );
    assert_eq!(
        (case.candidates[0].source.clone(), case.candidates[0].blocklisted),
        (Source::Session, true)
    );
    let person = &older.details.candidates[0].person;
    assert_eq!(
        (person.name.as_deref(), person.document_number.as_deref()),
        (Some("Ana Perez"), Some("***456"))
    );
    assert_eq!((older.details.subject.turn, older.no_face), (90, true));

    for text in ["", "{}", "[]", r#"{"request_id": "a/b", "face_search": {"status": "x"}}"#] {
        assert_eq!(parse_face_search(text, Millis(5)).unwrap_err().kind, ErrorKind::Protocol);
    }
}

// Anything at all.

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(json!(OTHER)),
        Just(json!("https://media.example/a.jpg")),
        Just(json!("2026-01-20T09:15:00Z")),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map("[a-z_]{1,12}", inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// A well-formed object with some of its fields replaced by anything.
fn spoilt(good: Value) -> impl Strategy<Value = Value> {
    let fields: Vec<String> = good.as_object().unwrap().keys().cloned().collect();
    let change = prop::option::weighted(0.2, any_json());
    prop::collection::vec(change, fields.len()).prop_map(move |changes| {
        let mut item = good.clone();
        for (field, value) in fields.iter().zip(changes) {
            if let Some(value) = value {
                item[field] = value;
            }
        }
        item
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_match_can_spoil_its_neighbours(matches in prop::collection::vec(
        prop_oneof![any_json(), spoilt(a_match(OTHER, 81.4))], 0..5,
    )) {
        let mut decision = a_decision();
        decision["liveness_checks"][0]["matches"] = json!(matches);
        let seen = details(&decision);
        prop_assert_eq!(seen.case.candidates.len(), seen.candidates.len());
        prop_assert_eq!(seen.case.candidates.len() + seen.case.set_aside as usize, matches.len());
        let mut search = a_search();
        search["face_search"]["matches"] = json!(matches);
        let reply = parse_face_search(&search.to_string(), Millis(0)).unwrap();
        prop_assert_eq!(&reply.details.case.candidates.len(), &seen.case.candidates.len());
    }

    #[test]
    fn no_field_of_a_decision_can_break_the_reader(decision in spoilt(a_decision())) {
        let read = parse_decision(&decision.to_string(), SubjectKind::Workflow, Millis(0));
        let readable = decision["status"].is_string()
            && decision["session_id"].as_str().is_some_and(|s| SessionId::parse(s).is_ok());
        prop_assert_eq!(read.is_ok(), readable);
    }

    #[test]
    fn any_json_and_any_text_is_read_or_refused(value in any_json(), text in any::<String>()) {
        for text in [value.to_string(), text] {
            let _ = parse_decision(&text, SubjectKind::Workflow, Millis(0));
            let _ = parse_face_search(&text, Millis(0));
        }
    }
}
