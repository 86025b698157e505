//! Which of Didit's calls each command makes: none that it does not need, and each as Didit documents it
//! (where `DIDIT_OPENAPI` names the document). A call that no command makes is no part of this program.

use std::collections::BTreeSet;

use secondlook::sim::{Candidate, Limits, Options, Route, Session, Sim, session_id};

use crate::openapi::Document;
use crate::search::picture;
use crate::terminal::{Home, candidate, finish, subject, world};

use Route as R;

/// A command, what is given to it on standard input, and the calls it makes.
type Line = (&'static str, &'static str, &'static [Route]);

/// In the order in which they are run: each stands on what those before it have done.
const COMMANDS: &[Line] = &[
    ("account register ana@example.org", "Correct-horse-7", &[R::Register]),
    ("account resend ana@example.org", "", &[R::ResendCode]),
    ("account verify-email ana@example.org --print-key", "CODE", &[R::VerifyEmail]),
    (
        "account login ana@example.org --print-key",
        "Correct-horse-7",
        &[R::Login, R::Organizations, R::Applications],
    ),
    ("doctor", "", &[R::Health, R::Sessions]),
    ("balance", "", &[R::Balance]),
    ("top-up 60 --yes", "", &[R::TopUp]),
    ("sync", "", &[R::Health, R::Sessions, R::Decision]),
    ("ingest event.jsonl", "", &[R::Health, R::Decision]),
    (
        "search picture.png --yes --enqueue",
        "",
        &[R::Balance, R::Sessions, R::FaceSearch, R::Decision],
    ),
    (
        "verify --selfie picture.png --id-front picture.png --yes --all",
        "",
        &[
            R::Balance,
            R::PassiveLiveness,
            R::Sessions,
            R::FaceSearch,
            R::Decision,
            R::IdVerification,
            R::FaceMatch,
        ],
    ),
    ("decide 1001 approve", "", &[R::Health, R::Decision]),
    ("decide 1002 blocklist --target 1002", "", &[R::Health, R::Decision]),
    (
        "outbox flush",
        "",
        &[R::Health, R::Decision, R::Reviews, R::UpdateStatus, R::Blocklist, R::BlocklistAdd],
    ),
    ("blocklist list", "", &[R::Blocklist]),
    (
        "blocklist remove 1002 --yes",
        "",
        &[R::Blocklist, R::Lists, R::Entries, R::BlocklistRemove, R::DeleteEntry],
    ),
    ("webhook config", "", &[R::Webhooks]),
    ("webhook config https://hooks.example.org/didit", "", &[R::Webhooks, R::AddWebhook]),
    (
        "webhook config https://hooks.example.org/didit --disable",
        "",
        &[R::Webhooks, R::EditWebhook],
    ),
    ("queue list", "", &[]),
    ("queue show 1001", "", &[]),
    ("outbox list", "", &[]),
    ("outbox retry --all", "", &[R::Health]),
    ("history", "", &[]),
    ("export", "", &[]),
    ("stats", "", &[]),
    ("audit verify", "", &[]),
    ("audit export", "", &[]),
    ("reviewers list", "", &[]),
    ("policy show", "", &[]),
    ("config show", "", &[]),
    ("keys", "", &[]),
    ("man webhook serve", "", &[]),
    ("completions fish", "", &[]),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_command_makes_the_calls_it_needs_as_they_are_documented() {
    let mut people = world([1001, 1002]);
    people.add(subject(1003).with(candidate(6003, 75.0)));
    for number in [1, 2] {
        people.add(Session::approved(number));
    }
    let options = Options { limits: Limits::none(), ..Options::default() };
    let sim = Sim::start(people, options).await.unwrap();
    let mut home = Home::at(&sim, 0);
    home.set("DIDIT_AUTH_URL", &sim.auth_url());
    std::fs::write(home.path("picture.png"), picture(1)).unwrap();
    let event = serde_json::json!({
        "webhook_type": "status.updated", "session_id": session_id(1003), "status": "In Review",
        "workflow_id": "11111111-2222-4333-8444-555555555555",
    });
    home.file("event.jsonl", &event.to_string(), 0o600);
    let document = Document::load();
    let (mut judged, mut seen) = (0, BTreeSet::new());
    for (line, input, routes) in COMMANDS {
        if line.starts_with("search") || line.starts_with("verify") {
            sim.knobs().next_search_finds(vec![Candidate::session(1, 81.4)]);
        }
        // Codes are mailed once a minute.
        sim.knobs().advance(std::time::Duration::from_secs(61));
        let before = sim.record().len();
        let code = sim.mailed_code("ana@example.org").unwrap_or_default();
        let words: Vec<&str> = line.split(' ').collect();
        let mut command = home.command(&words);
        let input = home.file("input", &input.replace("CODE", &code), 0o600);
        command.stdin(std::fs::File::open(input).unwrap());
        let ran = finish(command);
        // A possible duplicate is a verification that is partly done; nothing was refused.
        let done = match line.split(' ').next() {
            Some("verify") => 8,
            _ if line.starts_with("outbox retry") => 3,
            _ => 0,
        };
        assert_eq!(ran.code, done, "{line}: {ran:?}");
        let calls = sim.record().split_off(before);
        let made: BTreeSet<String> =
            calls.iter().map(|call| format!("{:?}", call.route.unwrap())).collect();
        let wanted: BTreeSet<String> = routes.iter().map(|route| format!("{route:?}")).collect();
        assert_eq!(made, wanted, "{line}: {ran:?}");
        for call in &calls {
            assert!(call.path.ends_with('/') || call.route == Some(R::Health), "{}", call.path);
            let Some(document) = &document else { continue };
            assert_eq!(document.request(call), [""; 0], "{line}");
            judged += 1;
        }
        seen.extend(made);
    }
    assert!(document.is_none() || judged > 40, "{judged}");
    assert!(seen.len() >= 24, "{seen:?}");
}
