//! Replies reviewed at once, from a file and from a pipe: the real program in a real terminal. What Didit can
//! be asked for is any case; of other replies the links are in memory and nowhere else.

use secondlook::sim::{Limits, Options, Route, Sim, session_id};
use serde_json::{Value, json};

use crate::search::picture;
use crate::terminal::{Home, Plays, world};

const PROGRAM: &str = env!("CARGO_BIN_EXE_secondlook");

/// A reply of a search that Didit shows to no one any more, with the live links of a session that it has.
fn reply(sim: &Sim, number: u64, of: u64) -> Value {
    let decision = sim.knobs().decision(session_id(of)).unwrap();
    let matches = decision["liveness_checks"][0]["matches"].clone();
    assert!(matches[0]["match_image_url"].as_str().unwrap().starts_with("http"), "{matches}");
    json!({
        "request_id": session_id(number),
        "face_search": { "status": "In Review", "total_matches": 1, "matches": matches },
        "created_at": "2026-11-20T10:00:00Z",
    })
}

fn with_image(mut reply: Value, path: &str) -> String {
    reply["subject_image"] = json!(path);
    reply.to_string()
}

async fn sim() -> Sim {
    let options = Options { limits: Limits::none(), ..Options::default() };
    Sim::start(world([1001, 1002]), options).await.unwrap()
}

/// Whether any file below the home but the given ones holds these bytes.
fn is_kept(home: &Home, but: &[&str], words: &str) -> bool {
    let mut folders = vec![home.path("")];
    let mut found = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if !but.contains(&name.as_str()) {
                let bytes = std::fs::read(&path).unwrap();
                found += bytes.len();
                if bytes.windows(words.len()).any(|at| at == words.as_bytes()) {
                    return true;
                }
            }
        }
    }
    assert!(found > 1000, "the store was found");
    false
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replies_from_a_pipe_are_reviewed_with_keys_from_the_terminal() {
    let sim = sim().await;
    let home = Home::at(&sim, 0);
    std::fs::write(home.path("face.png"), picture(1)).unwrap();
    let image = home.path("face.png").display().to_string();
    let lines = [
        "no JSON at all".to_owned(),
        with_image(reply(&sim, 7001, 1001), &image),
        reply(&sim, 7002, 1001).to_string(),
        with_image(reply(&sim, 7003, 1002), &home.path("absent.png").display().to_string()),
    ];
    std::fs::write(home.path("replies.jsonl"), lines.join("\n")).unwrap();
    let script = format!("cat replies.jsonl | {PROGRAM} review --from -");
    let console = home.open(Plays::Kitty, "/bin/sh", &["-c", &script]);
    console.wait_for(&["ARMED", "kept here as approved, nothing at Didit"]);
    console.press("a");
    // The next one has no picture to compare with: nothing decides, and the line says why.
    console.wait_for(&["subject's picture cannot be read"]);
    console.press("a");
    console.wait("recorded", |screen| !screen.contains("saving"));
    console.press("q");
    let (code, words) = console.restored();
    assert_eq!(code, 0, "{words}");
    for said in ["line 1: it is not JSON", "line 3: Didit does not show this search"] {
        assert!(words.contains(said), "{said}: {words}");
    }
    assert_eq!(home.decisions(), ["approve local"]);
    assert!(sim.record().iter().all(|call| call.method == "GET"), "nothing was written at Didit");
    assert!(!sim.record().iter().any(|call| call.route == Some(Route::FaceSearch)));
    // What was left undecided is gone with its links; those are in no file but the one they came in.
    assert!(home.rows(&["queue", "list"]).iter().all(|row| row["case"] != json!(session_id(7003))));
    let left = home.rows(&["queue", "list", "--state", "departed"]);
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(!is_kept(&home, &["replies.jsonl"], "X-Amz-"));
    assert!(is_kept(&home, &[], "X-Amz-"), "the look itself finds what is there");
    // The same lines again: one is decided, one waits again.
    let console = home.open(Plays::Kitty, PROGRAM, &["review", "--from", "replies.jsonl"]);
    console.wait_for(&["subject's picture cannot be read"]);
    console.press("q");
    let (code, words) = console.restored();
    assert_eq!(code, 0, "{words}");
    assert!(words.contains("line 2: its case is decided already"), "{words}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_didit_shows_is_a_case_like_any_other() {
    let sim = sim().await;
    let home = Home::at(&sim, 1);
    let line = sim.knobs().decision(session_id(1002)).unwrap().to_string();
    std::fs::write(home.path("decision.jsonl"), line).unwrap();
    let console = home.open(Plays::Kitty, PROGRAM, &["review", "--from", "decision.jsonl"]);
    console.wait_for(&["ARMED", "x: #1002 In Review -> Declined"]);
    console.press("x");
    console.wait_for(&["#1002 reject: Declined at Didit, read back."]);
    console.press("q");
    assert_eq!(console.restored().0, 0);
    assert_eq!(sim.session(session_id(1002)).unwrap().status, "Declined");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_to_review_is_code_three() {
    let sim = sim().await;
    let home = Home::at(&sim, 1);
    std::fs::write(home.path("bad.jsonl"), "no JSON\n\n").unwrap();
    let console = home.open(Plays::Kitty, PROGRAM, &["review", "--from", "bad.jsonl"]);
    let (code, words) = console.end();
    assert_eq!(code, 3, "{words}");
    assert!(words.contains("line 1: it is not JSON"), "{words}");
    assert!(words.contains("holds nothing to review"), "{words}");
}
