//! Didit's events: what is believed, what is refused, what becomes a case, and how it ends.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};

use hmac::{Hmac, KeyInit, Mac};
use secondlook::domain::{CaseState, QueueQuery, Start};
use secondlook::intake::{Inbox, Intake, Settings, Taken};
use secondlook::sim::{Candidate, Options, Route, Session, session_id};
use secondlook::webhook::{
    Answer, Headers, Limits, Notice, Receiver, Refusal, Scheme, serve, work,
};
use serde_json::{Value, json};
use sha2::Sha256;
use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::ingest::Shell;
use crate::stage::{Backend, START, Stage, key_of, world};
use crate::terminal::has;

const SECRET: &str = "whsec-of-a-test-0123456789";
const ACCEPTED: Answer = Answer::Accepted { reencoded: false };

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
    let (mut forged, mut untimely, mut repeated) = ([0, 0], 0, 0);
    for n in 0..10_000_u64 {
        let session = session_id(10_000 + n);
        let way = usize::try_from(n % 3).unwrap();
        match n % 20 {
            3 | 13 => {
                forged[way / 2] += 1;
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
    assert_eq!(count(ACCEPTED), wanted.len() as u64);
    assert_eq!(count(Answer::Repeated), repeated);
    let wrong = [Scheme::V2, Scheme::Raw].map(|s| count(Answer::Refused(Refusal::Forged(s))));
    assert_eq!(wrong, forged);
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
        assert_eq!(sent.to(&receiver), ACCEPTED);
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

/// What an event says in full, under a signature that covers it, is not read again: neither when it comes nor when a
/// listing shows it. The others are.
#[tokio::test]
async fn an_event_that_carries_the_decision_spares_the_read() {
    let mut people = world();
    for number in 1_001..=1_030 {
        people.add(Session::in_review(number).with(Candidate::session(7, 81.5)));
    }
    let stage = Stage::new(Backend::Sqlite, people).await;
    let (receiver, waiting) = receiver(&stage, Limits::default());
    for (n, number) in (1_001..=1_020).enumerate() {
        let sent = Sent::new(&event(session_id(number), START / 1000, "In Review"), n % 3);
        assert_eq!(sent.to(&receiver), ACCEPTED);
    }
    // One that nobody takes for a case, told in full as well.
    let mut clear = event(session_id(1_021), START / 1000, "In Review");
    clear["decision"]["liveness_checks"][0]["matches"][0]["similarity_percentage"] = json!(12.5);
    assert_eq!(Sent::new(&clear, 0).to(&receiver), ACCEPTED);
    worked(&stage, receiver, waiting).await;
    assert_eq!(stage.count(Route::Decision), 0, "the events carry it");
    assert_eq!(open_cases(&stage).await.len(), 20);
    let clock = stage.clock.clone();
    let (store, origin) = (stage.store.clone(), stage.origin.clone());
    let mut intake = Intake::new(store, &stage.client, clock, origin, Settings::default());
    let counts = intake.pull(&|_| (), &CancellationToken::new()).await.unwrap();
    assert_eq!((counts.seen, counts.known, counts.queued), (30, 20, 9));
    assert_eq!((counts.explained.total(), counts.silent()), (1, 0));
    assert_eq!(stage.count(Route::Decision), 9, "only what no event told");
}

#[tokio::test]
async fn what_the_signature_does_not_cover_is_read_at_didit() {
    let mut people = world();
    let session = people.add(Session::in_review(1_001).with(Candidate::session(7, 77.0)));
    let stage = Stage::new(Backend::Memory, people).await;
    let (receiver, waiting) = receiver(&stage, Limits::default());
    // The signature over four fields: the 81.5 % in the body is nobody's word.
    assert_eq!(Sent::new(&event(session, START / 1000, "In Review"), 3).to(&receiver), ACCEPTED);
    // An event without a decision.
    let mut bare = event(session_id(9_999), START / 1000, "In Review");
    bare["decision"] = Value::Null;
    assert_eq!(Sent::new(&bare, 0).to(&receiver), ACCEPTED);
    // One about something else, and one in review that nobody reads.
    let mut other = event(session, START / 1000, "ACTIVE");
    other["webhook_type"] = json!("user.status.updated");
    other["session_kind"] = json!("business");
    other["event_id"] = json!("another");
    assert_eq!(Sent::new(&other, 0).to(&receiver), ACCEPTED);
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
    assert_eq!(answers, [ACCEPTED, ACCEPTED, Answer::Full]);
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

/// A JSON value as signers meet them: numbers that each language writes in its own way, names that each
/// sorts in its own way, letters that one or the other escapes. Never one that no signer could have made.
fn odd(random: &mut fastrand::Rng, depth: u32) -> String {
    const NUMBERS: [&str; 22] = [
        "0",
        "-0.0",
        "81.0",
        "81.4",
        "89.99999999999999",
        "1e-5",
        "1e-7",
        "0.00012",
        "-1.5e-9",
        "1e16",
        "1e21",
        "1.5e300",
        "123456789012345678901234567890",
        "9007199254740993",
        "-7",
        "5e-324",
        "1E+2",
        "0.1",
        "100000000000000000000.0",
        "4.35",
        "2.5e-8",
        "1234567.875",
    ];
    const NAMES: [&str; 14] = [
        "a",
        "b",
        "Z",
        "10",
        "9",
        "0",
        "01",
        "4294967294",
        "4294967295",
        "é",
        "\u{ff5e}",
        "\u{1f600}",
        "<x>&",
        "a b",
    ];
    const TEXTS: [&str; 9] = [
        "Zoë",
        "李明",
        "علي",
        "\u{1f600}",
        "tab\\tnew\\nline",
        "\\u0000\\u001f\\b\\f",
        "a/b\\\\c\\\"",
        "<b>&amp;</b>",
        "\u{7f}\u{2028}\u{2029}\u{e000}",
    ];
    match random.u32(..if depth > 3 { 5 } else { 8 }) {
        0..3 => NUMBERS[random.usize(..NUMBERS.len())].to_owned(),
        3 => format!("\"{}\"", TEXTS[random.usize(..TEXTS.len())]),
        4 => ["null", "true", "false"][random.usize(..3)].to_owned(),
        5 => {
            let items: Vec<_> = (0..random.u32(..4)).map(|_| odd(random, depth + 1)).collect();
            format!("[{}]", items.join(", "))
        }
        _ => {
            let mut names = NAMES.to_vec();
            random.shuffle(&mut names);
            let count = random.usize(1..8);
            let fields: Vec<_> = names[..count]
                .iter()
                .map(|n| format!("\"{n}\" : {}", odd(random, depth + 1)))
                .collect();
            format!("{{ {} }}", fields.join(", "))
        }
    }
}

/// What a signer of another language makes of these bodies.
fn signed_by(program: &str, args: &[&str], bodies: &[String]) -> Option<Vec<(String, String)>> {
    if !has(program) {
        return None;
    }
    let script =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/signers").join(args[0]);
    let mut command = std::process::Command::new(program);
    command.arg(script).args([SECRET, args[1]]).env("PYTHONIOENCODING", "utf-8");
    let pipe = std::process::Stdio::piped;
    let mut child = command.stdin(pipe()).stdout(pipe()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let lines = bodies.join("\n") + "\n";
    let feeding =
        std::thread::spawn(move || std::io::Write::write_all(&mut input, lines.as_bytes()));
    let output = child.wait_with_output().unwrap();
    feeding.join().unwrap().unwrap();
    assert!(output.status.success(), "{program}");
    let text = String::from_utf8(output.stdout).unwrap();
    let rows = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let word = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    Some(rows.map(|row| (word(&row, "body"), word(&row, "v2"))).collect())
}

#[test]
fn what_real_signers_of_other_languages_sign_is_taken_and_nothing_bent() {
    let mut random = fastrand::Rng::with_seed(7);
    let bodies: Vec<String> = (0..2_000)
        .map(|n| {
            let odd = odd(&mut random, 0);
            format!("{{\"timestamp\": {}, \"event_id\": \"e-{n}\", \"odd\": {odd}}}", START / 1000)
        })
        .collect();
    let waiting = Limits { waiting: 4_096, ..Limits::default() };
    for (program, args) in [
        ("python3", ["sign.py", "letters"]),
        ("python3", ["sign.py", "ascii"]),
        ("node", ["sign.mjs", "objects"]),
        ("node", ["sign.mjs", "lists"]),
    ] {
        let Some(signed) = signed_by(program, &args, &bodies) else { continue };
        assert_eq!(signed.len(), bodies.len());
        let clock = crate::stage::HandClock::at(START);
        let (receiver, _waiting) = Receiver::new(SECRET.to_owned().into(), clock, waiting);
        for (body, v2) in signed {
            let sent = |body: String| Sent {
                body,
                timestamp: (START / 1000).to_string(),
                v2: Some(v2.clone()),
                raw: None,
                simple: None,
            };
            // Bent in one place: a digit of the time, a letter of the name, the last value.
            for (from, to) in [("\"e-", "\"f-"), ("\"odd\"", "\"ode\""), ("timestamp", "timestamq")]
            {
                let bent = sent(body.replacen(from, to, 1)).to(&receiver);
                let forged = Answer::Refused(Refusal::Forged(Scheme::V2));
                assert_eq!(bent, forged, "{program} {args:?} {body}");
            }
            assert_eq!(sent(body.clone()).to(&receiver), ACCEPTED, "{program} {args:?} {body}");
        }
    }
}

/// What the listener answers to these bytes, once it closes the connection.
fn raw(url: &str, bytes: &[u8], ends: bool) -> String {
    let mut stream = std::net::TcpStream::connect(url.trim_start_matches("http://")).unwrap();
    std::io::Write::write_all(&mut stream, bytes).unwrap();
    if ends {
        stream.shutdown(std::net::Shutdown::Write).unwrap();
    }
    let mut answer = Vec::new();
    // A listener that hangs up early may reset the connection; what it said counts.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_listener_waits_for_nobody_and_believes_one_length_only() {
    let clock = crate::stage::HandClock::at(START);
    let limits = Limits { connections: 4, patience_ms: 300, ..Limits::default() };
    let (receiver, mut waiting) = Receiver::new(SECRET.to_owned().into(), clock, limits);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let stop = CancellationToken::new();
    let told = Arc::new(|_| ());
    let serving = tokio::spawn(serve(listener, receiver, told, stop.clone()));
    let ask = |bytes: &'static [u8], ends| {
        let url = url.clone();
        tokio::task::spawn_blocking(move || raw(&url, bytes, ends))
    };
    for (bytes, wanted) in [
        (&b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"[..], "HTTP/1.1 400"),
        (b"POST / HTTP/1.1\r\nHost: x\r\ntransfer-ENCODING: chunked\r\ncontent-length: 2\r\n\r\n0\r\n\r\n", "HTTP/1.1 400"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", "HTTP/1.1 400"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n{}", "HTTP/1.1 400"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length : 2\r\n\r\n{}", "HTTP/1.1 400"),
        (b"no request at all\r\n\r\n", "HTTP/1.1 400"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", "HTTP/1.1 401"),
        // A body that never comes.
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n", "HTTP/1.1 408"),
        // Half a head.
        (b"POST / HTTP/1.1\r\nHost:", "HTTP/1.1 408"),
    ] {
        let answer = ask(bytes, false).await.unwrap();
        assert!(answer.starts_with(wanted), "{}: {answer}", String::from_utf8_lossy(bytes));
    }
    // Far more who say half a word than there is room for: each is answered, and who comes after is served.
    let half: Vec<_> = (0..40).map(|_| ask(b"POST / HTTP/1.1\r\nHost:", false)).collect();
    for answer in half {
        assert!(answer.await.unwrap().starts_with("HTTP/1.1 408"));
    }
    let sent = Sent::new(&event(session_id(1), START / 1000, "In Review"), 0);
    assert_eq!(post(&url, &sent).await, 200);
    stop.cancel();
    serving.await.unwrap().unwrap();
    let stage = Stage::new(Backend::Memory, world()).await;
    let waiting = std::mem::replace(&mut waiting, receiver_of_nothing());
    let report = |_| ();
    work(waiting, &inbox(&stage), &report, &CancellationToken::new()).await;
    assert_eq!(open_cases(&stage).await.len(), 1, "and nothing that was refused became a case");
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
    assert!(rest.contains("refused: its X-Signature-V2 is wrong"), "{rest}");
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
