//! Didit's events: what is believed, what is refused, what becomes a case, and how it ends.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};

use hmac::{Hmac, KeyInit, Mac};
use secondlook::domain::{CaseState, QueueQuery, Start};
use secondlook::intake::{Inbox, Settings, Taken};
use secondlook::sim::{Candidate, Options, Route, Session, session_id};
use secondlook::webhook::{Answer, Headers, Limits, Notice, Receiver, Refusal, work};
use serde_json::{Value, json};
use sha2::Sha256;
use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::ingest::Shell;
use crate::stage::{Backend, START, Stage, key_of, world};

const SECRET: &str = "whsec-of-a-test-0123456789";

fn sign(message: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(message);
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An event about a session in review with one candidate of 81.5 %.
fn event(session: Uuid, at: i64, status: &str) -> Value {
    json!({
        "event_id": format!("event-{session}-{at}"), "webhook_type": "status.updated",
        "timestamp": at, "session_id": session, "status": status, "workflow_id": "w-1",
        "decision": {
            "session_id": session, "session_number": 7, "status": status, "workflow_id": "w-1",
            "liveness_checks": [{
                "matches": [{ "session_id": session_id(7), "similarity_percentage": 81.5 }],
                "warnings": [{ "risk": "POSSIBLE_DUPLICATED_FACE" }],
            }],
        },
    })
}

/// A request as Didit sends it, signed in one of the ways.
struct Sent {
    body: String,
    timestamp: String,
    v2: Option<String>,
    raw: Option<String>,
    simple: Option<String>,
}

impl Sent {
    fn new(event: &Value, way: usize) -> Self {
        // Blanks and a fraction that the canonical form does not have.
        let canonical = event.to_string();
        let body = format!("{} ", canonical.replacen(":", ": ", 1));
        let timestamp = event["timestamp"].to_string();
        let word = |name: &str| event[name].as_str().unwrap().to_owned();
        let simple = format!(
            "{timestamp}:{}:{}:{}",
            word("session_id"),
            word("status"),
            word("webhook_type")
        );
        Self {
            v2: match way {
                0 => Some(sign(canonical.as_bytes())),
                1 => Some(sign(format!("{timestamp}:{canonical}").as_bytes())),
                _ => None,
            },
            raw: (way == 2).then(|| sign(body.as_bytes())),
            simple: (way == 3).then(|| sign(simple.as_bytes())),
            body,
            timestamp,
        }
    }

    fn to(&self, receiver: &Receiver) -> Answer {
        let headers = Headers {
            v2: self.v2.as_deref(),
            raw: self.raw.as_deref(),
            simple: self.simple.as_deref(),
            timestamp: Some(&self.timestamp),
        };
        receiver.receive(&headers, self.body.as_bytes())
    }

    /// The same under signatures that are not its own.
    fn forged(mut self) -> Self {
        for signature in [&mut self.v2, &mut self.raw, &mut self.simple] {
            if signature.is_some() {
                *signature = Some(sign(b"something else"));
            }
        }
        self
    }
}

fn receiver(stage: &Stage, limits: Limits) -> (Receiver, secondlook::webhook::Waiting) {
    Receiver::new(SECRET.to_owned().into(), stage.clock.clone(), limits)
}

fn inbox(stage: &Stage) -> Inbox {
    let (store, clock) = (Arc::clone(&stage.store), stage.clock.clone());
    Inbox::new(store, &stage.client, clock, stage.origin.clone(), Settings::default())
}

/// Works on what has been sent, to the end; everything it told.
async fn worked(
    stage: &Stage,
    receiver: Receiver,
    waiting: secondlook::webhook::Waiting,
) -> Vec<Notice> {
    drop(receiver);
    let told = Mutex::new(Vec::new());
    let report = |notice| told.lock().unwrap().push(notice);
    work(waiting, &inbox(stage), &report, &CancellationToken::new()).await;
    told.into_inner().unwrap()
}

async fn open_cases(stage: &Stage) -> BTreeSet<String> {
    let states = vec![CaseState::Open];
    let query = QueueQuery { states, filter: String::new(), from: Start::Front, limit: 100_000 };
    let page = stage.store.queue(&stage.origin, &query, stage.now()).await.unwrap();
    page.rows.iter().map(|row| row.case.key.to_string()).collect()
}

#[tokio::test]
async fn of_ten_thousand_exactly_the_good_distinct_ones_become_cases() {
    let stage = Stage::new(Backend::Memory, world()).await;
    let second = START / 1000;
    let (mut all, mut wanted) = (Vec::new(), BTreeSet::new());
    let (mut forged, mut untimely, mut repeated) = (0, 0, 0);
    for n in 0..10_000_u64 {
        let session = session_id(10_000 + n);
        let way = usize::try_from(n % 3).unwrap();
        match n % 20 {
            3 | 13 => {
                forged += 1;
                all.push(Sent::new(&event(session, second, "In Review"), way).forged());
            }
            7 => {
                untimely += 1;
                let late = if n % 40 == 7 { -301 } else { 301 };
                all.push(Sent::new(&event(session, second + late, "In Review"), way));
            }
            5 => {
                // The same event once more, signed in another way.
                repeated += 1;
                let again = session_id(10_000 + n - 1);
                all.push(Sent::new(&event(again, second, "In Review"), (way + 1) % 3));
            }
            _ => {
                wanted.insert(session.to_string());
                all.push(Sent::new(&event(session, second, "In Review"), way));
            }
        }
    }
    // So little room that much has to be sent again.
    let limits = Limits { waiting: 16, ..Limits::default() };
    let (receiver, waiting) = receiver(&stage, limits);
    let (inbox, hurry) = (inbox(&stage), CancellationToken::new());
    let queued = Mutex::new(0);
    let report = |notice| match notice {
        Notice::Taken { taken: Taken::Queued, .. } => *queued.lock().unwrap() += 1,
        other => panic!("{other:?}"),
    };
    let send = async {
        let mut answers = std::collections::BTreeMap::<String, u64>::new();
        for sent in &all {
            loop {
                let answer = sent.to(&receiver);
                *answers.entry(format!("{answer:?}")).or_default() += 1;
                if answer != Answer::Full {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        drop(receiver);
        answers
    };
    let (answers, ()) = tokio::join!(send, work(waiting, &inbox, &report, &hurry));
    let count = |answer: Answer| answers.get(&format!("{answer:?}")).copied().unwrap_or(0);
    assert_eq!(count(Answer::Accepted), wanted.len() as u64);
    assert_eq!(count(Answer::Repeated), repeated);
    assert_eq!(count(Answer::Refused(Refusal::Forged)), forged);
    assert_eq!(count(Answer::Refused(Refusal::Untimely)), untimely);
    assert!(count(Answer::Full) > 0, "there was no lack of room");
    assert_eq!(*queued.lock().unwrap(), wanted.len());
    assert_eq!(open_cases(&stage).await, wanted);
}

#[tokio::test]
async fn an_older_event_undoes_no_newer_one() {
    let stage = Stage::new(Backend::Sqlite, world()).await;
    let (session, second) = (session_id(1_001), START / 1000);
    let (receiver, waiting) = receiver(&stage, Limits::default());
    for (at, status) in [(0, "In Review"), (20, "Approved"), (10, "In Review")] {
        let sent = Sent::new(&event(session, second + at, status), 0);
        assert_eq!(sent.to(&receiver), Answer::Accepted);
    }
    let told = worked(&stage, receiver, waiting).await;
    let key = key_of(session);
    let taken = |taken| Notice::Taken { session: Some(key.clone()), taken };
    assert_eq!(
        told,
        [taken(Taken::Queued), taken(Taken::Departed), Notice::Overtaken(key.clone())]
    );
    let row = stage.store.case(&stage.origin, &key, stage.now()).await.unwrap().unwrap();
    assert_eq!((row.state, row.note.as_deref()), (CaseState::Departed, Some("Approved at Didit")));
}

#[tokio::test]
async fn what_the_signature_does_not_cover_is_read_at_didit() {
    let mut people = world();
    let session = people.add(Session::in_review(1_001).with(Candidate::session(7, 77.0)));
    let stage = Stage::new(Backend::Memory, people).await;
    let (receiver, waiting) = receiver(&stage, Limits::default());
    // The signature over four fields: the 81.5 % in the body is nobody's word.
    assert_eq!(
        Sent::new(&event(session, START / 1000, "In Review"), 3).to(&receiver),
        Answer::Accepted
    );
    // An event without a decision.
    let mut bare = event(session_id(9_999), START / 1000, "In Review");
    bare["decision"] = Value::Null;
    assert_eq!(Sent::new(&bare, 0).to(&receiver), Answer::Accepted);
    // One about something else, and one in review that nobody reads.
    let mut other = event(session, START / 1000, "ACTIVE");
    other["webhook_type"] = json!("user.status.updated");
    other["session_kind"] = json!("business");
    other["event_id"] = json!("another");
    assert_eq!(Sent::new(&other, 0).to(&receiver), Answer::Accepted);
    let told = worked(&stage, receiver, waiting).await;
    assert!(matches!(told[0], Notice::Taken { taken: Taken::Queued, .. }), "{told:?}");
    assert!(matches!(told[1], Notice::GivenUp(_)), "{told:?}");
    assert!(matches!(told[2], Notice::Taken { taken: Taken::Nothing, .. }), "{told:?}");
    assert_eq!(stage.count(Route::Decision), 2);
    let row =
        stage.store.case(&stage.origin, &key_of(session), stage.now()).await.unwrap().unwrap();
    assert_eq!(row.case.candidates[0].similarity.unwrap().percent(), 77.0);
}

#[tokio::test]
async fn room_is_counted_in_bytes_and_what_found_none_may_come_again() {
    let stage = Stage::new(Backend::Memory, world()).await;
    let (receiver, mut waiting) = receiver(&stage, Limits { waiting_kib: 2, ..Limits::default() });
    let sent: Vec<Sent> =
        (1..=3).map(|n| Sent::new(&event(session_id(n), START / 1000, "In Review"), 0)).collect();
    let answers: Vec<Answer> = sent.iter().map(|sent| sent.to(&receiver)).collect();
    assert_eq!(answers, [Answer::Accepted, Answer::Accepted, Answer::Full]);
    // Room is made by working: the two become cases, then the third has its place.
    let (inbox, hurry) = (inbox(&stage), CancellationToken::new());
    let done = tokio::sync::Notify::new();
    let report = |_| done.notify_one();
    let working =
        work(std::mem::replace(&mut waiting, receiver_of_nothing()), &inbox, &report, &hurry);
    let again = async {
        done.notified().await;
        while sent[2].to(&receiver) == Answer::Full {
            tokio::task::yield_now().await;
        }
        assert_eq!(sent[0].to(&receiver), Answer::Repeated);
        drop(receiver);
    };
    tokio::join!(working, again);
    assert_eq!(open_cases(&stage).await.len(), 3);
}

/// A queue that has ended.
fn receiver_of_nothing() -> secondlook::webhook::Waiting {
    let clock = crate::stage::HandClock::at(START);
    Receiver::new(SECRET.to_owned().into(), clock, Limits::default()).1
}

/// Posts an event as Didit does; the status of the answer.
async fn post(url: &str, sent: &Sent) -> u16 {
    post_by(&reqwest::Client::new(), url, sent).await
}

async fn post_by(client: &reqwest::Client, url: &str, sent: &Sent) -> u16 {
    let mut request =
        client.post(url).header("x-timestamp", &sent.timestamp).body(sent.body.clone());
    for (name, value) in [
        ("x-signature-v2", &sent.v2),
        ("x-signature", &sent.raw),
        ("x-signature-simple", &sent.simple),
    ] {
        if let Some(value) = value {
            request = request.header(name, value);
        }
    }
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn the_listener_answers_works_and_stops_in_good_order() {
    let shell = Shell::new(world(), Options::default()).await;
    let mut command = shell.command(&["--json", "webhook", "serve", "--listen", "127.0.0.1:0"]);
    let mut child = command.env("DIDIT_WEBHOOK_SECRET", SECRET).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut first = String::new();
    said.read_line(&mut first).unwrap();
    let url =
        first.trim().trim_start_matches("listening on ").split(';').next().unwrap().to_owned();
    assert!(url.starts_with("http://127.0.0.1:"), "{first}");
    let now = jiff::Timestamp::now().as_second();
    let good = Sent::new(&event(session_id(1_001), now, "In Review"), 0);
    let health = reqwest::get(format!("{url}/health")).await.unwrap().status().as_u16();
    assert_eq!(health, 200);
    assert_eq!(reqwest::get(&url).await.unwrap().status().as_u16(), 405);
    assert_eq!(post(&url, &good).await, 200);
    assert_eq!(post(&format!("{url}/any/path"), &good).await, 200);
    let mut wrong = event(session_id(1_002), now, "In Review");
    assert_eq!(post(&url, &Sent::new(&wrong, 1).forged()).await, 401);
    wrong["timestamp"] = json!(now - 900);
    assert_eq!(post(&url, &Sent::new(&wrong, 2)).await, 401);
    let mut huge = Sent::new(&wrong, 2);
    huge.body = " ".repeat((1 << 20) + 1);
    assert_eq!(post(&url, &huge).await, 413);
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let output =
        tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
    assert_eq!(output.status.code(), Some(0));
    let rows = String::from_utf8(output.stdout).unwrap();
    let row: Value = serde_json::from_str(rows.trim()).unwrap();
    assert_eq!(row, json!({ "session_id": session_id(1_001), "result": "queued" }));
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("refused: its signature is wrong"), "{rest}");
    assert!(!format!("{first}{rest}{rows}").contains(SECRET));
    let (_, queue, _) = shell.json(&["queue", "list"], b"").await;
    assert_eq!(queue.len(), 1);
}

/// The listener of the real program, started, and where it listens.
struct Listening {
    shell: Shell,
    child: std::process::Child,
    url: String,
    said: BufReader<std::process::ChildStderr>,
}

impl Listening {
    async fn new(store: &str) -> Self {
        let shell = Shell::new(world(), Options::default()).await;
        let store = format!("sqlite:{}", shell.path(store).display());
        let args = ["--json", "--store", &store, "webhook", "serve", "--listen", "127.0.0.1:0"];
        let mut command = shell.command(&args);
        let mut child = command.env("DIDIT_WEBHOOK_SECRET", SECRET).spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut first = String::new();
        said.read_line(&mut first).unwrap();
        let url = first.trim().trim_start_matches("listening on ");
        let url = url.split(';').next().unwrap().to_owned();
        Self { shell, child, url, said }
    }
}

/// So many events over HTTP, many at once, at full speed: a tenth forged, a twentieth at the wrong time, a
/// twentieth sent twice. A while the store is locked by somebody else.
async fn at_full_speed(count: u64) {
    let mut listening = Listening::new("store.db").await;
    let now = jiff::Timestamp::now().as_second();
    let (mut wanted, mut sent) = (BTreeSet::new(), Vec::new());
    for n in 0..count {
        let session = session_id(10_000 + n);
        let way = usize::try_from(n % 3).unwrap();
        let good = Sent::new(&event(session, now, "In Review"), way);
        match n % 20 {
            3 | 13 => sent.push((good.forged(), 401)),
            7 => sent.push((Sent::new(&event(session, now - 900, "In Review"), way), 401)),
            5 => {
                // One of before once more, signed in another way.
                let again = event(session_id(10_000 + n - 1), now, "In Review");
                sent.push((Sent::new(&again, (way + 1) % 3), 200));
            }
            _ => {
                wanted.insert(session.to_string());
                sent.push((good, 200));
            }
        }
    }
    // Standard output is read away by a thread of its own, or the pipe would fill.
    let (out, told) = (listening.child.stdout.take().unwrap(), Arc::new(Mutex::new(Vec::new())));
    let lines = Arc::clone(&told);
    let reading = std::thread::spawn(move || {
        for line in BufReader::new(out).lines() {
            lines.lock().unwrap().push(line.unwrap());
        }
    });
    let refusals = listening.said;
    let (tell, heard) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let (mut refusals, mut rest) = (refusals, String::new());
        let _ = tell.send(refusals.read_to_string(&mut rest).map(|_| rest));
    });
    let path = listening.shell.path("store.db");
    let mut lock = SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut lock).await.unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::new();
    let mut posts = tokio::task::JoinSet::new();
    let mut answered = 0;
    let half = sent.len() / 2;
    for (number, (sent, status)) in sent.into_iter().enumerate() {
        if number == half.min(500) {
            // Everything so far was answered while nothing could be stored.
            while let Some(ended) = posts.join_next().await {
                ended.unwrap();
                answered += 1;
            }
            sqlx::raw_sql("ROLLBACK").execute(&mut lock).await.unwrap();
        }
        while posts.len() >= 16 {
            posts.join_next().await.unwrap().unwrap();
            answered += 1;
        }
        let (client, url) = (client.clone(), listening.url.clone());
        posts.spawn(async move {
            // As Didit does: what found no room is sent again.
            let mut got = post_by(&client, &url, &sent).await;
            while got == 503 {
                tokio::task::yield_now().await;
                got = post_by(&client, &url, &sent).await;
            }
            assert_eq!(got, status);
        });
    }
    while let Some(ended) = posts.join_next().await {
        ended.unwrap();
        answered += 1;
    }
    assert_eq!(answered, count);
    lock.close().await.unwrap();
    let pid = rustix::process::Pid::from_child(&listening.child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let code = tokio::task::spawn_blocking(move || {
        reading.join().unwrap();
        listening.child.wait().unwrap().code()
    });
    assert_eq!(code.await.unwrap(), Some(0));
    let told = std::mem::take(&mut *told.lock().unwrap());
    let rows = told.iter().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut queued = BTreeSet::new();
    for row in rows {
        assert_eq!(row["result"], "queued", "{row}");
        assert!(queued.insert(row["session_id"].as_str().unwrap().to_owned()), "{row}");
    }
    assert_eq!(queued.len(), wanted.len(), "{:?}", heard.recv().unwrap().unwrap());
    assert_eq!(queued, wanted);
    let store = format!("sqlite:{}", path.display());
    let (_, rows, _) = listening.shell.json(&["--store", &store, "queue", "list"], b"").await;
    let cases: BTreeSet<String> =
        rows.iter().map(|row| row["case"].as_str().unwrap().to_owned()).collect();
    assert_eq!(cases, wanted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_full_speed_over_http_exactly_the_good_distinct_ones_become_cases() {
    at_full_speed(600).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "ten thousand events take a minute in a debug build"]
async fn of_ten_thousand_over_http_exactly_the_good_distinct_ones_become_cases() {
    at_full_speed(10_000).await;
}

#[tokio::test]
async fn without_a_secret_nothing_is_served() {
    let shell = Shell::new(world(), Options::default()).await;
    let args = ["webhook", "serve", "--listen", "127.0.0.1:0"];
    let output = shell.run(&args, b"").await;
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("there is no webhook secret"), "{said}");
    let open = shell.path("open");
    std::fs::write(&open, SECRET).unwrap();
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o644)).unwrap();
    let args = [&args[..], &["--secret-file", open.to_str().unwrap()]].concat();
    let output = shell.run(&args, b"").await;
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("chmod 600") && !said.contains(SECRET), "{said}");
}

#[tokio::test]
async fn the_destination_is_made_once_then_changed_and_its_secret_kept() {
    let shell = Shell::new(world(), Options::default()).await;
    let (exit, rows, said) = shell.json(&["webhook", "config"], b"").await;
    assert_eq!((exit, rows.len()), (0, 0), "{said}");
    let file = shell.path("hook");
    let url = "https://hooks.example.com/didit";
    let args = ["webhook", "config", url, "--secret-file", file.to_str().unwrap()];
    for (extra, enabled) in [(None, true), (Some("--disable"), false), (None, true)] {
        let args: Vec<&str> = args.into_iter().chain(extra).collect();
        let (exit, rows, said) = shell.json(&args, b"").await;
        assert_eq!((exit, &rows[0]["enabled"]), (0, &json!(enabled)), "{said}");
        let secret = std::fs::read_to_string(&file).unwrap();
        let secret = secret.trim();
        assert_eq!(secret.len(), 43);
        assert!(!said.contains(secret) && !rows[0].to_string().contains(secret));
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let (_, rows, _) = shell.json(&["webhook", "config"], b"").await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["subscribed_events"], json!(["status.updated", "data.updated"]));
    let writes: Vec<_> = shell.sim.record().into_iter().filter(|r| r.method != "GET").collect();
    let routes: Vec<_> = writes.iter().map(|r| r.route.unwrap()).collect();
    assert_eq!(routes, [Route::AddWebhook, Route::EditWebhook, Route::EditWebhook]);
    let wanted = json!({
        "label": "secondlook", "url": url, "enabled": true, "webhook_version": "v3",
        "subscribed_events": ["status.updated", "data.updated"],
    });
    assert_eq!(writes[0].body, wanted);
    // What Didit refuses is told; a file that holds something else is left alone.
    let (exit, _, said) = shell.json(&["webhook", "config", "https://localhost/x"], b"").await;
    assert_eq!(exit, 1, "{said}");
    std::fs::write(&file, "two words\n").unwrap();
    let (exit, ..) = shell.json(&args, b"").await;
    assert_eq!(exit, 2);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "two words\n");
}
